"""Light gated recurrent unit."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.cells.base import GatedCell, States, Tensor, normalize, split


@keras.saving.register_keras_serializable("kerasseq")
class LiGRUCell(GatedCell):
    """A GRU without reset gate, with a relu candidate and normalised inputs.

    Unlike the paper, it normalises the projected inputs by layer normalisation, gate by gate, and
    not over the batch, so that the output of a row does not depend on other rows.

    Args:
        units: Width of the cell.
        activation: Activation of the candidate.
        **kwargs: `recurrent_activation`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("ligru", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Ravanelli, Brakel, Omologo & Bengio (2018), arXiv 1803.10225.
    """

    kind = "ligru"
    sums_projected = True

    def __init__(self, units: int, *, activation: Any = "relu", **kwargs: Any) -> None:
        super().__init__(units, activation=activation, **kwargs)

    def project(self, inputs: Tensor) -> Tensor:
        gates = [normalize(part) for part in split(ops.matmul(inputs, self.kernel), 2)]
        projected = ops.concatenate(gates, axis=-1) * self.kernel_gain
        return projected + self.bias if self.use_bias else projected

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        z, n = split(projected + recurrent, 2)
        n = self.activation(n)
        return [n + self.recurrent_activation(z) * (states[0] - n)]
