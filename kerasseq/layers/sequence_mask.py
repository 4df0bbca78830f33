"""The mask of padded sequences, from their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class SequenceMask(keras.layers.Layer):
    """Mask the padding of sequences by their lengths, and set it to zero.

    Unlike `keras.layers.Masking`, it does not take a timestep whose values happen to be zero for
    padding. The layers that follow receive the mask from Keras.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: a list of the sequences, (batch, timesteps, ...), padded on the right, and their
            lengths, int (batch,).

    Output shape:
        The shape of the sequences.

    Example:

    >>> import numpy as np
    >>> np.asarray(SequenceMask()([np.ones((2, 3, 1)), np.array([2, 3])]))[..., 0].tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Sequence[Tensor], mask: Any = None) -> Tensor:
        """Set the padding of the sequences to zero; see the class."""
        return zero_masked(inputs[0], self.compute_mask(inputs))

    def compute_mask(self, inputs: Sequence[Tensor], mask: Any = None) -> Tensor:
        """(batch, timesteps) booleans: whether a timestep is before the end of its sequence."""
        sequences, lengths = inputs
        # Counted, since the number of timesteps is unknown while Keras traces the layer.
        first = sequences[(..., *[0] * (len(sequences.shape) - 2))]
        counts = ops.cumsum(ops.ones_like(first, dtype="int32"), axis=1)
        return counts <= ops.expand_dims(ops.cast(lengths, "int32"), 1)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """The shape of the sequences."""
        return tuple(input_shape[0])


def zero_masked(sequences: Tensor, mask: Tensor | None) -> Tensor:
    """Sequences, (batch, timesteps, ...), with zeros where the mask (batch, timesteps) is False."""
    if mask is None:
        return sequences
    mask = ops.cast(mask, "bool")[(..., *[None] * (len(sequences.shape) - 2))]
    return ops.where(mask, sequences, ops.zeros_like(sequences))
