"""A loop over the timesteps that carries states, on each backend.

`keras.ops.scan` is not used: on TensorFlow it copies the carried states through an array at every
step, and a step has to emit exactly the states that it carries. On symbolic tensors the loop is one
operation, `TimeLoop`, which an exporter converts as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.kernels.sequence_call import backend

Tensor = Any
Step = Callable[[list[Tensor], Any], list[Tensor]]
# (step, states, steps, keep, unroll) -> final states, states over time; see `run`.
Loop = Callable[[Step, list[Tensor], Any, int, bool], tuple[list[Tensor], list[Tensor]]]


def run(
    step: Step,
    states: list[Tensor],
    steps: Any,
    keep: int,
    unroll: bool,
    backwards: bool = False,
    batch_first: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Carry states over time.

    Args:
        step: (states, the slice of `steps` at this timestep) -> new states, of the same shapes.
        states: The first states, (batch, width) each.
        steps: A nest of tensors with time first.
        keep: How many of the states to return for every step.
        unroll: Unroll the loop (TensorFlow and JAX; PyTorch always does, and one step needs none).
        backwards: Run from the last step to the first.
        batch_first: In memory, `steps` have the batch first, and the results should (JAX).

    Returns:
        The final states, and the first `keep` states after every step, with time first and in
        the order of time, even if the loop runs backwards.
    """
    if any(isinstance(x, keras.KerasTensor) for x in keras.tree.flatten([states, steps])):
        return TimeLoop(step, keep, backwards)(states, steps)
    length = keras.tree.flatten(steps)[0].shape[0]
    if unroll or backend() == "torch" or length == 1:
        return _unroll(step, states, steps, keep, length, backwards)
    if backend() == "jax":
        return _jax(step, states, steps, keep, backwards, batch_first)
    return _tensorflow(step, states, steps, keep, length, backwards)


class TimeLoop(keras.Operation):
    """A loop over symbolic tensors, whose arguments are those of `run`.

    Args:
        step: See `run`.
        keep: See `run`.
        backwards: See `run`.

    Call arguments:
        states: See `run`.
        steps: See `run`.
    """

    def __init__(self, step: Step, keep: int, backwards: bool = False) -> None:
        super().__init__()
        self.step, self.keep, self.backwards = step, keep, backwards

    def call(self, states: list[Tensor], steps: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Run the loop."""
        return run(self.step, states, steps, self.keep, False, self.backwards)

    def compute_output_spec(self, states: list[Tensor], steps: Any) -> Any:
        """The final states and the kept ones, with the shapes and dtypes of the first states."""
        length = keras.tree.flatten(steps)[0].shape[0]
        final = [keras.KerasTensor(state.shape, state.dtype) for state in states]
        trail = [keras.KerasTensor((length, *s.shape), s.dtype) for s in states[: self.keep]]
        return final, trail


def _unroll(
    step: Step, states: list[Tensor], steps: Any, keep: int, length: int, backwards: bool
) -> tuple[list[Tensor], list[Tensor]]:
    trail: list[list[Tensor]] = []
    for t in reversed(range(length)) if backwards else range(length):
        states = step(states, keras.tree.map_structure(lambda x, t=t: x[t], steps))
        trail.append(states[:keep])
    if backwards:
        trail.reverse()
    return states, [ops.stack(states_over_time) for states_over_time in zip(*trail, strict=True)]


def _jax(
    step: Step, states: list[Tensor], steps: Any, keep: int, backwards: bool, batch_first: bool
) -> tuple[list[Tensor], list[Tensor]]:
    import jax

    def body(carried: list[Tensor], inputs: Any) -> Any:
        new_states = list(step(carried, inputs))
        return new_states, new_states[:keep]

    scan = scan_in_place if batch_first else jax.lax.scan
    final, trail = scan(body, list(states), steps, reverse=backwards)
    return list(final), list(trail)


def scan_in_place(
    body: Callable[[Any, Any], tuple[Any, Any]], carried: Any, xs: Any, reverse: bool = False
) -> tuple[Any, Any]:
    """Compute `jax.lax.scan`; on a CPU without a copy of tensors that have the batch first.

    For `lax.scan`, time is the first axis in memory too, so that XLA copies sequences and outputs
    whose axes were swapped. Here a step reads and writes its slice where it lies, and XLA drops the
    swaps. The gradient of such a loop would handle whole tensors at every step; it is taken from
    `lax.scan`.

    Args:
        body: (carried, the slice of xs) -> carried, the slice of the results.
        carried: A nest of tensors.
        xs: A nest of tensors, (time, batch, ...).
        reverse: Run from the last step to the first.
    """
    import jax

    length = jax.tree.leaves(xs)[0].shape[0]
    if jax.default_backend() != "cpu" or not isinstance(length, int) or length == 0:
        return jax.lax.scan(body, carried, xs, reverse=reverse)
    # What the body reads beside its arguments becomes an argument: a custom derivative needs that.
    first = jax.tree.map(lambda x: x[0], xs)
    step, constants = jax.closure_convert(body, carried, first)
    _, slices = jax.eval_shape(step, carried, first, *constants)

    @jax.custom_jvp
    def run_in_place(constants: Any, carried: Any, xs: Any) -> Any:
        inputs = jax.tree.map(_swap, xs)

        def at(n: Tensor, state: Any) -> Any:
            t = np.uint32(length - 1) - n if reverse else n
            carried, results = state
            carried, new = step(carried, jax.tree.map(lambda x: _read(x, t), inputs), *constants)
            return carried, jax.tree.map(lambda kept, x: _write(kept, x, t), results, new)

        room = jax.tree.map(
            lambda x: jax.numpy.zeros((x.shape[0], length, *x.shape[1:]), x.dtype), slices
        )
        # Unsigned, since JAX adds a step of its own for places that may be negative.
        carried, results = jax.lax.fori_loop(np.uint32(0), np.uint32(length), at, (carried, room))
        return carried, jax.tree.map(_swap, results)

    @run_in_place.defjvp
    def derivative(primals: Any, tangents: Any) -> Any:
        def run(constants: Any, carried: Any, xs: Any) -> Any:
            return jax.lax.scan(lambda c, x: step(c, x, *constants), carried, xs, reverse=reverse)

        return jax.jvp(run, primals, tangents)

    return run_in_place(constants, carried, xs)


def _swap(x: Tensor) -> Tensor:
    """Swap time and batch."""
    return x.swapaxes(0, 1)


def _read(x: Tensor, t: Tensor) -> Tensor:
    import jax

    return jax.lax.dynamic_index_in_dim(x, t, 1, keepdims=False)


def _write(x: Tensor, new: Tensor, t: Tensor) -> Tensor:
    import jax

    return jax.lax.dynamic_update_index_in_dim(x, new, t, 1)


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
    # Room for at least one step, since an array without elements has no shape to stack.
    room = tf.maximum(count, 1) if length is None else length
    inputs = [tf.TensorArray(x.dtype, count, element_shape=x.shape[1:]).unstack(x) for x in flat]
    arrays = [tf.TensorArray(s.dtype, room, element_shape=s.shape) for s in states[:keep]]
    if length is None:
        arrays = [a.write(0, s) for a, s in zip(arrays, states, strict=False)]

    def body(n: Tensor, carried: list[Tensor], arrays: list[Any]) -> Any:
        t = count - 1 - n if backwards else n
        step_inputs = keras.tree.pack_sequence_as(steps, [array.read(t) for array in inputs])
        new_states = step(list(carried), step_inputs)
        for tensor, old in zip(new_states, carried, strict=True):
            tensor.set_shape(old.shape)
        arrays = [array.write(t, s) for array, s in zip(arrays, new_states, strict=False)]
        return n + 1, new_states, arrays

    _, final, arrays = tf.while_loop(
        lambda n, *_: n < count,
        body,
        (tf.constant(0), states, arrays),
        maximum_iterations=count,
    )
    trail = [array.stack()[:count] for array in arrays]
    for states_over_time, state in zip(trail, states, strict=False):
        states_over_time.set_shape((length, *state.shape))
    return list(final), trail
