"""Whether an `initial_state` is one that a recurrent layer can start from.

Backends and kernels would broadcast some states, ignore others, and take zeros for missing ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

Tensor = Any


def state_count(layer: Any) -> int:
    """How many states a recurrent layer has, in both directions where it has two."""
    if isinstance(layer, keras.layers.Bidirectional):
        return state_count(layer.forward_layer) + state_count(layer.backward_layer)
    return len(keras.tree.flatten(layer.state_size))


def flat(initial_state: Any, count: int, order: str = "") -> list[Tensor]:
    """The states as a flat list.

    Args:
        initial_state: One state, or a nest of them.
        count: How many there must be.
        order: Which comes where, for the message.

    Raises:
        ValueError: If there are too few or too many.
    """
    given = list(keras.tree.flatten(initial_state))
    if len(given) != count:
        noun = "state" if count == 1 else "states"
        raise ValueError(
            f"`initial_state` must be a list of {count} {noun}{order}. Received: {len(given)}"
        )
    return given


def check_shapes(states: Sequence[Tensor], widths: Sequence[int], batch: int | None) -> None:
    """Raise a ValueError for a state that is not (batch, width)."""
    for index, (state, width) in enumerate(zip(states, widths, strict=True)):
        shape, wanted = tuple(state.shape), (batch, width)
        if len(shape) != 2 or any(
            None not in (length, other) and length != other
            for length, other in zip(shape, wanted, strict=True)
        ):
            raise ValueError(
                f"State {index} of `initial_state` must be of the shape {wanted} (batch, width). "
                f"Received: {shape}"
            )
