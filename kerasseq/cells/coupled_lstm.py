"""LSTM with coupled input and forget gates."""

from __future__ import annotations

import keras

from kerasseq.cells.base import ForgetBiasCell, States, Tensor, split


@keras.saving.register_keras_serializable("kerasseq")
class CoupledLSTMCell(ForgetBiasCell):
    """An LSTM with coupled gates (CIFG): the input gate is 1 - forget gate; three gates, not four.

    Args:
        units: Width of the cell.
        **kwargs: `activation`, `recurrent_activation`, `unit_forget_bias`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("coupled_lstm", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Greff et al. (2015), arXiv 1503.04069.
    """

    kind = "coupled_lstm"
    fused = "coupled_lstm"
    sums_projected = True

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        f, g, o = split(projected + recurrent, 3)
        g = self.activation(g)
        c = g + self.recurrent_activation(f) * (states[1] - g)
        return [self.recurrent_activation(o) * self.activation(c), c]
