"""Scores of forecasts in the user's units, each with its interval over blocks of windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasseq.evaluation import metrics

__all__ = ["Forecasts", "crps", "intervals", "naive_errors", "pinball", "score"]

LEAST_BLOCKS = 8  # resamples of fewer tell too little of what else could have been
_ROOTED = ("rmse",)
_CHUNK = 2**18  # values that are scored at a time: what is in between stays small


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of windows, in any unit.

    Args:
        point: one number for each value, (windows, horizon, targets).
        quantiles: by level, between 0 and 1: arrays of the same shape; None where there are none.

    Raises:
        ValueError: if shapes differ, or a level is none.

    Example:

    >>> forecasts = Forecasts(np.zeros((5, 24, 1)), {0.9: np.ones((5, 24, 1)),
    ...                                              0.1: -np.ones((5, 24, 1))})
    >>> list(forecasts.quantiles)
    [0.1, 0.9]
    """

    point: np.ndarray
    quantiles: dict[float, np.ndarray] | None = None

    def __post_init__(self) -> None:
        if self.point.ndim != 3:
            raise ValueError(
                f"forecasts must be (windows, horizon, targets). Received: {self.point.shape}"
            )
        if not self.quantiles:
            object.__setattr__(self, "quantiles", None)
            return
        for level, values in self.quantiles.items():
            if not 0 < level < 1 or values.shape != self.point.shape:
                raise ValueError(
                    "quantiles must have levels between 0 and 1, and the shape of the point "
                    f"forecasts, {self.point.shape}. Received: {level!r} with {values.shape}"
                )
        ordered = {float(level): self.quantiles[level] for level in sorted(self.quantiles)}
        object.__setattr__(self, "quantiles", ordered)


def score(
    truth: np.ndarray,
    forecasts: Forecasts,
    *,
    insample: Sequence[np.ndarray] | None = None,
    series: np.ndarray | None = None,
    season: int = 1,
    block: int | None = None,
    resamples: int = metrics.RESAMPLES,
    seed: int = 0,
) -> metrics.Score:
    """How good forecasts are; values that were not observed do not count.

    - `mae`, `rmse`: over all values.
    - `smape`: in percent, 200 |y - f| / (|y| + |f|), as in the M4 competition; 0 for 0 / 0.
    - `mase`: errors in terms of those of the seasonal naive forecast, one step ahead, over the
      training part of the same series and target (Hyndman & Koehler 2006,
      https://doi.org/10.1016/j.ijforecast.2006.03.001).
    - `rmsse`: the same of squares: the root is taken over each forecast, and the mean over the
      forecasts, as in the M5 competition. Neither is defined where that naive forecast makes no
      error, or the training part is no longer than a season; such values do not count.
    - `pinball`: the mean over values and levels; not doubled.
    - `crps`: of the distribution that has these quantiles, see `crps`.
    - `coverage`, `width`: of the widest central interval among the levels, see `intervals`.

    Intervals are over resamples of blocks of windows, as windows that overlap err alike (blocks as
    in Carlstein 1986, https://doi.org/10.1214/aos/1176350057). Fewer than 8 blocks have none.

    Args:
        truth: (windows, horizon, targets); NaN where not observed.
        forecasts: of the same windows, in the same units.
        insample: the training part of each series, (time, targets), for `mase` and `rmsse`.
        series: of each window, its place in `insample`, int (windows,); all 0 if not given. The
            windows of a series stand in order of time.
        season: steps back that the seasonal naive forecast looks.
        block: how many consecutive windows of a series are drawn together: as many as overlap.
            `horizon` if not given, which is right for windows that are one step apart.
        resamples: behind the intervals; 0 for none.
        seed: of the resamples.

    Returns:
        A Score. What is not defined is left out. Its details, with null where there is no value:
        `by_step`, `by_series` and `by_target`, a list for each metric; and where there are
        quantiles `coverage_by_level`, how often the truth was at most the quantile of each level,
        and `nominal_coverage`, what `coverage` ought to be.

    Raises:
        ValueError: if shapes do not agree, forecasts are not finite, or nothing was observed.

    Example:

    >>> truth = np.array([[[2.0], [4.0]], [[4.0], [np.nan]]])
    >>> history = np.array([[1.0], [2.0], [4.0]])
    >>> found = score(truth, Forecasts(np.full((2, 2, 1), 3.0)), insample=[history])
    >>> {name: round(value, 3) for name, value in found.values.items()}
    {'mae': 1.0, 'rmse': 1.0, 'smape': 32.381, 'mase': 0.667, 'rmsse': 0.632}
    >>> found.details["by_step"]["mae"]
    [1.0, 1.0]
    """
    truth = np.asarray(truth)
    windows = len(truth)
    series = np.zeros(windows, np.int64) if series is None else np.asarray(series)
    _check(truth, forecasts, series)
    scales = None if insample is None else naive_errors(insample, season)
    count = int(series.max()) + 1 if insample is None else len(insample)
    means = _means(truth, forecasts, series, scales)
    main = {name: own for name, own in means.items() if isinstance(name, str) and own.defined}
    blocks = _blocks(series, block or truth.shape[1])
    details: dict[str, Any] = {
        "by_step": {name: own.by_step() for name, own in main.items() if name != "rmsse"},
        "by_series": {name: own.by_series(series, count) for name, own in main.items()},
        "by_target": {name: own.by_target() for name, own in main.items()},
    }
    if forecasts.quantiles:
        levels = list(forecasts.quantiles)
        shares = [means[level].value for level in levels]
        details["coverage_by_level"] = {"levels": levels, "shares": shares}
        for low, high in intervals(levels)[:1]:
            details["nominal_coverage"] = round(high - low, 10)
    return metrics.Score(
        values={name: own.value for name, own in main.items()},
        samples=_samples(main, blocks, resamples, seed),
        details=details,
    )


def naive_errors(insample: Sequence[np.ndarray], season: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """How far series are from what they were a season before: mean error, and mean squared error.

    Args:
        insample: of each series, (time, targets); pairs of which one is NaN do not count.
        season: steps, at least 1.

    Returns:
        Both as (series, targets); NaN where there is no pair, or no error at all.

    Example:

    >>> [found.tolist() for found in naive_errors([np.array([[1.0], [2.0], [4.0]])])]
    [[[1.5]], [[2.5]]]
    """
    found = np.full((2, len(insample), insample[0].shape[1]), np.nan)
    for i, own in enumerate(insample):
        pairs, absolute, squared = np.zeros((3, own.shape[1]))
        for start in range(season, len(own), _CHUNK):
            later = np.asarray(own[start : start + _CHUNK], dtype=np.float64)
            apart = later - own[start - season : start - season + len(later)]
            seen = ~np.isnan(apart)
            apart[~seen] = 0
            pairs += seen.sum(axis=0)
            absolute += np.abs(apart).sum(axis=0)
            squared += np.square(apart).sum(axis=0)
        for place, total in enumerate((absolute, squared)):
            np.divide(total, pairs, out=found[place, i], where=(pairs > 0) & (total > 0))
    return found[0], found[1]


def pinball(truth: np.ndarray, quantile: np.ndarray, level: float) -> np.ndarray:
    """What a forecast of a quantile costs: `level` per unit too low, `1 - level` per unit too high.

    (Koenker & Bassett 1978, https://doi.org/10.2307/1913643.)

    Args:
        truth: of any shape.
        quantile: of the same shape.
        level: between 0 and 1.

    Example:

    >>> pinball(np.array([5.0, 5.0]), np.array([4.0, 7.0]), 0.9).round(6).tolist()
    [0.9, 0.2]
    """
    error = truth - quantile
    return np.maximum(level * error, (level - 1) * error)


def crps(truth: np.ndarray, quantiles: Mapping[float, np.ndarray]) -> np.ndarray:
    """The continuous ranked probability score of a distribution of which quantiles are known.

    Its cumulative distribution function is taken as linear between the quantiles, with what is left
    of the probability at the outermost ones; the integral over the squared distance to that of the
    truth is then exact (Gneiting & Raftery 2007, https://doi.org/10.1198/016214506000001437). Of a
    single quantile it is the absolute error.

    Args:
        truth: of any shape.
        quantiles: by rising levels, each of the same shape.

    Example:

    >>> between = {0.0001: np.array([0.0]), 0.9999: np.array([1.0])}  # nearly uniform
    >>> crps(np.array([0.5]), between).round(3).tolist()  # exactly 1 / 12
    [0.083]
    """
    levels = list(quantiles)
    values = np.sort(np.stack(list(quantiles.values())), axis=0)
    found = np.maximum(values[0] - truth, 0) + np.maximum(truth - values[-1], 0)
    for low, high, left, right in zip(levels, levels[1:], values, values[1:]):
        turn = np.clip(truth, left, right)
        width = right - left
        share = np.divide(turn - left, width, out=np.zeros_like(width), where=width > 0)
        level = low + share * (high - low)
        before = low**2 + low * level + level**2
        after = (1 - level) ** 2 + (1 - level) * (1 - high) + (1 - high) ** 2
        found += ((turn - left) * before + (right - turn) * after) / 3
    return found


def intervals(levels: Iterable[float]) -> list[tuple[float, float]]:
    """Pairs of levels that leave as much below as above them, the widest first.

    Args:
        levels: between 0 and 1.

    Example:

    >>> intervals([0.05, 0.1, 0.25, 0.5, 0.75, 0.9])
    [(0.1, 0.9), (0.25, 0.75)]
    """
    ordered = sorted(levels)
    return [
        (low, high)
        for low in ordered
        for high in ordered
        if low < high and abs(low + high - 1) < 1e-9
    ]


class _Mean:
    """The mean of a loss over all values that count, and over parts of them."""

    def __init__(self, name: str | float, windows: int) -> None:
        self._root = name in _ROOTED
        self.windows = np.zeros((2, windows))  # sums, and how many values are in them
        self._steps: Any = 0.0

    def add(self, rows: slice, losses: np.ndarray) -> None:
        """Takes in the losses of some windows, (windows, steps, targets); NaN does not count."""
        seen = ~np.isnan(losses)
        both = np.stack([np.where(seen, losses, 0), seen])
        self.windows[:, rows] = both.sum(axis=(2, 3))
        self._steps = self._steps + both.sum(axis=1)

    @property
    def defined(self) -> bool:
        return bool(self.windows[1].any())

    @property
    def value(self) -> float:
        return float(self.score(self.windows.sum(axis=1)))

    def score(self, sums: np.ndarray) -> np.ndarray:
        """What sums, and how many values are in them, come to, (2, ...)."""
        total, count = sums
        found = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
        return np.sqrt(found) if self._root else found

    def by_step(self) -> list[float | None]:
        return _listed(self.score(self._steps.sum(axis=2)))

    def by_target(self) -> list[float | None]:
        return _listed(self.score(self._steps.sum(axis=1)))

    def by_series(self, series: np.ndarray, count: int) -> list[float | None]:
        return _listed(self.score(self.grouped(series, count)))

    def grouped(self, groups: np.ndarray, count: int) -> np.ndarray:
        """Sums, and how many values are in them, over groups of windows, (2, groups)."""
        return np.stack([np.bincount(groups, own, count) for own in self.windows])


def _listed(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _means(
    truth: np.ndarray,
    forecasts: Forecasts,
    series: np.ndarray,
    scales: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str | float, _Mean]:
    """Each metric by its name, and the shares below each quantile by its level."""
    means: dict[str | float, _Mean] = {}
    step = max(1, _CHUNK // max(1, truth[0].size))
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        own = truth[rows].astype(np.float64)
        point = forecasts.point[rows].astype(np.float64)
        _check_finite(point, rows)
        losses = dict(_point_losses(own, point))
        if scales is not None:
            losses |= dict(_scaled_losses(own - point, *(part[series[rows]] for part in scales)))
        if forecasts.quantiles:
            quantiles = {
                level: values[rows].astype(np.float64)
                for level, values in forecasts.quantiles.items()
            }
            _check_finite(np.stack(list(quantiles.values())), rows)
            losses |= dict(_quantile_losses(own, quantiles))
        for name, found in losses.items():
            means.setdefault(name, _Mean(name, len(truth))).add(rows, found)
    return means


def _point_losses(truth: np.ndarray, point: np.ndarray) -> Iterator[tuple[str | float, np.ndarray]]:
    away = np.abs(truth - point)
    yield "mae", away
    yield "rmse", away**2
    size = np.abs(truth) + np.abs(point)
    yield "smape", np.divide(200 * away, size, out=np.zeros_like(size), where=size != 0)


def _scaled_losses(
    error: np.ndarray, absolute: np.ndarray, squared: np.ndarray
) -> Iterator[tuple[str | float, np.ndarray]]:
    """Errors in terms of naive ones, (windows, targets)."""
    yield "mase", np.abs(error) / absolute[:, None]
    seen = ~np.isnan(error)
    count = seen.sum(axis=1, keepdims=True)
    total = (error**2).sum(axis=1, keepdims=True, where=seen)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    yield "rmsse", np.sqrt(mean / squared[:, None])


def _quantile_losses(
    truth: np.ndarray, quantiles: Mapping[float, np.ndarray]
) -> Iterator[tuple[str | float, np.ndarray]]:
    unseen = np.isnan(truth)
    costs = [pinball(truth, values, level) for level, values in quantiles.items()]
    yield "pinball", np.mean(costs, axis=0)
    yield "crps", crps(truth, quantiles)
    for pair in intervals(quantiles)[:1]:
        low, high = (quantiles[level] for level in pair)
        yield "coverage", np.where(unseen, np.nan, (low <= truth) & (truth <= high))
        yield "width", np.where(unseen, np.nan, high - low)
    for level, values in quantiles.items():
        yield level, np.where(unseen, np.nan, truth <= values)


def _blocks(series: np.ndarray, size: int) -> np.ndarray:
    """The block that each window is in: those of a series are `size` windows or a few more."""
    counts = np.bincount(series)
    order = np.argsort(series, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = np.maximum(counts // size, counts > 0)
    before = np.cumsum(parts) - parts
    blocks: np.ndarray = before[series] + place * parts[series] // counts[series]
    return blocks


def _samples(
    means: Mapping[str, _Mean], blocks: np.ndarray, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Each metric over resamples of the blocks."""
    count = int(blocks.max()) + 1
    if count < LEAST_BLOCKS:
        return {}
    sums = {name: own.grouped(blocks, count) for name, own in means.items()}

    def statistic(drawn: np.ndarray) -> dict[str, float]:
        return {
            name: float(own.score((sums[name] * drawn).sum(axis=1))) for name, own in means.items()
        }

    found = metrics.bootstrap(statistic, count, resamples, seed)
    # One that few series have may be missing from a resample.
    return {name: values for name, values in found.items() if not np.isnan(values).any()}


def _check(truth: np.ndarray, forecasts: Forecasts, series: np.ndarray) -> None:
    if truth.shape != forecasts.point.shape or series.shape != truth.shape[:1]:
        raise ValueError(
            "truth and forecasts must both be (windows, horizon, targets), and series (windows,). "
            f"Received: {truth.shape}, {forecasts.point.shape} and {series.shape}"
        )
    if truth.size == 0 or np.isnan(truth).all():
        raise ValueError("there is nothing to score: no value of these windows was observed.")


def _check_finite(values: np.ndarray, rows: slice) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            "forecasts must be finite. Received: NaN or infinity among those of the windows from "
            f"{rows.start:,} on"
        )
