"""Examples for a model, and the batches that it is trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

__all__ = ["MAIN_OUTPUT", "Batches", "Examples", "Generated", "GeneratedSequences", "Repeated"]

MAIN_OUTPUT = "own"  # the output of the model, beside the outputs of its branches

# Padded lengths that batches may have: each at most 1.5 times the one before, so that little is
# padded and few shapes are compiled.
_WIDTHS = np.array([w for k in range(3, 31) for w in (2**k, 3 * 2 ** (k - 1))])


@dataclass(frozen=True)
class Examples:
    """One part of the data, ready for a model.

    Args:
        inputs: arrays by the name of the model's input, `(rows, ...)`.
        targets: expected outputs, `(rows, ...)`; None where they are not known.
        lengths: timesteps of each row, `(rows,)`, by the name of each input that is padded
            on the right, and for `targets` if they are padded. Rows of similar length share a
            batch, which is cut to the longest of them. The first entry decides the buckets.
        weights: weight of each row in training, `(rows,)`; None where all rows count the same.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray | None = None
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def mean_length(self, name: str) -> int:
        """The mean length of the rows of an input, rounded up, at least 1."""
        return max(1, math.ceil(self.lengths[name].mean()))

    def batch(self, rows: np.ndarray, widths: Mapping[str, int] | None = None) -> tuple[Any, ...]:
        """Rows by number: their inputs, then their targets and weights unless these are None.

        Args:
            rows: row numbers, `(batch,)`.
            widths: number of timesteps to cut an array to, by its name.
        """
        widths = widths or {}

        def cut(name: str, values: np.ndarray) -> np.ndarray:
            return values[rows, : widths[name]] if name in widths else values[rows]

        inputs = {name: cut(name, values) for name, values in self.inputs.items()}
        labels = {"targets": self.targets, "weights": self.weights}
        return (
            inputs,
            *(cut(name, values) for name, values in labels.items() if values is not None),
        )


class Generated(Protocol):
    """Rows that are generated batch by batch, in place of `Examples`, never all in memory."""

    def __len__(self) -> int:
        """The number of rows."""

    def batch(self, rows: np.ndarray) -> tuple[Any, ...]:
        """Rows by number: their inputs by name, their targets, and weights if there are any."""


@dataclass(frozen=True)
class Repeated:
    """Generated rows that come several times in an epoch, so that few rows make enough steps.

    Args:
        rows: the rows.
        times: number of times.

    Example:

    >>> class Squares:
    ...     def __len__(self):
    ...         return 3
    ...     def batch(self, rows):
    ...         return {"x": rows}, rows**2
    >>> twice = Repeated(Squares(), times=2)
    >>> len(twice), twice.batch(np.array([1, 5]))[1].tolist()
    (6, [1, 4])
    """

    rows: Generated
    times: int

    def __len__(self) -> int:
        return len(self.rows) * self.times

    def batch(self, rows: np.ndarray) -> tuple[Any, ...]:
        """See `Generated.batch`."""
        return self.rows.batch(rows % len(self.rows))


@runtime_checkable
class GeneratedSequences(Protocol):
    """Generated rows of unequal length, padded batch by batch; see `Generated`."""

    @property
    def lengths(self) -> Mapping[str, np.ndarray]:
        """Timesteps of each row, `(rows,)`, by the name of the padded input."""

    def __len__(self) -> int:
        """The number of rows."""

    def batch(self, rows: np.ndarray, widths: Mapping[str, int] | None = None) -> tuple[Any, ...]:
        """Rows by number, as in `Generated`, padded to a number of timesteps by name."""


class Batches(keras.utils.PyDataset):
    """Batches of rows of similar length, each cut to its longest row.

    Args:
        examples: rows to cut into batches; rows of `Generated` all have the same length.
        batch_size: rows per batch; one batch may have fewer.
        seed: seed of the order, which differs between epochs and is the same on every run; None
            keeps the rows in order of their length.
        branches: names of the layers whose outputs get the targets too, see `TrainingConfig`.
    """

    def __init__(
        self,
        examples: Examples | Generated | GeneratedSequences,
        batch_size: int,
        seed: int | None = None,
        branches: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._names = [MAIN_OUTPUT, *branches] if branches else []
        self._examples = examples
        self._batch_size = batch_size
        self._seed = seed
        self._bucket, self._widths = _buckets(examples)
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """Number of the epoch that the order of the batches belongs to."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        rows = np.arange(len(self._examples))
        random = None if self._seed is None else np.random.default_rng((self._seed, epoch))
        if random is not None:
            random.shuffle(rows)
        rows = rows[np.argsort(self._bucket[rows], kind="stable")]
        batches = [
            rows[start : start + self._batch_size]
            for start in range(0, len(rows), self._batch_size)
        ]
        # TensorFlow takes from the first two batches which axes vary: the narrowest comes first,
        # the widest second.
        first, last = batches[:1], batches[1:][-1:]
        middle = batches[1:-1]
        if random is not None:
            random.shuffle(middle)
        self._rows = [*first, *last, *middle]

    @property
    def order(self) -> np.ndarray:
        """The row numbers in the order of the batches."""
        return np.concatenate(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = self._rows[index]
        if isinstance(self._examples, Examples | GeneratedSequences):
            widths = self._widths[self._bucket[rows[-1]]]
            inputs, *labels = self._examples.batch(rows, widths)
        else:
            inputs, *labels = self._examples.batch(rows)
        return (
            inputs,
            *(dict.fromkeys(self._names, values) if self._names else values for values in labels),
        )


def _buckets(
    examples: Examples | Generated | GeneratedSequences,
) -> tuple[np.ndarray, list[dict[str, int]]]:
    """The bucket of each row, and the width of each padded input in each bucket."""
    if not isinstance(examples, Examples | GeneratedSequences) or not examples.lengths:
        # One byte per row: there may be many millions.
        return np.zeros(len(examples), dtype=np.int8), [{}]
    width_number = np.searchsorted(_WIDTHS, next(iter(examples.lengths.values())))
    filled, bucket = np.unique(width_number, return_inverse=True)
    widths: list[dict[str, int]] = [{} for _ in filled]
    for name, lengths in examples.lengths.items():
        most = _padded_width(examples, name, lengths)
        if most is None:
            continue
        longest = np.zeros(len(filled), dtype=np.int64)
        np.maximum.at(longest, bucket, lengths)
        # Never narrower than in the bucket before, so that the last bucket is the widest.
        bucket_widths = _WIDTHS[np.searchsorted(_WIDTHS, np.maximum.accumulate(longest))]
        for by_name, width in zip(widths, np.minimum(bucket_widths, most)):
            by_name[name] = int(width)
    return bucket, widths


def _padded_width(
    examples: Examples | GeneratedSequences, name: str, lengths: np.ndarray
) -> int | None:
    """Largest width of a padded input; None for targets that are not known."""
    if not isinstance(examples, Examples):
        return int(lengths.max(initial=0))
    values = {**examples.inputs, "targets": examples.targets}[name]
    return None if values is None else values.shape[1]
