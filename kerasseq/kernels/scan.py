"""The kernel for every cell of kerasseq: one input projection, then a loop over the state."""

from __future__ import annotations

import functools
import importlib
from dataclasses import replace
from types import ModuleType
from typing import Any

import keras
from keras import ops

from kerasseq.kernels import bptt, crossovers, timeloop
from kerasseq.kernels.projection import project
from kerasseq.kernels.sequence_call import (
    CallContext,
    Result,
    SequenceCall,
    backend,
    device,
    finish,
    prepare,
)

NAME = "scan"


def why_not(cell: Any, context: CallContext) -> str | None:
    """Why the kernel cannot run a cell; None for every cell of kerasseq."""
    if hasattr(cell, "advance"):
        return None
    return f"{type(cell).__name__} is not a kerasseq cell: of its step only `call` is known"


_LOOP: timeloop.Loop = functools.partial(timeloop.run, batch_first=True)


def run(cell: Any, sequence: SequenceCall, loop: timeloop.Loop = _LOOP) -> Result:
    """Run a cell of any form, step by step.

    Args:
        cell: A cell of kerasseq.
        sequence: The call.
        loop: The loop over time in inference.
    """
    sequence = prepare(cell, sequence)
    frame = cell.begin(sequence.sequences, sequence.training)
    projects_within = _projects_within(cell, sequence)
    projected = sequence.sequences if projects_within else project(cell, sequence.sequences)
    noise = dict(frame.noise)
    keep = cell.emits_from if sequence.return_sequences else 0

    def step(states: list[Any], slices: Any) -> list[Any]:
        inputs, noise = slices
        inputs = cell.project(inputs) if projects_within else inputs
        return _step(cell, frame, states, inputs, noise)

    if sequence.mask is not None:
        noise["mask"] = ops.expand_dims(_time_first(sequence.mask), -1)
    over_time = _time_first(projected), noise
    gradient = _own_gradient(cell, sequence)
    if gradient is not None:
        final, trail = _run_for_training(
            cell, frame, sequence, gradient, *over_time, projects_within
        )
    else:
        final, trail = loop(step, sequence.states, over_time, keep, sequence.unroll)
    emitted = [_time_first(states) for states in trail[:keep]]
    return finish(cell, sequence, projected, emitted or None, final)


def _step(
    cell: Any, frame: Any, states: list[Any], projected: Any, noise: dict[str, Any]
) -> list[Any]:
    inputs = ops.cast(projected, cell.state_dtype)
    # Keras computes some products of float64 in float32 on JAX; a loop carries one dtype.
    new_states = [ops.cast(n, cell.state_dtype) for n in cell.advance(inputs, states, frame, noise)]
    if "mask" in noise:
        new_states = [
            ops.where(noise["mask"], n, s) for n, s in zip(new_states, states, strict=True)
        ]
    return new_states


def _is_on_cpu_under_jax(sequence: SequenceCall) -> bool:
    return backend() == "jax" and device(sequence.sequences) == "cpu"


def _projects_within(cell: Any, sequence: SequenceCall) -> bool:
    """Whether each step projects its own inputs, so that the products stay in the cache.

    Measured on a CPU under JAX: that is faster from 8 rows on.
    """
    batch = sequence.sequences.shape[0]
    many = isinstance(batch, int) and batch >= 8
    # A cell that emits projected inputs reads them after the loop too.
    return many and not cell.emits_inputs and _is_on_cpu_under_jax(sequence)


def _sums(cell: Any) -> bool:
    """Whether a step reads projected inputs and recurrent product only as their sum."""
    # Of the class itself: a subclass may have another step.
    return bool(vars(type(cell)).get("sums_projected", False))


def _own_gradient(cell: Any, sequence: SequenceCall) -> ModuleType | None:
    """The module whose gradient the loop takes; None for the gradient of the backend.

    Only in training. Not on PyTorch, which runs every step by itself either way. Not if the dtype
    of the weights differs from the compute dtype: the gradient would have to follow the casts of
    Keras. Measured: on a CPU under JAX, `deferred` is faster than `bptt`, and XLA's own gradient
    where crossovers.json says so.
    """
    same_dtype = cell.compute_dtype == cell.variable_dtype
    if not (sequence.training and same_dtype) or backend() == "torch":
        return None
    if not _is_on_cpu_under_jax(sequence):
        return bptt
    if crossovers.is_gradient_left_to_backend(cell, _context(sequence)):
        return None
    return importlib.import_module("kerasseq.kernels.deferred")  # imports JAX


def _context(sequence: SequenceCall) -> CallContext:
    sizes = [s if isinstance(s, int) else None for s in sequence.sequences.shape]
    return CallContext(
        backend(),
        timesteps=sizes[1],
        device=device(sequence.sequences),
        masked=sequence.mask is not None,
        training=sequence.training,
        batch=sizes[0],
        inputs=sizes[2],
    )


def _run_for_training(
    cell: Any,
    frame: Any,
    sequence: SequenceCall,
    gradient: ModuleType,
    projected: Any,
    noise: dict[str, Any],
    projects_within: bool,
) -> Any:
    rows = {} if frame.recurrent_mask is None else {"recurrent_mask": frame.recurrent_mask}
    weights = [ops.convert_to_tensor(weight) for weight in cell.weights]
    if frame.recurrent_kernel is not None:
        weights.append(frame.recurrent_kernel)

    count = len(cell.weights)

    def reading(weights: list[Any]) -> keras.StatelessScope:
        """Inside this scope, the cell reads these tensors in place of its variables."""
        mapping = zip(cell.weights, weights[:count], strict=True)
        return keras.StatelessScope(state_mapping=list(mapping))

    def step(states: list[Any], tensors: bptt.StepTensors, product: bptt.Product) -> list[Any]:
        effective = tensors.weights[count:]
        kernel = {"recurrent_kernel": effective[0]} if effective else {}
        step_frame = replace(frame, product=product, **tensors.rows, **kernel)
        with reading(tensors.weights):
            return list(_step(cell, step_frame, states, tensors.projected, tensors.noise))

    def project_rows(inputs: Any, weights: list[Any]) -> Any:
        with reading(weights):
            return ops.cast(cell.project(inputs), cell.state_dtype)

    tensors = bptt.StepTensors(projected, noise, rows, weights)
    options: dict[str, Any] = {}
    if gradient is not bptt:
        options = {"project": project_rows if projects_within else None, "sums": _sums(cell)}
    return gradient.run(step, sequence.states, tensors, sequence.unroll, **options)


def _time_first(tensor: Any) -> Any:
    """Swap batch and time."""
    return ops.transpose(tensor, (1, 0, *range(2, len(tensor.shape))))
