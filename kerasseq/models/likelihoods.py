"""Meaning of a forecaster's output: its training loss, mean, quantiles and samples.

Losses are computed by `keras.ops` on tensors; means, quantiles and samples by NumPy and SciPy on
the arrays that `predict` returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["DistributionLoss", "Likelihood", "PointLoss", "QuantileLoss", "mean_weights"]

Tensor = Any
ERRORS = ("mse", "mae", "huber")


@dataclass(frozen=True)
class Likelihood:
    """Interpretation of the output of a forecaster.

    Args:
        output: "point", "quantiles", "normal", "student_t" or "negative_binomial"; see
            `kerasseq.layers.Emission`.
        quantiles: rising levels, if the output is "quantiles".
        error: "mse", "mae" or "huber", if the output is "point".

    Example:

    >>> normal, forecast = Likelihood("normal"), np.array([[[5.0, 2.0]]])
    >>> normal.quantile(forecast, [0.1, 0.5, 0.9]).round(2).tolist()
    [[[2.44, 5.0, 7.56]]]
    """

    output: str = "point"
    quantiles: tuple[float, ...] = ()
    error: str = "mse"

    def loss(self) -> keras.losses.Loss:
        """The training loss; targets that are NaN do not count."""
        if self.output == "point":
            return PointLoss(self.error)
        if self.output == "quantiles":
            return QuantileLoss(self.quantiles)
        return DistributionLoss(self.output)

    def median(self, forecast: np.ndarray) -> np.ndarray:
        """The median; of a point forecast the point, whatever its loss has learned.

        Args:
            forecast: output of the model, (..., targets) for points, else
                (..., targets, parameters).

        Returns:
            (..., targets).
        """
        return forecast if self.output == "point" else self.quantile(forecast, [0.5])[..., 0]

    def mean(
        self,
        forecast: np.ndarray,
        inverse: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    ) -> np.ndarray:
        """The mean; of a point forecast the point, whatever its loss has learned.

        A mean over quantiles is taken after the transform, whose mean is not the transform of the
        mean (unless it is linear, as it should be for other outputs).

        Args:
            forecast: as for `median`.
            inverse: monotone transform of the values, such as the inverse of a scaling.

        Returns:
            (..., targets), transformed.
        """
        if self.output == "point":
            return inverse(forecast)
        if self.output != "quantiles":
            return inverse(self._distribution(forecast).mean())
        weights = mean_weights(self.quantiles)
        mean = sum(weight * inverse(forecast[..., i]) for i, weight in enumerate(weights))
        return np.asarray(mean, dtype=forecast.dtype)

    def quantile(self, forecast: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """Quantiles at any levels.

        The output "quantiles" is interpolated linearly between its levels, and constant outside.

        Args:
            forecast: output of the model, (..., targets, parameters).
            levels: levels between 0 and 1.

        Returns:
            (..., targets, levels).

        Raises:
            ValueError: for a point forecast, which has no quantiles.
        """
        level_array = np.asarray(levels, dtype=float)
        if self.output == "quantiles":
            position = np.interp(level_array, self.quantiles, np.arange(len(self.quantiles)))
            low = position.astype(int)
            high = np.minimum(low + 1, len(self.quantiles) - 1)
            share = (position - low).astype(forecast.dtype)
            return forecast[..., low] + share * (forecast[..., high] - forecast[..., low])
        return self._distribution(forecast[..., None, :]).ppf(level_array)

    def sample(self, forecast: np.ndarray, paths: int, seed: Any = 0) -> np.ndarray:
        """Sample each value independently.

        Args:
            forecast: output of the model, (..., targets, parameters).
            paths: number of samples.
            seed: a seed, or a NumPy generator.

        Returns:
            Samples, (paths, ..., targets).

        Raises:
            ValueError: for a point forecast, which has no distribution.
        """
        random = np.random.default_rng(seed)
        shape = (paths, *forecast.shape[:-1])
        if self.output != "quantiles":
            return self._distribution(forecast).rvs(size=shape, random_state=random)
        position = np.interp(random.random(shape), self.quantiles, np.arange(len(self.quantiles)))
        low = position.astype(int)
        high = np.minimum(low + 1, len(self.quantiles) - 1)
        at_low, at_high = (
            np.take_along_axis(forecast[None], index[..., None], axis=-1)[..., 0]
            for index in (low, high)
        )
        return at_low + (position - low) * (at_high - at_low)

    def _distribution(self, forecast: np.ndarray) -> Any:
        """The SciPy distribution with the parameters on the last axis."""
        from scipy import stats  # type: ignore[import-untyped]  # it has no types

        if self.output == "point":
            raise ValueError(
                "A point forecast has no distribution. Train with output='quantiles', 'normal', "
                "'student_t' or 'negative_binomial'."
            )
        forecast = forecast.astype(float)  # SciPy is inaccurate in float32
        first, second = forecast[..., 0], forecast[..., 1]
        if self.output == "normal":
            return stats.norm(first, second)
        if self.output == "student_t":
            return stats.t(forecast[..., 2], first, second)
        return stats.nbinom(1 / second, 1 / (1 + first * second))


def mean_weights(levels: Sequence[float]) -> np.ndarray:
    """Weights with which the quantiles of a distribution add up to its mean.

    The mean is the integral of the quantile over the level. Between levels the quantile is linear,
    and both tails are exponential, with a rate from the outermost quantile and the first one of
    twice its tail probability.

    Args:
        levels: rising levels between 0 and 1.

    Returns:
        (levels,), of sum 1.

    Example:

    >>> levels = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975]
    >>> exponential = [-math.log(1 - level) for level in levels]  # its mean is 1
    >>> round(float(mean_weights(levels) @ exponential), 2)
    1.01
    """
    ordered = np.asarray(levels, dtype=float)
    gaps = np.diff(ordered) / 2
    weights = np.concatenate([gaps, [0.0]]) + np.concatenate([[0.0], gaps])
    places = range(len(ordered))
    for tails, (outer, *others) in ((ordered, places), (1 - ordered, places[::-1])):
        weights[outer] += tails[outer]
        # The mean of an exponential tail is a scale beyond its first quantile.
        inner = next((place for place in others if tails[place] >= 2 * tails[outer]), None)
        if inner is not None:
            reach = tails[outer] / math.log(tails[inner] / tails[outer])
            weights[[outer, inner]] += reach, -reach
    return weights


class _ObservedLoss(keras.losses.Loss):
    """Base class of losses whose mean is over the observed targets; missing ones are NaN."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Losses of all targets, weighted so that their mean is the mean over observed targets."""
        observed = ops.logical_not(ops.isnan(y_true))
        # NaN is replaced before the loss: a gradient through NaN is NaN, even times zero.
        losses = self.loss(ops.where(observed, y_true, 0.0), y_pred)
        weight = ops.cast(observed, losses.dtype)
        return losses * weight / ops.maximum(ops.mean(weight), keras.config.epsilon())

    def loss(self, targets: Tensor, forecast: Tensor) -> Tensor:
        """Loss of each target, (batch, horizon, targets), from targets without NaN."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("kerasseq")
class PointLoss(_ObservedLoss):
    """The error of a point forecast; targets that are NaN do not count.

    Args:
        error: "mse", "mae" or "huber" (half the squared error up to 1, linear above).
        **kwargs: further arguments of `keras.losses.Loss`.

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
        error = ops.abs(targets - forecast)
        if self.error == "mae":
            return error
        if self.error == "mse":
            return ops.square(error)
        clipped = ops.minimum(error, 1.0)
        return clipped * (error - clipped / 2)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "error": self.error}


@keras.saving.register_keras_serializable("kerasseq")
class QuantileLoss(_ObservedLoss):
    """The mean pinball loss over all levels; targets that are NaN do not count.

    Args:
        quantiles: levels, in the order of the forecast's last axis.
        **kwargs: further arguments of `keras.losses.Loss`.

    Example:

    >>> round(float(QuantileLoss([0.9])(np.array([[[1.0]]]), np.array([[[[0.0]]]]))), 2)
    0.9
    """

    def __init__(self, quantiles: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"name": "pinball", **kwargs})
        self.quantiles = tuple(quantiles)

    def loss(self, targets: Tensor, forecast: Tensor) -> Tensor:
        error = targets[..., None] - forecast
        levels = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        return ops.mean(ops.maximum(levels * error, (levels - 1.0) * error), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "quantiles": list(self.quantiles)}


@keras.saving.register_keras_serializable("kerasseq")
class DistributionLoss(_ObservedLoss):
    """The negative log-likelihood; targets that are NaN do not count.

    Args:
        distribution: "normal", "student_t" or "negative_binomial", with the parameters that
            `kerasseq.layers.Emission` returns.
        **kwargs: further arguments of `keras.losses.Loss`.

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
    standardized = (targets - mean) / deviation
    return ops.log(deviation) + 0.5 * ops.square(standardized) + 0.5 * math.log(2 * math.pi)


def _student_t(targets: Tensor, forecast: Tensor) -> Tensor:
    location, scale, freedom = (forecast[..., i] for i in range(3))
    standardized = (targets - location) / scale
    return (
        _log_gamma(freedom / 2)
        - _log_gamma((freedom + 1) / 2)
        + 0.5 * ops.log(math.pi * freedom)
        + ops.log(scale)
        + (freedom + 1) / 2 * ops.log1p(ops.square(standardized) / freedom)
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
    """log Gamma(x) for positive x, which keras.ops does not have.

    Stirling's series (https://dlmf.nist.gov/5.11) is exact in float32 from x = 8 on. Smaller x are
    moved up by 8 with Gamma(x + 1) = x Gamma(x), whose product is divided out.
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
