"""The call of a layer on a batch of sequences, and the steps common to all kernels."""

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
    """The properties of a call that decide which kernels can run it.

    Args:
        backend: `tensorflow`, `jax` or `torch`.
        timesteps: Length of the sequences; None if it is unknown while tracing.
        unroll: Whether the loop over time has to be unrolled.
        device: `cpu`, `gpu`, or the backend's name of another kind of device.
        masked: Whether the call has a mask.
        training: Whether the call is in training, so that dropout and zoneout draw noise.
        batch: Number of rows; None if it is unknown while tracing.
        inputs: Features of a timestep; None before the first call.
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
    """The arguments of a kernel: one call of a recurrent layer.

    Args:
        sequences: (batch, time, inputs).
        states: One (batch, width) tensor per state.
        mask: (batch, time) booleans or None; a masked step holds the states and repeats the
            previous output (zeros before the first).
        training: Whether dropout and zoneout draw noise.
        go_backwards: Run from the last timestep, with outputs in the order of the run.
        return_sequences: Whether the layer returns all outputs, or the last one alone.
        zero_output_for_mask: Masked steps give zeros instead of the previous output.
        unroll: Unroll the loop over time.
        fallback: Runs the loop of Keras over the cell.
        return_state: Whether the layer reads the final states.
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
    """Cast a mask to (batch, time) booleans, also from (batch, time, 1); None stays None."""
    if mask is None:
        return None
    mask = ops.cast(mask, "bool")
    return ops.squeeze(mask, -1) if len(mask.shape) == 3 else mask


def last_step(mask: Tensor) -> Tensor:
    """The last unmasked timestep of each row, (batch,); 0 for a row that is fully masked."""
    # The first timestep with the highest count. Not `ops.max`, which fails in Keras for a batch
    # without rows; not `ops.arange`, which needs to know the number of timesteps.
    return ops.argmax(ops.cumsum(ops.cast(mask, "int32"), axis=1), axis=1)


def prepare(cell: Any, sequence: SequenceCall) -> SequenceCall:
    """Put a call into the order of the run, with input dropout applied.

    Sequences and mask are flipped if the call runs backwards; the mask becomes (batch, time)
    booleans, and the states get the cell's state dtype.
    """
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
    """Compute the outputs from the states.

    Args:
        cell: The cell.
        sequence: The call, as `prepare` returns it.
        projected: Projected inputs, (batch, time, ...).
        trail: The states that `emit` reads, after every step, (batch, time, width) each; None
            if only the last output is needed.
        final: The states after the last step, (batch, width) each.

    Returns:
        The last output, all outputs (or the last one alone) and the final states.
    """
    mask = sequence.mask
    if trail is None:
        return _last_output(cell, sequence, projected, final)
    outputs = ops.cast(cell.emit(_cast_states(cell, trail), projected), cell.compute_dtype)
    if mask is not None:
        if sequence.zero_output_for_mask:
            outputs = outputs * ops.cast(ops.expand_dims(mask, -1), outputs.dtype)
        else:
            outputs = _repeat_at_masked(outputs, mask, gather=cell.emits_inputs)
    return outputs[:, -1], outputs, final


def _last_output(
    cell: Any, sequence: SequenceCall, projected: Tensor, final: list[Tensor]
) -> Result:
    mask = sequence.mask
    if not cell.emits_inputs or mask is None:
        emitted_inputs = projected[:, -1]
    else:
        last = last_step(mask)[:, None, None]
        emitted_inputs = ops.take_along_axis(projected, last, axis=1)[:, 0]
    output = ops.cast(cell.emit(_cast_states(cell, final), emitted_inputs), cell.compute_dtype)
    if mask is not None:
        has_output = mask[:, -1] if sequence.zero_output_for_mask else ops.any(mask, axis=1)
        output = output * ops.cast(has_output[:, None], output.dtype)
    return output, output[:, None], final


def _cast_states(cell: Any, states: list[Tensor]) -> list[Tensor]:
    return [ops.cast(state, cell.compute_dtype) for state in states]


def _repeat_at_masked(outputs: Tensor, mask: Tensor, gather: bool) -> Tensor:
    """Repeat the previous output at masked steps; zeros before the first unmasked step.

    Args:
        outputs: (batch, time, width).
        mask: (batch, time) booleans.
        gather: Whether outputs at masked steps differ from the previous one. They are equal
            already if the cell emits from its states alone, which masked steps hold.
    """
    counts = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    if gather:
        time = ops.arange(ops.shape(mask)[1])[None]
        # Sorting puts the unmasked steps first, in order: `places[n]` is that of the n-th.
        places = ops.argsort(ops.where(mask, time, time + ops.shape(mask)[1]), axis=1)
        latest = ops.take_along_axis(places, ops.maximum(counts - 1, 0), axis=1)
        outputs = ops.take_along_axis(outputs, ops.expand_dims(latest, -1), axis=1)
    return outputs * ops.cast(ops.expand_dims(counts, -1) > 0, outputs.dtype)


def backend() -> str:
    """Name of the Keras backend in use: `tensorflow`, `jax` or `torch`."""
    return str(keras.backend.backend())


def device(tensor: Tensor = None) -> str:
    """The kind of device that computes: `cpu`, `gpu`, or the backend's name of another kind.

    Args:
        tensor: A tensor of the computation. It decides on PyTorch, where every tensor lies on one
            device, and on TensorFlow if a graph is traced under `tf.device`.
    """
    kind = ""
    if backend() == "torch":
        import torch

        kind = getattr(getattr(tensor, "device", None), "type", "meta")
        if kind == "meta":  # shapes alone are computed: assume a GPU if there is one
            kind = "cuda" if torch.cuda.is_available() else "cpu"
    elif backend() == "jax":
        import jax

        kind = jax.default_backend()
    elif backend() == "tensorflow":
        import tensorflow as tf

        placed = "" if tf.executing_eagerly() else str(getattr(tensor, "device", "") or "")
        placed_on_cpu = "device:CPU" in placed
        # This call does not initialise TensorFlow, which can still be configured afterwards.
        kind = "gpu" if tf.config.get_visible_devices("GPU") and not placed_on_cpu else "cpu"
    return "gpu" if kind in ("cuda", "rocm") else kind or "cpu"
