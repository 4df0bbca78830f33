"""The part of all steps that needs no state."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def project(cell: Any, sequences: Tensor) -> Tensor:
    """`cell.project` over (batch, time, inputs), as one product of two matrices.

    XLA takes three times as long for the gradient of a product that has two axes for its rows.
    """
    batch, time = ops.shape(sequences)[:2]
    rows = cell.project(ops.reshape(sequences, (batch * time, sequences.shape[-1])))
    return ops.reshape(rows, (batch, time, rows.shape[-1]))
