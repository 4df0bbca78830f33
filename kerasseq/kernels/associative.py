"""A linear recurrence over all timesteps at once: log2(time) parallel sweeps, no loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
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
    factors, sums = _scan(cell.combine, (a, b), sequence.sequences.shape[1])
    started = cell.multiply(factors, tuple(state[:, None] for state in sequence.states))
    trail = [s + total for s, total in zip(started, sums, strict=True)]
    final = [t[:, -1] for t in trail]
    shown = trail[: cell.emits_from] if sequence.return_sequences else None
    return finish(cell, sequence, projected, shown, final)


def _scan(combine: Any, elements: Any, length: int) -> Any:
    """All prefixes over time: neighbours combined, scanned at half the length, and filled in.

    `keras.ops.associative_scan` would serve, but on TensorFlow it branches on lengths that are
    known, which XLA cannot compile, and is slow to trace.
    """
    if length < 2:
        return elements
    each = keras.tree.map_structure
    left = each(lambda x: x[:, : length - 1 : 2], elements)
    right = each(lambda x: x[:, 1::2], elements)
    odd = _scan(combine, combine(left, right), length // 2)
    even = each(lambda x: x[:, :1], elements)
    if length > 2:
        before = odd if length % 2 else each(lambda x: x[:, :-1], odd)
        after = combine(before, each(lambda x: x[:, 2::2], elements))
        even = each(lambda x, y: ops.concatenate([x, y], axis=1), even, after)
    return each(_interleave, even, odd)


def _interleave(even: Any, odd: Any) -> Any:
    """even[0], odd[0], even[1], odd[1], ... along time; there may be one more even."""
    count = odd.shape[1]
    pairs = ops.stack([even[:, :count], odd], axis=2)
    merged = ops.reshape(pairs, (-1, 2 * count, *even.shape[2:]))
    return merged if even.shape[1] == count else ops.concatenate([merged, even[:, count:]], axis=1)


def _batch_first(drawn: Any) -> Any:
    if isinstance(drawn, tuple):
        return tuple(_batch_first(part) for part in drawn)
    return ops.transpose(drawn, (1, 0, 2))


def _over_time(frame: Any) -> Any:
    """The same frame with its mask broadcast over time."""
    if frame.recurrent_mask is None:
        return frame
    return replace(frame, recurrent_mask=frame.recurrent_mask[:, None])
