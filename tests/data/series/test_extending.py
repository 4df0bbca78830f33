"""Rows before a short series have its season or its mean, and stamps of its frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.extending import extend_back
from kerasseq.data.series.read import Panel, read_series


def _panel(steps: int, frequency: str = "D") -> Panel:
    stamps = pd.date_range("2024-01-31", periods=steps, freq=frequency)
    values = np.arange(1.0, steps + 1)
    return read_series(pd.DataFrame({"t": stamps, "y": values}), season=3)


def test_a_series_with_a_season_repeats_it() -> None:
    extended = extend_back(_panel(4), 9)
    assert extended.targets[0].ravel().tolist() == [2, 3, 1, 2, 3, 1, 2, 3, 4]
    assert extended.filled is not None
    assert extended.filled[0].ravel().tolist() == [True] * 5 + [False] * 4


def test_a_series_without_a_season_has_its_mean() -> None:
    assert extend_back(_panel(4).cut([2], [4]), 4).targets[0].ravel().tolist() == [3.5, 3.5, 3, 4]


@pytest.mark.parametrize("frequency", ["D", "ME", "W-SUN", "B", "15min", "YE", "MS"])
def test_stamps_go_on_backwards(frequency: str) -> None:
    panel = _panel(20, frequency)
    again = extend_back(panel.cut([8], [20]), 20)
    assert again.stamps[0].equals(panel.stamps[0])


def test_counted_steps_go_on_backwards() -> None:
    panel = read_series(pd.DataFrame({"y": np.arange(6.0)}), time=())
    assert [*extend_back(panel.cut([3], [6]), 6).stamps[0]] == [*panel.stamps[0]]


def test_a_missing_value_of_the_season_becomes_the_mean_and_covariates_stay() -> None:
    table = pd.DataFrame({"y": [np.nan, 2.0, 4.0], "x": [5.0, 6.0, 7.0]})
    extended = extend_back(read_series(table, target="y", past="x", fill="mask", season=3), 6)
    assert extended.targets[0][:3].ravel().tolist() == [3, 2, 4]
    assert extended.past[0].ravel().tolist() == [5, 5, 5, 5, 6, 7]


def test_longer_series_stay_as_they_are() -> None:
    panel = _panel(4)
    extended = extend_back(panel, np.array([0]))
    assert extended.stamps[0].equals(panel.stamps[0])
    np.testing.assert_array_equal(extended.targets[0], panel.targets[0])
