"""Long short-term memory."""

from __future__ import annotations

import keras

from kerasseq.cells.base import ForgetBiasCell, States, Tensor, split


@keras.saving.register_keras_serializable("kerasseq")
class LSTMCell(ForgetBiasCell):
    """An LSTM: input, forget and output gates around a cell state that is summed over time.

    Weights have the names, order and layout of `keras.layers.LSTMCell`.

    Args:
        units: Width of the cell.
        **kwargs: `activation`, `recurrent_activation`, `unit_forget_bias`, and arguments of `Cell`;
            `projection` makes it an LSTMP.

    Example:
        >>> import kerasseq, numpy as np
        >>> layer = kerasseq.lstm(4, return_state=True)
        >>> output, h, c = layer(np.ones((2, 5, 3), "float32"))
        >>> output.shape == h.shape == c.shape == (2, 4)
        True

    Reference: Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000).
    """

    kind = "lstm"
    fused = "lstm"
    sums_projected = True

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        i, f, g, o = split(projected + recurrent, 4)
        gate = self.recurrent_activation
        c = gate(f) * states[1] + gate(i) * self.activation(g)
        return [gate(o) * self.activation(c), c]
