"""Baselines that follow each series by itself: exponential smoothing and the Theta method."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from kerasseq.tasks.forecasting import smoothing
from kerasseq.tasks.forecasting.baselines import Baseline, fill_forward
from kerasseq.tasks.forecasting.conformal import LEVELS
from kerasseq.tasks.forecasting.smoothing import Rates, Smoothed, Start

__all__ = ["HISTORY", "ExponentialSmoothing", "SeriesBaseline", "Theta", "following"]

#: Steps before a part of the data that these baselines read.
HISTORY = 512
_CHUNK = 2**20  # number of values of windows in memory at a time
_COLUMNS = 256  # number of columns at a time
_MANY = 1000  # with more columns, fewer rates are tried
_LEVEL_RATES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0)
_TRENDS = ((0.0, 0.0), (0.0, 1.0), (0.02, 1.0), (0.1, 1.0), (0.05, 0.95), (0.1, 0.9))
_SEASON_RATES = (0.02, 0.1, 0.3, 0.6)
_SIGNIFICANT = 1.645  # standard errors of an autocorrelation, for a season of the Theta method

Follow = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


class SeriesBaseline(Baseline):
    """Base class of baselines that follow each series from its beginning, in its units.

    The coefficients of each series and target are fitted on the rows before the part to forecast,
    at most the last `HISTORY`; the states go on through the rows of the part before each forecast.

    Args:
        season: steps of the season; 1 for none.
        levels: levels of the quantiles, between 0 and 1.
    """

    def __init__(self, season: int = 1, levels: Sequence[float] = LEVELS) -> None:
        super().__init__(levels)
        self.season = season

    @abc.abstractmethod
    def follow(self, values: np.ndarray, known: np.ndarray) -> Follow:
        """Fit coefficients and follow series.

        Args:
            values: (time, columns); NaN where not observed, and after the end of a series.
            known: number of steps to fit on, int (columns,).

        Returns:
            A function from numbers of steps, the column of each and a horizon to forecasts after
            these steps, (forecasts, horizon).
        """

    def _forecasts(self, windows: Any, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rows = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(np.int64))
        _, targets = windows.batch(rows[:1])
        _, horizon, width = targets.shape
        forecast, size = self.follow(*_columns(windows)), max(1, _CHUNK // targets.size)
        for first in range(0, len(rows), size):
            chunk = rows[first : first + size]
            series, origins = windows.windows.places(chunk)
            columns = series[:, None] * width + np.arange(width)
            ahead = forecast(np.repeat(origins, width), columns.ravel(), horizon)
            point = ahead.reshape(len(chunk), width, horizon).transpose(0, 2, 1)
            yield windows.in_scaled_units(point, series), windows.batch(chunk)[1]


class ExponentialSmoothing(SeriesBaseline):
    """Holt and Winters' exponential smoothing; level, trend and season by the least AIC.

    There is no trend, a linear or a damped one, and no season, an additive or a multiplicative one
    (Hyndman et al. 2002, https://doi.org/10.1016/S0169-2070(01)00110-8). Coefficients are those of
    a grid with the least squared one-step errors.
    """

    def follow(self, values: np.ndarray, known: np.ndarray) -> Follow:
        """See `SeriesBaseline.follow`."""
        grids = _rates(self.season, fine=values.shape[1] <= _MANY)
        choices = [
            self._choose(grids, values[:, columns], known[columns])
            for columns in _chunks(values.shape[1])
        ]
        kinds, candidates = np.concatenate(choices).T
        smoothed: dict[int, Smoothed] = {}
        places = np.zeros(len(kinds), int)
        for kind in np.unique(kinds):
            columns = np.flatnonzero(kinds == kind)
            places[columns] = np.arange(len(columns))
            part, rates = values[:, columns], grids[kind].pick(candidates[columns])
            smoothed[kind] = smoothing.smooth(part, self._start(part, known[columns], kind), rates)

        def forecast(steps: np.ndarray, columns: np.ndarray, horizon: int) -> np.ndarray:
            result = np.zeros((len(steps), horizon))
            for kind, states in smoothed.items():
                rows = np.flatnonzero(kinds[columns] == kind)
                result[rows] = states.forecast(steps[rows], places[columns[rows]], horizon)
            return result

        return forecast

    def _choose(self, grids: Sequence[Rates], values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """The kind of season and the number of the rates of each column, int (columns, 2)."""
        count = np.maximum(known, 1)
        criteria = []
        for kind, rates in enumerate(grids):
            usable = self._usable(values, known, kind)
            if not usable.any():
                criteria.append(np.full((1, len(known)), np.inf))
                continue
            errors = smoothing.squares(values, self._start(values, known, kind), rates, known)
            with np.errstate(divide="ignore"):  # without any error
                fit = count * np.log(errors / count)
            parameters = 2 + (rates.damping > 0) + (rates.trend > 0) + (self.season if kind else 0)
            criteria.append(np.where(usable, fit + 2 * parameters, np.inf))
        best = np.array([criterion.min(axis=0) for criterion in criteria]).argmin(axis=0)
        return np.array(
            [(kind, criteria[kind][:, column].argmin()) for column, kind in enumerate(best)]
        )

    def _usable(self, values: np.ndarray, known: np.ndarray, kind: int) -> np.ndarray:
        """Whether columns can have a kind of season: none, additive or multiplicative."""
        if kind == 0:
            return np.full(len(known), True)
        before = np.arange(len(values))[:, None] < known
        positive = np.where(before & ~np.isnan(values), values, 1.0).min(axis=0) > 0
        return (known >= 2 * self.season) & (positive | (kind == 1))

    def _start(self, values: np.ndarray, known: np.ndarray, kind: int) -> Start:
        filled = fill_forward(values[None], ~np.isnan(values)[None])[0]
        return smoothing.start(filled, known, self.season if kind else 1, kind == 2)


class Theta(SeriesBaseline):
    """The Theta method: exponential smoothing with half of the slope of the line as its drift.

    A season whose autocorrelation is significant is first taken out by classical decomposition,
    multiplicative for values above 0 (Assimakopoulos & Nikolopoulos 2000,
    https://doi.org/10.1016/S0169-2070(00)00066-2; as exponential smoothing with drift in Hyndman &
    Billah 2003, https://doi.org/10.1016/S0169-2070(01)00143-1). Line and season are those of the
    rows before the part.
    """

    def follow(self, values: np.ndarray, known: np.ndarray) -> Follow:
        """See `SeriesBaseline.follow`."""
        zero = np.zeros((20, 1))
        rates = Rates(np.linspace(0.05, 1, 20)[:, None], zero, zero + 1, zero)
        filled, index, multiplicative = self._season(values, known)
        over_time = index[np.arange(len(values)) % len(index)]
        # Of an additive season, or none, the values less it; else the quotients.
        plain = np.where(
            multiplicative, filled / np.where(multiplicative, over_time, 1.0), filled - over_time
        )
        _, slope = smoothing.line(plain, known)
        begin = Start(plain[0], slope / 2, np.zeros((1, len(slope))))
        plain = np.where(np.isnan(values), np.nan, plain)
        best = smoothing.squares(plain, begin, rates, known).argmin(axis=0)
        states = smoothing.smooth(plain, begin, rates.pick(best))

        def forecast(steps: np.ndarray, columns: np.ndarray, horizon: int) -> np.ndarray:
            ahead = states.forecast(steps, columns, horizon)
            phase = (steps[:, None] + np.arange(horizon)) % len(index)
            season = index[phase, columns[:, None]]
            return np.where(multiplicative[columns][:, None], ahead * season, ahead + season)

        return forecast

    def _season(
        self, values: np.ndarray, known: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values without gaps, the season, (season, columns), and whether it multiplies."""
        filled = fill_forward(values[None], ~np.isnan(values)[None])[0]
        before = np.arange(len(values))[:, None] < known
        multiplicative = np.where(before, filled, 1.0).min(axis=0) > 0
        index = np.tile(multiplicative.astype(float), (self.season, 1))
        known_values = np.where(before, filled, np.nan)
        seasonal = (self.season > 1) & (known >= 2 * self.season)
        seasonal &= _is_seasonal(known_values, self.season)
        if seasonal.any():
            index[:, seasonal] = _classical_season(
                known_values[:, seasonal], self.season, multiplicative[seasonal]
            )
        return filled, index, multiplicative


def following(season: int, levels: Sequence[float]) -> dict[str, Baseline]:
    """The baselines that follow each series, by name, not fitted.

    Args:
        season: steps of the season; 1 for none.
        levels: levels of the quantiles, between 0 and 1.
    """
    return {
        "theta": Theta(season, levels),
        "exponential smoothing": ExponentialSmoothing(season, levels),
    }


def _rates(season: int, fine: bool) -> list[Rates]:
    """Rates to try without, with an additive and with a multiplicative season.

    The rate of the season is at most 1 less that of the level, and the rate of the trend at most
    that of the level: with larger ones states can diverge, even if they do not in the rows to fit
    on (the usual bounds of Hyndman et al. 2008, https://doi.org/10.1007/978-3-540-71918-2).
    """
    step = 1 if fine else 2
    grids = [(0.0,), _SEASON_RATES[::step], _SEASON_RATES[::step]]
    return [
        Rates(
            *np.array(
                [
                    (level, trend, damping, seasonal)
                    for level, (trend, damping), seasonal in product(
                        _LEVEL_RATES[::step], _TRENDS[::step], grid
                    )
                    if trend <= level and seasonal <= 1 - level
                ]
            ).T[..., None]
        )
        for grid in grids[: 3 if season > 1 else 1]
    ]


def _columns(examples: Any) -> tuple[np.ndarray, np.ndarray]:
    """All series and targets of examples, (time, columns), NaN after the end of a series.

    Also the number of rows before the first one to forecast, int (columns,).
    """
    targets = examples.panel.targets
    width, longest = targets[0].shape[1], max(map(len, targets))
    values = np.full((longest, len(targets), width), np.nan)
    for place, rows in enumerate(targets):
        values[: len(rows), place] = rows
    return values.reshape(longest, -1), np.repeat(examples.first, width)


def _chunks(columns: int) -> Iterator[slice]:
    return (slice(first, first + _COLUMNS) for first in range(0, columns, _COLUMNS))


def _is_seasonal(values: np.ndarray, season: int) -> np.ndarray:
    """Whether the autocorrelation at the lag of the season is significant, bool (columns,).

    Args:
        values: (time, columns), NaN after the known steps.
        season: steps of the season.
    """
    count = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    centred = values - np.nansum(values, axis=0) / count
    variance = np.maximum(np.nansum(centred**2, axis=0), 1e-12)
    lags = [
        np.nansum(centred[lag:] * centred[:-lag], axis=0) / variance
        for lag in range(1, min(season, len(values) - 1) + 1)
    ]
    deviation = np.sqrt((1 + 2 * np.square(lags[:-1]).sum(axis=0)) / count)
    seasonal: np.ndarray = (len(lags) == season) & (np.abs(lags[-1]) > _SIGNIFICANT * deviation)
    return seasonal


def _classical_season(values: np.ndarray, season: int, multiplicative: np.ndarray) -> np.ndarray:
    """Indices by classical decomposition, (season, columns): means about a moving average.

    Args:
        values: (time, columns), NaN after the known steps.
        season: steps of the season.
        multiplicative: whether the season of a column multiplies the level, bool (columns,).
    """
    weights = np.ones(season) if season % 2 else np.convolve(np.ones(season), [0.5, 0.5])
    half = len(weights) // 2
    around = np.lib.stride_tricks.sliding_window_view(values, len(weights), axis=0)
    trend = around @ (weights / season)
    middle = values[half : half + len(trend)]
    about = np.where(multiplicative, middle / np.where(multiplicative, trend, 1.0), middle - trend)
    phases = (np.arange(len(about)) + half) % season
    index = np.stack([np.nanmean(about[phases == phase], axis=0) for phase in range(season)])
    mean = index.mean(axis=0)
    return np.where(multiplicative, index / np.where(multiplicative, mean, 1.0), index - mean)
