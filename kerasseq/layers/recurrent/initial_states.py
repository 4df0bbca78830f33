"""Checks of an `initial_state`.

Without them, backends and kernels would broadcast a state of a wrong shape, ignore surplus states
and use zeros for missing ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

Tensor = Any


def state_count(layer: Any) -> int:
    """Number of states of a recurrent layer, over both directions if it is bidirectional."""
    if isinstance(layer, keras.layers.Bidirectional):
        return state_count(layer.forward_layer) + state_count(layer.backward_layer)
    return len(keras.tree.flatten(layer.state_size))


def flatten_states(initial_state: Any, count: int, order: str = "") -> list[Tensor]:
    """Flatten an `initial_state` to a list and check its length.

    Args:
        initial_state: One state, or a nest of them.
        count: The number of states that the layer has.
        order: The order of the states in words, for the message.

    Raises:
        ValueError: If there are too few or too many states, or one is None.
    """
    states = list(keras.tree.flatten(initial_state))
    if len(states) != count:
        noun = "state" if count == 1 else "states"
        raise ValueError(
            f"`initial_state` must be a list of {count} {noun}{order}. Received: {len(states)}"
        )
    missing = [index for index, state in enumerate(states) if state is None]
    if missing:
        raise ValueError(
            f"State {missing[0]} of `initial_state` must be a tensor (batch, width). Pass zeros, "
            "or no `initial_state` to begin with the default states. Received: None"
        )
    return states


def check_shapes(states: Sequence[Tensor], widths: Sequence[int], batch: int | None) -> None:
    """Raise a ValueError for a state that is not (batch, width)."""
    for index, (state, width) in enumerate(zip(states, widths, strict=True)):
        shape, expected = tuple(state.shape), (batch, width)
        if len(shape) != 2 or any(
            None not in (length, expected_length) and length != expected_length
            for length, expected_length in zip(shape, expected, strict=True)
        ):
            raise ValueError(
                f"State {index} of `initial_state` must be of the shape {expected} (batch, width). "
                f"Received: {shape}"
            )
