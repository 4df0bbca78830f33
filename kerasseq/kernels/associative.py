"""The kernel for linear cells: a scan over chunks of time that run in parallel."""

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

# Steps of a chunk for sequences of unknown length; a sequence of at most this length is one chunk.
# A longer one has as many chunks as a chunk has steps, which makes both loops shortest.
_CHUNK = 32

_ONE = (1.0, 0.0)  # real and imaginary part


def why_not(cell: Any, context: CallContext) -> str | None:
    """Why it cannot run a cell; None for a linear cell, unless the loop is unrolled."""
    form = getattr(cell, "form", "opaque")
    if form != "linear":
        return f"{type(cell).__name__} is of the form '{form}', and only linear cells can"
    if context.unroll:
        return "unroll=True asks for a loop"
    return None


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run a linear cell; a masked step leaves the state as it is (a = 1, b = 0)."""
    sequence = prepare(cell, sequence)
    projected, a, b = terms(cell, sequence)
    chunks = _Chunks.from_sequences(sequence.sequences)
    # Padding behind the end leaves the state as it is too, so the last state is the final one.
    a = tuple(chunks.fold(part, identity) for part, identity in zip(a, _ONE, strict=False))
    b = tuple(chunks.fold(part, 0.0) for part in b)
    trail = recurrence.run(cell.multiply, a, b, sequence.states)
    final = [part[-1, -1] for part in trail]
    emitted = None
    if sequence.return_sequences:
        emitted = [chunks.unfold(part) for part in trail[: cell.emits_from]]
    return finish(cell, sequence, projected, emitted, final)


def terms(
    cell: Any, sequence: SequenceCall
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Projected inputs and the coefficients of h = a * h' + b for every step.

    Args:
        cell: A linear cell.
        sequence: A sequence call, as `prepare` returns it.

    Returns:
        The projected inputs, (batch, time, columns), and the factors a and the summands b, each
        a tuple with one (batch, time, width) tensor per part (real, or real and imaginary).
    """
    frame = cell.begin(sequence.sequences, sequence.training)
    projected = project(cell, sequence.sequences)
    # Noise is drawn with time first, as loops need it.
    noise = {name: _batch_first(values) for name, values in frame.noise.items()}
    a, b = cell.effective(projected, _broadcast_mask(frame), noise)
    if sequence.mask is not None:
        unmasked = sequence.mask[..., None]
        a = tuple(
            ops.where(unmasked, part, identity) for part, identity in zip(a, _ONE, strict=False)
        )
        b = tuple(ops.where(unmasked, part, 0.0) for part in b)
    return projected, a, b


@dataclass(frozen=True)
class _Chunks:
    """A sequence of `time` steps, cut into `count` chunks of `steps` timesteps each."""

    time: Any  # a tensor where it is unknown while tracing
    steps: int
    count: Any

    @property
    def exact(self) -> bool:
        """Whether the chunks have exactly `time` steps, so that no padding is needed."""
        return isinstance(self.time, int) and self.steps * self.count == self.time

    @classmethod
    def from_sequences(cls, sequences: Tensor) -> _Chunks:
        """The chunks of (batch, time, inputs) sequences."""
        time = sequences.shape[1]
        if time is None:
            time = ops.shape(sequences)[1]
            return cls(time, _CHUNK, ops.maximum(1, (time + _CHUNK - 1) // _CHUNK))
        steps = time if time <= _CHUNK else math.ceil(math.sqrt(time))
        return cls(time, steps, math.ceil(time / steps))

    def fold(self, x: Tensor, fill: float) -> Tensor:
        """Reshape (batch, time, width) to (steps, chunks, batch, width), padded at the end."""
        batch, width = ops.shape(x)[0], x.shape[-1]
        if not self.exact:
            padding_steps = self.steps * self.count - self.time
            padding = ops.full((batch, padding_steps, width), fill, x.dtype)
            x = ops.concatenate([x, padding], axis=1)
        x = ops.reshape(x, (batch, self.count, self.steps, width))
        return ops.transpose(x, (2, 1, 0, 3))

    def unfold(self, x: Tensor) -> Tensor:
        """Reshape (steps, chunks, batch, width) to (batch, time, width), without the padding."""
        batch, width = ops.shape(x)[2], x.shape[-1]
        x = ops.transpose(x, (2, 1, 0, 3))
        x = ops.reshape(x, (batch, self.steps * self.count, width))
        return x if self.exact else x[:, : self.time]


def _batch_first(values: Any) -> Any:
    if isinstance(values, tuple):
        return tuple(_batch_first(part) for part in values)
    return ops.transpose(values, (1, 0, 2))


def _broadcast_mask(frame: Any) -> Any:
    """The same frame with its mask broadcast over time."""
    if frame.recurrent_mask is None:
        return frame
    return replace(frame, recurrent_mask=frame.recurrent_mask[:, None])
