"""A bidirectional recurrent layer that keeps the mask in every kind of call."""

from __future__ import annotations

from typing import Any

import keras

from kerasseq.layers.recurrent.initial_states import flatten_states, state_count

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class Bidirectional(keras.layers.Bidirectional):
    """`keras.layers.Bidirectional` that also uses masks with initial states and stateful layers.

    The layer of Keras drops the mask of its input if an `initial_state` is passed, and raises a
    TypeError for a mask if the layer is stateful and returns its states.

    Args:
        layer: The recurrent layer of the forward direction.
        keras_masks: Ignore the mask of the sequences in a call with an `initial_state`, as
            `keras.layers.Bidirectional` does; `kerasseq.convert` sets it.
        **kwargs: Arguments of `keras.layers.Bidirectional`.

    Call arguments:
        sequences: (batch, timesteps, inputs).
        initial_state: Flat list of states, forward then backward.
        mask: (batch, timesteps) booleans.
        training: Whether dropout, zoneout and weight drop are active.
        sequences_mask: The mask that belongs to `sequences`, passed by Keras.

    Output shape:
        The output shape of the layer with its directions merged, then the states if returned.

    Raises:
        ValueError: If `merge_mode` is unknown, or there are too few or too many states in an
            `initial_state`; or if it is itself wrapped in a bidirectional layer.

    Example:
        >>> import numpy as np
        >>> from kerasseq.layers import GRU
        >>> from kerasseq.cells.gru import GRUCell
        >>> Bidirectional(GRU(GRUCell(4)))(np.ones((2, 5, 3), "float32")).shape == (2, 8)
        True
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        *,
        go_backwards: bool = False,
        keras_masks: bool = False,
        **kwargs: Any,
    ) -> None:
        if go_backwards:  # a wrapper of this layer passes it to its second direction
            raise ValueError(
                "`go_backwards`: a bidirectional layer runs in both directions already. Use it "
                "without keras.layers.Bidirectional around it. Received: go_backwards=True"
            )
        super().__init__(layer, merge_mode, weights, backward_layer, **kwargs)
        self.keras_masks = keras_masks

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
        sequences_mask: Tensor | None = None,
    ) -> Any:
        """Run both directions; see the class."""
        if not self.keras_masks:
            mask = sequences_mask if mask is None else mask
        if initial_state is not None:
            initial_state = flatten_states(
                initial_state, state_count(self), ", forward then backward"
            )
        return super().call(sequences, initial_state, mask, training)

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> Any:
        """The mask, for every output with all timesteps; None for other outputs and for states."""
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        outputs = [mask if self.return_sequences else None] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            outputs += [None] * state_count(self)
        return outputs if len(outputs) > 1 else outputs[0]

    def get_config(self) -> dict[str, Any]:
        """The config of `keras.layers.Bidirectional`, and the argument `keras_masks`."""
        return {**super().get_config(), "keras_masks": self.keras_masks}
