"""The recurrence in C++ on a CPU, forward and backward: whole sequences in one call.

Threads split the batch, and each runs its rows over all timesteps without waiting for the others.
Inputs are projected, and the gradients of weights summed, a block of timesteps at a time, so that
the block stays in the cache. Recurrent weights are packed once per call, with the gates of a unit
side by side.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import keras
from keras import ops

from kerasseq.kernels import associative
from kerasseq.kernels.native import library
from kerasseq.kernels.native.library import instructions, status
from kerasseq.kernels.sequence_call import (
    CallContext,
    Result,
    SequenceCall,
    backend,
    finish,
    prepare,
    typed_mask,
)

__all__ = ["NAME", "instructions", "on_backend", "run", "status", "sums_chains", "why_not"]

NAME = "native"

Tensor = Any

_BACKENDS = ("tensorflow", "jax", "torch")
# Names of further small weights of a cell, in the order in which the extension takes them.
_EXTRA = {
    "peephole_lstm": ["peephole_kernel"],
    "layernorm_lstm": ["kernel_gain", "recurrent_gain", "state_gain", "state_shift"],
}


@dataclass(frozen=True)
class Recurrence:
    """The arguments of a backend's entry point beside tensors.

    Args:
        cell: One of `library.CELLS`.
        activation: One of `library.ACTIVATIONS`.
        recurrent_activation: Activation of the gates, one of `library.ACTIVATIONS`.
        go_backwards: Run from the last timestep.
        zero_output: Masked steps give zeros instead of the previous output.
        sequences: Whether all outputs are returned, or the last one alone.
        training: Whether the call is in training, so that a backward pass is likely.
    """

    cell: str
    activation: str
    recurrent_activation: str
    go_backwards: bool
    zero_output: bool
    sequences: bool
    training: bool


def why_not(cell: Any, context: CallContext) -> str | None:
    """Why it cannot run a cell; None if the extension is installed and computes the cell."""
    linear = getattr(cell, "form", "opaque") == "linear"
    kind = vars(type(cell)).get("fused")
    if not linear and kind not in library.CELLS:
        return f"{type(cell).__name__} is none of the cells it computes ({', '.join(_kinds())})"
    if context.device != "cpu":
        return f"it runs on a CPU, and the device is {context.device}"
    if context.backend not in _BACKENDS:
        return f"it runs under {' and '.join(_BACKENDS)}, and the backend is {context.backend}"
    if context.unroll:
        return "unroll=True asks for a loop; leave it out"
    missing = status()
    if missing:
        return missing
    if context.backend == backend() == "jax":
        reason = on_backend().why_not(context)
        if reason is not None:
            return str(reason)
    return None if linear else _unsupported_option(cell, context)


def sums_chains(context: CallContext) -> bool:
    """Whether the extension is installed and sums over the paths of linear chains in a context."""
    known = context.device == "cpu" and context.backend in _BACKENDS
    if not known or status():
        return False
    return context.backend != "jax" or on_backend().why_not(context) is None


def _kinds() -> list[str]:
    return [*library.CELLS, "linear cells"]


def _unsupported_option(cell: Any, context: CallContext) -> str | None:
    """Why the extension does not compute a cell with its options; None if it does."""
    if cell.compute_dtype not in ("float32", "float64"):
        return f"it does not compute in dtype {cell.compute_dtype}; use float32 or float64"
    if not getattr(cell, "reset_after", True):
        return "reset_after=False needs two products a step; use reset_after=True"
    for name in ("activation", "recurrent_activation"):
        function = getattr(cell, name, None)
        if function is not None and _activation(function) is None:
            known = ", ".join(library.ACTIVATIONS)
            return f"{name} is none of the functions it computes; use one of {known}"
    if any(cell.zoneout_rates):
        return "it does not compute zoneout; use recurrent_dropout or weight_drop"
    if context.training and cell.recurrent_dropout and not cell.variational:
        return (
            f"recurrent_dropout={cell.recurrent_dropout} with variational=False draws at every "
            "step; use variational=True"
        )
    if cell.projection is not None and cell.spec.feeds_projection:
        return f"projection={cell.projection} is fed back; project the outputs by a Dense layer"
    return None


def _activation(function: Any) -> str | None:
    """The name of an activation in `library.ACTIVATIONS`; None for any other."""
    for name in library.ACTIVATIONS:
        if function is keras.activations.get(name):
            return name
    return None


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run a cell over a batch of sequences in the extension."""
    if cell.form == "linear":
        return _run_linear(cell, sequence)
    # Inputs may be integers.
    inputs = ops.cast(sequence.sequences, cell.compute_dtype)
    sequences = cell.drop_inputs(inputs, sequence.training)
    mask = typed_mask(sequence.mask)
    frame = cell.begin(sequences, sequence.training)
    kind = type(cell).fused
    gate = getattr(cell, "recurrent_activation", cell.activation)
    extra = [ops.convert_to_tensor(getattr(cell, name)) for name in _EXTRA.get(kind, [])]
    recurrence = Recurrence(
        cell=kind,
        activation=str(_activation(cell.activation)),
        recurrent_activation=str(_activation(gate)),
        go_backwards=sequence.go_backwards,
        zero_output=sequence.zero_output_for_mask,
        sequences=sequence.return_sequences,
        training=sequence.training,
    )
    outputs, final = on_backend().run(
        recurrence,
        sequences=sequences,
        kernel=cell.kernel,
        recurrent_kernel=frame.recurrent_kernel,
        bias=cell.bias if cell.use_bias else None,
        extra=ops.concatenate(extra) if extra else None,
        states=[ops.cast(state, cell.compute_dtype) for state in sequence.states],
        mask=mask,
        recurrent_mask=frame.recurrent_mask,
    )
    last = final[0]
    if mask is not None:
        # At the last step of the run, which may be masked in some rows.
        last_step_mask = mask[:, 0] if sequence.go_backwards else mask[:, -1]
        has_output = last_step_mask if sequence.zero_output_for_mask else ops.any(mask, axis=1)
        last = last * ops.cast(has_output[:, None], last.dtype)
    if not sequence.return_sequences:
        last = cell.emit([last], None)
        return last, last[:, None], final
    outputs = cell.emit([outputs], None)
    return outputs[:, -1], outputs, final


def _run_linear(cell: Any, sequence: SequenceCall) -> Result:
    sequence = prepare(cell, sequence)
    projected, a, b = associative.terms(cell, sequence)
    trail = on_backend().linear(a, b, sequence.states)
    # If the length is unknown while tracing and 0 when run, the final states are the first ones.
    pairs = zip(sequence.states, trail, strict=True)
    final = [ops.concatenate([h[:, None], part[:, -1:]], axis=1)[:, -1] for h, part in pairs]
    emitted = trail[: cell.emits_from] if sequence.return_sequences else None
    return finish(cell, sequence, projected, emitted, final)


def on_backend() -> ModuleType:
    """The extension as functions of the backend's tensors."""
    return importlib.import_module(f"kerasseq.kernels.native.on_{backend()}")
