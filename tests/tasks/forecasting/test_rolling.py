"""Intervals of few validation windows have errors of baselines from earlier origins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.read import read_series
from kerasseq.data.series.reader import Part, SeriesReader
from kerasseq.data.series.splits import chronological
from kerasseq.tasks.forecasting import rolling
from kerasseq.tasks.forecasting.series_baselines import HISTORY

HORIZON, LOOKBACK, SEASON = 6, 12, 6


def _prepared(columns: dict[str, np.ndarray]) -> Any:
    """What `Forecasting.prepare` makes, of series by name."""
    tables = [
        pd.DataFrame({"name": name, "step": np.arange(len(values)), "y": values})
        for name, values in columns.items()
    ]
    panel = read_series(pd.concat(tables), series="name", time="step", season=SEASON)
    parts = Part.split(panel, chronological(panel, 12, 12, HORIZON), LOOKBACK, HORIZON, HISTORY)
    reader = SeriesReader.fit(
        parts[0].panel, "standard", True, lookback=LOOKBACK, horizon=HORIZON, lags=(), cycles=(),
        masked=False, series_ids=False,
    )  # fmt: skip
    validation = reader.examples(parts[1].panel, parts[1].first)
    return SimpleNamespace(validation=validation, state={"reader": reader.state()})


def test_origins_are_in_the_second_half_before_the_test_part() -> None:
    prepared = _prepared({"a": np.arange(100.0), "b": np.arange(60.0)})
    examples = rolling.rolling_examples(prepared)
    series, origins = examples.windows.places(np.arange(len(examples)))
    for place, (first, end) in enumerate([(44, 88), (24, 48)]):  # without 12 rows of test
        assert origins[series == place].tolist() == [*range(first, end - HORIZON + 1)]


def test_the_best_baseline_lends_its_errors() -> None:
    season = np.tile([5.0, 1, 4, 2, 8, 3], 20) + 0.01 * np.arange(120)
    walk = np.random.default_rng(0).normal(size=120).cumsum()
    for values, candidate in ((season, "season"), (walk, "last")):
        examples = rolling.rolling_examples(_prepared({"a": values}))
        errors = examples.scaler.inverse(
            rolling.best_errors(examples), np.zeros(len(examples), int)
        )
        errors -= examples.scaler.inverse(np.zeros((1, 1, 1)), np.zeros(1, int))
        _, origins = examples.windows.places(np.arange(len(examples)))
        rows = origins[:, None] + np.arange(HORIZON)
        simple = (
            values[rows] - values[rows - SEASON if candidate == "season" else origins[:, None] - 1]
        )
        assert np.abs(errors).mean() <= np.abs(simple).mean() + 1e-6
        if candidate == "season":  # the drift is seen, too
            assert np.abs(errors).mean() < 0.05


def test_a_better_model_is_believed_by_the_number_of_windows() -> None:
    prepared = _prepared({"a": np.random.default_rng(0).normal(size=100).cumsum()})
    examples = rolling.rolling_examples(prepared)
    errors, truth = rolling.best_errors(examples), examples.scaled_targets

    def ratio(share: float) -> float:
        """For a model whose errors are a share of those of the baseline."""
        return rolling._error_ratio(examples, truth - share * errors, errors, prepared.validation)

    believed = prepared.validation.independent / (prepared.validation.independent + 20)
    np.testing.assert_allclose([ratio(1.5), ratio(5.0)], [1.5, 2.0], rtol=1e-5)
    np.testing.assert_allclose(ratio(0.5), 1 - 0.5 * believed, rtol=1e-5)
