"""Layer-normalised GRU."""

from __future__ import annotations

import keras
from keras import ops

from kerasseq.cells.base import GatedCell, States, Tensor, normalize, split


@keras.saving.register_keras_serializable("kerasseq")
class LayerNormGRUCell(GatedCell):
    """A GRU with layer normalisation, separately for the gates and for the candidate.

    The update gate weights the candidate, as in the paper; in `gru` it weights the old state.

    Args:
        units: Width of the cell.
        **kwargs: `activation`, `recurrent_activation`, and arguments of `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("layernorm_gru", 4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Ba, Kiros & Hinton (2016), arXiv 1607.06450, equations 23-27.
    """

    kind = "layernorm_gru"

    def project(self, inputs: Tensor) -> Tensor:
        projected = self._normalize(ops.matmul(inputs, self.kernel)) * self.kernel_gain
        return projected + self.bias if self.use_bias else projected

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        recurrent = self._normalize(recurrent) * self.recurrent_gain
        columns = 2 * self.units
        z, r = split(
            self.recurrent_activation(projected[..., :columns] + recurrent[..., :columns]), 2
        )
        inner = recurrent[..., columns:]
        if self.use_bias:
            inner = inner + self.recurrent_bias
        n = self.activation(projected[..., columns:] + r * inner)
        return [states[0] + z * (n - states[0])]

    def _normalize(self, sums: Tensor) -> Tensor:
        gates, candidate = sums[..., : 2 * self.units], sums[..., 2 * self.units :]
        return ops.concatenate([normalize(gates), normalize(candidate)], axis=-1)
