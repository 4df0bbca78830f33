"""The output layer of models that pool a sequence: poolings, dropout and a dense layer."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.layers.pooling import pool
from kerasseq.params.cost import Cost, dense

__all__ = ["pooled_head", "pooled_head_cost"]


def pooled_head(
    sequence: Any, pooling: str, outputs: int, *, name: str, dropout: float = 0.0, mask: Any = None
) -> Any:
    """Pool a symbolic sequence over time, and project it to the outputs of a model.

    Args:
        sequence: (batch, timesteps, width).
        pooling: "last", "mean", "max" or "attention", or several joined by "+" and concatenated.
        outputs: number of outputs.
        name: name of the dense layer.
        dropout: dropout rate before the dense layer.
        mask: (batch, timesteps) booleans; by default the mask that `sequence` carries.

    Returns:
        (batch, outputs) in float32, without an activation: losses apply softmax or sigmoid, which
        is numerically more stable.

    Example:

    >>> pooled_head(keras.Input((None, 3)), "max+mean", 2, name="logits").shape
    (None, 2)
    """
    pools = [pool(mode, name=f"pool_{mode}")(sequence, mask=mask) for mode in pooling.split("+")]
    features = keras.layers.Concatenate(name="pools")(pools) if pools[1:] else pools[0]
    if dropout:
        features = keras.layers.Dropout(dropout, name="dropout")(features)
    return keras.layers.Dense(outputs, name=name, dtype="float32")(features)


def pooled_head_cost(width: int, pooling: str, outputs: int, timesteps: int) -> Cost:
    """Parameters and multiply-accumulates of `pooled_head`, for a sequence of `timesteps`.

    >>> pooled_head_cost(3, "max+attention", 2, 10)
    Cost(params=29, macs=132)
    """
    modes = pooling.split("+")
    cost = dense(len(modes) * width, outputs)
    for _ in range(modes.count("attention")):  # a tanh layer, and a query
        cost += dense(width, width, timesteps) + dense(width, 1, timesteps, bias=False)
    return cost
