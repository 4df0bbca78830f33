"""The extension as a differentiable function of PyTorch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from kerasseq.kernels.native import library

Tensor = Any  # or None, where a cell has no such weight


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
    tensors = [None if t is None else _tensor(t, dtype) for t in optional]
    mask = None if mask is None else mask.to(torch.bool).contiguous()
    if sequences.device.type == "meta":  # shapes alone are computed
        batch, time, _ = sequences.shape
        units = recurrent_kernel.shape[0]
        shape = (batch, time if recurrence.sequences else 0, units)
        return sequences.new_empty(shape), [sequences.new_empty((batch, units)) for _ in states]
    outputs, h, c = _Recurrence.apply(recurrence, mask, *tensors)
    return outputs, [h, c][: len(states)]


def _tensor(value: Any, dtype: torch.dtype) -> Tensor:
    tensor = getattr(value, "value", value)  # a variable of Keras wraps its tensor
    return tensor.to(dtype).contiguous()


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None or tensor.numel() == 0 else tensor.data_ptr()


class _Recurrence(torch.autograd.Function):
    """Inputs: sequences, the four weights, h, c, recurrent mask; outputs: all outputs, h, c."""

    @staticmethod
    def forward(ctx: Any, recurrence: Any, mask: Tensor | None, *tensors: Tensor) -> Any:
        x, _, recurrent, _, _, h0, *_ = tensors
        batch, time, _ = x.shape
        units = recurrent.shape[0]
        library.check(recurrence.cell, [*tensors, mask])
        problem = _problem(recurrence, mask, *tensors)
        wide = x.dtype == torch.float64
        outputs = x.new_empty((batch, time if recurrence.sequences else 0, units))
        h, c = torch.empty_like(h0), torch.empty_like(h0)
        reserve = None
        if any(ctx.needs_input_grad):
            reserve = x.new_empty(library.reserve(problem, wide))
        problem.y, problem.h, problem.c = _pointer(outputs), _pointer(h), _pointer(c)
        problem.reserve = _pointer(reserve)
        library.call("forward", problem, wide)
        ctx.recurrence = recurrence
        ctx.save_for_backward(mask, reserve, *tensors)
        return outputs, h, c

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        mask, reserve, *tensors = ctx.saved_tensors
        problem = _problem(ctx.recurrence, mask, *tensors)
        upstream = [g.contiguous() for g in gradients]
        problem.dy, problem.dh, problem.dc = map(_pointer, upstream)
        problem.reserve = _pointer(reserve)
        results: list[Tensor | None] = []
        names = ("dx", "dkernel", "drecurrent", "dbias", "dextra", "dh0", "dc0")
        for name, tensor, needed in zip(names, tensors, ctx.needs_input_grad[2:], strict=False):
            gradient = torch.empty_like(tensor) if needed else None
            setattr(problem, name, _pointer(gradient))
            results.append(gradient)
        library.call("backward", problem, tensors[0].dtype == torch.float64)
        return None, None, *_refuse_second_derivatives(results, *tensors, *gradients), None


def _refuse_second_derivatives(gradients: Sequence[Tensor], *sources: Tensor) -> Sequence[Tensor]:
    """The gradients, with an error if they are differentiated.

    Args:
        gradients: Gradients that the extension computed.
        *sources: The tensors that they were computed from.
    """
    if not torch.is_grad_enabled():
        return gradients
    return _Refusal.apply(len(gradients), *gradients, *sources)


class _Refusal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> Any:
        return tensors[:count]

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise NotImplementedError(library.NO_SECOND_DERIVATIVES)


def _problem(recurrence: Any, mask: Tensor | None, *tensors: Tensor) -> library.Problem:
    x, kernel, recurrent, bias, extra, h, c, state_mask = tensors
    batch, time, inputs = x.shape
    return library.Problem(
        cell=library.CELLS.index(recurrence.cell),
        activation=library.ACTIVATIONS.index(recurrence.activation),
        recurrent_activation=library.ACTIVATIONS.index(recurrence.recurrent_activation),
        go_backwards=int(recurrence.go_backwards),
        zero_output=int(recurrence.zero_output),
        threads=torch.get_num_threads(),
        batch=batch,
        time=time,
        inputs=inputs,
        units=recurrent.shape[0],
        x=_pointer(x),
        kernel=_pointer(kernel),
        recurrent=_pointer(recurrent),
        bias=_pointer(bias),
        extra=_pointer(extra),
        h0=_pointer(h),
        c0=_pointer(c),
        recurrent_mask=_pointer(state_mask),
        mask=_pointer(mask),
    )


def linear(a: Sequence[Tensor], b: Sequence[Tensor], start: Sequence[Tensor]) -> list[Tensor]:
    """Compute h = a * h' + b for every step: (batch, time, width) for each part."""
    if a[0].device.type == "meta":
        return [torch.empty_like(part) for part in a]
    trail = _Linear.apply(*(torch.stack(list(parts)) for parts in (a, b, start)))
    return list(trail.unbind())


class _Linear(torch.autograd.Function):
    """Inputs: a, b and h0 with their parts stacked on the first axis; output: h at every step."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
        library.check_linear(a, b, start)
        trail = torch.empty_like(a)
        problem = _linear_problem(a, start, trail)
        problem.b = _pointer(b)
        library.call("linear", problem, a.dtype == torch.float64)
        ctx.save_for_backward(a, start, trail)
        return trail

    @staticmethod
    def backward(ctx: Any, dtrail: Tensor) -> Any:
        a, start, trail = ctx.saved_tensors
        dtrail = dtrail.contiguous()
        results = [torch.empty_like(a), torch.empty_like(a), torch.empty_like(start)]
        problem = _linear_problem(a, start, trail)
        problem.dtrail = _pointer(dtrail)
        problem.da, problem.db, problem.dh0 = map(_pointer, results)
        library.call("linear_gradient", problem, a.dtype == torch.float64)
        return tuple(_refuse_second_derivatives(results, a, start, trail, dtrail))


def chain(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The logarithm of the sum over all paths of a linear chain, (batch,), without gradient."""
    total = unary.new_empty(unary.shape[:1])
    _call_chain("chain", [unary, transitions, mask], total=total)
    return total


def chain_gradient(
    unary: Tensor, transitions: Tensor, mask: Tensor, gradient: Tensor
) -> list[Tensor]:
    """Backpropagate `gradient`, (batch,), through `chain` to unary scores and transitions."""
    results = [torch.empty_like(scores.contiguous()) for scores in (unary, transitions)]
    dunary, dtransitions = results
    _call_chain(
        "chain_gradient",
        [unary, transitions, mask],
        gradient=gradient.contiguous(),
        dunary=dunary,
        dtransitions=dtransitions,
    )
    return results


def _call_chain(name: str, inputs: Sequence[Tensor], **others: Tensor) -> None:
    unary, transitions, mask = (tensor.contiguous() for tensor in inputs)
    if unary.device.type == "meta":
        return
    library.check_chain(unary, transitions, mask)
    batch, time, labels = unary.shape
    problem = library.Chain(threads=torch.get_num_threads(), batch=batch, time=time, labels=labels)
    tensors = {"unary": unary, "transitions": transitions, "mask": mask, **others}
    for field, tensor in tensors.items():
        setattr(problem, field, _pointer(tensor))
    library.call(name, problem, unary.dtype == torch.float64)


def _linear_problem(a: Tensor, start: Tensor, trail: Tensor) -> library.Linear:
    parts, batch, time, units = a.shape
    return library.Linear(
        parts=parts,
        threads=torch.get_num_threads(),
        batch=batch,
        time=time,
        units=units,
        a=_pointer(a),
        h0=_pointer(start),
        trail=_pointer(trail),
    )
