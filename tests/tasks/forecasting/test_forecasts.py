"""Forecasts come back in the terms of the table that the series were read from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kerasseq.data.series.read import read_series
from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.tasks.forecasting import forecasts


def test_a_table_of_forecasts_merges_with_the_table_of_the_series() -> None:
    table = pd.DataFrame(
        {
            "store": np.repeat([1, 1, 2], 9),
            "item": np.repeat(["x", "y", "x"], 9),
            "day": np.tile(pd.date_range("2024-01-01", periods=9), 3),
            "sold": np.arange(27.0) ** 2,
        }
    )
    panel = read_series(table, target="sold", series=["store", "item"])
    before = panel.cut([0, 0, 0], [7, 7, 7])
    found = forecasts.table(before, Forecasts(np.zeros((3, 2, 1))), 2)
    assert found.columns.tolist() == ["store", "item", "day", "forecast"]
    assert found["store"].dtype == np.int64
    merged = found.merge(table, on=["store", "item", "day"])
    assert merged["sold"].tolist() == table.groupby(["store", "item"]).tail(2)["sold"].tolist()


def test_columns_of_the_data_do_not_take_the_names_of_the_answers() -> None:
    table = pd.DataFrame(
        {"forecast": ["x"] * 9, "fold": 1, "target": pd.date_range("2024-01-01", periods=9)}
    ).assign(sold=np.arange(9.0))
    panel = read_series(table, target="sold", series=["forecast", "fold"], time="target")
    answers = forecasts.table(panel, Forecasts(np.zeros((1, 2, 1))), 2)
    assert answers.columns.tolist() == ["forecast_", "fold", "target_", "forecast"]
    assert answers["forecast_"].tolist() == ["x", "x"]
    answers = forecasts.table(panel, Forecasts(np.zeros((1, 2, 1))), 2, taken=("fold",))
    assert answers.columns.tolist() == ["forecast_", "fold_", "target_", "forecast"]
