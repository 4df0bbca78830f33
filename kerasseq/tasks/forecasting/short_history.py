"""Intervals of series that are shorter than the lookback of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # it has no types

from kerasseq.data.series.panel import Panel
from kerasseq.data.series.reader import SeriesReader
from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.models import Likelihood
from kerasseq.tasks.forecasting.running import run_model

__all__ = ["deviations", "notes", "widened"]

_SERIES = 256  # most series whose forecasts are compared


def notes(panel: Panel, lookback: int) -> list[str]:
    """For each series, a note if it is shorter than the lookback, else an empty text."""
    return [
        f"{length:,} of {lookback:,} steps: extended back, interval widened"
        if length < lookback
        else ""
        for length in panel.lengths
    ]


def deviations(
    model: keras.Model,
    likelihood: Likelihood,
    reader: SeriesReader,
    known: Panel,
    lengths: np.ndarray,
) -> np.ndarray:
    """How far the forecasts of a model move if it reads fewer steps of a series.

    The model forecasts series that it knows twice: from whole windows, and from their last steps
    alone, as if they were new. Of the movements the root mean square over these series is taken,
    for each step and target; lengths are rounded down to a power of two.

    Args:
        model: the trained model.
        likelihood: the likelihood that interprets its outputs.
        reader: the fitted reader.
        known: the last rows of the series that the model was trained on.
        lengths: number of steps of each series to forecast, int (series,).

    Returns:
        Standard deviations, (series, horizon, targets), in scaled units; 0 for series that are not
        shorter than the lookback.
    """
    known = _with_future(known.pick(np.arange(min(len(known), _SERIES))), reader.horizon)
    inputs, scaler = reader.latest(known)
    places = np.arange(len(known))
    whole = likelihood.median(run_model(model, inputs))
    result = np.zeros((len(lengths), *whole.shape[1:]))
    steps = np.where(lengths < reader.lookback, 2 ** np.log2(lengths).astype(int), 0)
    for count in np.unique(steps[steps > 0]):
        ends = known.lengths
        part = known.cut(np.maximum(ends - count, 0), ends)
        # Under other names they are new series, whose scale is not known.
        new = replace(part, ids=[f"{name} {count}" for name in part.ids])
        inputs, short_scaler = reader.latest(new)
        moved = short_scaler.inverse(likelihood.median(run_model(model, inputs)), places)
        difference = scaler.transform(scaler.clipped(moved), places) - whole
        result[steps == count] = np.sqrt(np.mean(difference**2, axis=0))
    return result


def widened(forecasts: Forecasts, deviation: np.ndarray) -> Forecasts:
    """Forecasts whose quantiles have an independent normal error added.

    Distances from the median grow as standard deviations do, whose squares are added.

    Args:
        forecasts: forecasts in scaled units.
        deviation: standard deviation of the error, of the shape of the point forecasts.

    Example:

    >>> interval = {0.1: np.full((1, 1, 1), -3.0), 0.9: np.full((1, 1, 1), 3.0)}
    >>> wide = widened(Forecasts(np.zeros((1, 1, 1)), interval), np.full((1, 1, 1), 4 / 1.2815516))
    >>> {level: round(float(values[0, 0, 0]), 3) for level, values in wide.quantiles.items()}
    {0.1: -5.0, 0.9: 5.0}
    """
    quantiles: Mapping[float, np.ndarray] = forecasts.quantiles or {}
    result = {}
    for level, values in quantiles.items():
        distance = np.abs(values - forecasts.point)
        reach = np.hypot(distance, stats.norm.ppf(level) * deviation)
        sign = np.where(values == forecasts.point, level - 0.5, values - forecasts.point)
        result[level] = np.where(
            deviation > 0, forecasts.point + np.sign(sign) * reach, values
        ).astype(values.dtype)
    return Forecasts(forecasts.point, result)


def _with_future(panel: Panel, horizon: int) -> Panel:
    """Series whose future covariates stay after the end, as far as a horizon."""
    if not panel.names["future"]:
        return panel
    return replace(
        panel,
        future=[
            np.concatenate([values, np.repeat(values[-1:], horizon, axis=0)])[: length + horizon]
            for values, length in zip(panel.future, panel.lengths)
        ],
    )
