"""A loop over time on each backend: the one place where backends are told apart here.

`keras.ops.scan` would serve, but on TensorFlow it copies the carried states through an array
at every step and asks that a step emits exactly what it carries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import backend

Tensor = Any
Step = Callable[[list[Tensor], Any], list[Tensor]]


def run(
    step: Step,
    states: list[Tensor],
    steps: Any,
    keep: int,
    unroll: bool,
    backwards: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Carry states over time.

    Args:
        step: (states, this step's share of `steps`) -> new states, of the same shapes.
        states: The first states, (batch, width) each.
        steps: A nest of tensors with time first.
        keep: How many of the states to return for every step.
        unroll: Unroll the loop (TensorFlow and JAX; PyTorch always does).
        backwards: Run from the last step to the first.

    Returns:
        The final states, and the first `keep` states after every step, time first and each at
        its own place, whichever way the loop runs.
    """
    length = keras.tree.flatten(steps)[0].shape[0]
    if unroll or backend() == "torch":
        return _unrolled(step, states, steps, keep, length, backwards)
    if backend() == "jax":
        return _jax(step, states, steps, keep, backwards)
    return _tensorflow(step, states, steps, keep, length, backwards)


def _unrolled(
    step: Step, states: list[Tensor], steps: Any, keep: int, length: int, backwards: bool
) -> tuple[list[Tensor], list[Tensor]]:
    trail: list[list[Tensor]] = []
    for t in reversed(range(length)) if backwards else range(length):
        states = step(states, keras.tree.map_structure(lambda x, t=t: x[t], steps))
        trail.append(states[:keep])
    if backwards:
        trail.reverse()
    return states, [ops.stack(kept) for kept in zip(*trail, strict=True)]


def _jax(
    step: Step, states: list[Tensor], steps: Any, keep: int, backwards: bool
) -> tuple[list[Tensor], list[Tensor]]:
    import jax

    def body(carried: tuple[Tensor, ...], now: Any) -> Any:
        new = tuple(step(list(carried), now))
        return new, new[:keep]

    final, trail = jax.lax.scan(body, tuple(states), steps, reverse=backwards)
    return list(final), list(trail)


def _tensorflow(
    step: Step,
    states: list[Tensor],
    steps: Any,
    keep: int,
    length: int | None,
    backwards: bool,
) -> tuple[list[Tensor], list[Tensor]]:
    import tensorflow as tf

    flat = [tf.convert_to_tensor(x) for x in keras.tree.flatten(steps)]
    states = [tf.convert_to_tensor(state) for state in states]
    count = tf.shape(flat[0])[0] if length is None else length
    # Room for one step even if there is none, since an empty array knows no shape to stack.
    room = tf.maximum(count, 1) if length is None else length
    inputs = [tf.TensorArray(x.dtype, count, element_shape=x.shape[1:]).unstack(x) for x in flat]
    arrays = [tf.TensorArray(s.dtype, room, element_shape=s.shape) for s in states[:keep]]
    if length is None:
        arrays = [a.write(0, s) for a, s in zip(arrays, states, strict=False)]

    def body(n: Tensor, carried: list[Tensor], arrays: list[Any]) -> Any:
        t = count - 1 - n if backwards else n
        now = keras.tree.pack_sequence_as(steps, [array.read(t) for array in inputs])
        new = step(list(carried), now)
        for tensor, old in zip(new, carried, strict=True):
            tensor.set_shape(old.shape)
        arrays = [array.write(t, s) for array, s in zip(arrays, new, strict=False)]
        return n + 1, new, arrays

    _, final, arrays = tf.while_loop(
        lambda n, *_: n < count,
        body,
        (tf.constant(0), states, arrays),
        maximum_iterations=count,
    )
    trail = [array.stack()[:count] for array in arrays]
    for kept, state in zip(trail, states, strict=False):
        kept.set_shape((length, *state.shape))
    return list(final), trail
