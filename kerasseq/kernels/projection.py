"""Projection of the inputs of all timesteps, which needs no state."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def project(cell: Any, sequences: Tensor) -> Tensor:
    """Apply `cell.project` to (batch, time, inputs) as one product of two matrices.

    Batch and time are merged into one axis, because XLA takes three times as long for the gradient
    of a product with both axes.
    """
    batch, time = ops.shape(sequences)[:2]
    rows = cell.project(ops.reshape(sequences, (batch * time, sequences.shape[-1])))
    return ops.reshape(rows, (batch, time, rows.shape[-1]))
