"""One pass of a cell over a batch of sequences, and what every kernel does before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import ops

Tensor = Any
Result = tuple[Tensor, Tensor, list[Tensor]]


@dataclass(frozen=True)
class CallContext:
    """What decides which kernels can run.

    Args:
        backend: `tensorflow`, `jax` or `torch`.
        timesteps: Length of the sequences, None if unknown while tracing.
        unroll: Whether the loop over time is to be unrolled.
        device: `cpu`, `gpu`, or what else the backend computes on.
        masked: Whether a mask comes with the call.
        training: Whether the cell's wrappers draw noise, if it has any.
        batch: Rows, None if unknown while tracing.
        inputs: Features of a timestep, None before the first call.
    """

    backend: str
    timesteps: int | None
    unroll: bool = False
    device: str = "cpu"
    masked: bool = False
    training: bool = False
    batch: int | None = None
    inputs: int | None = None


@dataclass(frozen=True)
class SequenceCall:
    """What a kernel is given.

    Args:
        sequences: (batch, time, inputs).
        states: One (batch, width) tensor per state.
        mask: (batch, time) booleans or None; a masked step holds the states and repeats the
            previous output (zeros before the first).
        training: Whether wrappers draw noise.
        go_backwards: Run from the last timestep, with outputs in the order of the run.
        return_sequences: Whether all outputs are asked for.
        zero_output_for_mask: Masked steps give zeros instead of the previous output.
        unroll: Unroll the loop over time.
        fallback: Keras's own loop over the cell.
        return_state: Whether the final states are read.
    """

    sequences: Tensor
    states: list[Tensor]
    mask: Tensor | None
    training: bool
    go_backwards: bool
    return_sequences: bool
    zero_output_for_mask: bool
    unroll: bool
    fallback: Callable[[], Result]
    return_state: bool = True


def typed_mask(mask: Tensor | None) -> Tensor | None:
    """A mask as (batch, time) booleans."""
    if mask is None:
        return None
    mask = ops.cast(mask, "bool")
    return ops.squeeze(mask, -1) if len(mask.shape) == 3 else mask


def last_step(mask: Tensor) -> Tensor:
    """The last timestep of each row that counts, (batch,); the first where none does."""
    time = ops.arange(ops.shape(mask)[1])[None]
    # Not a maximum, which Keras does not take over a batch of no rows.
    return ops.argmax(ops.where(mask, time, -1), axis=1)


def prepare(cell: Any, sequence: SequenceCall) -> SequenceCall:
    """The same pass in running order: flipped, inputs dropped out, mask and states typed."""
    sequences = cell.drop_inputs(sequence.sequences, sequence.training)
    mask = typed_mask(sequence.mask)
    if sequence.go_backwards:
        sequences = ops.flip(sequences, axis=1)
        mask = None if mask is None else ops.flip(mask, axis=1)
    states = [ops.cast(state, cell.state_dtype) for state in sequence.states]
    return replace(sequence, sequences=sequences, states=states, mask=mask)


def finish(
    cell: Any,
    sequence: SequenceCall,
    projected: Tensor,
    trail: list[Tensor] | None,
    final: list[Tensor],
) -> Result:
    """Outputs from states.

    Args:
        cell: The cell.
        sequence: What `prepare` gave.
        projected: Projected inputs, (batch, time, ...).
        trail: The states that `emit` reads after every step, (batch, time, width) each; None
            if only the last output is asked for.
        final: The states after the last step.
    """
    mask = sequence.mask
    if trail is None:
        return _last(cell, sequence, projected, final)
    outputs = ops.cast(cell.emit(_compute(cell, trail), projected), cell.compute_dtype)
    if mask is not None:
        if sequence.zero_output_for_mask:
            outputs = outputs * ops.cast(mask[..., None], outputs.dtype)
        else:
            outputs = _hold(outputs, mask, gather=cell.emits_inputs)
    return outputs[:, -1], outputs, final


def _last(cell: Any, sequence: SequenceCall, projected: Tensor, final: list[Tensor]) -> Result:
    mask = sequence.mask
    if not cell.emits_inputs or mask is None:
        shown = projected[:, -1]
    else:
        latest = last_step(mask)[:, None, None]
        shown = ops.take_along_axis(projected, latest, axis=1)[:, 0]
    output = ops.cast(cell.emit(_compute(cell, final), shown), cell.compute_dtype)
    if mask is not None:
        real = mask[:, -1] if sequence.zero_output_for_mask else ops.any(mask, axis=1)
        output = output * ops.cast(real[:, None], output.dtype)
    return output, output[:, None], final


def _compute(cell: Any, states: list[Tensor]) -> list[Tensor]:
    return [ops.cast(state, cell.compute_dtype) for state in states]


def _hold(outputs: Tensor, mask: Tensor, gather: bool) -> Tensor:
    """Repeat the previous output at masked steps; zeros before the first step that counts."""
    seen = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    if gather:  # else held states have given the same output already
        time = ops.arange(ops.shape(mask)[1])[None]
        # Sorting puts the steps that count first, in order: the n-th is the n-th seen.
        places = ops.argsort(ops.where(mask, time, time + ops.shape(mask)[1]), axis=1)
        latest = ops.take_along_axis(places, ops.maximum(seen - 1, 0), axis=1)
        outputs = ops.take_along_axis(outputs, latest[..., None], axis=1)
    return outputs * ops.cast(seen[..., None] > 0, outputs.dtype)


def backend() -> str:
    """The Keras backend that runs."""
    return str(keras.backend.backend())


def device(tensor: Tensor = None) -> str:
    """Where the backend computes: `cpu`, `gpu`, or another kind by the backend's own name.

    Args:
        tensor: What is computed with. It decides on PyTorch, where every tensor has its place,
            and on TensorFlow where a graph is traced under `tf.device`.
    """
    kind = ""
    if backend() == "torch":
        import torch

        kind = getattr(getattr(tensor, "device", None), "type", "meta")
        if kind == "meta":  # only shapes are asked for: what will be run, where there is a choice
            kind = "cuda" if torch.cuda.is_available() else "cpu"
    elif backend() == "jax":
        import jax

        kind = jax.default_backend()
    elif backend() == "tensorflow":
        import tensorflow as tf

        placed = "" if tf.executing_eagerly() else str(getattr(tensor, "device", "") or "")
        held_back = "device:CPU" in placed
        # Asked so, TensorFlow does not start up yet, and can still be configured.
        kind = "gpu" if tf.config.get_visible_devices("GPU") and not held_back else "cpu"
    return "gpu" if kind in ("cuda", "rocm") else kind or "cpu"
