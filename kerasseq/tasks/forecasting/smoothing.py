"""Exponential smoothing with a season: its recursions, many series and coefficients at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

__all__ = ["Rates", "Smoothed", "Start", "line", "smooth", "squares", "start"]

_SEASONS = 3  # seasons at the beginning of a series from which its states are initialized
_STEPS = 10  # steps at the beginning, without a season
_FLOOR = 1e-3  # least level under a multiplicative season, as a share of the first level


@dataclass(frozen=True)
class Rates:
    """Coefficients of exponential smoothing, arrays that broadcast to (candidates, columns).

    Args:
        level: share of an error that moves the level.
        trend: share of an error that moves the trend.
        damping: factor of the trend from step to step; 0 for no trend.
        season: share of an error that moves the index of the season.
    """

    level: np.ndarray
    trend: np.ndarray
    damping: np.ndarray
    season: np.ndarray

    def pick(self, candidates: np.ndarray) -> Rates:
        """The rates of one candidate for each column, int (columns,)."""
        return Rates(*(getattr(self, field.name)[candidates, 0] for field in fields(self)))


@dataclass(frozen=True)
class Start:
    """States before the first step.

    Args:
        level: (columns,).
        trend: change of the level per step, (columns,).
        season: the first index of each phase of the season, (season, columns).
        multiplicative: whether the season multiplies the level, else it is added.
    """

    level: np.ndarray
    trend: np.ndarray
    season: np.ndarray
    multiplicative: bool = False


@dataclass(frozen=True)
class Smoothed:
    """States of exponential smoothing after any number of steps.

    Args:
        level: (time + 1, columns); row t is the level after t steps.
        trend: (time + 1, columns).
        season: (time + season, columns); rows t to t + season - 1 are the indices of the next
            season after t steps.
        damping: as in `Rates`, (columns,).
        multiplicative: whether the season multiplies the level.
    """

    level: np.ndarray
    trend: np.ndarray
    season: np.ndarray
    damping: np.ndarray
    multiplicative: bool

    def forecast(self, steps: np.ndarray, columns: np.ndarray, horizon: int) -> np.ndarray:
        """Forecasts, (forecasts, horizon).

        Args:
            steps: number of steps before each forecast, int (forecasts,).
            columns: column of each forecast, int (forecasts,).
            horizon: number of steps to forecast.
        """
        ahead = np.arange(horizon)
        damped = np.cumsum(self.damping[columns][:, None] ** (ahead + 1), axis=1)
        base = self.level[steps, columns][:, None] + self.trend[steps, columns][:, None] * damped
        season = len(self.season) - len(self.level) + 1
        index = self.season[steps[:, None] + ahead % season, columns[:, None]]
        result: np.ndarray = base * index if self.multiplicative else base + index
        return result


def start(values: np.ndarray, known: np.ndarray, season: int, multiplicative: bool) -> Start:
    """States before the first step: a line through the first seasons, and the mean season about it.

    Args:
        values: (time, columns), without gaps.
        known: number of steps that may be used of each column, int (columns,).
        season: steps of the season, at most half of the known steps of a column that is used; 1
            for no season.
        multiplicative: whether the season multiplies the level.
    """
    if season == 1:
        level, trend = line(values[:_STEPS], known)
        return Start(level, trend, np.full((1, values.shape[1]), float(multiplicative)))
    enough = known[known >= 2 * season]
    count = min(_SEASONS, int(enough.min(initial=_SEASONS * season)) // season)
    blocks = values[: count * season].reshape(count, season, -1)
    centre, slope = line(blocks.mean(axis=1), np.full(values.shape[1], count))
    trend = slope / season
    # Steps from the middle of the first season, at which the line has the value `centre + slope`.
    steps = np.arange(count * season) - (season - 1) / 2
    level = (centre + slope) + trend * steps[:, None]
    about = (values[: len(steps)] / level) if multiplicative else values[: len(steps)] - level
    index = about.reshape(count, season, -1).mean(axis=0)
    index = index / index.mean(axis=0) if multiplicative else index - index.mean(axis=0)
    return Start(level[0] - trend, trend, index, multiplicative)


def line(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least-squares line through the known steps: its value one step before them, its slope.

    Args:
        values: (time, columns), without gaps.
        known: number of steps to use of each column, int (columns,).

    Example:

    >>> level, slope = line(np.array([[3.0], [5.0], [7.0], [0.0]]), np.array([3]))
    >>> level.tolist(), slope.tolist()
    ([1.0], [2.0])
    """
    used = (np.arange(len(values))[:, None] < known).astype(float)
    time = np.arange(1.0, len(values) + 1)[:, None]
    count = used.sum(axis=0)
    middle, mean = (used * time).sum(axis=0) / count, (used * values).sum(axis=0) / count
    spread = (used * (time - middle) ** 2).sum(axis=0)
    slope = (used * (time - middle) * (values - mean)).sum(axis=0) / np.maximum(spread, 1e-12)
    return mean - slope * middle, slope


def squares(values: np.ndarray, start: Start, rates: Rates, known: np.ndarray) -> np.ndarray:
    """Sums of squared one-step errors, (candidates, columns); infinite where they diverge.

    Args:
        values: (time, columns); NaN where not observed.
        start: states before the first step.
        rates: rates of all candidates.
        known: number of steps whose errors count, int (columns,).
    """
    result = np.zeros(np.broadcast_shapes(rates.level.shape, (1, values.shape[1])))
    with np.errstate(all="ignore"):  # some rates diverge
        for step, (error, *_) in enumerate(_follow(values[: known.max()], start, rates)):
            result += np.where(step < known, error, 0.0) ** 2
    return np.where(np.isfinite(result), result, np.inf)


def smooth(values: np.ndarray, start: Start, rates: Rates) -> Smoothed:
    """The states after each step.

    Args:
        values: (time, columns); NaN where not observed.
        start: states before the first step.
        rates: rates of each column, (columns,).

    Example:

    >>> values, zero, half = np.array([[4.0], [8.0]]), np.zeros(1), np.full(1, 0.5)
    >>> smoothed = smooth(values, Start(zero, zero, zero[None]), Rates(half, zero, zero, zero))
    >>> smoothed.level.ravel().tolist()
    [0.0, 2.0, 5.0]
    """
    levels, trends, seasons = [start.level], [start.trend], list(start.season)
    for _, level, trend, index in _follow(values, start, rates):
        levels.append(level)
        trends.append(trend)
        seasons.append(index)
    return Smoothed(
        np.stack(levels),
        np.stack(trends),
        np.stack(seasons),
        rates.damping,
        start.multiplicative,
    )


def _follow(
    values: np.ndarray, start: Start, rates: Rates
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """After each step its error, the level, the trend, and the index of the season.

    These are the recursions of Hyndman et al. (2002),
    https://doi.org/10.1016/S0169-2070(01)00110-8. A value that was not observed counts as forecast.
    """
    level, trend, seasons = start.level, start.trend, list(start.season)
    floor = _FLOOR * np.abs(start.level) if start.multiplicative else -np.inf
    for step, value in enumerate(values):
        place = step % len(seasons)
        index, trend = seasons[place], rates.damping * trend
        base = np.maximum(level + trend, floor)
        error = value - (base * index if start.multiplicative else base + index)
        error = np.where(np.isnan(value), 0.0, error)
        by_level, by_season = (
            (error / index, error / base) if start.multiplicative else (error,) * 2
        )
        level, trend = base + rates.level * by_level, trend + rates.trend * by_level
        seasons[place] = index + rates.season * by_season
        yield error, level, trend, seasons[place]
