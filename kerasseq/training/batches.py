"""Rows of data, and the batches of them that a model is trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np

__all__ = ["OWN", "Batches", "Examples", "Generated"]

OWN = "own"  # the model's own output, beside those of its branches

# Padded lengths that batches may have: each at most half as long again as the one before, so that
# little is padded and few shapes are compiled.
_WIDTHS = np.array([w for k in range(3, 31) for w in (2**k, 3 * 2 ** (k - 1))])


@dataclass(frozen=True)
class Examples:
    """One part of the data, ready for a model.

    Args:
        inputs: arrays by the name of the model's input, all with the rows first.
        targets: what the model is to give, rows first; None where that is not known.
        lengths: for each input that is padded on the right, and for `targets` where they are, how
            much of each row is used; batches of rows of like length are cut to what they need. The
            first one decides the buckets.
        weights: how much each row counts in training, or None where all count alike.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray | None = None
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def mean_length(self, name: str) -> int:
        """How much of a row of that input is used on average, as a whole number from 1 on."""
        return max(1, math.ceil(self.lengths[name].mean()))

    def batch(self, rows: np.ndarray, widths: Mapping[str, int] | None = None) -> tuple[Any, ...]:
        """Some rows: inputs, cut to widths by name, and the targets and weights that there are."""
        widths = widths or {}

        def cut(name: str, values: np.ndarray) -> np.ndarray:
            return values[rows, : widths[name]] if name in widths else values[rows]

        inputs = {name: cut(name, values) for name, values in self.inputs.items()}
        given = {"targets": self.targets, "weights": self.weights}
        return (inputs, *(cut(name, own) for name, own in given.items() if own is not None))


class Generated(Protocol):
    """Rows that are made when they are asked for, in place of `Examples`: never all at once."""

    def __len__(self) -> int:
        """How many there are."""

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], Any]:
        """Some rows: inputs by name, and targets."""


class Batches(keras.utils.PyDataset):
    """Batches of rows of like length, each cut to the length that it needs.

    Args:
        examples: what to cut into batches; those that are generated are all of like length.
        batch_size: rows per batch; one batch may have fewer.
        seed: of the order, which is another one in each epoch and the same on every run; None
            keeps the rows in order of their length.
        branches: as of `TrainingConfig`: the targets go to each of them.
    """

    def __init__(
        self,
        examples: Examples | Generated,
        batch_size: int,
        seed: int | None = None,
        branches: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._names = [OWN, *branches] if branches else []
        self._examples = examples
        self._batch_size = batch_size
        self._seed = seed
        self._bucket, self._widths = _buckets(examples)
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose order the batches have."""
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
        others = batches[1:-1]
        if random is not None:
            random.shuffle(others)
        self._rows = [*first, *last, *others]

    @property
    def order(self) -> np.ndarray:
        """The rows in the order in which the batches have them."""
        return np.concatenate(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = self._rows[index]
        if isinstance(self._examples, Examples):
            widths = self._widths[self._bucket[rows[-1]]]
            inputs, *found = self._examples.batch(rows, widths)
        else:
            inputs, *found = self._examples.batch(rows)
        return (
            inputs,
            *(dict.fromkeys(self._names, part) if self._names else part for part in found),
        )


def _buckets(examples: Examples | Generated) -> tuple[np.ndarray, list[dict[str, int]]]:
    """The bucket of each row, and the width of each padded input in each bucket."""
    if not isinstance(examples, Examples) or not examples.lengths:
        return np.zeros(len(examples), dtype=np.int8), [{}]  # there may be many millions
    place = np.searchsorted(_WIDTHS, next(iter(examples.lengths.values())))
    used, bucket = np.unique(place, return_inverse=True)
    widths: list[dict[str, int]] = [{} for _ in used]
    padded = {**examples.inputs, "targets": examples.targets}
    for name, lengths in examples.lengths.items():
        values = padded[name]
        if values is None:
            continue
        longest = np.zeros(len(used), dtype=np.int64)
        np.maximum.at(longest, bucket, lengths)
        # Never narrower than in the bucket before, so that the last bucket is the widest.
        wide = _WIDTHS[np.searchsorted(_WIDTHS, np.maximum.accumulate(longest))]
        for width, most in zip(widths, np.minimum(wide, values.shape[1])):
            width[name] = int(most)
    return bucket, widths
