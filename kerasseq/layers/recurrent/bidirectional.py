"""Both directions of a recurrent layer, with masks that arrive and fit."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.layers.recurrent.initial_states import flat, state_count

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class Bidirectional(keras.layers.Bidirectional):
    """`keras.layers.Bidirectional`, but masks also go with initial states and stateful layers.

    The layer of Keras drops an attached mask where an `initial_state` is given, and raises a
    TypeError for a stateful layer that returns its states and meets a mask.

    Args:
        layer: The recurrent layer of the forward direction.
        **kwargs: Those of `keras.layers.Bidirectional`.

    Call arguments:
        sequences: (batch, timesteps, inputs).
        initial_state: Flat list of states, forward then backward.
        mask: (batch, timesteps) booleans.
        training: Whether dropout, zoneout and weight drop are drawn.
        sequences_mask: Where Keras puts the mask attached to `sequences`.

    Output shape:
        That of the layer with its directions merged, then the states if they are returned.

    Raises:
        ValueError: If `merge_mode` is unknown, or there are too few or too many states in an
            `initial_state`.

    Example:
        >>> import numpy as np
        >>> from kerasseq.layers import GRU
        >>> from kerasseq.cells.gru import GRUCell
        >>> Bidirectional(GRU(GRUCell(4)))(np.ones((2, 5, 3), "float32")).shape == (2, 8)
        True
    """

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
        sequences_mask: Tensor | None = None,
    ) -> Any:
        """Run both directions; see the class."""
        mask = sequences_mask if mask is None else mask
        if initial_state is not None:
            initial_state = flat(initial_state, state_count(self), ", forward then backward")
        return super().call(sequences, initial_state, mask, training)

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> Any:
        """The mask goes on with every output of all timesteps, and with no state."""
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        outputs = [mask if self.return_sequences else None] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            outputs += [None] * state_count(self)
        return outputs if len(outputs) > 1 else outputs[0]
