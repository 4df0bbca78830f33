"""Base class and helper functions of the forecasting layers."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
_WINDOW = ("history", "observed", "past")  # features with a value at every timestep of the window


class Forecast(keras.layers.Layer):
    """Base class of forecasting layers: from a window to numbers for each timestep ahead.

    Args:
        recurrent: The recurrent layer that reads the window.
        horizon: Number of timesteps ahead.
        outputs: Numbers per timestep ahead.
        width: Width of the vectors inside, except those of the recurrent layer.
        dropout: Dropout before the last layer.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        features: Tensors by name: `history`, (batch, lookback, columns), the targets; and optional
            ones: `observed` and `past`, (batch, lookback, columns), whether a target was observed,
            and covariates; `future`, (batch, horizon, columns), covariates known ahead; and
            `traits`, (batch, columns), static features of the series.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer.
    """

    layer_arguments: ClassVar[tuple[str, ...]] = ("recurrent",)

    def __init__(
        self,
        recurrent: Any,
        *,
        horizon: int,
        outputs: int,
        width: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recurrent = recurrent
        self.horizon, self.outputs = (
            positive_int("horizon", horizon),
            positive_int("outputs", outputs),
        )
        self.width = positive_int("width", width)
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def compute_output_shape(self, features_shape: Any) -> Any:
        """(batch, horizon, outputs)."""
        return (features_shape["history"][0], self.horizon, self.outputs)

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        layers = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self.layer_arguments
        }
        sizes = {name: getattr(self, name) for name in ("horizon", "outputs", "width")}
        return {**super().get_config(), **layers, **sizes, "dropout": self.dropout.rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Forecast:
        """Create the layer from its config."""
        layers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in cls.layer_arguments
        }
        return cls(**{**config, **layers})


def concatenate_columns(parts: list[Tensor]) -> Tensor:
    """Concatenate tensors along the last axis."""
    return ops.concatenate(parts, axis=-1) if parts[1:] else parts[0]


def window(features: dict[str, Tensor]) -> Tensor:
    """All columns of the window, (batch, lookback, columns)."""
    return concatenate_columns([features[name] for name in _WINDOW if name in features])


def window_columns(shapes: dict[str, Any]) -> int:
    """Number of columns of `window`."""
    return sum(shapes[name][-1] for name in _WINDOW if name in shapes)


def window_with_traits(features: dict[str, Tensor]) -> Tensor:
    """All columns of the window, and the traits of the series at every timestep."""
    values = window(features)
    if "traits" not in features:
        return values
    return concatenate_columns([values, at_every_step(features["traits"], values)])


def window_with_traits_columns(shapes: dict[str, Any]) -> int:
    """Number of columns of `window_with_traits`."""
    return window_columns(shapes) + (shapes["traits"][-1] if "traits" in shapes else 0)


def at_every_step(traits: Tensor, sequences: Tensor) -> Tensor:
    """Repeat traits, (batch, columns), at every timestep of sequences: (batch, time, columns)."""
    return traits[:, None] + ops.zeros_like(sequences[..., :1])


def for_every_row(steps: Tensor, sequences: Tensor) -> Tensor:
    """Repeat steps, (1, time, columns), for every row of sequences: (batch, time, columns)."""
    if steps.shape[0] != 1:
        return steps
    return ops.zeros_like(sequences[:, :1, :1]) + steps
