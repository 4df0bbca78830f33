"""What the layers share that make forecasts of windows."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
_WINDOW = ("history", "observed", "past")  # what has a value for every timestep of the window


class Forecast(keras.layers.Layer):
    """Base of the layers that forecast: from features of a window to numbers for each step ahead.

    Args:
        recurrent: The recurrent layer that reads the window.
        horizon: Timesteps ahead.
        outputs: Numbers to give for each timestep.
        width: Width of the vectors inside, beside those of the recurrent layer.
        dropout: Dropout before the last layer.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        features: By name: `history`, (batch, lookback, columns), and where there are any
            `observed` and `past`, of the same length, `future`, (batch, horizon, columns), and
            `traits`, (batch, columns), what is known of the series.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer.
    """

    layers_given: ClassVar[tuple[str, ...]] = ("recurrent",)

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
        """One entry per constructor argument, layers as their own configs."""
        given = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self.layers_given
        }
        own = {name: getattr(self, name) for name in ("horizon", "outputs", "width")}
        return {**super().get_config(), **given, **own, "dropout": self.dropout.rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Forecast:
        """The layer of a config."""
        given = {
            name: keras.saving.deserialize_keras_object(config[name]) for name in cls.layers_given
        }
        return cls(**{**config, **given})


def joined(parts: list[Tensor]) -> Tensor:
    """Side by side along the last axis."""
    return ops.concatenate(parts, axis=-1) if parts[1:] else parts[0]


def window(features: dict[str, Tensor]) -> Tensor:
    """All columns of the window, (batch, lookback, columns)."""
    return joined([features[name] for name in _WINDOW if name in features])


def window_columns(shapes: dict[str, Any]) -> int:
    """How many columns `window` gives."""
    return sum(shapes[name][-1] for name in _WINDOW if name in shapes)


def told_window(features: dict[str, Tensor]) -> Tensor:
    """All columns of the window, and at every timestep what is known of the series."""
    values = window(features)
    if "traits" not in features:
        return values
    return joined([values, at_every_step(features["traits"], values)])


def told_columns(shapes: dict[str, Any]) -> int:
    """How many columns `told_window` gives."""
    return window_columns(shapes) + (shapes["traits"][-1] if "traits" in shapes else 0)


def at_every_step(traits: Tensor, sequences: Tensor) -> Tensor:
    """(batch, columns) as (batch, time, columns), for all timesteps of sequences."""
    return traits[:, None] + ops.zeros_like(sequences[..., :1])


def for_every_row(steps: Tensor, sequences: Tensor) -> Tensor:
    """(1, time, columns) as (batch, time, columns), for all rows of sequences."""
    if steps.shape[0] != 1:
        return steps
    return ops.tile(steps, (ops.shape(sequences)[0], 1, 1))
