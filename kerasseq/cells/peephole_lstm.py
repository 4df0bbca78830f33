"""LSTM with peephole connections."""

from __future__ import annotations

import keras

from kerasseq.cells.base import ForgetBiasCell, States, Tensor, split


@keras.saving.register_keras_serializable("kerasseq")
class PeepholeLSTMCell(ForgetBiasCell):
    """An LSTM whose gates also read the cell state.

    The input and forget gate read the old cell state, the output gate the new one.

    Args:
        units: Width of the cell.
        **kwargs: `activation`, `recurrent_activation`, `unit_forget_bias`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("peephole_lstm", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Gers, Schraudolph & Schmidhuber (2002), JMLR 3.
    """

    kind = "peephole_lstm"
    fused = "peephole_lstm"
    sums_projected = True

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        i, f, g, o = split(projected + recurrent, 4)
        p_i, p_f, p_o = split(self.peephole_kernel, 3)
        gate, c = self.recurrent_activation, states[1]
        # States are left operands: an array of JAX takes no symbolic tensor on its right.
        c = gate(f + c * p_f) * c + gate(i + c * p_i) * self.activation(g)
        return [gate(o + c * p_o) * self.activation(c), c]
