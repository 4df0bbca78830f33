"""Batches of contiguous streams, for models that carry their state from batch to batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

__all__ = ["StreamBatches", "Streams"]


@dataclass(frozen=True)
class Streams:
    """A sequence of tokens that is read as parallel streams, chunk by chunk.

    The sequence is cut into `streams` rows of equal length. Batch k has the k-th chunk of every
    row, so that a model that carries its state reads each row from its beginning to its end.

    Args:
        tokens: tokens to predict, each from those before it, int `(tokens,)`, all above 0; they may
            be memory-mapped, since a batch alone is copied.
        first: token that the first one follows.
        streams: number of rows, at most the number of tokens.
        steps: timesteps of a chunk.
        vary_steps: whether chunks are shorter, equal and longer than `steps` by turns, on average
            equal, in another order in every epoch, so that others of the tokens come first in a
            chunk, where no gradient goes further back (Merity et al. 2017, arXiv 1708.01009).
        start: token that replaces the first input of a row that begins without a state; None to
            keep it.
        restarts: share of the chunks before which a row begins anew, without a state, as the text
            of a user does; others in every epoch.
        seed: seed of the restarts and of the order of the lengths.
    """

    tokens: np.ndarray
    first: int
    streams: int
    steps: int
    vary_steps: bool = False
    start: int | None = None
    restarts: float = 0.0
    seed: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    def batches(self) -> StreamBatches:
        """The batches, which are never shuffled."""
        return StreamBatches(self)


class StreamBatches(keras.utils.PyDataset):
    """The batches of `Streams`: inputs `tokens`, `following` and `first`, and targets.

    The targets are the input `following`, too, from which a model can compute its loss. `first`,
    int `(streams,)`, is 1 where the state starts anew: in the first batch, and at restarts. Rows
    are filled up with zeros to whole chunks. Where lengths vary, rows also have a weight, the
    length of the chunk in `steps`, so that all tokens count the same; under gradient descent this
    is a learning rate in proportion to the length.

    Args:
        streams: the streams.

    Example:

    >>> batches = StreamBatches(Streams(np.arange(2, 8), first=1, streams=2, steps=2))
    >>> batches[0][0]["tokens"].tolist(), batches[1][0]["tokens"].tolist()
    ([[1, 2], [4, 5]], [[3, 0], [6, 0]])
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self._streams = streams
        self._length = -(-len(streams) // streams.streams)
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """Number of the epoch, which restarts and varying lengths depend on."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._ends = np.cumsum(self._lengths())

    def __len__(self) -> int:
        return -(-self._length // self._streams.steps)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        streams = self._streams
        start, end = (int(self._ends[index - 1]) if index else 0), int(self._ends[index])
        targets, first = self._cut(start, end), self._starts_anew(index)
        tokens = np.where(targets == 0, 0, self._cut(start - 1, end - 1))
        if streams.start is not None:
            tokens[first, 0] = streams.start
        inputs = {"tokens": tokens, "following": targets, "first": first.astype(np.int32)}
        if not streams.vary_steps:
            return inputs, targets
        weight = (end - start) / streams.steps
        return inputs, targets, np.full(streams.streams, weight, dtype=np.float32)

    def _cut(self, start: int, end: int) -> np.ndarray:
        """Tokens from `start` to `end` of each row, `(streams, end - start)`."""
        values = np.zeros((self._streams.streams, end - start), dtype=np.int32)
        for row, target in enumerate(values):
            begin = row * self._length
            # Before a row stands the end of the row before it.
            part = self._streams.tokens[max(0, begin + start) : begin + min(end, self._length)]
            if begin + start < 0:
                part = np.concatenate([[self._streams.first], part])
            target[: len(part)] = part
        return values

    def _starts_anew(self, index: int) -> np.ndarray:
        """Whether each row starts without a state."""
        rows = self._streams.streams
        if index == 0:
            return np.ones(rows, dtype=bool)
        random = np.random.default_rng([self._streams.seed, self.epoch, index])
        return random.random(rows) < self._streams.restarts

    def _lengths(self) -> np.ndarray:
        """Timesteps of each chunk; few different ones, since some backends compile each of them."""
        steps, chunks = self._streams.steps, len(self)
        varied = chunks // 4 if self._streams.vary_steps and steps > 1 else 0
        difference = _difference(steps) if varied else 0
        lengths = np.repeat(
            [steps - difference, steps + difference, steps], [varied, varied, chunks - 2 * varied]
        )
        if varied:
            # TensorFlow takes from the first two batches which axes vary.
            lengths[[1, varied]] = lengths[[varied, 1]]
            np.random.default_rng([self._streams.seed, self.epoch]).shuffle(lengths[2:])
        return lengths


def _difference(steps: int) -> int:
    """Difference of the lengths of chunks: about a third, without a common divisor with `steps`.

    With a common divisor, some tokens could never come first in a chunk.
    """
    candidates = (d for d in range(1, steps) if math.gcd(d, steps) == 1)
    return min(candidates, key=lambda d: abs(d - steps / 3))
