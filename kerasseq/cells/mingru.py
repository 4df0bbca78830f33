"""Minimal GRU, a linear recurrence."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.cells.base import Tensor, split
from kerasseq.cells.linear import LinearCell, Parts


@keras.saving.register_keras_serializable("kerasseq")
class MinGRUCell(LinearCell):
    """A GRU whose gate and candidate depend on inputs alone, so all timesteps run in parallel.

    Args:
        units: Width of the cell.
        activation: Activation of the candidate; the paper's is linear.
        **kwargs: See `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("mingru", 4, depth=2)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Feng et al. (2024), Were RNNs all we needed?, arXiv 2410.01201.
    """

    kind = "mingru"

    def __init__(self, units: int, *, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def coefficients(self, projected: Tensor) -> tuple[Parts, Parts]:
        z, n = split(projected, 2)
        z = keras.ops.sigmoid(z)
        return (1 - z,), (z * self.activation(n),)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
