"""An LSTM with the forget gate only."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.cells.base import ForgetBiasCell, States, Tensor, split


@keras.saving.register_keras_serializable("kerasseq")
class JANETCell(ForgetBiasCell):
    """JANET ("just another network"): an LSTM with only a forget gate, and one state.

    Args:
        units: Width of the cell.
        beta: Offset of the input gate: it is 1 - sigmoid(s - beta), the forget gate sigmoid(s).
        **kwargs: `activation`, `recurrent_activation`, `unit_forget_bias`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("janet", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: van der Westhuizen & Lasenby (2018), arXiv 1804.04849.
    """

    kind = "janet"
    sums_projected = True

    def __init__(self, units: int, *, beta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.beta = beta

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        s, n = split(projected + recurrent, 2)
        gate = self.recurrent_activation
        return [gate(s) * states[0] + (1 - gate(s - self.beta)) * self.activation(n)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}
