"""Minimal LSTM, a linear recurrence."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.cells.base import Tensor, split
from kerasseq.cells.linear import LinearCell, Parts


@keras.saving.register_keras_serializable("kerasseq")
class MinLSTMCell(LinearCell):
    """An LSTM whose gates depend on the inputs alone; input and forget gate sum to one.

    Args:
        units: Width of the cell.
        activation: Activation of the candidate; the paper's is linear.
        **kwargs: See `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("minlstm", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Feng et al. (2024), Were RNNs all we needed?, arXiv 2410.01201.
    """

    kind = "minlstm"

    def __init__(self, units: int, *, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def coefficients(self, projected: Tensor) -> tuple[Parts, Parts]:
        f, i, n = split(projected, 3)
        # f / (f + i) as a sigmoid of a difference of log-sigmoids: neither can underflow.
        share = keras.ops.sigmoid(keras.ops.log_sigmoid(f) - keras.ops.log_sigmoid(i))
        return (share,), ((1 - share) * self.activation(n),)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
