"""`TimeDistributed` with all timesteps side by side, which LiteRT's converter reads."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["EachTimestep", "with_timesteps_side_by_side"]

Tensor = Any


class EachTimestep(keras.layers.Layer):
    """Apply a layer to every timestep.

    Keras maps a function over the timesteps, which LiteRT's converter turns into a wrong file.

    Args:
        layer: A layer that reads no mask.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, ...).

    Example:

    >>> import numpy as np
    >>> EachTimestep(keras.layers.Flatten())(np.ones((2, 5, 3, 4))).shape == (2, 5, 12)
    True
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self.supports_masking = True

    def call(self, sequences: Tensor, training: bool = False) -> Tensor:
        """Apply the layer; see the class."""
        batch, time, *rest = ops.shape(sequences)
        outputs = self.layer(ops.reshape(sequences, (batch * time, *rest)), training=training)
        return ops.reshape(outputs, (batch, time, *ops.shape(outputs)[1:]))

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        """(batch, timesteps, ...)."""
        batch, time, *rest = sequences_shape
        return (batch, time, *self.layer.compute_output_shape((batch, *rest))[1:])


def with_timesteps_side_by_side(model: Any) -> Any:
    """A model that shares all weights, with `EachTimestep` in place of `TimeDistributed`.

    Args:
        model: A Sequential or functional model; models inside it stay as they are.
    """

    def replaced(layer: Any) -> Any:
        takes_mask = keras.layers.RNN | keras.layers.Bidirectional | keras.Model
        if type(layer) is not keras.layers.TimeDistributed or isinstance(layer.layer, takes_mask):
            return layer
        return EachTimestep(layer.layer, name=layer.name)

    if all(replaced(layer) is layer for layer in model.layers):
        return model
    return keras.models.clone_model(model, clone_function=replaced)
