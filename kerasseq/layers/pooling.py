"""Pooling over time: from one output per timestep to one per sequence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import last_step
from kerasseq.params.spec import positive_int

Tensor = Any
MODES = ("last", "mean", "max", "attention")


@keras.saving.register_keras_serializable("kerasseq")
class SequencePooling(keras.layers.Layer):
    """Pool over time, without masked timesteps.

    Args:
        mode: `"last"` (the last unmasked timestep), `"mean"`, `"max"`, or `"attention"`
            (weights from a learned query over a tanh layer, Yang et al. 2016, Hierarchical
            attention networks).
        units: Width of the tanh layer of `"attention"`; the width of the inputs by default.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, width).
        mask: (batch, timesteps) booleans.

    Output shape:
        (batch, width); zeros for a fully masked sequence.

    Raises:
        ValueError: If `mode` is unknown or `units` is not a positive integer.

    Example:
        >>> import numpy as np
        >>> SequencePooling("mean")(np.ones((2, 5, 3), "float32")).shape == (2, 3)
        True
    """

    def __init__(self, mode: str = "max", *, units: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {', '.join(MODES)}. Received: mode={mode!r}")
        self.mode = mode
        self.units = None if units is None else positive_int("units", units)
        self.supports_masking = True

    def build(self, sequences_shape: Any) -> None:
        """Create the weights of the mode `"attention"`; the other modes have none."""
        if self.mode == "attention":
            width = sequences_shape[-1]
            units = self.units or width
            self.projection = self.add_weight(
                shape=(width, units), name="projection", initializer="glorot_uniform"
            )
            self.bias = self.add_weight(shape=(units,), name="bias", initializer="zeros")
            self.query = self.add_weight(
                shape=(units, 1), name="query", initializer="glorot_uniform"
            )
        self.built = True

    def call(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool (batch, timesteps, width); see the class."""
        if 0 in sequences.shape[:2]:
            return ops.sum(sequences, axis=1)
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], "bool")
        mask = ops.cast(mask, "bool")[..., None]
        weights = ops.cast(mask, sequences.dtype)
        has_timesteps = ops.cast(ops.any(mask, axis=1), sequences.dtype)
        if self.mode == "mean":
            total = ops.sum(sequences * weights, axis=1)
            return total / ops.maximum(ops.sum(weights, axis=1), 1)
        if self.mode == "max":
            lowest = -65504.0 if self.compute_dtype == "float16" else -1e30
            return (
                ops.max(ops.where(mask, sequences, lowest), axis=1, initial=lowest) * has_timesteps
            )
        if self.mode == "attention":
            return ops.sum(sequences * self.weigh(sequences, mask), axis=1) * has_timesteps
        last = last_step(mask[..., 0])[:, None, None]
        return ops.take_along_axis(sequences, last, axis=1)[:, 0] * has_timesteps

    def weigh(self, sequences: Tensor, mask: Tensor) -> Tensor:
        """Attention weights, (batch, timesteps, 1), which sum to one over unmasked timesteps."""
        hidden = ops.tanh(ops.matmul(sequences, self.projection) + self.bias)
        scores = ops.cast(ops.matmul(hidden, self.query), "float32")
        weights = ops.softmax(ops.where(mask, scores, -1e9), axis=1)
        return ops.cast(weights, sequences.dtype)

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> None:
        """None: there is no time axis to mask after pooling."""
        return None

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        """(batch, width)."""
        return (sequences_shape[0], sequences_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "mode": self.mode, "units": self.units}


def pool(mode: str = "max", **kwargs: Any) -> SequencePooling:
    """Create a pooling layer over time: `last`, `mean`, `max` or `attention`.

    Args:
        mode: How to pool.
        **kwargs: See `SequencePooling`.

    Example:
        >>> pool("attention").mode
        'attention'
    """
    return SequencePooling(mode, **kwargs)
