"""Conformal calibration: quantiles moved to where past errors say that they belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import numpy as np

from kerasseq.evaluation.forecast_metrics import Forecasts, intervals
from kerasseq.io.schema import Length, Limits

__all__ = ["LEVELS", "Calibration", "CalibrationState"]

LEVELS = (0.1, 0.5, 0.9)
LEAST_ERRORS = 50  # behind an offset at least; where a step has fewer, its neighbours lend theirs


class CalibrationState(TypedDict):
    """The JSON values of a calibration; offsets are (levels, horizon, targets)."""

    levels: Annotated[list[Annotated[float, Limits(least=0, most=1)]], Length(1)]
    offsets: list[list[list[float]]]


@dataclass(frozen=True)
class Calibration:
    """How far to move each quantile, so that intervals hold what their levels say.

    Split conformal prediction on held-out windows, for each step of the horizon and each target. An
    interval between two levels that leave as much below as above is moved on both sides by the same
    amount: conformalised quantile regression (Romano, Patterson & Candès 2019,
    https://arxiv.org/abs/1905.03222). Around point forecasts it is that far on both sides
    (Lei et al. 2018, https://arxiv.org/abs/1604.04173). Quantiles without a counterpart are moved
    by themselves, and medians stay. What is promised where windows are exchangeable holds for
    series as far as they go on as they did in validation.

    Args:
        levels: rising, (levels,).
        offsets: what is added, (levels, horizon, targets), in the units of the forecasts.

    Example:

    >>> truth = np.arange(99.0).reshape(99, 1, 1)  # the forecasts are all 0
    >>> calibration = Calibration.fit(truth, Forecasts(np.zeros_like(truth)), (0.1, 0.5, 0.9))
    >>> calibration.offsets.ravel().tolist()
    [-79.0, 0.0, 79.0]
    """

    levels: np.ndarray
    offsets: np.ndarray

    @classmethod
    def fit(
        cls, truth: np.ndarray, forecasts: Forecasts, levels: Sequence[float] = LEVELS
    ) -> Calibration:
        """A calibration from windows that nothing was fitted on.

        Args:
            truth: (windows, horizon, targets); NaN where not observed. Series are best put on one
                scale, as they share their offsets.
            forecasts: of the same windows, in the same units.
            levels: for forecasts that have no quantiles; otherwise theirs are taken.

        Raises:
            ValueError: if shapes do not agree, a level is none, or nothing was observed.
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
            raise ValueError("there is nothing to calibrate on: no value of these was observed.")
        spans = _spans((~np.isnan(truth)).sum(axis=0).min(axis=1), _needed(levels))
        if forecasts.quantiles is None:
            offsets = _around(truth - forecasts.point, np.array(levels), spans)
        else:
            offsets = _beyond(truth, forecasts.quantiles, spans)
        return cls(np.array(levels, dtype=np.float64), offsets)

    def apply(self, forecasts: Forecasts, levels: Sequence[float] | None = None) -> Forecasts:
        """Forecasts with calibrated quantiles, in order.

        Offsets of levels in between are interpolated; steps beyond the horizon have those of the
        last one.

        Args:
            forecasts: (windows, horizon, targets), of any horizon.
            levels: for forecasts that have no quantiles; those of the calibration if not given.

        Raises:
            ValueError: if a level is beyond those of the calibration.
        """
        found = forecasts.quantiles
        if found is None:
            wanted = self.levels if levels is None else np.sort(np.asarray(levels, dtype=float))
            found = {float(level): forecasts.point for level in wanted}
        offsets = self._at(np.array(list(found)), forecasts.point.shape[1])
        offsets = offsets.astype(np.result_type(forecasts.point, np.float32))
        moved = np.stack([own + offset for own, offset in zip(found.values(), offsets)])
        if (moved[1:] < moved[:-1]).any():  # which sorting sees later, and slowly
            moved.sort(axis=0)
        return Forecasts(forecasts.point, dict(zip(found, moved)))

    def state(self) -> dict[str, Any]:
        """JSON values, from which `from_state` makes the same calibration."""
        return {"levels": self.levels.tolist(), "offsets": self.offsets.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Calibration:
        """The calibration that has this state."""
        return cls(np.array(state["levels"], float), np.array(state["offsets"], float))

    def _at(self, levels: np.ndarray, horizon: int) -> np.ndarray:
        """Offsets of any levels, (levels, horizon, targets)."""
        lowest, highest = self.levels[0], self.levels[-1]
        if levels.min() < lowest - 1e-9 or levels.max() > highest + 1e-9:
            raise ValueError(
                f"levels were calibrated from {lowest:g} to {highest:g}. "
                f"Received: {', '.join(f'{level:g}' for level in levels)}"
            )
        steps = np.minimum(np.arange(horizon), self.offsets.shape[1] - 1)
        place = np.interp(levels, self.levels, np.arange(len(self.levels)))
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, len(self.levels) - 1)
        share = (place - low)[:, None, None]
        offsets: np.ndarray = (1 - share) * self.offsets[low] + share * self.offsets[high]
        return offsets[:, steps]


def _spans(counts: np.ndarray, least: int) -> list[slice]:
    """For each step the steps around it that have enough errors together; all, if none have."""
    horizon, before = len(counts), np.concatenate([[0], np.cumsum(counts)])

    def span(step: int) -> slice:
        for reach in range(horizon):
            low, high = max(0, step - reach), min(horizon, step + reach + 1)
            if before[high] - before[low] >= least:
                return slice(low, high)
        return slice(0, horizon)

    return [span(step) for step in range(horizon)]


def _needed(levels: Sequence[float]) -> int:
    """How many errors there must be behind an offset."""
    rest = min(1 - abs(2 * level - 1) for level in levels)  # what the widest interval leaves out
    return max(LEAST_ERRORS, int(np.ceil(1 / rest)))


def _around(errors: np.ndarray, levels: np.ndarray, spans: Sequence[slice]) -> np.ndarray:
    """What leads from point forecasts to quantiles, (levels, horizon, targets)."""
    reach = _quantiles(np.abs(errors), np.abs(2 * levels - 1), spans)
    return np.sign(levels - 0.5)[:, None, None] * reach


def _beyond(
    truth: np.ndarray, quantiles: Mapping[float, np.ndarray], spans: Sequence[slice]
) -> np.ndarray:
    """What leads from quantiles to better ones, (levels, horizon, targets)."""
    offsets = {level: np.zeros(truth.shape[1:]) for level in quantiles}
    alone = set(quantiles) - {0.5}
    for low, high in intervals(quantiles):
        outside = np.maximum(quantiles[low] - truth, truth - quantiles[high])
        (reach,) = _quantiles(outside, [high - low], spans)
        offsets[low], offsets[high] = -reach, reach
        alone -= {low, high}
    for level in alone:
        sign = np.sign(level - 0.5)
        (reach,) = _quantiles(sign * (truth - quantiles[level]), [max(level, 1 - level)], spans)
        offsets[level] = sign * reach
    return np.stack(list(offsets.values()))


def _quantiles(
    errors: np.ndarray, levels: Sequence[float] | np.ndarray, spans: Sequence[slice]
) -> np.ndarray:
    """Quantiles of errors for each step and target, (levels, horizon, targets).

    With n errors, that of a level is the one whose rank is (n + 1) times the level, rounded up;
    where there are too few for such a rank, the largest; where there is none, 0.
    """
    if any(span.stop - span.start > 1 for span in spans):
        own = [errors[:, span].reshape(-1, 1, errors.shape[2]) for span in spans]
        return np.concatenate([_quantiles(part, levels, [slice(0, 1)]) for part in own], axis=1)
    ordered = np.sort(np.asarray(errors, dtype=np.float64), axis=0)  # NaN comes last
    count = (~np.isnan(ordered)).sum(axis=0)
    found = []
    for level in levels:
        rank = np.ceil(((count + 1) * level).round(9))  # 10 times 0.7 is 7
        place = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.intp)
        found.append(np.take_along_axis(ordered, place[None], axis=0)[0])
    return np.where(count > 0, np.stack(found), 0.0)
