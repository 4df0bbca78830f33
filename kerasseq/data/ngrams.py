"""Token numbers to sets of n-gram numbers, for the wide branch of a model."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from kerasseq.data.text import UNKNOWN

__all__ = ["NgramEncoder"]

# An n-gram's code holds its tokens side by side in an int64, and leaves bits for its row.
_CODE_BITS = 60
_HIGHEST_ORDER = 3
# How many tokens are worked on at once, to bound memory.
_BATCH = 2_000_000


class NgramEncoder:
    """Turns rows of token numbers into rows of n-gram numbers: each text as the set it holds.

    The rows to give are those of `TextEncoder.tokens`: whole texts, not cut. A vocabulary of its
    own pays, larger than the one of a recurrent branch, since a rare word costs one weight here
    and not a whole embedding. N-grams with an unknown token are left out. They are numbered from 1,
    the one found in most texts, on; 0 is padding.

    Args:
        order: the longest n-gram, 1 to 3.
        min_count: an n-gram must occur in so many of the texts it is fitted on.
        size: at most so many n-grams, the most frequent ones.
        width: numbers per row; None takes what the longest fitted text needs. A text with more
            n-grams loses the most frequent ones, which say the least.

    Example:

    >>> encoder = NgramEncoder(min_count=1).fit([[2, 3], [2, 3, 4]])
    >>> encoder.size
    5
    >>> encoder.encode([[2, 3, 4], [2, 9], []])
    array([[1, 2, 3, 4, 5],
           [1, 0, 0, 0, 0],
           [0, 0, 0, 0, 0]], dtype=int32)
    """

    def __init__(
        self, order: int = 2, min_count: int = 2, size: int = 200_000, width: int | None = None
    ) -> None:
        if not 1 <= order <= _HIGHEST_ORDER:
            raise ValueError(f"order must be 1 to {_HIGHEST_ORDER}. Received: order={order!r}")
        for name, value in (("min_count", min_count), ("size", size), ("width", width)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1. Received: {name}={value!r}")
        self.order = order
        self.min_count = min_count
        self.limit = size
        self._wanted = width
        self._fitted_width = width
        self._bits = 0
        self._take(np.empty(0, np.int64))

    def fit(self, ids: Sequence[Sequence[int]]) -> NgramEncoder:
        """Choose the n-grams, and the width where none was given, from the training texts."""
        self._bits = max(max(row, default=0) for row in chain(ids, [[1]])).bit_length()
        if self.order * self._bits > _CODE_BITS:
            raise ValueError(
                f"token numbers must be below {1 << _CODE_BITS // self.order} for "
                f"order={self.order}. Give them a smaller vocabulary, or n-grams a lower order."
            )
        found = [self._grams(batch)[1:] for batch in self._batches(ids)]
        codes, counts = _sum_equal(*map(np.concatenate, zip(*found, strict=True)))
        enough = counts >= self.min_count
        codes, counts = codes[enough], counts[enough]
        self._take(codes[np.lexsort((codes, -counts))[: self.limit]])
        if self._wanted is None:
            longest = max(lengths.max(initial=0) for _, _, lengths in self._sets(ids))
            self._fitted_width = max(1, int(longest))
        return self

    @property
    def size(self) -> int:
        """How many n-grams there are; numbers run from 1 to this."""
        return len(self._codes)

    @property
    def width(self) -> int:
        """Numbers per row."""
        if self._fitted_width is None:
            raise ValueError("the width is chosen from the texts: call fit() first.")
        return self._fitted_width

    def encode(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """The n-grams of each row as int32 (n, width): ascending, padded with 0 on the right."""
        out = np.zeros((len(ids), self.width), dtype=np.int32)
        start = 0
        for rows, numbers, lengths in self._sets(ids):
            ends = np.cumsum(lengths)
            # Counted from the end of the row, so that what does not fit is the most frequent.
            surplus = np.maximum(lengths - self.width, 0)
            column = np.arange(len(rows)) - (ends - lengths + surplus)[rows]
            fits = column >= 0
            out[start + rows[fits], column[fits]] = numbers[fits]
            start += len(lengths)
        return out

    def log_ratios(
        self,
        ids: Sequence[Sequence[int]],
        labels: Sequence[str],
        classes: Sequence[str],
        alpha: float = 1.0,
    ) -> np.ndarray:
        """How much more often each n-gram is found in texts of one class than in the others.

        The naive-Bayes log-count ratio of Wang and Manning (2012,
        https://aclanthology.org/P12-2018), on binarised counts:
        log((p / sum(p)) / (q / sum(q))), where p is alpha + the number of texts of the class that
        hold the n-gram, and q the same for all other texts.

        Args:
            ids: rows of token numbers.
            labels: one per row.
            classes: all labels there are; with two, the second is the positive one.
            alpha: the smoothing count.

        Returns:
            float32 (size + 1, outputs): one column for two classes, else one per class. Row 0,
            padding, holds zeros.

        Raises:
            ValueError: if a label is not among the classes, or there are not as many labels as
                rows.

        Example:

        >>> encoder = NgramEncoder(order=1, min_count=1).fit([[2], [2, 3]])
        >>> encoder.log_ratios([[2], [2, 3]], ["neg", "pos"], ["neg", "pos"]).round(2)
        array([[ 0.  ],
               [-0.29],
               [ 0.41]], dtype=float32)
        """
        if len(labels) != len(ids):
            raise ValueError(
                f"labels must have one entry per row. Received: {len(labels)} for {len(ids)} rows"
            )
        if len(classes) < 2:
            raise ValueError(f"classes must be at least two. Received: classes={list(classes)}")
        if not alpha > 0:
            raise ValueError(f"alpha must be above 0. Received: alpha={alpha!r}")
        place = {name: i for i, name in enumerate(classes)}
        strangers = sorted(set(labels) - set(place))
        if strangers:
            raise ValueError(f"labels must be among {list(classes)}. Received: {strangers[0]!r}")
        target = np.array([place[label] for label in labels], dtype=np.int64)
        counts = np.zeros((len(classes), self.size + 1))
        start = 0
        for rows, numbers, lengths in self._sets(ids):
            cells = target[start + rows] * (self.size + 1) + numbers
            counts += np.bincount(cells, minlength=counts.size).reshape(counts.shape)
            start += len(lengths)
        inside = counts[1:2] if len(classes) == 2 else counts
        p = inside[:, 1:] + alpha
        q = (counts.sum(axis=0) - inside)[:, 1:] + alpha
        ratios = np.log(p / p.sum(axis=1, keepdims=True)) - np.log(q / q.sum(axis=1, keepdims=True))
        return np.pad(ratios.T, ((1, 0), (0, 0))).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """All that `from_state` needs, ready for JSON: codes as base64 of little-endian int64."""
        return {
            "order": self.order,
            "min_count": self.min_count,
            "size": self.limit,
            "width": self.width,
            "bits": self._bits,
            "codes": base64.b64encode(self._codes.astype("<i8").tobytes()).decode("ascii"),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NgramEncoder:
        """The encoder that `state` was taken from.

        >>> encoder = NgramEncoder(min_count=1).fit([[2, 3]])
        >>> NgramEncoder.from_state(encoder.state()).encode([[2, 3]]).tolist()
        [[1, 2, 3]]
        """
        encoder = cls(**{k: v for k, v in state.items() if k not in ("bits", "codes")})
        encoder._bits = state["bits"]
        encoder._take(np.frombuffer(base64.b64decode(state["codes"]), "<i8").astype(np.int64))
        return encoder

    def _take(self, codes: np.ndarray) -> None:
        """Number the codes as they come, and keep them sorted as well, to be looked up."""
        self._codes = codes
        self._order = np.argsort(codes)
        self._sorted = codes[self._order]

    def _sets(
        self, ids: Sequence[Sequence[int]]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Batch by batch: row and number of each n-gram, sorted by both, and how many a row has."""
        for batch in self._batches(ids):
            rows, codes, counts = self._grams(batch)
            place = np.searchsorted(self._sorted, codes)
            known = place < self.size
            known[known] = self._sorted[place[known]] == codes[known]
            numbers = np.zeros_like(codes)
            numbers[known] = self._order[place[known]] + 1
            numbers = np.repeat(numbers, counts)
            pairs = np.sort((rows * (self.size + 1) + numbers)[numbers > 0])
            rows, numbers = np.divmod(pairs, self.size + 1)
            yield rows, numbers, np.bincount(rows, minlength=len(batch))

    def _grams(self, ids: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The codes in these rows, ascending, in how many each is, and those rows, one by one."""
        row_bits = len(ids).bit_length()
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        tokens = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
        row_of = np.repeat(np.arange(len(ids)), lengths)
        known = (tokens > UNKNOWN) & (tokens < 1 << self._bits)
        code, whole, keys = np.zeros_like(tokens), np.ones_like(known), []
        for n in range(self.order):
            count = max(len(tokens) - n, 0)
            code = (code[:count] << self._bits) | tokens[n:]
            whole = whole[:count] & known[n:] & (row_of[:count] == row_of[n:])
            keys.append((code[whole] << row_bits) | row_of[n:][whole])
        # Code and row in one number: one plain sort brings repeats and equal codes together. It is
        # ten times as fast as np.unique, which hashes.
        pairs = np.sort(np.concatenate(keys))
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        codes, counts = _sum_equal(pairs >> row_bits)
        return pairs & ((1 << row_bits) - 1), codes, counts

    def _batches(self, ids: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
        most_rows = 1 << (62 - self.order * self._bits)
        start, size = 0, 0
        for end, row in enumerate(ids, 1):
            size += len(row)
            if size >= _BATCH or end - start == most_rows or end == len(ids):
                yield ids[start:end]
                start, size = end, 0


def _sum_equal(
    codes: np.ndarray, counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The distinct codes, ascending, and the sum of the counts of each; sorted ones count 1."""
    if counts is not None:
        order = np.argsort(codes, kind="stable")
        codes, counts = codes[order], counts[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    if counts is None:
        return codes[starts], np.diff(starts, append=len(codes))
    return codes[starts], np.add.reduceat(counts, starts) if len(starts) else counts
