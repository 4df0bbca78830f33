"""A linear recurrence over all timesteps at once: log2(time) parallel sweeps, no loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keras import ops

from kerasseq.kernels.passes import Pass, Result, Situation, finish, prepare

NAME = "associative"


def why_not(cell: Any, situation: Situation) -> str | None:
    """Only linear cells, and on TensorFlow only a known number of timesteps."""
    form = getattr(cell, "form", "opaque")
    if form != "linear":
        return f"{type(cell).__name__} is of the form '{form}', and only linear cells can"
    if situation.unroll:
        return "unroll=True asks for a loop"
    if situation.timesteps is None and situation.backend == "tensorflow":
        return "the number of timesteps is unknown while tracing; give the Input a fixed length"
    return None


def run(cell: Any, sequence: Pass) -> Result:
    """Run a linear cell; masked steps become the identity of the scan."""
    sequence = prepare(cell, sequence)
    frame = cell.begin(sequence.sequences, sequence.training)
    projected = cell.project(sequence.sequences)
    # Noise is drawn time first, as loops want it.
    noise = {name: _batch_first(drawn) for name, drawn in frame.noise.items()}
    a, b = cell.effective(projected, _over_time(frame), noise)
    if sequence.mask is not None:
        counts = sequence.mask[..., None]
        a = tuple(ops.where(counts, p, one) for p, one in zip(a, (1.0, 0.0), strict=False))
        b = tuple(ops.where(counts, p, 0.0) for p in b)
    shape = b[0].shape
    factors, sums = ops.associative_scan(cell.combine, (a, b), axis=1)
    started = cell.multiply(factors, tuple(state[:, None] for state in sequence.states))
    trail = [s + total for s, total in zip(started, sums, strict=True)]
    # On TensorFlow the scan forgets the length.
    trail = [ops.reshape(t, (-1, *shape[1:])) for t in trail]
    final = [t[:, -1] for t in trail]
    shown = trail[: cell.emits_from] if sequence.return_sequences else None
    return finish(cell, sequence, projected, shown, final)


def _batch_first(drawn: Any) -> Any:
    if isinstance(drawn, tuple):
        return tuple(_batch_first(part) for part in drawn)
    return ops.transpose(drawn, (1, 0, 2))


def _over_time(frame: Any) -> Any:
    """The same frame with its mask broadcast over time."""
    if frame.recurrent_mask is None:
        return frame
    return replace(frame, recurrent_mask=frame.recurrent_mask[:, None])
