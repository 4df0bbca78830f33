"""The default lookback grows where a linear map forecasts better from more steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.tasks.forecasting.longer_lookback import longer_lookback

RANDOM = np.random.default_rng(0)


def _lookback(*series: np.ndarray) -> int:
    tables = [pd.DataFrame({"name": str(n), "y": values}) for n, values in enumerate(series)]
    return longer_lookback(read_series(pd.concat(tables), series="name", season=6), 12, 6)


def _hours(rows: int) -> np.ndarray:
    """A season of 6 steps, in each of 7 of which the level is another one."""
    levels = np.array([0.0, 3.0, -2.0, 5.0, 1.0, -4.0, 2.0])
    steps = np.arange(rows)
    values: np.ndarray = levels[steps // 6 % 7] + np.sin(steps * np.pi / 3)
    return values + 0.1 * RANDOM.normal(size=rows)


def test_a_second_season_is_read_where_there_is_one() -> None:
    assert _lookback(_hours(2000)) >= 42
    assert _lookback(_hours(2000), 100 * _hours(1500)) >= 42


def test_what_is_far_back_is_not_read_where_it_does_not_help() -> None:
    assert _lookback(RANDOM.normal(size=3000).cumsum()) == 12  # the last value says all


@pytest.mark.parametrize("rows", [40, 80, 500])
def test_few_windows_keep_the_lookback(rows: int) -> None:
    assert _lookback(_hours(rows)) == 12
