"""What the output of a forecaster means: its loss in training, and numbers to read off afterwards.

Losses are of `keras.ops`, on tensors; what is read off is NumPy and SciPy, on what `predict` gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["DistributionLoss", "Likelihood", "PointLoss", "QuantileLoss"]

Tensor = Any
ERRORS = ("mse", "mae", "huber")


@dataclass(frozen=True)
class Likelihood:
    """How to read the output of a forecaster.

    Args:
        output: "point", "quantiles", "normal", "student_t" or "negative_binomial"; see
            `kerasseq.layers.Emission`.
        quantiles: rising levels, where the output is "quantiles".
        error: "mse", "mae" or "huber", where it is "point".

    Example:

    >>> normal, forecast = Likelihood("normal"), np.array([[[5.0, 2.0]]])
    >>> normal.quantile(forecast, [0.1, 0.5, 0.9]).round(2).tolist()
    [[[2.44, 5.0, 7.56]]]
    """

    output: str = "point"
    quantiles: tuple[float, ...] = ()
    error: str = "mse"

    def loss(self) -> keras.losses.Loss:
        """What to lower in training; targets that are NaN do not count."""
        if self.output == "point":
            return PointLoss(self.error)
        if self.output == "quantiles":
            return QuantileLoss(self.quantiles)
        return DistributionLoss(self.output)

    def middle(self, forecast: np.ndarray) -> np.ndarray:
        """One number for each value: the mean of a distribution, the median among quantiles.

        Args:
            forecast: what the model gave, (..., targets[, parameters]).
        """
        if self.output == "point":
            return forecast
        if self.output == "quantiles":
            return self.quantile(forecast, [0.5])[..., 0]
        return self._distribution(forecast).mean()

    def quantile(self, forecast: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """Quantiles at any levels, as the last axis.

        Those of a model of quantiles are interpolated, and beyond the outermost ones equal to them.

        Args:
            forecast: what the model gave, (..., targets, parameters).
            levels: between 0 and 1.

        Raises:
            ValueError: for a point forecast, which has none.
        """
        wanted = np.asarray(levels, dtype=float)
        if self.output == "quantiles":
            place = np.interp(wanted, self.quantiles, np.arange(len(self.quantiles)))
            low = place.astype(int)
            high = np.minimum(low + 1, len(self.quantiles) - 1)
            share = (place - low).astype(forecast.dtype)
            return forecast[..., low] + share * (forecast[..., high] - forecast[..., low])
        return self._distribution(forecast[..., None, :]).ppf(wanted)

    def sample(self, forecast: np.ndarray, paths: int, seed: Any = 0) -> np.ndarray:
        """Draws, (paths, ..., targets), each value by itself.

        Args:
            forecast: what the model gave, (..., targets, parameters).
            paths: how many.
            seed: of the draws; a number, or a NumPy generator.

        Raises:
            ValueError: for a point forecast, of which nothing can be drawn.
        """
        random = np.random.default_rng(seed)
        shape = (paths, *forecast.shape[:-1])
        if self.output != "quantiles":
            return self._distribution(forecast).rvs(size=shape, random_state=random)
        place = np.interp(random.random(shape), self.quantiles, np.arange(len(self.quantiles)))
        low = place.astype(int)
        high = np.minimum(low + 1, len(self.quantiles) - 1)
        at_low, at_high = (
            np.take_along_axis(forecast[None], index[..., None], axis=-1)[..., 0]
            for index in (low, high)
        )
        return at_low + (place - low) * (at_high - at_low)

    def _distribution(self, forecast: np.ndarray) -> Any:
        """The frozen SciPy distribution of the parameters on the last axis."""
        from scipy import stats  # type: ignore[import-untyped]  # it has no types

        if self.output == "point":
            raise ValueError(
                "A point forecast has no distribution. Train with output='quantiles', 'normal', "
                "'student_t' or 'negative_binomial'."
            )
        forecast = forecast.astype(float)  # SciPy is not at home in float32
        first, second = forecast[..., 0], forecast[..., 1]
        if self.output == "normal":
            return stats.norm(first, second)
        if self.output == "student_t":
            return stats.t(forecast[..., 2], first, second)
        return stats.nbinom(1 / second, 1 / (1 + first * second))


class _ObservedLoss(keras.losses.Loss):
    """Base: the mean over the targets that were observed, which are those that are not NaN."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """A loss for each target, whose mean is that over the observed ones."""
        known = ops.logical_not(ops.isnan(y_true))
        # Filled before anything is computed: a gradient through NaN is NaN, also times zero.
        losses = self.loss(ops.where(known, y_true, 0.0), y_pred)
        weight = ops.cast(known, losses.dtype)
        return losses * weight / ops.maximum(ops.mean(weight), keras.config.epsilon())

    def loss(self, targets: Tensor, forecast: Tensor) -> Tensor:
        """(batch, horizon, targets), from targets that are no NaN."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("kerasseq")
class PointLoss(_ObservedLoss):
    """The error of a point forecast, where targets that are NaN do not count.

    Args:
        error: "mse", "mae" or "huber" (half the square up to 1, from there on a line).
        **kwargs: those of `keras.losses.Loss`.

    Raises:
        ValueError: if `error` is unknown.

    Example:

    >>> float(PointLoss("mae")(np.array([[1.0, np.nan]]), np.array([[3.0, 5.0]])))
    2.0
    """

    def __init__(self, error: str = "mse", **kwargs: Any) -> None:
        super().__init__(**{"name": error, **kwargs})
        if error not in ERRORS:
            raise ValueError(
                f"`error` must be one of {', '.join(ERRORS)}. Received: error={error!r}"
            )
        self.error = error

    def loss(self, targets: Tensor, forecast: Tensor) -> Tensor:
        away = ops.abs(targets - forecast)
        if self.error == "mae":
            return away
        if self.error == "mse":
            return ops.square(away)
        near = ops.minimum(away, 1.0)
        return near * (away - near / 2)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "error": self.error}


@keras.saving.register_keras_serializable("kerasseq")
class QuantileLoss(_ObservedLoss):
    """The mean pinball loss over all levels, where targets that are NaN do not count.

    Args:
        quantiles: levels, in the order in which the forecast has them on its last axis.
        **kwargs: those of `keras.losses.Loss`.

    Example:

    >>> round(float(QuantileLoss([0.9])(np.array([[[1.0]]]), np.array([[[[0.0]]]]))), 2)
    0.9
    """

    def __init__(self, quantiles: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"name": "pinball", **kwargs})
        self.quantiles = tuple(quantiles)

    def loss(self, targets: Tensor, forecast: Tensor) -> Tensor:
        away = targets[..., None] - forecast
        levels = ops.convert_to_tensor(self.quantiles, dtype=away.dtype)
        return ops.mean(ops.maximum(levels * away, (levels - 1.0) * away), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "quantiles": list(self.quantiles)}


@keras.saving.register_keras_serializable("kerasseq")
class DistributionLoss(_ObservedLoss):
    """The negative log-likelihood, where targets that are NaN do not count.

    Args:
        distribution: "normal", "student_t" or "negative_binomial", with parameters as
            `kerasseq.layers.Emission` gives them.
        **kwargs: those of `keras.losses.Loss`.

    Raises:
        ValueError: if `distribution` is unknown.

    Example:

    >>> at_its_mean = DistributionLoss("normal")(np.zeros((1, 1, 1)), np.array([[[[0.0, 1.0]]]]))
    >>> round(float(at_its_mean), 4)
    0.9189
    """

    def __init__(self, distribution: str, **kwargs: Any) -> None:
        super().__init__(**{"name": distribution, **kwargs})
        if distribution not in _NEGATIVE_LOGS:
            raise ValueError(
                f"`distribution` must be one of {', '.join(_NEGATIVE_LOGS)}. "
                f"Received: distribution={distribution!r}"
            )
        self.distribution = distribution

    def loss(self, targets: Tensor, forecast: Tensor) -> Tensor:
        return _NEGATIVE_LOGS[self.distribution](targets, forecast)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "distribution": self.distribution}


def _normal(targets: Tensor, forecast: Tensor) -> Tensor:
    mean, deviation = forecast[..., 0], forecast[..., 1]
    away = (targets - mean) / deviation
    return ops.log(deviation) + 0.5 * ops.square(away) + 0.5 * math.log(2 * math.pi)


def _student_t(targets: Tensor, forecast: Tensor) -> Tensor:
    where, scale, freedom = (forecast[..., i] for i in range(3))
    away = (targets - where) / scale
    return (
        _log_gamma(freedom / 2)
        - _log_gamma((freedom + 1) / 2)
        + 0.5 * ops.log(math.pi * freedom)
        + ops.log(scale)
        + (freedom + 1) / 2 * ops.log1p(ops.square(away) / freedom)
    )


def _negative_binomial(targets: Tensor, forecast: Tensor) -> Tensor:
    mean, dispersion = forecast[..., 0], forecast[..., 1]
    successes, odds = 1 / dispersion, mean * dispersion
    return (
        _log_gamma(successes)
        + _log_gamma(targets + 1)
        - _log_gamma(targets + successes)
        + (successes + targets) * ops.log1p(odds)
        - targets * ops.log(odds)
    )


_NEGATIVE_LOGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": _normal,
    "student_t": _student_t,
    "negative_binomial": _negative_binomial,
}


def _log_gamma(x: Tensor) -> Tensor:
    """log |Gamma(x)| for positive x, which keras.ops has not.

    Stirling's series where it is exact in float32, and below that the recurrence
    Gamma(x + 1) = x Gamma(x); https://dlmf.nist.gov/5.11.
    """
    low = ops.minimum(x, 8.0)
    product = low
    for step in range(1, 8):
        product = product * (low + step)
    small = x < 8.0
    z = ops.where(small, x + 8.0, x)
    series = (1 / 12 - (1 / 360 - 1 / (1260 * ops.square(z))) / ops.square(z)) / z
    stirling = (z - 0.5) * ops.log(z) - z + 0.5 * math.log(2 * math.pi) + series
    return stirling - ops.where(small, ops.log(product), 0.0)
