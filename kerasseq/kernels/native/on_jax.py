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
    """What of a program XLA could not compile with it, or not well, with the remedy; None if all.

    Args:
        context: Of the layer; its sizes are symbols where a program is exported for any size.
    """
    devices = jax.device_count()
    if devices > 1:
        return (
            f"JAX has {devices} devices, over which XLA would not divide its work; give it one "
            "(jax_num_cpu_devices=1)"
        )
    sizes = (context.batch, context.timesteps)
    if not all(size is None or isinstance(size, int) for size in sizes):
        return "the program is traced for any size; trace it for one"
    return None


def threads() -> int:
    """Threads for one operation: as many as XLA has on a CPU."""
    return library.cores()


def _call(
    name: str, shapes: Sequence[Shape], settings: Sequence[int], tensors: Sequence[Tensor]
) -> list[Tensor]:
    """The results of an entry point, of these shapes; a tensor that is None is an empty one."""
    dtype = tensors[0].dtype
    absent = jnp.zeros((0,), dtype)
    call = jax.ffi.ffi_call(
        f"kerasseq_{name}",
        [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes],
        vmap_method="sequential",
    )
    given = [absent if tensor is None else tensor for tensor in tensors]
    return list(call(*given, settings=np.array(settings, np.int32)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _once(
    name: str, shapes: Sequence[Shape], settings: Sequence[int], tensors: Sequence[Tensor]
) -> list[Tensor]:
    """The same, of a function that is part of a gradient, and has none of its own."""
    return _call(name, shapes, settings, tensors)


@_once.defjvp
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
    """All outputs, if asked for, and the final states."""
    dtype = sequences.dtype
    given = [
        *(sequences, kernel, recurrent_kernel, bias, extra, states[0]),
        *(states[1] if states[1:] else None, recurrent_mask),
    ]
    tensors = [None if t is None else ops.convert_to_tensor(t).astype(dtype) for t in given]
    library.check(recurrence.cell, [*tensors, mask])
    outputs, h, c = _recurrence((recurrence, threads()), mask, *tensors)
    return outputs, [h, c][: len(states)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _recurrence(how: Any, mask: Tensor | None, *tensors: Tensor) -> Any:
    """Inputs: sequences, the four weights, h, c, recurrent mask; outputs: outputs, h, c."""
    return _call(*_forward(how, mask, tensors, keep=False))[:3]


def _forward(how: Any, mask: Tensor | None, tensors: Sequence[Tensor], keep: bool) -> Any:
    """What the forward pass is called with; whether it keeps what the backward pass reads."""
    recurrence, _ = how
    x, _, recurrent, *_ = tensors
    (batch, time, _), units = x.shape, recurrent.shape[0]
    shapes = (
        (batch, time if recurrence.sequences else 0, units),
        *[(batch, units)] * 2,
        (_reserve(recurrence, x, units) if keep else 0,),
    )
    return "forward", shapes, _settings(how, keep), _ordered(mask, tensors)


def _ordered(mask: Tensor | None, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The inputs of an operation: the mask, of booleans, before the recurrent one."""
    return [*tensors[:-1], jnp.zeros((0,), bool) if mask is None else mask, tensors[-1]]


def _settings(how: Any, keep: bool) -> tuple[int, ...]:
    """`Settings` of src/operation.h."""
    recurrence, threads = how
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


def _keep(how: Any, mask: Any, *primals: Any) -> Any:
    """What runs where a gradient will be asked for; `primals` know whether it is theirs."""
    mask = None if mask is None else mask.value
    tensors = [None if p is None else p.value for p in primals]
    *outputs, reserve = _once(*_forward(how, mask, tensors, keep=True))
    wanted = [None if p is None or not p.perturbed else () for p in primals]  # of no arrays
    return outputs, (mask, tensors, reserve, wanted)


def _pull_back(how: Any, kept: Any, gradients: Any) -> Any:
    mask, tensors, reserve, wanted = kept
    zero = jax.custom_derivatives.SymbolicZero
    upstream = [None if isinstance(g, zero) else g for g in gradients]
    asked = tuple(want is not None for want in wanted[:-1])  # the recurrent mask has none
    shapes = tuple(t.shape if want else (0,) for t, want in zip(tensors, asked, strict=False))
    given = [*_ordered(mask, tensors), reserve, *upstream]
    found = _once("backward", shapes, _settings(how, keep=True), given)
    return None, *(g if want else None for g, want in zip(found, asked, strict=True)), None


_recurrence.defvjp(_keep, _pull_back, symbolic_zeros=True)


def linear(a: Sequence[Tensor], b: Sequence[Tensor], start: Sequence[Tensor]) -> list[Tensor]:
    """Every h of h = a h' + b: (batch, time, width) for each part."""
    together = [jnp.stack(parts) if parts[1:] else parts[0][None] for parts in (a, b, start)]
    library.check_linear(*together)
    return list(_linear(threads(), *together))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _linear(threads: int, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """Inputs: a, b and h0 with their parts stacked; output: every h."""
    return _call("linear", [a.shape], [threads], [a, b, start])[0]


def _keep_linear(threads: int, a: Tensor, b: Tensor, start: Tensor) -> Any:
    trail = _linear(threads, a, b, start)
    return trail, (a, start, trail)


def _pull_back_linear(threads: int, kept: Any, dtrail: Tensor) -> Any:
    a, start, _ = kept
    shapes = (a.shape, a.shape, start.shape)
    return tuple(_once("linear_gradient", shapes, (threads,), [*kept, dtrail]))


_linear.defvjp(_keep_linear, _pull_back_linear)
