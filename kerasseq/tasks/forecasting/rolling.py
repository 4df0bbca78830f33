"""Calibration by errors from rolling origins before the test part, for few validation windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasseq import training
from kerasseq.data.series.reader import SeriesExamples, SeriesReader
from kerasseq.models import Likelihood
from kerasseq.tasks.forecasting import baselines
from kerasseq.tasks.forecasting.conformal import Calibration
from kerasseq.tasks.forecasting.forecasts import quantile_forecasts
from kerasseq.tasks.forecasting.series_baselines import following

__all__ = ["best_errors", "calibration", "rolling_examples"]

_WINDOWS = 512  # most windows: more of a few series overlap, and tell nothing new
_LARGEST_RATIO = 2.0  # a few windows tell the error of the model roughly
_DOUBT = 20  # windows of which a better model is half believed; they also chose its epoch


def calibration(
    model: keras.Model, prepared: Any, likelihood: Likelihood, levels: Sequence[float]
) -> Calibration:
    """Stretch the intervals of a model so that they cover the errors of the best simple baseline.

    The baseline has errors from rolling origins over the second half of the rows, whose values it
    was not fitted on; the model learned from most of them, so that its errors there say little.
    Both are compared in the validation part: intervals are wider if the model is worse there, and
    narrower if it is better, as far as the number of windows that do not overlap carries that.

    Args:
        model: the model, trained on the training part.
        prepared: prepared data of the run.
        likelihood: the likelihood that interprets the outputs of the model.
        levels: levels of the quantiles to calibrate.
    """
    examples = rolling_examples(prepared)
    errors = best_errors(examples)
    forecasts = quantile_forecasts(training.outputs(model, examples), likelihood, levels)
    ratio = _error_ratio(examples, forecasts.point, errors, prepared.validation)
    return Calibration.stretch(errors, forecasts, ratio)


def _error_ratio(
    examples: SeriesExamples, point: np.ndarray, errors: np.ndarray, validation: Any
) -> float:
    """Mean absolute error of the model relative to the baseline, on the validation part."""
    series, origins = examples.windows.places(np.arange(len(examples)))
    later = origins >= validation.first[series]
    if not later.any():  # the stride has left them out
        return 1.0
    ours = np.nanmean(np.abs(examples.scaled_targets - point)[later])
    theirs = np.nanmean(np.abs(errors[later]))
    ratio = min(float(ours / max(theirs, 1e-9)), _LARGEST_RATIO)
    belief = validation.independent / (validation.independent + _DOUBT)
    return ratio if ratio > 1 else 1 - belief * (1 - ratio)


def rolling_examples(prepared: Any) -> SeriesExamples:
    """Windows over the second half of the rows before the test part that baselines read.

    Args:
        prepared: prepared data of a run.
    """
    reader, panel = SeriesReader.from_state(prepared.state["reader"]), prepared.validation.panel
    first = np.maximum(panel.lengths // 2, reader.rows_needed)
    first = np.minimum(first, prepared.validation.first)
    count = int((panel.lengths - reader.horizon - first + 1).sum())
    return reader.examples(panel, first, stride=max(1, -(-count // _WINDOWS)))


def best_errors(examples: SeriesExamples) -> np.ndarray:
    """Errors of the baseline with the least mean absolute one, (windows, horizon, targets), scaled.

    Args:
        examples: windows to forecast; baselines are fitted on the rows before the first of them.
    """
    season, lookback = examples.panel.season, examples.windows.lookback
    candidates = {"last value": baselines.LastValue(), **following(season, ())}
    if 1 < season <= lookback:
        candidates["seasonal naive"] = baselines.SeasonalNaive(season)
    errors = (baseline.errors(examples) for baseline in candidates.values())
    return min(errors, key=lambda each: float(np.nanmean(np.abs(each))))
