"""A layer for each timestep, of sequences of any length."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["EachTimestep"]

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class EachTimestep(keras.layers.Layer):
    """`keras.layers.TimeDistributed` in inference, all timesteps of all rows side by side.

    In a compiled function of TensorFlow that takes sequences of several lengths, the layer of Keras
    gives as many timesteps as there are rows.

    Args:
        layer: A layer, which may be built.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, ...).

    Output shape:
        (batch, timesteps) and the output shape of the layer without the batch.

    Example:

    >>> EachTimestep(keras.layers.Dense(2))(ops.ones((3, 5, 4))).shape == (3, 5, 2)
    True
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self.supports_masking = True

    def build(self, sequences_shape: Any) -> None:
        """Build the layer inside."""
        if not self.layer.built:
            self.layer.build((sequences_shape[0], *sequences_shape[2:]))
        self.built = True

    def call(self, sequences: Tensor) -> Tensor:
        """Run the layer; see the class."""
        rows, timesteps = ops.shape(sequences)[:2]
        outputs = self.encode(ops.reshape(sequences, (rows * timesteps, *sequences.shape[2:])))
        return ops.reshape(outputs, (rows, timesteps, *outputs.shape[1:]))

    def encode(self, steps: Tensor) -> Tensor:
        """The outputs of the layer, of (rows, ...)."""
        return self.layer(steps)

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        """See the class."""
        rows, timesteps, *rest = sequences_shape
        return (rows, timesteps, *self.layer.compute_output_shape((rows, *rest))[1:])

    def get_config(self) -> dict[str, Any]:
        """The config, with that of the layer inside."""
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> EachTimestep:
        """Create the layer from its config."""
        return cls(**{**config, "layer": keras.saving.deserialize_keras_object(config["layer"])})
