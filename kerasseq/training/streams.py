"""Batches of contiguous streams, for models that carry their state from batch to batch."""

from __future__ import annotations

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
        inputs: tokens that are read, int `(tokens,)`.
        targets: token to predict after each of them, int `(tokens,)`; 0 does not count.
        streams: number of rows, at most the number of tokens.
        steps: timesteps of a chunk.
        start: token that replaces the first input of a row that begins without a state; None to
            keep it.
        restarts: share of the chunks before which a row begins anew, without a state, as the text
            of a user does; others in every epoch.
        seed: seed of the restarts.
    """

    inputs: np.ndarray
    targets: np.ndarray
    streams: int
    steps: int
    start: int | None = None
    restarts: float = 0.0
    seed: int = 0

    def __len__(self) -> int:
        return len(self.inputs)

    def batches(self) -> StreamBatches:
        """The batches, which are never shuffled."""
        return StreamBatches(self)


class StreamBatches(keras.utils.PyDataset):
    """The batches of `Streams`: inputs `tokens` and `first`, and targets.

    `first`, int `(streams,)`, is 1 where the state starts anew: in the first batch, and at
    restarts. The rows are filled up with zeros to whole chunks.

    Args:
        streams: the streams.

    Example:

    >>> batches = StreamBatches(Streams(np.arange(1, 7), np.arange(2, 8), streams=2, steps=2))
    >>> batches[0][0]["tokens"].tolist(), batches[1][0]["tokens"].tolist()
    ([[1, 2], [4, 5]], [[3, 0], [6, 0]])
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self.epoch = 0  # set by the training; the order is the same in every epoch
        self._streams = streams
        rows, steps = streams.streams, streams.steps
        self._steps = steps
        length = -(-len(streams) // rows)
        chunks = -(-length // steps)
        self._inputs, self._targets = (
            _rows(values, rows, length, chunks * steps)
            for values in (streams.inputs, streams.targets)
        )

    def __len__(self) -> int:
        return self._inputs.shape[1] // self._steps

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        part = slice(index * self._steps, (index + 1) * self._steps)
        tokens, first = self._inputs[:, part], self._starts_anew(index)
        if self._streams.start is not None:
            tokens = tokens.copy()
            tokens[first, 0] = self._streams.start
        return {"tokens": tokens, "first": first.astype(np.int32)}, self._targets[:, part]

    def _starts_anew(self, index: int) -> np.ndarray:
        """Whether each row starts without a state."""
        if index == 0:
            return np.ones(len(self._inputs), dtype=bool)
        random = np.random.default_rng([self._streams.seed, self.epoch, index])
        return random.random(len(self._inputs)) < self._streams.restarts


def _rows(values: np.ndarray, rows: int, length: int, width: int) -> np.ndarray:
    """Consecutive rows of `length` values, filled up with zeros to `width`."""
    filled = np.zeros(rows * length, dtype=np.int32)
    filled[: len(values)] = values
    return np.pad(filled.reshape(rows, length), [(0, 0), (0, width - length)])
