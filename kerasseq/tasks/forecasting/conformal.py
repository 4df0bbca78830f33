"""Conformal calibration: shifting or stretching quantiles by quantiles of past errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np

from kerasseq.evaluation.forecast_metrics import Forecasts, intervals
from kerasseq.io.schema import Length, Limits

__all__ = ["LEVELS", "Calibration", "CalibrationState", "least_windows", "windows_for"]

LEVELS = (0.1, 0.5, 0.9)
LEAST_ERRORS = (
    50  # least number of errors per offset; a step with fewer uses the errors of its neighbours too
)
_RELIABLE = 10  # reliable number of windows over `least_windows`, see `windows_for`
_NARROWEST = 0.05  # least width to divide errors by, as a share of the mean width


class CalibrationState(TypedDict):
    """The JSON values of a calibration; offsets and factors are (levels, horizon, targets)."""

    levels: Annotated[list[Annotated[float, Limits(least=0, most=1)]], Length(1)]
    offsets: list[list[list[float]]]
    factors: NotRequired[list[list[list[float]]]]


@dataclass(frozen=True)
class Calibration:
    """Offsets or factors of quantiles, with which intervals reach their nominal coverage.

    Split conformal prediction on held-out windows, for each step of the horizon and each target.
    Both ends of a central interval move outwards (or inwards) by the same amount: conformalised
    quantile regression (Romano, Patterson & Candès 2019, https://arxiv.org/abs/1905.03222). Around
    point forecasts, intervals are symmetric (Lei et al. 2018, https://arxiv.org/abs/1604.04173). A
    quantile without a counterpart moves by itself, and the median stays. The guarantee assumes
    exchangeable windows: for series, that errors in future are distributed as in validation.

    Windows that overlap have nearly the same errors. If the windows that do not overlap are too few
    for the probability p of an interval, fewer than p / (1 - p), there is no guarantee: all steps
    then share one offset, and quantiles are never moved inwards. `stretch` is for so few windows.

    Args:
        levels: rising levels, (levels,).
        offsets: values to add to quantiles, (levels, horizon, targets), in units of the forecasts.
        factors: factors of the distances of quantiles from the point forecast, of the same shape;
            None for 1.

    Example:

    >>> truth = np.arange(99.0).reshape(99, 1, 1)  # the forecasts are all 0
    >>> calibration = Calibration.fit(truth, Forecasts(np.zeros_like(truth)), (0.1, 0.5, 0.9))
    >>> calibration.offsets.ravel().tolist()
    [-79.0, 0.0, 79.0]
    """

    levels: np.ndarray
    offsets: np.ndarray
    factors: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        truth: np.ndarray,
        forecasts: Forecasts,
        levels: Sequence[float] = LEVELS,
        independent: int | None = None,
    ) -> Calibration:
        """Fit offsets to the errors on windows that the model was not trained on.

        There is an offset for each level, step and target. A step with too few errors uses those of
        the steps around it, too.

        Args:
            truth: actual values, (windows, horizon, targets); NaN where not observed. All series
                share the offsets, and so should have the same scale.
            forecasts: forecasts of the same windows, in the same units.
            levels: levels of the quantiles around point forecasts; ignored if `forecasts` has
                quantiles, whose levels are calibrated then.
            independent: number of windows that do not overlap; None if no windows overlap.

        Raises:
            ValueError: if shapes differ, a level is not above 0 and below 1, there is no level, or
                nothing was observed.
        """
        if truth.shape != forecasts.point.shape:
            raise ValueError(
                "truth and forecasts must both be (windows, horizon, targets). "
                f"Received: {truth.shape} and {forecasts.point.shape}"
            )
        levels = sorted(levels if forecasts.quantiles is None else forecasts.quantiles)
        if not levels or not all(0 < level < 1 for level in levels):
            raise ValueError(f"levels must be between 0 and 1. Received: {levels!r}")
        if np.isnan(truth).all():
            raise ValueError(
                "there is nothing to calibrate on: no value of these windows was observed."
            )
        spans = _spans((~np.isnan(truth)).sum(axis=0).min(axis=1), _least_errors(levels))
        sample = _Sample(spans, independent)
        if forecasts.quantiles is None:
            offsets = _point_offsets(truth - forecasts.point, np.array(levels), sample)
        else:
            offsets = _quantile_offsets(truth, forecasts.quantiles, sample)
        return cls(np.array(levels, dtype=np.float64), offsets)

    @classmethod
    def stretch(cls, errors: np.ndarray, forecasts: Forecasts, ratio: float = 1.0) -> Calibration:
        """Fit factors by which intervals would cover the errors of another method.

        For few windows to calibrate on: a simple method has known errors from many more origins.
        They are divided by the widths of the model's quantiles for the same windows, which grow
        with the level of a series and, roughly, with the horizon (as the conformity scores of
        Kivaranovic et al. 2020, https://arxiv.org/abs/1905.10634). Each step has a factor, from its
        errors and those of the steps around it, a third of the horizon. Intervals are never
        narrowed.

        Args:
            errors: actual values less the forecasts of the other method, (windows, horizon,
                targets); NaN where not observed.
            forecasts: forecasts of the model for these windows, with quantiles.
            ratio: error of the model relative to that of the other method.

        Example:

        >>> errors = np.arange(1.0, 100).reshape(99, 1, 1)
        >>> ends = {level: errors * 0 + 50 * (level - 0.5) for level in (0.1, 0.5, 0.9)}
        >>> calibration = Calibration.stretch(errors, Forecasts(errors * 0, ends))
        >>> calibration.factors.ravel().tolist()
        [4.0, 1.0, 4.0]
        """
        quantiles = forecasts.quantiles or {}
        levels = sorted(quantiles)
        # How often the distance of a quantile goes into the error on its side of the forecast.
        multiples = {
            level: np.sign(level - 0.5) * errors / _distances(quantiles[level], forecasts.point)
            for level in levels
        }
        horizon = errors.shape[1]
        reach = max(1, horizon // 6)
        spans = [slice(max(0, step - reach), step + reach + 1) for step in range(horizon)]
        factors = np.ones((len(levels), *errors.shape[1:]))
        pairs = {end: other for pair in intervals(quantiles) for end, other in (pair, pair[::-1])}
        for place, level in enumerate(levels):
            scores, probability = multiples[level], max(level, 1 - level)
            if level in pairs:
                scores = np.maximum(scores, multiples[pairs[level]])
                probability = abs(level - pairs[level])
            if level != 0.5:
                (multiple,) = _error_quantiles(scores, [probability], spans)
                factors[place] = np.maximum(ratio * multiple, 1.0)
        return cls(np.array(levels, dtype=np.float64), np.zeros_like(factors), factors)

    def apply(self, forecasts: Forecasts, levels: Sequence[float] | None = None) -> Forecasts:
        """Calibrate the quantiles of forecasts, and sort them.

        Offsets are interpolated between levels; steps beyond the calibrated horizon have the
        offsets of its last step.

        Args:
            forecasts: forecasts, (windows, horizon, targets), of any horizon.
            levels: levels of the quantiles, for point forecasts; default: the calibrated levels.

        Raises:
            ValueError: if a level is outside the calibrated levels.
        """
        quantiles = forecasts.quantiles
        if quantiles is None:
            new_levels = self.levels if levels is None else np.sort(np.asarray(levels, dtype=float))
            quantiles = {float(level): forecasts.point for level in new_levels}
        places, dtype = np.array(list(quantiles)), np.result_type(forecasts.point, np.float32)
        horizon = forecasts.point.shape[1]
        if self.factors is not None:
            factors = self._interpolate(self.factors, places, horizon).astype(dtype)
            quantiles = {
                level: forecasts.point + factor * (values - forecasts.point)
                for (level, values), factor in zip(quantiles.items(), factors)
            }
        offsets = self._interpolate(self.offsets, places, horizon).astype(dtype)
        calibrated = np.stack(
            [values + offset for values, offset in zip(quantiles.values(), offsets)]
        )
        if (calibrated[1:] < calibrated[:-1]).any():  # sorting only if needed is faster
            calibrated.sort(axis=0)
        return Forecasts(forecasts.point, dict(zip(quantiles, calibrated)))

    def state(self) -> dict[str, Any]:
        """The state, JSON values, from which `from_state` makes the same calibration."""
        state = {"levels": self.levels.tolist(), "offsets": self.offsets.tolist()}
        return state if self.factors is None else {**state, "factors": self.factors.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Calibration:
        """Make a calibration from its state."""
        factors = np.array(state["factors"], float) if "factors" in state else None
        return cls(np.array(state["levels"], float), np.array(state["offsets"], float), factors)

    def _interpolate(self, values: np.ndarray, levels: np.ndarray, horizon: int) -> np.ndarray:
        """Interpolated offsets or factors of any levels, (levels, horizon, targets)."""
        lowest, highest = self.levels[0], self.levels[-1]
        if levels.min() < lowest - 1e-9 or levels.max() > highest + 1e-9:
            raise ValueError(
                f"levels must be from {lowest:g} to {highest:g}, the calibrated range. "
                f"Received: {', '.join(f'{level:g}' for level in levels)}"
            )
        steps = np.minimum(np.arange(horizon), values.shape[1] - 1)
        place = np.interp(levels, self.levels, np.arange(len(self.levels)))
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, len(self.levels) - 1)
        share = (place - low)[:, None, None]
        between: np.ndarray = (1 - share) * values[low] + share * values[high]
        return between[:, steps]


def least_windows(probability: float) -> int:
    """The least number of windows that do not overlap, to calibrate an interval.

    With fewer, no error has the rank (n + 1) * probability.

    Args:
        probability: probability of the interval.

    Example:

    >>> least_windows(0.8), least_windows(0.95)
    (4, 19)
    """
    return int(np.ceil(round(probability / (1 - probability), 9)))


def windows_for(probability: float) -> int:
    """The number of windows that do not overlap, to rely on their errors alone for an interval.

    The coverage of an interval that is calibrated on n windows deviates from its probability p by
    the square root of p (1 - p) / (n + 2): for 80% and 40 windows by 6%, for 4 by 16%.

    Args:
        probability: probability of the interval.

    Example:

    >>> windows_for(0.8), windows_for(0.95)
    (40, 190)
    """
    return _RELIABLE * least_windows(probability)


def _distances(quantile: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Distances of a quantile from the point forecast, kept from being nearly zero."""
    distances = np.abs(quantile - point)
    mean = distances.mean(axis=(0, 1))
    return np.maximum(distances, np.maximum(_NARROWEST * mean, 1e-9))


def _spans(counts: np.ndarray, least: int) -> list[slice]:
    """For each step the shortest span of steps around it with enough errors; else all steps."""
    horizon, total = len(counts), np.concatenate([[0], np.cumsum(counts)])

    def span(step: int) -> slice:
        for reach in range(horizon):
            low, high = max(0, step - reach), min(horizon, step + reach + 1)
            if total[high] - total[low] >= least:
                return slice(low, high)
        return slice(0, horizon)

    return [span(step) for step in range(horizon)]


def _least_errors(levels: Sequence[float]) -> int:
    """The least number of errors per offset, for the widest interval among the levels."""
    rest = min(
        1 - abs(2 * level - 1) for level in levels
    )  # probability outside the widest interval
    return max(LEAST_ERRORS, int(np.ceil(1 / rest)))


@dataclass(frozen=True)
class _Sample:
    """The errors that offsets are taken from.

    Args:
        spans: for each step the steps whose errors its offset is taken from.
        independent: number of windows that do not overlap; None if no windows overlap.
    """

    spans: Sequence[slice]
    independent: int | None

    def reach(self, errors: np.ndarray, levels: Sequence[float] | np.ndarray) -> np.ndarray:
        """How far the ends of intervals move outwards, (levels, horizon, targets).

        Args:
            errors: distances of the truth outside an interval, (windows, horizon, targets).
            levels: probabilities of the intervals.
        """
        reach = _error_quantiles(errors, levels, self.spans)
        if few := [place for place, level in enumerate(levels) if not self._enough(level)]:
            pooled = _error_quantiles(errors, levels, [slice(0, errors.shape[1])])
            reach[few] = np.maximum(pooled[few], 0)
        return reach

    def _enough(self, level: float) -> bool:
        """Whether the windows that do not overlap are enough for an interval."""
        return self.independent is None or self.independent >= least_windows(level)


def _point_offsets(errors: np.ndarray, levels: np.ndarray, sample: _Sample) -> np.ndarray:
    """Offsets from point forecasts to quantiles, (levels, horizon, targets)."""
    # An interval of probability p reaches, on both sides, to the p-quantile of absolute errors.
    reach = sample.reach(np.abs(errors), np.abs(2 * levels - 1))
    return np.sign(levels - 0.5)[:, None, None] * reach


def _quantile_offsets(
    truth: np.ndarray, quantiles: Mapping[float, np.ndarray], sample: _Sample
) -> np.ndarray:
    """Offsets from quantiles to calibrated quantiles, (levels, horizon, targets)."""
    offsets = {level: np.zeros(truth.shape[1:]) for level in quantiles}
    unpaired = set(quantiles) - {0.5}
    for low, high in intervals(quantiles):
        # Distance of the truth outside the interval, negative inside: widening both ends by the
        # quantile of it whose level is the probability of the interval covers that share of values.
        outside = np.maximum(quantiles[low] - truth, truth - quantiles[high])
        (reach,) = sample.reach(outside, [high - low])
        offsets[low], offsets[high] = -reach, reach
        unpaired -= {low, high}
    for level in unpaired:
        sign = np.sign(level - 0.5)
        (reach,) = sample.reach(sign * (truth - quantiles[level]), [max(level, 1 - level)])
        offsets[level] = sign * reach
    return np.stack(list(offsets.values()))


def _error_quantiles(
    errors: np.ndarray, levels: Sequence[float] | np.ndarray, spans: Sequence[slice]
) -> np.ndarray:
    """Quantiles of errors for each step and target, (levels, horizon, targets).

    Of n errors, the quantile of a level is the error of rank (n + 1) * level, rounded up; with too
    few errors for this rank the largest one, and without errors 0.
    """
    if any(span.stop - span.start > 1 for span in spans):
        pooled = [errors[:, span].reshape(-1, 1, errors.shape[2]) for span in spans]
        return np.concatenate(
            [_error_quantiles(part, levels, [slice(0, 1)]) for part in pooled], axis=1
        )
    ordered = np.sort(np.asarray(errors, dtype=np.float64), axis=0)  # NaN comes last
    count = (~np.isnan(ordered)).sum(axis=0)
    results = []
    for level in levels:
        rank = np.ceil(((count + 1) * level).round(9))  # 10 times 0.7 is 7
        index = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.intp)
        results.append(np.take_along_axis(ordered, index[None], axis=0)[0])
    return np.where(count > 0, np.stack(results), 0.0)
