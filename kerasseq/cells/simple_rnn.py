"""The simple (Elman) recurrent network."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.cells.base import Cell, States, Tensor


@keras.saving.register_keras_serializable("kerasseq")
class SimpleRNNCell(Cell):
    """The simple (Elman) recurrent network: h = activation(x W + h' U + b).

    Its gradient through time is a product of Jacobians, which vanishes or explodes; gates
    (`lstm`, `gru`), clipping and `recurrent_initializer="identity"` with `activation="relu"`
    (the IRNN of Le, Jaitly & Hinton 2015, arXiv 1504.00941) are the remedies.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state.
        **kwargs: See `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> irnn = kerasseq.simple_rnn(4, activation="relu", recurrent_initializer="identity")
        >>> irnn(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Elman (1990), Finding structure in time.
    """

    kind = "simple_rnn"
    fused = "simple_rnn"
    sums_projected = True

    def __init__(self, units: int, *, activation: Any = "tanh", **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        return [self.activation(projected + recurrent)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
