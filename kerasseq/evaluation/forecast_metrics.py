"""Metrics of forecasts in the units of the data, with bootstrap intervals over window blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasseq.evaluation import metrics

__all__ = ["Forecasts", "crps", "intervals", "naive_errors", "pinball", "score"]

LEAST_BLOCKS = 8  # fewer blocks give no useful bootstrap interval
_ROOTED = ("rmse",)  # metrics that are the root of a mean
_CHUNK = 2**18  # values that are scored at a time, to bound memory


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of windows, in any unit.

    Args:
        point: point forecasts, (windows, horizon, targets).
        quantiles: quantile forecasts of the same shape, by their level between 0 and 1; None for
            point forecasts alone.

    Raises:
        ValueError: if shapes differ, or a level is not between 0 and 1.

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
    """Score forecasts; values that were not observed do not count.

    - `mae`, `rmse`: over all values.
    - `smape`: in percent, 200 |y - f| / (|y| + |f|), as in the M4 competition; 0 for 0 / 0.
    - `mase`: absolute errors, divided by the mean absolute error of the seasonal naive forecast one
      step ahead over the training part of the same series and target (Hyndman & Koehler 2006,
      https://doi.org/10.1016/j.ijforecast.2006.03.001).
    - `rmsse`: the same with squared errors, as in the M5 competition: the root is taken for each
      forecast, the mean over forecasts. Values of `mase` and `rmsse` do not count where the naive
      forecast makes no error, or the training part is not longer than a season.
    - `pinball`: the mean pinball loss over values and levels; not doubled.
    - `crps`: of the distribution with these quantiles, see `crps`.
    - `coverage`, `width`: of the widest central interval among the levels, see `intervals`.

    Bootstrap intervals resample blocks of windows, because errors of overlapping windows are
    correlated (blocks as in Carlstein 1986, https://doi.org/10.1214/aos/1176350057). With fewer
    than 8 blocks there are no intervals.

    Args:
        truth: observed values, (windows, horizon, targets); NaN where not observed.
        forecasts: forecasts of the same windows, in the same units.
        insample: the training part of each series, (time, targets), for `mase` and `rmsse`.
        series: for each window the index of its series in `insample`, int (windows,); default: all
            0. The windows of a series are in order of time.
        season: steps of the season, for the seasonal naive forecast.
        block: number of consecutive windows of a series that are drawn together, as many as
            overlap; default: `horizon`, which is right for windows that are one step apart.
        resamples: number of bootstrap resamples behind the intervals; 0 for no intervals.
        seed: seed of the resamples.

    Returns:
        A Score without undefined metrics. Its details, with null where there is no value:
        `by_step`, `by_series` and `by_target`, a list for each metric; and with quantiles
        `coverage_by_level`, the share of values at most the quantile of each level, and
        `nominal_coverage`, the expected value of `coverage`.

    Raises:
        ValueError: if shapes do not agree, forecasts are not finite, or nothing was observed.

    Example:

    >>> truth = np.array([[[2.0], [4.0]], [[4.0], [np.nan]]])
    >>> history = np.array([[1.0], [2.0], [4.0]])
    >>> result = score(truth, Forecasts(np.full((2, 2, 1), 3.0)), insample=[history])
    >>> {name: round(value, 3) for name, value in result.values.items()}
    {'mae': 1.0, 'rmse': 1.0, 'smape': 32.381, 'mase': 0.667, 'rmsse': 0.632}
    >>> result.details["by_step"]["mae"]
    [1.0, 1.0]
    """
    truth = np.asarray(truth)
    windows = len(truth)
    series = np.zeros(windows, np.int64) if series is None else np.asarray(series)
    _check(truth, forecasts, series)
    scales = None if insample is None else naive_errors(insample, season)
    count = int(series.max()) + 1 if insample is None else len(insample)
    means = _means(truth, forecasts, series, scales)
    defined = {name: mean for name, mean in means.items() if isinstance(name, str) and mean.defined}
    blocks = _blocks(series, block or truth.shape[1])
    details: dict[str, Any] = {
        "by_step": {name: mean.by_step() for name, mean in defined.items() if name != "rmsse"},
        "by_series": {name: mean.by_series(series, count) for name, mean in defined.items()},
        "by_target": {name: mean.by_target() for name, mean in defined.items()},
    }
    if forecasts.quantiles:
        levels = list(forecasts.quantiles)
        shares = [means[level].value for level in levels]
        details["coverage_by_level"] = {"levels": levels, "shares": shares}
        for low, high in intervals(levels)[:1]:
            details["nominal_coverage"] = round(high - low, 10)
    return metrics.Score(
        values={name: mean.value for name, mean in defined.items()},
        samples=_samples(defined, blocks, resamples, seed),
        details=details,
    )


def naive_errors(insample: Sequence[np.ndarray], season: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute and mean squared error of the seasonal naive forecast, one step ahead.

    Args:
        insample: the training part of each series, (time, targets); pairs with a NaN do not count.
        season: steps of the season, at least 1.

    Returns:
        Both errors, (series, targets); NaN where there is no pair, or the error is 0.

    Example:

    >>> [errors.tolist() for errors in naive_errors([np.array([[1.0], [2.0], [4.0]])])]
    [[[1.5]], [[2.5]]]
    """
    errors = np.full((2, len(insample), insample[0].shape[1]), np.nan)
    for i, values in enumerate(insample):
        pairs, absolute, squared = np.zeros((3, values.shape[1]))
        for start in range(season, len(values), _CHUNK):
            current = np.asarray(values[start : start + _CHUNK], dtype=np.float64)
            differences = current - values[start - season : start - season + len(current)]
            observed = ~np.isnan(differences)
            differences[~observed] = 0
            pairs += observed.sum(axis=0)
            absolute += np.abs(differences).sum(axis=0)
            squared += np.square(differences).sum(axis=0)
        for kind, total in enumerate((absolute, squared)):
            np.divide(total, pairs, out=errors[kind, i], where=(pairs > 0) & (total > 0))
    return errors[0], errors[1]


def pinball(truth: np.ndarray, quantile: np.ndarray, level: float) -> np.ndarray:
    """Pinball loss of a quantile: `level` per unit too low, `1 - level` per unit too high.

    (Koenker & Bassett 1978, https://doi.org/10.2307/1913643.)

    Args:
        truth: observed values, of any shape.
        quantile: quantile forecasts, of the same shape.
        level: level of the quantile, between 0 and 1.

    Example:

    >>> pinball(np.array([5.0, 5.0]), np.array([4.0, 7.0]), 0.9).round(6).tolist()
    [0.9, 0.2]
    """
    error = truth - quantile
    return np.maximum(level * error, (level - 1) * error)


def crps(truth: np.ndarray, quantiles: Mapping[float, np.ndarray]) -> np.ndarray:
    """The continuous ranked probability score of a distribution that is known by its quantiles.

    The distribution function is linear between the quantiles, with the remaining probability at the
    two outermost ones. The integral of its squared distance to the step function of the truth is
    then exact (Gneiting & Raftery 2007, https://doi.org/10.1198/016214506000001437). For a single
    quantile it is the absolute error.

    Args:
        truth: observed values, of any shape.
        quantiles: quantile forecasts of the same shape, by rising levels.

    Example:

    >>> between = {0.0001: np.array([0.0]), 0.9999: np.array([1.0])}  # nearly uniform
    >>> crps(np.array([0.5]), between).round(3).tolist()  # exactly 1 / 12
    [0.083]
    """
    levels = list(quantiles)
    values = np.sort(np.stack(list(quantiles.values())), axis=0)
    # Beyond the outermost quantiles the squared distance is 1 per unit. Between two quantiles the
    # level is linear, and is `level` at the truth, where the distance changes from the level to 1
    # minus the level; the square of a line from a to b integrates to (a² + ab + b²) / 3 per unit.
    result = np.maximum(values[0] - truth, 0) + np.maximum(truth - values[-1], 0)
    for low, high, left, right in zip(levels, levels[1:], values, values[1:]):
        split = np.clip(truth, left, right)
        width = right - left
        share = np.divide(split - left, width, out=np.zeros_like(width), where=width > 0)
        level = low + share * (high - low)
        below = low**2 + low * level + level**2
        above = (1 - level) ** 2 + (1 - level) * (1 - high) + (1 - high) ** 2
        result += ((split - left) * below + (right - split) * above) / 3
    return result


def intervals(levels: Iterable[float]) -> list[tuple[float, float]]:
    """Pairs of levels that bound a central interval, the widest first.

    The same probability lies below and above such an interval.

    Args:
        levels: levels of quantiles, between 0 and 1.

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
    """The mean of a loss over the observed values: in total, by step, series and target."""

    def __init__(self, name: str | float, windows: int) -> None:
        self._root = name in _ROOTED
        self.windows = np.zeros((2, windows))  # sums, and numbers of values
        self._steps: Any = 0.0

    def add(self, rows: slice, losses: np.ndarray) -> None:
        """Add the losses of windows, (windows, steps, targets); NaN does not count."""
        observed = ~np.isnan(losses)
        sums = np.stack([np.where(observed, losses, 0), observed])
        self.windows[:, rows] = sums.sum(axis=(2, 3))
        self._steps = self._steps + sums.sum(axis=1)

    @property
    def defined(self) -> bool:
        return bool(self.windows[1].any())

    @property
    def value(self) -> float:
        return float(self.score(self.windows.sum(axis=1)))

    def score(self, sums: np.ndarray) -> np.ndarray:
        """Metrics from sums and numbers of values, (2, ...)."""
        total, count = sums
        mean = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
        return np.sqrt(mean) if self._root else mean

    def by_step(self) -> list[float | None]:
        return _to_list(self.score(self._steps.sum(axis=2)))

    def by_target(self) -> list[float | None]:
        return _to_list(self.score(self._steps.sum(axis=1)))

    def by_series(self, series: np.ndarray, count: int) -> list[float | None]:
        return _to_list(self.score(self.grouped(series, count)))

    def grouped(self, groups: np.ndarray, count: int) -> np.ndarray:
        """Sums and numbers of values of groups of windows, (2, groups)."""
        return np.stack([np.bincount(groups, values, count) for values in self.windows])


def _to_list(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _means(
    truth: np.ndarray,
    forecasts: Forecasts,
    series: np.ndarray,
    scales: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str | float, _Mean]:
    """The mean of each metric by name, and the share below each quantile by level."""
    means: dict[str | float, _Mean] = {}
    step = max(1, _CHUNK // max(1, truth[0].size))
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        actual = truth[rows].astype(np.float64)
        point = forecasts.point[rows].astype(np.float64)
        _check_finite(point, rows)
        losses = dict(_point_losses(actual, point))
        if scales is not None:
            losses |= dict(_scaled_losses(actual - point, *(part[series[rows]] for part in scales)))
        if forecasts.quantiles:
            quantiles = {
                level: values[rows].astype(np.float64)
                for level, values in forecasts.quantiles.items()
            }
            _check_finite(np.stack(list(quantiles.values())), rows)
            losses |= dict(_quantile_losses(actual, quantiles))
        for name, loss in losses.items():
            means.setdefault(name, _Mean(name, len(truth))).add(rows, loss)
    return means


def _point_losses(truth: np.ndarray, point: np.ndarray) -> Iterator[tuple[str | float, np.ndarray]]:
    error = np.abs(truth - point)
    yield "mae", error
    yield "rmse", error**2
    size = np.abs(truth) + np.abs(point)
    yield "smape", np.divide(200 * error, size, out=np.zeros_like(size), where=size != 0)


def _scaled_losses(
    error: np.ndarray, absolute: np.ndarray, squared: np.ndarray
) -> Iterator[tuple[str | float, np.ndarray]]:
    """Losses from errors (windows, steps, targets) and naive errors (windows, targets)."""
    yield "mase", np.abs(error) / absolute[:, None]
    observed = ~np.isnan(error)
    count = observed.sum(axis=1, keepdims=True)
    total = (error**2).sum(axis=1, keepdims=True, where=observed)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    yield "rmsse", np.sqrt(mean / squared[:, None])


def _quantile_losses(
    truth: np.ndarray, quantiles: Mapping[float, np.ndarray]
) -> Iterator[tuple[str | float, np.ndarray]]:
    missing = np.isnan(truth)
    losses = [pinball(truth, values, level) for level, values in quantiles.items()]
    yield "pinball", np.mean(losses, axis=0)
    yield "crps", crps(truth, quantiles)
    for pair in intervals(quantiles)[:1]:
        low, high = (quantiles[level] for level in pair)
        yield "coverage", np.where(missing, np.nan, (low <= truth) & (truth <= high))
        yield "width", np.where(missing, np.nan, high - low)
    for level, values in quantiles.items():
        yield level, np.where(missing, np.nan, truth <= values)


def _blocks(series: np.ndarray, size: int) -> np.ndarray:
    """The block number of each window; each series is cut into equal blocks of `size` or more."""
    counts = np.bincount(series)
    order = np.argsort(series, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = np.maximum(counts // size, counts > 0)
    first = np.cumsum(parts) - parts
    blocks: np.ndarray = first[series] + place * parts[series] // counts[series]
    return blocks


def _samples(
    means: Mapping[str, _Mean], blocks: np.ndarray, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Each metric over bootstrap resamples of the blocks."""
    count = int(blocks.max()) + 1
    if count < LEAST_BLOCKS:
        return {}
    sums = {name: mean.grouped(blocks, count) for name, mean in means.items()}

    def statistic(weights: np.ndarray) -> dict[str, float]:
        return {
            name: float(mean.score((sums[name] * weights).sum(axis=1)))
            for name, mean in means.items()
        }

    samples = metrics.bootstrap(statistic, count, resamples, seed)
    # A metric that is defined for few series may be undefined in a resample.
    return {name: values for name, values in samples.items() if not np.isnan(values).any()}


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
