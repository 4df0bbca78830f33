"""Inputs projected once for the whole sequence, then a loop that only meets the state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from kerasseq.kernels import bptt, timeloop
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
    """A cell of another library shows only its `call`."""
    if hasattr(cell, "advance"):
        return None
    return f"{type(cell).__name__} is not a kerasseq cell: of its step only `call` is known"


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run a cell of any form, step by step."""
    sequence = prepare(cell, sequence)
    frame = cell.begin(sequence.sequences, sequence.training)
    within = _projects_within(cell, sequence)
    projected = sequence.sequences if within else project(cell, sequence.sequences)
    noise = dict(frame.noise)
    if sequence.mask is not None:
        noise["mask"] = _time_first(sequence.mask)[..., None]
    keep = cell.emits_from if sequence.return_sequences else 0
    over_time = _time_first(projected), noise
    if _has_own_gradient(cell, sequence):
        final, trail = _run_for_training(cell, frame, sequence, *over_time)
    else:

        def step(states: list[Any], now: Any) -> list[Any]:
            inputs, noise = now
            inputs = cell.project(inputs) if within else inputs
            return _step(cell, frame, states, inputs, noise)

        final, trail = timeloop.run(step, sequence.states, over_time, keep, sequence.unroll)
    shown = [_time_first(states) for states in trail[:keep]] if keep else None
    return finish(cell, sequence, projected, shown, final)


def _step(
    cell: Any, frame: Any, states: list[Any], projected: Any, now: dict[str, Any]
) -> list[Any]:
    inputs = ops.cast(projected, cell.state_dtype)
    # Keras computes some products of float64 in float32 on JAX; a loop carries one dtype.
    new = [ops.cast(n, cell.state_dtype) for n in cell.advance(inputs, states, frame, now)]
    if "mask" in now:
        new = [ops.where(now["mask"], n, s) for n, s in zip(new, states, strict=True)]
    return new


def _is_left_to_xla(sequence: SequenceCall, rows: int = 8) -> bool:
    """Whether XLA, on a CPU, makes a faster loop of plain steps than of what is prepared for it."""
    batch = sequence.sequences.shape[0]
    return (
        backend() == "jax"
        and isinstance(batch, int)
        and batch >= rows
        and device(sequence.sequences) == "cpu"
    )


def _projects_within(cell: Any, sequence: SequenceCall) -> bool:
    """Whether inputs are projected step by step, their products in reach of the cache.

    In training each step then adds to the kernel's gradient, which pays off with many rows.
    """
    # What a cell emits with its states has to be there after the loop too.
    return not cell.emits_inputs and _is_left_to_xla(sequence, 32 if sequence.training else 8)


def _has_own_gradient(cell: Any, sequence: SequenceCall) -> bool:
    """Whether a gradient is likely to be asked for, and is not left to the backend.

    PyTorch runs every step by itself either way. Where weights are wider than what is computed
    with, a gradient of our own would have to know what Keras casts, and when.
    """
    same_dtype = cell.compute_dtype == cell.variable_dtype
    left = backend() == "torch" or _is_left_to_xla(sequence)
    return sequence.training and same_dtype and not left


def _run_for_training(
    cell: Any, frame: Any, sequence: SequenceCall, projected: Any, noise: dict[str, Any]
) -> Any:
    rows = {} if frame.recurrent_mask is None else {"recurrent_mask": frame.recurrent_mask}
    weights = [ops.convert_to_tensor(weight) for weight in cell.weights]
    if frame.recurrent_kernel is not None:
        weights.append(frame.recurrent_kernel)

    def step(states: list[Any], given: bptt.Given, product: bptt.Product) -> list[Any]:
        own, rest = given.weights[: len(cell.weights)], given.weights[len(cell.weights) :]
        kernel = {"recurrent_kernel": rest[0]} if rest else {}
        here = replace(frame, product=product, **given.rows, **kernel)
        # The cell reads these tensors where it reads its variables.
        with keras.StatelessScope(state_mapping=list(zip(cell.weights, own, strict=True))):
            return list(_step(cell, here, states, given.projected, given.noise))

    given = bptt.Given(projected, noise, rows, weights)
    return bptt.run(step, sequence.states, given, sequence.unroll)


def _time_first(tensor: Any) -> Any:
    """Swap batch and time."""
    return ops.transpose(tensor, (1, 0, *range(2, len(tensor.shape))))
