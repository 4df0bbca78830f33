"""Cheap forecasts of windows: a model is worth its while if it is better than the best of them."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.tasks.forecasting.conformal import LEVELS, Calibration

__all__ = ["Baseline", "Drift", "LastValue", "NLinear", "SeasonalNaive", "Source", "standard"]

_BATCH = 2**22  # values that are in memory at a time
_CALIBRATED = 2**22  # values of validation windows to calibrate on
_LEARNED = 2**18  # windows of single targets to learn from: beyond that more change nothing
_PENALTIES = 10.0 ** np.arange(3, -9, -1)  # in terms of the mean variance of the lags


class Source(Protocol):
    """Windows cut out on demand, as by `kerasseq.data.series.windows.Windows`."""

    def __len__(self) -> int:
        """How many there are."""

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The inputs of some windows, among them `history`, and their targets."""


class Baseline(abc.ABC):
    """A cheap forecast from the history of each window, in the units of the windows.

    What was not observed counts as what was observed last. Quantiles are put where the errors on
    validation windows were (see `kerasseq.tasks.forecasting.conformal`).

    Args:
        levels: of the quantiles, between 0 and 1.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> from kerasseq.data.series.windows import Windows
    >>> windows = Windows(read_series("demo").pick([0]), lookback=24, horizon=2)
    >>> train, later = windows.part(last=[100]), windows.part(first=[100])
    >>> SeasonalNaive(season=12).fit(train, later).predict(later).point[0].ravel().tolist()
    [318.0, 374.0]
    """

    def __init__(self, levels: Sequence[float] = LEVELS) -> None:
        self.levels = tuple(levels)

    def fit(self, train: Source, validation: Source) -> Baseline:
        """Learn from windows, and how far off forecasts are from later ones.

        Args:
            train: windows to learn from.
            validation: later ones.
        """
        _, targets = validation.batch(np.arange(1))
        found = self._forecasts(validation, max(1, _CALIBRATED // targets.size))
        point, truth = (np.concatenate(parts) for parts in zip(*found))
        self._calibration = Calibration.fit(truth, Forecasts(point), self.levels)
        return self

    def predict(self, windows: Source) -> Forecasts:
        """Forecasts of all windows, (windows, horizon, targets)."""
        found = self._forecasts(windows, len(windows))
        return self._calibration.apply(Forecasts(np.concatenate([point for point, _ in found])))

    @abc.abstractmethod
    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """Forecasts of a batch, (batch, horizon, targets).

        Args:
            history: (batch, lookback, targets).
            observed: which of it was, bool of the same shape.
            horizon: steps to forecast.
        """

    def _forecasts(self, windows: Source, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for history, observed, targets in _batches(windows, most):
            yield self.point(history, observed, targets.shape[1]), targets


class LastValue(Baseline):
    """The value that was observed last, at every step."""

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        return np.repeat(_filled(history, observed)[:, -1:], horizon, axis=1)


class SeasonalNaive(Baseline):
    """At every step the value of one season before; the latest such one that was observed.

    Args:
        season: steps; windows must look back at least as far.
        levels: of the quantiles, between 0 and 1.
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
                f"season={self.season} is longer than the windows look back: {lookback} steps. "
                "Take windows with a longer lookback."
            )
        shape = (batch, seasons, self.season, targets)
        seen = observed[:, -seasons * self.season :].reshape(shape)
        values = _filled(history[:, -seasons * self.season :].reshape(shape), seen)[:, -1]
        last = _filled(history, observed)[:, -1:]
        values = np.where(seen.any(axis=1), values, last)
        return values[:, np.arange(horizon) % self.season]


class Drift(Baseline):
    """On along the line through the first and the last value of the window."""

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        lookback = history.shape[1]
        first = observed.argmax(axis=1)[:, None]
        last = lookback - 1 - observed[:, ::-1].argmax(axis=1)[:, None]
        begin, end = (np.take_along_axis(history, place, axis=1) for place in (first, last))
        slope = (end - begin) / np.maximum(last - first, 1)
        return end + slope * (lookback + np.arange(horizon)[:, None] - last)


class NLinear(Baseline):
    """A linear map of the lookback, from whose values the last one is taken and added back.

    One map for all targets and series (Zeng et al. 2023, https://arxiv.org/abs/2205.13504), with
    the ridge penalty that is best on validation windows. It is found in closed form from sums over
    the windows, which are never in memory together. Windows of which a target was not observed have
    no part in it.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> from kerasseq.data.series.windows import Windows
    >>> windows = Windows(read_series("demo").pick([0]), lookback=24, horizon=2)
    >>> train, later = windows.part(last=[100]), windows.part(first=[100])
    >>> NLinear().fit(train, later).predict(later).point[0].ravel().round().tolist()
    [356.0, 421.0]
    """

    #: What was learned: (lookback, horizon), (horizon,), and the penalty on mean squared weights.
    weights: np.ndarray
    bias: np.ndarray
    penalty: float

    def fit(self, train: Source, validation: Source) -> Baseline:
        """See `Baseline.fit`."""
        self._learn(train, validation)
        return super().fit(train, validation)

    def point(self, history: np.ndarray, observed: np.ndarray, horizon: int) -> np.ndarray:
        """See `Baseline.point`."""
        history = _filled(history, observed)
        last = history[:, -1:]
        ahead = (history - last).transpose(0, 2, 1) @ self.weights.astype(history.dtype)
        ahead += self.bias
        return last + ahead.transpose(0, 2, 1)

    def _learn(self, train: Source, validation: Source) -> None:
        learned = _Moments.from_windows(train)
        gram, cross = learned.about(learned)
        test_gram, test_cross = _Moments.from_windows(validation).about(learned)
        # With gram = basis @ diag(size) @ basis.T, a penalty costs no more than a division.
        size, basis = np.linalg.eigh(gram)
        size, cross = np.maximum(size, 0), basis.T @ cross
        test_gram, test_cross = basis.T @ test_gram @ basis, basis.T @ test_cross
        least, best, self.penalty = 0.0, np.zeros_like(cross), np.inf  # that of no weights at all
        for penalty in _PENALTIES * size.mean() if size.any() else ():
            weights = cross / (size + penalty)[:, None]
            loss = float((weights * (test_gram @ weights - 2 * test_cross)).sum())
            if loss < least:
                least, best, self.penalty = loss, weights, float(penalty)
        self.weights = basis @ best
        self.bias = learned.ahead - learned.lags @ self.weights


def standard(season: int = 1, levels: Sequence[float] = LEVELS) -> dict[str, Baseline]:
    """The baselines that a forecast stands beside, by name, not yet fitted.

    Args:
        season: steps of the natural season, which windows must look back; 1 for none.
        levels: of the quantiles, between 0 and 1.

    Example:

    >>> list(standard(season=12))
    ['last value', 'drift', 'nlinear', 'seasonal naive']
    """
    found: dict[str, Baseline] = {
        "last value": LastValue(levels),
        "drift": Drift(levels),
        "nlinear": NLinear(levels),
    }
    if season > 1:
        found["seasonal naive"] = SeasonalNaive(season, levels)
    return found


@dataclass(frozen=True)
class _Moments:
    """Means over windows of single targets, all in terms of the last value of the lookback.

    Args:
        lags: (lookback,).
        ahead: (horizon,).
        gram: of products of lags, (lookback, lookback).
        cross: of products of lags with what is ahead, (lookback, horizon).
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
            history = _filled(history, observed).astype(np.float64)
            last = history[:, -1:]
            lags, ahead = (
                (own - last).transpose(0, 2, 1).reshape(-1, own.shape[1])
                for own in (history, ahead)
            )
            whole = ~np.isnan(ahead).any(axis=1)
            lags, ahead = lags[whole], ahead[whole]
            count += len(lags)
            parts = (lags.sum(axis=0), ahead.sum(axis=0), lags.T @ lags, lags.T @ ahead)
            sums = [total + part for total, part in zip(sums, parts)]
        return cls(*(np.asarray(total) / max(count, 1) for total in sums))

    def about(self, other: _Moments) -> tuple[np.ndarray, np.ndarray]:
        """`gram` and `cross` of the distances from the means of others."""
        lags, ahead = self.lags - other.lags, self.ahead - other.ahead
        gram = self.gram - np.outer(self.lags, self.lags) + np.outer(lags, lags)
        return gram, self.cross - np.outer(self.lags, self.ahead) + np.outer(lags, ahead)


def _batches(windows: Source, most: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """History, which of it was observed, and targets of windows, at most so many, evenly spread."""
    rows = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(np.int64))
    inputs, targets = windows.batch(rows[:1])
    step = max(1, _BATCH // (inputs["history"].size + targets.size))
    for start in range(0, len(rows), step):
        inputs, targets = windows.batch(rows[start : start + step])
        history = inputs["history"]
        observed = inputs.get("observed")
        seen = np.ones(history.shape, bool) if observed is None else observed > 0
        yield history, seen, targets


def _filled(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Values, along the second axis, with what is missing like what was observed last before it.

    At the beginning, like what is observed first; 0 where nothing is.
    """
    if observed.all():
        return values
    places = np.arange(values.shape[1]).reshape(-1, *[1] * (values.ndim - 2))
    last = np.maximum.accumulate(np.where(observed, places, 0), axis=1)
    first = observed.argmax(axis=1)[:, None]
    return np.take_along_axis(values, np.maximum(last, first), axis=1)
