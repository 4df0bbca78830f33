"""Gated recurrent unit."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.cells.base import GatedCell, States, Tensor, split


@keras.saving.register_keras_serializable("kerasseq")
class GRUCell(GatedCell):
    """A GRU: an update gate mixes old state and candidate, a reset gate acts in the candidate.

    Weights have the names, order and layout of `keras.layers.GRUCell`. With `reset_after` the
    reset gate acts on the recurrent product (as cuDNN's does, one product per step: form
    `row`); without it, on the state that enters a second product (form `gated`).

    Args:
        units: Width of the cell.
        reset_after: Whether the reset gate acts after the recurrent product.
        **kwargs: `activation`, `recurrent_activation`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.gru(4, reset_after=False)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Cho et al. (2014), arXiv 1406.1078.
    """

    kind = "gru"
    fused = "gru"

    def __init__(self, units: int, *, reset_after: bool = True, **kwargs: Any) -> None:
        # Options must be known before the base looks up the spec.
        self.reset_after = reset_after
        super().__init__(units, **kwargs)

    def project(self, inputs: Tensor) -> Tensor:
        projected = ops.matmul(inputs, self.kernel)
        if not self.use_bias:
            return projected
        return projected + (self.bias[0] if self.reset_after else self.bias)

    def gate(self, projected: Tensor, recurrent: Tensor, states: States) -> tuple[Tensor, Tensor]:
        gates = self.recurrent_activation(projected[..., : 2 * self.units] + recurrent)
        return gates[..., self.units :] * states[0], gates[..., : self.units]

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        if self.reset_after:
            if self.use_bias:
                recurrent = recurrent + self.bias[1]
            gates = self.recurrent_activation(
                projected[..., : 2 * self.units] + recurrent[..., : 2 * self.units]
            )
            z, r = split(gates, 2)
            n = projected[..., 2 * self.units :] + r * recurrent[..., 2 * self.units :]
        else:
            z, n = split(recurrent, 2)
            n = projected[..., 2 * self.units :] + n
        n = self.activation(n)
        return [n + z * (states[0] - n)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
