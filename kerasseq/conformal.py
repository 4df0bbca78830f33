"""Conformal calibration: quantiles moved to where past errors say that they belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasseq.forecast_metrics import Forecasts

__all__ = ["LEVELS", "Calibration"]

LEVELS = (0.1, 0.5, 0.9)
LEAST_ERRORS = 50  # behind an offset; where a step has fewer, its neighbours lend theirs


@dataclass(frozen=True)
class Calibration:
    """How far to move each quantile, so that it is what its level says on held-out windows.

    Split conformal prediction: the offset of level q is the q-quantile of truth minus forecast over
    the validation windows, with the correction for their number, for each step of the horizon and
    each target. Of quantile forecasts this is conformalised quantile regression with each tail by
    itself (Romano, Patterson & Candès 2019, Theorem 2, https://arxiv.org/abs/1905.03222); of point
    forecasts it gives the quantiles that they lack. What is promised for exchangeable data holds
    for series as far as they go on as they did in validation.

    Args:
        levels: rising, (levels,).
        offsets: what is added, (levels, horizon, targets), in the units of the forecasts.

    Example:

    >>> truth = np.arange(99.0).reshape(99, 1, 1)  # the forecasts are all 0
    >>> calibration = Calibration.fit(truth, Forecasts(np.zeros_like(truth)), (0.1, 0.9))
    >>> calibration.offsets.ravel().tolist()
    [9.0, 89.0]
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
        outermost = min(min(level, 1 - level) for level in levels)
        least = max(LEAST_ERRORS, int(np.ceil(1 / outermost)))
        spans = _spans((~np.isnan(truth)).sum(axis=0).min(axis=1), least)
        if forecasts.quantiles is None:
            offsets = _offsets(truth - forecasts.point, levels, spans)
        else:
            offsets = np.concatenate(
                [_offsets(truth - own, [q], spans) for q, own in forecasts.quantiles.items()]
            )
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
        """JSON values, from which `of` makes the same calibration."""
        return {"levels": self.levels.tolist(), "offsets": self.offsets.tolist()}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Calibration:
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


def _offsets(errors: np.ndarray, levels: Sequence[float], spans: Sequence[slice]) -> np.ndarray:
    """Quantiles of errors for each step and target, (levels, horizon, targets)."""
    errors = np.asarray(errors, dtype=np.float64)
    if all(span.stop - span.start == 1 for span in spans):
        return _quantiles(errors, levels)
    own = [errors[:, span].reshape(-1, errors.shape[2]) for span in spans]
    return np.stack([_quantiles(values, levels) for values in own], axis=1)


def _quantiles(errors: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles of errors along the first axis, on the safe side of the true ones.

    With n errors, that of a level above one half is the one whose rank is (n + 1) times the level,
    rounded up; below one half, rounded down; of one half, between the two. Where there are too few
    for such a rank, it is the outermost one; where there is none, 0.
    """
    ordered = np.sort(errors, axis=0)  # NaN comes last
    count = (~np.isnan(errors)).sum(axis=0)

    def at(rank: np.ndarray) -> np.ndarray:
        place = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.intp)
        return np.take_along_axis(ordered, place[None], axis=0)[0]

    found = np.empty((len(levels), *count.shape))
    for own, level in zip(found, levels):
        rank = ((count + 1) * level).round(9)  # 10 times 0.7 is 7
        below, above = at(np.floor(rank)), at(np.ceil(rank))
        own[:] = below if level < 0.5 else above if level > 0.5 else (below + above) / 2
    return np.where(count > 0, found, 0.0)
