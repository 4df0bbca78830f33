"""From a network's numbers to a forecast, in the units of the window that it was given."""

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
_FLOOR = 1e-3  # of spreads, as a part of the window's scale: a likelihood must stay finite


@keras.saving.register_keras_serializable("kerasseq")
class Emission(keras.layers.Layer):
    """Makes parameters of a forecast of unbounded numbers, and undoes the window's normalisation.

    | output | parameters |
    |---|---|
    | point | the forecast itself |
    | quantiles | one for each level, never falling: the middle one, and steps away from it |
    | normal | mean, standard deviation |
    | student_t | location, scale, degrees of freedom (above 2, so that there is a variance) |
    | negative_binomial | mean, dispersion a: the variance is mean + a * mean^2 |

    The first number of a target is where its forecast lies, in units of the normalised window.

    Args:
        output: One of the above.
        quantiles: Levels, rising, where `output` is `"quantiles"`.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        numbers: (batch, horizon, targets * size), `size` as `emission_size` gives it.
        centre: (batch, season, targets), from `WindowNorm`.
        scale: (batch, 1, targets), from `WindowNorm`.

    Output shape:
        (batch, horizon, targets), with a last axis of parameters unless `output` is `"point"`.

    Raises:
        ValueError: If `output` is unknown, or the quantiles are no rising levels.

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
        """Parameters of the forecast; see the class."""
        horizon, targets = numbers.shape[1], centre.shape[-1]
        numbers = ops.reshape(numbers, (-1, horizon, targets, self.size))
        where, rest = numbers[..., 0], numbers[..., 1:]
        where = where * scale + spread(centre, horizon)
        if self.output_kind == "point":
            return where
        positive, scale = ops.softplus(rest), scale[..., None]
        if self.output_kind == "quantiles":
            middle = len(self.quantiles) // 2
            below = -ops.flip(ops.cumsum(positive[..., :middle], axis=-1), axis=-1)
            above = ops.cumsum(positive[..., middle:], axis=-1)
            here = ops.zeros_like(numbers[..., :1])
            return where[..., None] + scale * ops.concatenate([below, here, above], axis=-1)
        if self.output_kind == "negative_binomial":
            where, spreads = ops.softplus(where) + _FLOOR, positive + _FLOOR
        else:
            spreads = scale * (positive[..., :1] + _FLOOR)
        parameters = [where[..., None], spreads]
        if self.output_kind == "student_t":
            parameters.append(2.0 + positive[..., 1:] + _FLOOR)
        return ops.concatenate(parameters, axis=-1)

    def compute_output_shape(self, numbers_shape: Any, centre_shape: Any, scale_shape: Any) -> Any:
        """(batch, horizon, targets[, parameters])."""
        batch, horizon, _ = numbers_shape
        parameters = () if self.output_kind == "point" else (self.size,)
        return (batch, horizon, centre_shape[-1], *parameters)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {
            **super().get_config(),
            "output": self.output_kind,
            "quantiles": list(self.quantiles),
        }


def emission_size(output: str, quantiles: Sequence[float] = ()) -> int:
    """How many numbers a network is to give for each target and timestep.

    Args:
        output: One of `OUTPUTS`.
        quantiles: Levels, where it is `"quantiles"`.

    Raises:
        ValueError: If the output is unknown, or the quantiles are no rising levels.

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
