"""Forecasts have the columns of Nixtla's libraries, and names of others are answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.recipes.forecasting import forecasting
from kerasseq.settings import declarations_of
from kerasseq.tasks.forecasting.hints import SETTINGS, check_arguments
from kerasseq.tasks.forecasting.nixtla import backtest_to_nixtla, to_nixtla

DAYS = pd.date_range("2024-01-01", periods=2, tz="Europe/Berlin")
LEVELS = ("0.025", "0.1", "0.3", "0.5", "0.9", "0.975")


def _frame(**keys: Any) -> pd.DataFrame:
    columns = {**keys, "day": DAYS, "forecast": [5.0, 6.0]}
    columns |= {level: [float(level), float(level) + 1] for level in LEVELS}
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("keys", "unique_id"),
    [({}, ""), ({"shop": "a"}, "a"), ({"shop": "a/b", "item": [7, 7]}, "a\\/b/7")],
)
def test_quantiles_are_the_ends_of_intervals(keys: dict[str, Any], unique_id: str) -> None:
    frame = _frame(**keys)
    found = to_nixtla(frame, len(keys), several=False)
    assert found["unique_id"].tolist() == [unique_id] * 2
    pd.testing.assert_series_equal(found["ds"], frame["day"], check_names=False)
    names = {"forecast": "", "0.025": "-lo-95", "0.1": "-lo-80", "0.3": "-q-0.3"}
    names |= {"0.5": "-median", "0.9": "-hi-80", "0.975": "-hi-95"}
    assert found.columns.tolist() == ["unique_id", "ds", *(f"kerasseq{n}" for n in names.values())]
    for name, other in names.items():
        np.testing.assert_array_equal(found[f"kerasseq{other}"], frame[name])


def test_targets_become_series_and_paths_stay() -> None:
    frame = _frame(shop="a").assign(**{"path 1": [1.0, 2.0]})
    frame.insert(2, "target", ["x", "y"])
    found = to_nixtla(frame, 1, several=True)
    assert found["unique_id"].tolist() == ["a/x", "a/y"]
    assert found["kerasseq-path 1"].tolist() == [1.0, 2.0]


def test_a_backtest_has_the_columns_of_cross_validation() -> None:
    frame = _frame(shop="a").assign(actual=[4.0, 7.0])
    frame.insert(0, "fold", 1)
    frame.insert(1, "cutoff", DAYS[0] - pd.Timedelta(days=1))
    found = backtest_to_nixtla(frame, 1, several=False)
    assert found.columns[:5].tolist() == ["unique_id", "ds", "cutoff", "y", "kerasseq"]
    assert found["y"].tolist() == [4.0, 7.0]
    assert (found["cutoff"] < found["ds"]).all()
    others = frame.drop(columns=["fold", "cutoff", "actual"])
    pd.testing.assert_frame_equal(found.drop(columns=["cutoff", "y"]), to_nixtla(others, 1, False))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("h", "horizon="),
        ("freq", "resample="),
        ("input_size", "lookback="),
        ("level", "quantiles="),
    ],
)
def test_a_setting_of_another_library_is_answered(name: str, answer: str) -> None:
    with pytest.raises(TypeError, match=rf"forecasting\(\): '{name}' is .*{answer}"):
        forecasting("no such file", **{name: 1})


def test_no_name_of_another_library_hides_a_setting() -> None:
    assert not {*SETTINGS} & {*declarations_of(forecasting.task.settings)}


def test_an_argument_of_another_library_is_answered() -> None:
    check_arguments(["fill", "season"])
    with pytest.raises(TypeError, match=r"forecast\(\): 'futr_df' is future= here"):
        check_arguments(["fill", "futr_df"])
