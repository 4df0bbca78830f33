"""Layer-normalised LSTM."""

from __future__ import annotations

import keras
from keras import ops

from kerasseq.cells.base import ForgetBiasCell, States, Tensor, normalize, split


@keras.saving.register_keras_serializable("kerasseq")
class LayerNormLSTMCell(ForgetBiasCell):
    """An LSTM with layer normalisation of input sums, recurrent sums and cell state.

    The sums are normalised over all gates at once.

    Args:
        units: Width of the cell.
        **kwargs: `activation`, `recurrent_activation`, `unit_forget_bias`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("layernorm_lstm", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Ba, Kiros & Hinton (2016), arXiv 1607.06450, equations 20-22.
    """

    kind = "layernorm_lstm"
    fused = "layernorm_lstm"

    def project(self, inputs: Tensor) -> Tensor:
        projected = normalize(ops.matmul(inputs, self.kernel)) * self.kernel_gain
        return projected + self.bias if self.use_bias else projected

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        i, f, g, o = split(projected + normalize(recurrent) * self.recurrent_gain, 4)
        gate = self.recurrent_activation
        c = gate(f) * states[1] + gate(i) * self.activation(g)
        normalized = normalize(c) * self.state_gain + self.state_shift
        return [gate(o) * self.activation(normalized), c]
