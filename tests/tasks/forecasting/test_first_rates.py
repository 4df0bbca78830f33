"""Smoothing of the network "hybrid" begins with coefficients that fit the training windows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras import ops

from kerasseq.layers import SmoothingNorm
from kerasseq.tasks.forecasting.first_rates import first_rates

HORIZON, SEASON, LOOKBACK = 4, 4, 16


class _Windows:
    """All windows over series of two targets, (time, 2)."""

    panel = SimpleNamespace(season=SEASON)

    def __init__(self, values: np.ndarray) -> None:
        views = np.lib.stride_tricks.sliding_window_view(values, LOOKBACK + HORIZON, axis=0)
        self._windows = views.transpose(0, 2, 1).astype("float32")

    def __len__(self) -> int:
        return len(self._windows)

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        windows = self._windows[rows]
        return {"history": windows[:, :LOOKBACK]}, windows[:, LOOKBACK:]


def _error(windows: Any, rates: dict[str, np.ndarray]) -> np.ndarray:
    """The error of smoothing alone, of each target."""
    inputs, targets = windows.batch(np.arange(len(windows)))
    layer = SmoothingNorm("additive", HORIZON, SEASON)
    layer.build(inputs["history"].shape)
    for path, value in rates.items():
        getattr(layer, path.removeprefix("norm/") + "_weight").assign(value)
    centre = ops.convert_to_numpy(layer(inputs["history"])[1])
    mean: np.ndarray = np.abs(centre - targets).mean(axis=(0, 1))
    return mean


def test_each_target_has_the_rates_that_fit_it() -> None:
    random, steps = np.random.default_rng(0), np.arange(150)
    season = 3 * np.sin(steps * np.pi / 2)
    noise = random.normal(size=150)  # about a constant level; the other one is a random walk
    windows: Any = _Windows(np.column_stack([season + noise, season + noise.cumsum()]))
    rates = first_rates(windows, "additive")
    level, trend = rates["norm/level"], rates["norm/trend"]
    assert level[0] < 0 < level[1]
    assert (trend < 0).all()  # neither has one
    assert (_error(windows, rates) <= _error(windows, {})).all()
    assert _error(windows, rates)[0] < 0.95 * _error(windows, {})[0]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_weight_stands_for_a_coefficient(share: float) -> None:
    layer = SmoothingNorm("additive", HORIZON, SEASON)
    layer.build((None, LOOKBACK, 1))
    layer.level_weight.assign([layer.weight_of(share)])
    assert float(layer._share("level")[0]) == pytest.approx(share, abs=1e-6)
