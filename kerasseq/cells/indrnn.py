"""Independently recurrent network."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.cells.base import Cell, States, Tensor

# The config of an initializer, of which each cell makes its own: one object would give all of them
# the same numbers.
_ANY_MEMORY = {"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 1.0}}


@keras.saving.register_keras_serializable("kerasseq")
class IndRNNCell(Cell):
    """Each unit feeds back to itself alone; units mix in the next layer.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state.
        recurrent_initializer: Where each unit's own weight starts; uniform in [0, 1), so that
            units span short to long memories.
        recurrent_constraint: Give a bound below `2 ** (1 / timesteps)` for very long sequences.
        **kwargs: See `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("indrnn", 4, depth=3)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Li, Li, Cook, Zhu & Gao (2018), arXiv 1803.04831.
    """

    kind = "indrnn"

    def __init__(
        self,
        units: int,
        *,
        activation: Any = "relu",
        recurrent_initializer: Any = _ANY_MEMORY,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.activation = keras.activations.get(activation)

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        return [self.activation(projected + recurrent)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
