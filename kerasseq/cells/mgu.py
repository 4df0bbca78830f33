"""Minimal gated unit."""

from __future__ import annotations

import keras

from kerasseq.cells.base import GatedCell, States, Tensor, split


@keras.saving.register_keras_serializable("kerasseq")
class MGUCell(GatedCell):
    """A GRU in which one gate serves as update gate and as reset gate.

    Args:
        units: Width of the cell.
        **kwargs: `activation`, `recurrent_activation`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("mgu", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Zhou, Wu, Zhang & Zhou (2016), arXiv 1603.09420.
    """

    kind = "mgu"

    def gate(self, projected: Tensor, recurrent: Tensor, states: States) -> tuple[Tensor, Tensor]:
        f = self.recurrent_activation(projected[..., : self.units] + recurrent)
        return f * states[0], f

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        f, second = split(recurrent, 2)
        n = self.activation(projected[..., self.units :] + second)
        return [states[0] + f * (n - states[0])]
