"""A linear recurrence over all chunks of time at once, of any length and differentiable."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from keras import ops

from kerasseq.kernels import recurrence
from kerasseq.kernels.projection import project
from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall, finish, prepare

NAME = "associative"

Tensor = Any

# A chunk has as many steps as there are chunks, which is fewest; shorter sequences are one chunk,
# and what is of unknown length has chunks of this many.
_CHUNK = 32

_ONE = (1.0, 0.0)  # real and imaginary part


def why_not(cell: Any, context: CallContext) -> str | None:
    """None for a linear cell, unless the loop is to be unrolled."""
    form = getattr(cell, "form", "opaque")
    if form != "linear":
        return f"{type(cell).__name__} is of the form '{form}', and only linear cells can"
    if context.unroll:
        return "unroll=True asks for a loop"
    return None


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run a linear cell; a masked step is the identity of the recurrence."""
    sequence = prepare(cell, sequence)
    projected, a, b = terms(cell, sequence)
    chunks = _Chunks.from_sequences(sequence.sequences)
    # Behind the end the identity too, so that the last state is that of the last step.
    a = tuple(chunks.fold(part, o) for part, o in zip(a, _ONE, strict=False))
    b = tuple(chunks.fold(part, 0.0) for part in b)
    trail = recurrence.run(cell.multiply, a, b, sequence.states)
    final = [part[-1, -1] for part in trail]
    shown = None
    if sequence.return_sequences:
        shown = [chunks.unfold(part) for part in trail[: cell.emits_from]]
    return finish(cell, sequence, projected, shown, final)


def terms(
    cell: Any, sequence: SequenceCall
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Projected inputs, and the a and b of h = a h' + b for every step, of what `prepare` gave."""
    frame = cell.begin(sequence.sequences, sequence.training)
    projected = project(cell, sequence.sequences)
    # Noise is drawn time first, as loops want it.
    noise = {name: _batch_first(drawn) for name, drawn in frame.noise.items()}
    a, b = cell.effective(projected, _over_time(frame), noise)
    if sequence.mask is not None:
        counts = sequence.mask[..., None]
        a = tuple(ops.where(counts, part, o) for part, o in zip(a, _ONE, strict=False))
        b = tuple(ops.where(counts, part, 0.0) for part in b)
    return projected, a, b


@dataclass(frozen=True)
class _Chunks:
    """How a sequence is cut: `time` steps in `count` chunks of `steps` each."""

    time: Any  # a tensor where it is unknown while tracing
    steps: int
    count: Any

    @property
    def exact(self) -> bool:
        """Whether nothing is to be filled up."""
        return isinstance(self.time, int) and self.steps * self.count == self.time

    @classmethod
    def from_sequences(cls, sequences: Tensor) -> _Chunks:
        time = sequences.shape[1]
        if time is None:
            time = ops.shape(sequences)[1]
            return cls(time, _CHUNK, ops.maximum(1, (time + _CHUNK - 1) // _CHUNK))
        steps = time if time <= _CHUNK else math.ceil(math.sqrt(time))
        return cls(time, steps, math.ceil(time / steps))

    def fold(self, x: Tensor, fill: float) -> Tensor:
        """(batch, time, width) to (steps, chunks, batch, width), filled up at the end."""
        batch, width = ops.shape(x)[0], x.shape[-1]
        if not self.exact:
            missing = self.steps * self.count - self.time
            more = ops.full((batch, missing, width), fill, x.dtype)
            x = ops.concatenate([x, more], axis=1)
        x = ops.reshape(x, (batch, self.count, self.steps, width))
        return ops.transpose(x, (2, 1, 0, 3))

    def unfold(self, x: Tensor) -> Tensor:
        """Back again, without what filled up the end."""
        batch, width = ops.shape(x)[2], x.shape[-1]
        x = ops.transpose(x, (2, 1, 0, 3))
        x = ops.reshape(x, (batch, self.steps * self.count, width))
        return x if self.exact else x[:, : self.time]


def _batch_first(drawn: Any) -> Any:
    if isinstance(drawn, tuple):
        return tuple(_batch_first(part) for part in drawn)
    return ops.transpose(drawn, (1, 0, 2))


def _over_time(frame: Any) -> Any:
    """The same frame with its mask broadcast over time."""
    if frame.recurrent_mask is None:
        return frame
    return replace(frame, recurrent_mask=frame.recurrent_mask[:, None])
