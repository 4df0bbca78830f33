"""Independently recurrent network."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.cells.base import Cell, States, Tensor

# A config and not an initializer: one object would give all cells the same numbers.
_UNIFORM = {"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 1.0}}


@keras.saving.register_keras_serializable("kerasseq")
class IndRNNCell(Cell):
    """An RNN in which each unit's state feeds back to that unit alone; the next layer mixes units.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state.
        recurrent_initializer: Initializer of the recurrent weight of each unit; by default
            uniform in [0, 1), so that units have short and long memories.
        recurrent_constraint: Constraint of the recurrent weights; for very long sequences, use a
            bound below `2 ** (1 / timesteps)`.
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
        recurrent_initializer: Any = _UNIFORM,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.activation = keras.activations.get(activation)

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        return [self.activation(projected + recurrent)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
