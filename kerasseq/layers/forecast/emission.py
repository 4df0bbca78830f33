"""From the numbers of a network to the parameters of a forecast, in the units of the window."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasseq.layers.forecast.window_norm import spread

Tensor = Any
OUTPUTS = ("point", "quantiles", "normal", "student_t", "negative_binomial")
_SIZES = {"point": 1, "normal": 2, "student_t": 3, "negative_binomial": 2}
_FLOOR = 1e-3  # least spread, as a share of the window's scale, so that likelihoods stay finite


@keras.saving.register_keras_serializable("kerasseq")
class Emission(keras.layers.Layer):
    """Turn unbounded numbers into parameters of a forecast, and undo the window's normalisation.

    | output | parameters |
    |---|---|
    | point | the forecast |
    | quantiles | one per level, in rising order: the middle one, and positive steps from it |
    | normal | mean, standard deviation |
    | student_t | location, scale, degrees of freedom (above 2, so that there is a variance) |
    | negative_binomial | mean, dispersion a: the variance is mean + a * mean^2 |

    The first number of a target is the location of its forecast, in units of the normalised window.

    Args:
        output: One of the outputs of this table.
        quantiles: Levels in rising order, if `output` is `"quantiles"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        numbers: (batch, horizon, targets * size), with `size` of `emission_size`.
        centre: (batch, season, targets), from `WindowNorm`.
        scale: (batch, 1, targets), from `WindowNorm`.

    Output shape:
        (batch, horizon, targets), with a last axis of parameters unless `output` is `"point"`.

    Raises:
        ValueError: If `output` is unknown, or the quantiles are not in rising order.

    Example:
        >>> import numpy as np
        >>> layer = Emission("quantiles", quantiles=(0.1, 0.5, 0.9))
        >>> numbers, centre = np.zeros((2, 4, 3), "float32"), np.full((2, 1, 1), 7, "float32")
        >>> levels = np.asarray(layer(numbers, centre, np.ones_like(centre)))[0, 0, 0]
        >>> [round(float(level), 3) for level in levels]
        [6.307, 7.0, 7.693]
    """

    def __init__(
        self, output: str = "point", quantiles: Sequence[float] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.output_kind, self.quantiles = output, tuple(quantiles)
        self.size = emission_size(output, self.quantiles)

    def call(self, numbers: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """Compute the parameters of the forecast; see the class."""
        horizon, targets = numbers.shape[1], centre.shape[-1]
        numbers = ops.reshape(numbers, (-1, horizon, targets, self.size))
        location, rest = numbers[..., 0], numbers[..., 1:]
        location = location * scale + spread(centre, horizon)
        if self.output_kind == "point":
            return location
        positive, scale = ops.softplus(rest), scale[..., None]
        if self.output_kind == "quantiles":
            middle = len(self.quantiles) // 2
            below = -ops.flip(ops.cumsum(positive[..., :middle], axis=-1), axis=-1)
            above = ops.cumsum(positive[..., middle:], axis=-1)
            zero = ops.zeros_like(numbers[..., :1])
            return location[..., None] + scale * ops.concatenate([below, zero, above], axis=-1)
        if self.output_kind == "negative_binomial":
            location, spreads = ops.softplus(location) + _FLOOR, positive + _FLOOR
        else:
            spreads = scale * (positive[..., :1] + _FLOOR)
        parameters = [location[..., None], spreads]
        if self.output_kind == "student_t":
            parameters.append(2.0 + positive[..., 1:] + _FLOOR)
        return ops.concatenate(parameters, axis=-1)

    def compute_output_shape(self, numbers_shape: Any, centre_shape: Any, scale_shape: Any) -> Any:
        """(batch, horizon, targets[, parameters])."""
        batch, horizon, _ = numbers_shape
        parameters = () if self.output_kind == "point" else (self.size,)
        return (batch, horizon, centre_shape[-1], *parameters)

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {
            **super().get_config(),
            "output": self.output_kind,
            "quantiles": list(self.quantiles),
        }


def emission_size(output: str, quantiles: Sequence[float] = ()) -> int:
    """Number of values that a network has to give per target and timestep.

    Args:
        output: One of `OUTPUTS`.
        quantiles: Levels, if the output is `"quantiles"`.

    Raises:
        ValueError: If the output is unknown, or the quantiles are not in rising order.

    Example:
        >>> emission_size("student_t"), emission_size("quantiles", (0.1, 0.5))
        (3, 2)
    """
    if output not in OUTPUTS:
        raise ValueError(
            f"`output` must be one of {', '.join(OUTPUTS)}. Received: output={output!r}"
        )
    if output != "quantiles":
        return _SIZES[output]
    rising = all(low < high for low, high in itertools.pairwise(quantiles))
    if not (quantiles and rising and quantiles[0] > 0 and quantiles[-1] < 1):
        raise ValueError(
            "`quantiles` must be levels between 0 and 1, each above the one before. "
            f"Received: quantiles={tuple(quantiles)!r}"
        )
    return len(quantiles)
