"""The extension's operations in TensorFlow, and their gradients."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasseq.kernels.native import library

Tensor = Any

_ATTRIBUTES = (
    *("cell", "activation", "recurrent_activation", "go_backwards", "zero_output"),
    *("threads", "sequences", "keep"),
)


def threads() -> int:
    """Number of threads of one operation, as configured in TensorFlow or its environment."""
    variable = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    configured = tf.config.threading.get_intra_op_parallelism_threads()
    return configured or (int(variable) if variable.isdigit() else 0) or library.cores()


def _check(x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, states: Sequence[Tensor]) -> None:
    """Check the shapes known while tracing: the operation compares only numbers of elements."""
    if x.shape[-1] not in (None, kernel.shape[0]):
        raise ValueError(
            f"The layer was built for {kernel.shape[0]} features of a timestep. Received: "
            f"sequences of shape {tuple(x.shape)}"
        )
    shape = (x.shape[0], recurrent_kernel.shape[0])
    for state in states:
        if not tf.TensorShape(shape).is_compatible_with(state.shape):
            raise ValueError(
                f"Each initial state must be of shape {shape} (batch, units). Received: "
                f"{tuple(state.shape)}"
            )


def run(
    recurrence: Any,
    *,
    sequences: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    extra: Tensor | None,
    states: Sequence[Tensor],
    mask: Tensor | None,
    recurrent_mask: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """All outputs (no timesteps unless `recurrence.sequences`) and the final states."""
    x = tf.convert_to_tensor(sequences)
    _check(x, kernel, recurrent_kernel, states)
    absent = tf.zeros([0], x.dtype)
    optional = [kernel, recurrent_kernel, bias, extra, states[0], states[1] if states[1:] else None]
    tensors = [absent if t is None else tf.cast(t, x.dtype) for t in optional]
    mask = tf.zeros([0], tf.bool) if mask is None else tf.convert_to_tensor(mask)
    state_mask = absent if recurrent_mask is None else tf.cast(recurrent_mask, x.dtype)
    outputs, h, c, _ = library.operations().kerasseq_recurrence(
        x=x,
        kernel=tensors[0],
        recurrent=tensors[1],
        bias=tensors[2],
        extra=tensors[3],
        h=tensors[4],
        c=tensors[5],
        mask=mask,
        recurrent_mask=state_mask,
        cell=library.CELLS.index(recurrence.cell),
        activation=library.ACTIVATIONS.index(recurrence.activation),
        recurrent_activation=library.ACTIVATIONS.index(recurrence.recurrent_activation),
        go_backwards=int(recurrence.go_backwards),
        zero_output=int(recurrence.zero_output),
        threads=threads(),
        sequences=int(recurrence.sequences),
        keep=int(recurrence.training),
    )
    batch, units = x.shape[0], tensors[1].shape[0]
    outputs.set_shape((batch, x.shape[1] if recurrence.sequences else 0, units))
    final = [h, c][: len(states)]
    for state in final:
        state.set_shape((batch, units))
    return outputs, final


@tf.RegisterGradient("Kerasseq>Recurrence")
def _recurrence_gradient(op: Any, doutputs: Tensor, dh: Tensor, dc: Tensor, _: Tensor) -> Any:
    attributes = {name: op.get_attr(name) for name in _ATTRIBUTES}
    reserve = op.outputs[3]
    if not attributes["keep"]:  # the call was for inference, and is differentiated anyway
        attributes["keep"] = 1
        *_, reserve = library.operations().kerasseq_recurrence(*op.inputs, **attributes)
    gradients = library.operations().kerasseq_recurrence_gradient(
        *op.inputs, reserve, doutputs, dh, dc, **attributes
    )
    for gradient, tensor in zip(gradients, op.inputs, strict=False):
        gradient.set_shape(tensor.shape)
    return [*gradients, None, None]  # the two masks have no gradient


def linear(a: Sequence[Tensor], b: Sequence[Tensor], start: Sequence[Tensor]) -> list[Tensor]:
    """Compute h = a * h' + b for every step: (batch, time, width) for each part."""
    together = [tf.stack(parts) if parts[1:] else parts[0][None] for parts in (a, b, start)]
    trail = library.operations().kerasseq_linear(*together, threads=threads())
    trail.set_shape(together[0].shape)
    return tf.unstack(trail, num=len(a))


@tf.RegisterGradient("Kerasseq>Linear")
def _linear_gradient(op: Any, dtrail: Tensor) -> Any:
    a, _, start = op.inputs
    gradients = library.operations().kerasseq_linear_gradient(
        a, start, op.outputs[0], dtrail, threads=op.get_attr("threads")
    )
    for gradient, tensor in zip(gradients, op.inputs, strict=True):
        gradient.set_shape(tensor.shape)
    return list(gradients)


def chain(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The logarithm of the sum over all paths of a linear chain, (batch,), without gradient."""
    total = library.operations().kerasseq_chain(unary, transitions, mask, threads=threads())
    total.set_shape(unary.shape[:1])
    return total


def chain_gradient(
    unary: Tensor, transitions: Tensor, mask: Tensor, gradient: Tensor
) -> list[Tensor]:
    """Backpropagate `gradient`, (batch,), through `chain` to unary scores and transitions."""
    inputs = [unary, transitions, mask, gradient]
    results = library.operations().kerasseq_chain_gradient(*inputs, threads=threads())
    for result, scores in zip(results, inputs, strict=False):
        result.set_shape(scores.shape)
    return list(results)


@tf.RegisterGradient("Kerasseq>RecurrenceGradient")
@tf.RegisterGradient("Kerasseq>LinearGradient")
def _second_gradient(op: Any, *_: Tensor) -> Any:
    raise NotImplementedError(library.NO_SECOND_DERIVATIVES)
