"""Baseline forecasts, which a useful model must beat."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.tasks.forecasting.conformal import LEVELS, Calibration

__all__ = [
    "Baseline",
    "Drift",
    "LastValue",
    "NLinear",
    "SeasonalNaive",
    "Source",
    "WindowBaseline",
    "fill_forward",
    "standard",
]

_BATCH = 2**22  # largest number of values in memory at a time
_CALIBRATED = 2**22  # largest number of values of validation windows to calibrate on
_LEARNED = 2**18  # largest number of windows to fit on: more windows change nothing
_PENALTIES = 10.0 ** np.arange(3, -9, -1)  # relative to the mean variance of the lags


class Source(Protocol):
    """Windows that are cut on demand, such as `kerasseq.data.series.windows.Windows`."""

    @property
    def independent(self) -> int:
        """The number of windows whose targets do not overlap."""

    def __len__(self) -> int:
        """The number of windows."""

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The inputs of windows by number, `history` among them, and their targets."""


class Baseline(abc.ABC):
    """Base class of baselines.

    Quantiles are the point forecast plus quantiles of the errors on validation windows (see
    `kerasseq.tasks.forecasting.conformal`).

    Args:
        levels: levels of the quantiles, between 0 and 1.
    """

    def __init__(self, levels: Sequence[float] = LEVELS) -> None:
        self.levels = tuple(levels)

    def fit(self, train: Source, validation: Source) -> Baseline:
        """Fit the baseline on training windows, and its quantiles on validation windows.

        Args:
            train: windows to fit on.
            validation: later windows, to calibrate on.
        """
        _, targets = validation.batch(np.arange(1))
        batches = self._forecasts(validation, max(1, _CALIBRATED // targets.size))
        point, truth = (np.concatenate(parts) for parts in zip(*batches))
        self._calibration = Calibration.fit(
            truth, Forecasts(point), self.levels, validation.independent
        )
        return self

    def predict(self, windows: Source) -> Forecasts:
        """Forecasts of all windows, (windows, horizon, targets)."""
        batches = self._forecasts(windows, len(windows))
        return self._calibration.apply(Forecasts(np.concatenate([point for point, _ in batches])))

    def errors(self, windows: Source) -> np.ndarray:
        """Actual values less the point forecasts of all windows, scaled.

        The shape is (windows, horizon, targets). `NLinear` has to be fitted before.
        """
        batches = self._forecasts(windows, len(windows))
        return np.concatenate([targets - point for point, targets in batches])

    @abc.abstractmethod
    def _forecasts(self, windows: Source, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Point forecasts and targets of at most `most` windows, in batches, scaled."""


class WindowBaseline(Baseline):
    """Base class of baselines that forecast from the history of each window, in its units.

    A missing value counts as the last observed one.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> from kerasseq.data.series.windows import Windows
    >>> windows = Windows(read_series("demo").pick([0]), lookback=24, horizon=2)
    >>> train, later = windows.part(last=[100]), windows.part(first=[100])
    >>> SeasonalNaive(season=12).fit(train, later).predict(later).point[0].ravel().tolist()
    [318.0, 374.0]
    """

    @abc.abstractmethod
    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """Forecasts of a batch, (batch, horizon, targets).

        Args:
            history: past values, (batch, lookback, targets).
            observed: which values were observed, bool of the same shape.
            horizon: number of steps to forecast.
        """

    def _forecasts(self, windows: Source, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for history, observed, targets in _batches(windows, most):
            yield self.point(history, observed, targets.shape[1]), targets


class LastValue(WindowBaseline):
    """The last observed value, at every step."""

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        return np.repeat(fill_forward(history, observed)[:, -1:], horizon, axis=1)


class SeasonalNaive(WindowBaseline):
    """The latest observed value of the same phase of the season, at every step.

    Args:
        season: steps of the season; the lookback of windows must be at least as long.
        levels: levels of the quantiles, between 0 and 1.
    """

    def __init__(self, season: int, levels: Sequence[float] = LEVELS) -> None:
        super().__init__(levels)
        self.season = season

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        batch, lookback, targets = history.shape
        seasons = lookback // self.season
        if seasons == 0:
            raise ValueError(
                f"season={self.season} is longer than the lookback, {lookback} steps. "
                "Take windows with a longer lookback."
            )
        shape = (batch, seasons, self.season, targets)
        seasons_observed = observed[:, -seasons * self.season :].reshape(shape)
        values = fill_forward(
            history[:, -seasons * self.season :].reshape(shape), seasons_observed
        )[:, -1]
        last = fill_forward(history, observed)[:, -1:]
        values = np.where(seasons_observed.any(axis=1), values, last)
        return values[:, np.arange(horizon) % self.season]


class Drift(WindowBaseline):
    """The line through the first and the last observed value of the window, extended."""

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        lookback = history.shape[1]
        first = observed.argmax(axis=1)[:, None]
        last = lookback - 1 - observed[:, ::-1].argmax(axis=1)[:, None]
        begin, end = (np.take_along_axis(history, place, axis=1) for place in (first, last))
        slope = (end - begin) / np.maximum(last - first, 1)
        return end + slope * (lookback + np.arange(horizon)[:, None] - last)


class NLinear(WindowBaseline):
    """A linear map of the lookback, after subtracting its last value, which is added back.

    One map for all targets and series (Zeng et al. 2023, https://arxiv.org/abs/2205.13504), fitted
    by ridge regression with the lookback and the penalty that are best on validation windows. It is
    computed in closed form from sums over windows, which are never in memory together. Windows with
    missing targets are left out.

    Args:
        levels: levels of the quantiles, between 0 and 1.
        lookbacks: numbers of last steps of a window to choose from; default: all steps.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> from kerasseq.data.series.windows import Windows
    >>> windows = Windows(read_series("demo").pick([0]), lookback=24, horizon=2)
    >>> train, later = windows.part(last=[100]), windows.part(first=[100])
    >>> NLinear().fit(train, later).predict(later).point[0].ravel().round().tolist()
    [356.0, 421.0]
    """

    #: Fitted weights (lookback, horizon), bias (horizon,), and the ridge penalty.
    weights: np.ndarray
    bias: np.ndarray
    penalty: float

    def __init__(self, levels: Sequence[float] = LEVELS, lookbacks: Sequence[int] = ()) -> None:
        super().__init__(levels)
        self._lookbacks = tuple(lookbacks)

    def fit(self, train: Source, validation: Source) -> Baseline:
        """See `Baseline.fit`."""
        self._fit_ridge(train, validation)
        return super().fit(train, validation)

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        history = fill_forward(history, observed)[:, -len(self.weights) :]
        last = history[:, -1:]
        ahead = (history - last).transpose(0, 2, 1) @ self.weights.astype(history.dtype)
        ahead += self.bias
        return last + ahead.transpose(0, 2, 1)

    def _fit_ridge(self, train: Source, validation: Source) -> None:
        """Fit weights and bias with the lookback and ridge penalty of the least validation loss."""
        moments = _Moments.from_windows(train)
        later = _Moments.from_windows(validation)
        fits = [
            _ridge(moments.last(steps), later.last(steps))
            for steps in self._lookbacks or (len(moments.lags),)
        ]
        _, self.weights, self.penalty = min(fits, key=lambda fit: fit[0])
        self.bias = moments.ahead - moments.lags[-len(self.weights) :] @ self.weights


def standard(
    season: int = 1, levels: Sequence[float] = LEVELS, lookbacks: Sequence[int] = ()
) -> dict[str, Baseline]:
    """The baselines that forecast from windows, by name, not fitted.

    Args:
        season: steps of the season, at most the lookback of windows; 1 for no season.
        levels: levels of the quantiles, between 0 and 1.
        lookbacks: lookbacks that the linear map chooses from; default: the lookback of windows.

    Example:

    >>> list(standard(season=12))
    ['last value', 'drift', 'nlinear', 'seasonal naive']
    """
    baselines: dict[str, Baseline] = {
        "last value": LastValue(levels),
        "drift": Drift(levels),
        "nlinear": NLinear(levels, lookbacks),
    }
    if season > 1:
        baselines["seasonal naive"] = SeasonalNaive(season, levels)
    return baselines


@dataclass(frozen=True)
class _Moments:
    """Means over windows of single targets, after subtracting the last value of the lookback.

    Args:
        lags: mean of the lookback values, (lookback,).
        ahead: mean of the targets, (horizon,).
        gram: mean products of lookback values, (lookback, lookback).
        cross: mean products of lookback values with targets, (lookback, horizon).
    """

    lags: np.ndarray
    ahead: np.ndarray
    gram: np.ndarray
    cross: np.ndarray

    @classmethod
    def from_windows(cls, windows: Source) -> _Moments:
        count, sums = 0, [0.0, 0.0, 0.0, 0.0]
        _, targets = windows.batch(np.arange(1))
        for history, observed, ahead in _batches(windows, max(1, _LEARNED // targets.shape[2])):
            history = fill_forward(history, observed).astype(np.float64)
            last = history[:, -1:]
            lags, ahead = (
                (values - last).transpose(0, 2, 1).reshape(-1, values.shape[1])
                for values in (history, ahead)
            )
            complete = ~np.isnan(ahead).any(axis=1)
            lags, ahead = lags[complete], ahead[complete]
            count += len(lags)
            parts = (lags.sum(axis=0), ahead.sum(axis=0), lags.T @ lags, lags.T @ ahead)
            sums = [total + part for total, part in zip(sums, parts)]
        return cls(*(np.asarray(total) / max(count, 1) for total in sums))

    def last(self, steps: int) -> _Moments:
        """The moments of the last steps of the lookback."""
        return _Moments(
            self.lags[-steps:], self.ahead, self.gram[-steps:, -steps:], self.cross[-steps:]
        )

    def about(self, center: _Moments) -> tuple[np.ndarray, np.ndarray]:
        """`gram` and `cross` of differences from the means of other moments."""
        lags, ahead = self.lags - center.lags, self.ahead - center.ahead
        gram = self.gram - np.outer(self.lags, self.lags) + np.outer(lags, lags)
        return gram, self.cross - np.outer(self.lags, self.ahead) + np.outer(lags, ahead)


def _ridge(moments: _Moments, later: _Moments) -> tuple[float, np.ndarray, float]:
    """Weights of ridge regression with the penalty of the least loss, after the loss.

    Args:
        moments: moments of the windows to fit on.
        later: moments of the windows whose loss is compared.

    Returns:
        The loss, relative to weights that are all zero; the weights; and the penalty.
    """
    gram, cross = moments.about(moments)
    later_gram, later_cross = later.about(moments)
    # With gram = basis @ diag(size) @ basis.T, the ridge solution in the basis is
    # cross / (size + penalty), so that trying a penalty costs only a division.
    size, basis = np.linalg.eigh(gram)
    size, cross = np.maximum(size, 0), basis.T @ cross
    later_gram, later_cross = basis.T @ later_gram @ basis, basis.T @ later_cross
    best = (0.0, np.zeros_like(cross), np.inf)
    for penalty in _PENALTIES * size.mean() if size.any() else ():
        weights = cross / (size + penalty)[:, None]
        loss = float((weights * (later_gram @ weights - 2 * later_cross)).sum())
        if loss < best[0]:
            best = loss, weights, float(penalty)
    return best[0], basis @ best[1], best[2]


def _batches(windows: Source, most: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """History, observed mask and targets of at most `most` windows, evenly spread, in batches."""
    rows = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(np.int64))
    inputs, targets = windows.batch(rows[:1])
    step = max(1, _BATCH // (inputs["history"].size + targets.size))
    for start in range(0, len(rows), step):
        inputs, targets = windows.batch(rows[start : start + step])
        history = inputs["history"]
        observed = inputs.get("observed")
        mask = np.ones(history.shape, bool) if observed is None else observed > 0
        yield history, mask, targets


def fill_forward(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Replace missing values by the last observed value before them, along the second axis.

    Missing values at the beginning become the first observed value; without any, 0.
    """
    if observed.all():
        return values
    places = np.arange(values.shape[1]).reshape(-1, *[1] * (values.ndim - 2))
    last = np.maximum.accumulate(np.where(observed, places, 0), axis=1)
    first = observed.argmax(axis=1)[:, None]
    return np.take_along_axis(values, np.maximum(last, first), axis=1)
