"""The extension as differentiable functions of JAX arrays, through XLA's foreign functions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from keras import ops

from kerasseq.kernels.native import library
from kerasseq.kernels.sequence_call import CallContext

Tensor = Any  # or None, where a cell has no such weight
Shape = tuple[int, ...]


def why_not(context: CallContext) -> str | None:
    """Why XLA cannot compile a program with the extension, with the remedy; None if it can.

    Args:
        context: The call; its sizes are symbols if the program is exported for any size.
    """
    devices = jax.device_count()
    if devices > 1:
        return (
            f"JAX has {devices} devices, and XLA cannot divide the extension's work among them; "
            "use one (jax_num_cpu_devices=1)"
        )
    sizes = (context.batch, context.timesteps)
    if not all(size is None or isinstance(size, int) for size in sizes):
        return "the program is traced for any size; trace it for one"
    return None


def threads() -> int:
    """Number of threads of one operation: as many as XLA uses on a CPU."""
    return library.cores()


def _call(
    name: str, shapes: Sequence[Shape], settings: Sequence[int], tensors: Sequence[Tensor]
) -> list[Tensor]:
    """Call an entry point; results have the given shapes, and None is passed as an empty array."""
    dtype = tensors[0].dtype
    absent = jnp.zeros((0,), dtype)
    call = jax.ffi.ffi_call(
        f"kerasseq_{name}",
        [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes],
        vmap_method="sequential",
    )
    arguments = [absent if tensor is None else tensor for tensor in tensors]
    return list(call(*arguments, settings=np.array(settings, np.int32)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _call_once_differentiable(
    name: str, shapes: Sequence[Shape], settings: Sequence[int], tensors: Sequence[Tensor]
) -> list[Tensor]:
    """Call an entry point that computes a gradient, and refuse its derivatives."""
    return _call(name, shapes, settings, tensors)


@_call_once_differentiable.defjvp
def _refuse(*_: Any) -> Any:
    raise NotImplementedError(library.NO_SECOND_DERIVATIVES)


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
    dtype = sequences.dtype
    optional = [
        *(sequences, kernel, recurrent_kernel, bias, extra, states[0]),
        *(states[1] if states[1:] else None, recurrent_mask),
    ]
    tensors = [None if t is None else ops.convert_to_tensor(t).astype(dtype) for t in optional]
    library.check(recurrence.cell, [*tensors, mask])
    outputs, h, c = _recurrence((recurrence, threads()), mask, *tensors)
    return outputs, [h, c][: len(states)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _recurrence(setup: Any, mask: Tensor | None, *tensors: Tensor) -> Any:
    """Run: tensors are sequences, the four weights, h, c, recurrent mask; returns outputs, h, c."""
    return _call(*_forward(setup, mask, tensors, keep=False))[:3]


def _forward(setup: Any, mask: Tensor | None, tensors: Sequence[Tensor], keep: bool) -> Any:
    """Arguments of `_call` for the forward pass; `keep` makes it write the backward buffer."""
    recurrence, _ = setup
    x, _, recurrent, *_ = tensors
    (batch, time, _), units = x.shape, recurrent.shape[0]
    shapes = (
        (batch, time if recurrence.sequences else 0, units),
        *[(batch, units)] * 2,
        (_reserve(recurrence, x, units) if keep else 0,),
    )
    return "forward", shapes, _settings(setup, keep), _operation_inputs(mask, tensors)


def _operation_inputs(mask: Tensor | None, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The inputs of an operation in order: the mask comes before the recurrent mask."""
    return [*tensors[:-1], jnp.zeros((0,), bool) if mask is None else mask, tensors[-1]]


def _settings(setup: Any, keep: bool) -> tuple[int, ...]:
    """The fields of `Settings` in src/operation.h, in order."""
    recurrence, threads = setup
    return (
        library.CELLS.index(recurrence.cell),
        library.ACTIVATIONS.index(recurrence.activation),
        library.ACTIVATIONS.index(recurrence.recurrent_activation),
        int(recurrence.go_backwards),
        int(recurrence.zero_output),
        threads,
        int(recurrence.sequences),
        int(keep),
    )


def _reserve(recurrence: Any, x: Tensor, units: int) -> int:
    batch, time, inputs = x.shape
    problem = library.Problem(
        cell=library.CELLS.index(recurrence.cell),
        batch=batch,
        time=time,
        inputs=inputs,
        units=units,
    )
    return library.reserve(problem, x.dtype == np.float64)


def _keep(setup: Any, mask: Any, *primals: Any) -> Any:
    """Run forward for a gradient; `primals` say which of them it is needed for (`perturbed`)."""
    mask = None if mask is None else mask.value
    tensors = [None if p is None else p.value for p in primals]
    *outputs, reserve = _call_once_differentiable(*_forward(setup, mask, tensors, keep=True))
    # A flag per tensor, as a pytree without arrays: () if its gradient is needed, else None.
    needed = [None if p is None or not p.perturbed else () for p in primals]
    return outputs, (mask, tensors, reserve, needed)


def _pull_back(setup: Any, residuals: Any, gradients: Any) -> Any:
    mask, tensors, reserve, needed = residuals
    symbolic_zero = jax.custom_derivatives.SymbolicZero
    upstream = [None if isinstance(g, symbolic_zero) else g for g in gradients]
    flags = tuple(flag is not None for flag in needed[:-1])  # the recurrent mask has none
    shapes = tuple(t.shape if flag else (0,) for t, flag in zip(tensors, flags, strict=False))
    inputs = [*_operation_inputs(mask, tensors), reserve, *upstream]
    results = _call_once_differentiable("backward", shapes, _settings(setup, keep=True), inputs)
    return None, *(g if flag else None for g, flag in zip(results, flags, strict=True)), None


_recurrence.defvjp(_keep, _pull_back, symbolic_zeros=True)


def linear(a: Sequence[Tensor], b: Sequence[Tensor], start: Sequence[Tensor]) -> list[Tensor]:
    """Compute h = a * h' + b for every step: (batch, time, width) for each part."""
    together = [jnp.stack(parts) if parts[1:] else parts[0][None] for parts in (a, b, start)]
    library.check_linear(*together)
    return list(_linear(threads(), *together))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _linear(threads: int, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """Run: a, b and h0 have their parts stacked on the first axis; returns h at every step."""
    return _call("linear", [a.shape], [threads], [a, b, start])[0]


def _keep_linear(threads: int, a: Tensor, b: Tensor, start: Tensor) -> Any:
    trail = _linear(threads, a, b, start)
    return trail, (a, start, trail)


def _pull_back_linear(threads: int, residuals: Any, dtrail: Tensor) -> Any:
    a, start, _ = residuals
    shapes = (a.shape, a.shape, start.shape)
    return tuple(
        _call_once_differentiable("linear_gradient", shapes, (threads,), [*residuals, dtrail])
    )


_linear.defvjp(_keep_linear, _pull_back_linear)


def chain(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The logarithm of the sum over all paths of a linear chain, (batch,), without gradient."""
    library.check_chain(unary, transitions, mask)
    inputs = [unary, transitions, mask]
    return _call_once_differentiable("chain", (unary.shape[:1],), (threads(),), inputs)[0]


def chain_gradient(
    unary: Tensor, transitions: Tensor, mask: Tensor, gradient: Tensor
) -> list[Tensor]:
    """Backpropagate `gradient`, (batch,), through `chain` to unary scores and transitions."""
    shapes = (unary.shape, transitions.shape)
    inputs = [unary, transitions, mask, gradient]
    return list(_call_once_differentiable("chain_gradient", shapes, (threads(),), inputs))
