"""Pooling over time: from one output per timestep to one per sequence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import last_step
from kerasseq.layers.softmax import softmax
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
            mask = ops.ones_like(sequences[..., 0], dtype="bool")
        mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        weights = ops.cast(mask, sequences.dtype)
        has_timesteps = ops.cast(ops.any(mask, axis=1), sequences.dtype)
        if self.mode == "mean":
            total = ops.sum(sequences * weights, axis=1)
            return total / ops.maximum(ops.sum(weights, axis=1), 1)
        if self.mode == "max":
            lowest = self._lowest
            return (
                ops.max(ops.where(mask, sequences, lowest), axis=1, initial=lowest) * has_timesteps
            )
        if self.mode == "attention":
            return ops.sum(sequences * self.weigh(sequences, mask), axis=1) * has_timesteps
        last = last_step(mask[..., 0])[:, None, None]
        return ops.take_along_axis(sequences, last, axis=1)[:, 0] * has_timesteps

    def weigh(self, sequences: Tensor, mask: Tensor) -> Tensor:
        """Attention weights, (batch, timesteps, 1), which sum to one over unmasked timesteps."""
        weights = softmax(ops.where(mask, self._scores(sequences), -1e9), axis=1)
        return ops.cast(weights, sequences.dtype)

    def start(self, rows: int, width: int) -> tuple[Tensor, ...]:
        """The running totals of a stream before its first timestep.

        Args:
            rows: Number of streams.
            width: Width of the sequences.

        Returns:
            Arrays with one row per stream. The first is the pooled output for the timesteps so far,
            once there is one.
        """
        pooled, one = ops.zeros((rows, width), self.compute_dtype), ops.zeros((rows, 1), "float32")
        if self.mode == "max":
            return (pooled + self._lowest,)
        if self.mode == "mean":  # number of timesteps
            return pooled, one
        if self.mode == "attention":  # sum of the weights, relative to the highest score
            return pooled, one, one - 1e30
        return (pooled,)

    def step(self, sequences: Tensor, totals: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The running totals of a stream after further timesteps.

        Args:
            sequences: (batch, timesteps, width), with at least one timestep.
            totals: The totals before them; see `start`.
        """
        pooled, *rest = (ops.convert_to_tensor(total) for total in totals)
        if self.mode == "last":
            return (sequences[:, -1],)
        if self.mode == "max":
            return (ops.maximum(pooled, ops.max(sequences, axis=1)),)
        if self.mode == "mean":
            count = rest[0] + sequences.shape[1]
            share = ops.cast(sequences.shape[1] / count, sequences.dtype)
            return pooled + (ops.mean(sequences, axis=1) - pooled) * share, count
        scores = self._scores(sequences)
        highest = ops.maximum(rest[1], ops.max(scores, axis=1))
        weights = ops.exp(scores - highest[:, None])
        weight_before = rest[0] * ops.exp(rest[1] - highest)
        weight = weight_before + ops.sum(weights, axis=1)
        shares = ops.cast(weights / weight[:, None], sequences.dtype)
        pooled = pooled * ops.cast(weight_before / weight, sequences.dtype)
        return pooled + ops.sum(sequences * shares, axis=1), weight, highest

    def _scores(self, sequences: Tensor) -> Tensor:
        """Scores of attention, float32 (batch, timesteps, 1)."""
        hidden = ops.tanh(ops.matmul(sequences, self.projection) + self.bias)
        return ops.cast(ops.matmul(hidden, self.query), "float32")

    @property
    def _lowest(self) -> float:
        """A value below all others, which the dtype can hold."""
        return -65504.0 if self.compute_dtype == "float16" else -1e30

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
