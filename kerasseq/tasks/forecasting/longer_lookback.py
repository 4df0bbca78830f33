"""A default lookback from the training part: how far back it pays to look."""

from __future__ import annotations

import numpy as np

from kerasseq.data.series.panel import Panel
from kerasseq.data.series.scaling import Scaler
from kerasseq.data.series.windows import Windows
from kerasseq.tasks.forecasting.baselines import NLinear
from kerasseq.tasks.forecasting.defaults import linear_lookbacks

__all__ = ["longer_lookback"]

_LATER = 0.2  # share of the rows on which lookbacks are compared
_MARGIN = 0.01  # relative error that a shorter lookback may be worse
_WINDOWS = 2**14  # most windows to fit on
_LEAST_WINDOWS = 1000  # fewer are not spent on a longer lookback


def longer_lookback(panel: Panel, lookback: int, horizon: int) -> int:
    """The shortest lookback from which a linear map forecasts nearly as well as from any.

    The map is that of the baseline `NLinear`; it is compared on the last rows of the training part,
    and fitted on those before. It tells in a moment whether a second season, such as the week of
    hours, or a long cycle is worth reading. With few windows the lookback stays.

    Args:
        panel: the training part.
        lookback: the shortest lookback; others are two, four and eight times as long.
        horizon: steps to forecast.
    """
    lengths = panel.lengths
    candidates = linear_lookbacks(lookback, int(lengths.min()) - horizon)
    longest = candidates[-1]
    later = np.minimum((lengths * (1 - _LATER)).astype(int), lengths - horizon)
    count = int((later - longest - horizon + 1).sum())
    fits = (later >= longest + horizon).all()
    if len(candidates) == 1 or not fits or count < _LEAST_WINDOWS:
        return lookback
    scaled = panel.scaled({"targets": Scaler.fit("standard", panel.targets, per_series=True)})
    windows = Windows(scaled, longest, horizon, last=later, stride=1 + count // _WINDOWS)
    newer = windows.part(first=later, stride=windows.stride)
    errors = {steps: _error(steps, windows, newer) for steps in candidates}
    enough = (1 + _MARGIN) * min(errors.values())
    return next(steps for steps, error in errors.items() if error <= enough)


def _error(lookback: int, windows: Windows, newer: Windows) -> float:
    """Mean absolute error of a linear map of so many steps on the newer windows."""
    linear = NLinear(lookbacks=(lookback,))
    linear.fit(windows, newer)
    return float(np.nanmean(np.abs(linear.errors(newer))))
