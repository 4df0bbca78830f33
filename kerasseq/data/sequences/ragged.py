"""Sequences of unequal length in one array."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Ragged"]


@dataclass(frozen=True)
class Ragged:
    """Sequences of unequal length, one after another in one array.

    Parts and windows share this array, so that a split copies nothing.

    Args:
        values: timesteps of all sequences, `(timesteps, channels)`, or `(timesteps, height, width,
            channels)` for frames.
        starts: first timestep of each sequence, `(sequences,)`.
        lengths: number of timesteps of each sequence, `(sequences,)`.

    Example:

    >>> ragged = Ragged.join([np.zeros((3, 2)), np.ones((5, 2))])
    >>> len(ragged), ragged[1].shape, ragged.take(np.array([1])).lengths.tolist()
    (2, (5, 2), [5])
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def join(
        cls,
        sequences: Sequence[np.ndarray] | np.ndarray,
        dtype: np.dtype | type[np.floating] = np.float32,
    ) -> Ragged:
        """Join sequences of the same channels; a 3-D array of the type is used without a copy.

        Args:
            sequences: sequences, `(timesteps, channels)`; or frames of uint8, which stay so.
            dtype: type of the numbers.
        """
        if isinstance(sequences, np.ndarray):
            count, length = sequences.shape[:2]
            lengths = np.full(count, length, dtype=np.int64)
            values = np.ascontiguousarray(sequences, dtype=dtype)
            values = values.reshape(count * length, *sequences.shape[2:])
        else:
            lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
            kinds = {sequence.dtype for sequence in sequences}
            kept = np.uint8 if kinds == {np.dtype(np.uint8)} else dtype
            values = np.concatenate(sequences, dtype=kept, casting="unsafe")
        return cls(values, np.cumsum(lengths) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> np.ndarray:
        start = self.starts[number]
        return self.values[start : start + self.lengths[number]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.__getitem__, range(len(self)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a timestep: `(channels,)`, or `(height, width, channels)`."""
        return self.values.shape[1:]

    def take(self, rows: np.ndarray) -> Ragged:
        """The sequences with these numbers."""
        return Ragged(self.values, self.starts[rows], self.lengths[rows])

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the sequences, computed without a copy of them."""
        result = hashlib.sha256(f"{self.values.dtype.str}{self.shape}".encode())
        for sequence in self:
            result.update(len(sequence).to_bytes(8, "little"))
            result.update(np.ascontiguousarray(sequence).data)
        return result.hexdigest()
