"""Turn token numbers into sets of n-gram numbers, for the n-gram branch of a model."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Any, TypedDict

import numpy as np

from kerasseq.data.tokenizers.tokenizer import UNKNOWN
from kerasseq.io.schema import Limits

__all__ = ["NgramEncoder", "NgramState"]

# The code of an n-gram holds its token numbers side by side in an int64, with bits left for a row.
_CODE_BITS = 60
_HIGHEST_ORDER = 5
# Number of tokens that are processed at once, to bound memory.
_BATCH = 2_000_000


class NgramState(TypedDict):
    """The JSON values of a fitted `NgramEncoder`."""

    order: Annotated[int, Limits(least=1, most=_HIGHEST_ORDER)]
    min_count: Annotated[int, Limits(least=1)]
    size: Annotated[int, Limits(least=1)]
    width: Annotated[int, Limits(least=1)]
    bits: Annotated[int, Limits(least=0, most=_CODE_BITS)]
    codes: str


class NgramEncoder:
    """Turn token numbers into n-gram numbers: each text becomes the set of its n-grams.

    The encoder takes the rows of `Tokenizer.tokens`: whole texts, not cut. A large vocabulary
    helps, since a rare word costs a single weight here, not a whole embedding. N-grams with an
    unknown token are ignored. N-grams are numbered from 1 on, by falling number of texts that
    contain them; 0 is padding.

    Args:
        order: number of tokens of the longest n-gram, 1 to 5. Token numbers must fit into 60 bits
            side by side: a million words for 3, thousands of characters for 5.
        min_count: minimum number of training texts that contain an n-gram.
        size: maximum number of n-grams; the most frequent ones are kept.
        width: maximum number of n-grams per text; fewer if no training text has so many. A text
            with more n-grams loses its most frequent ones, which are the least informative.

    Example:

    >>> encoder = NgramEncoder().fit([[2, 3], [2, 3, 4]])
    >>> encoder.size
    5
    >>> encoder.encode([[2, 3, 4], [2, 9], []])
    array([[1, 2, 3, 4, 5],
           [1, 0, 0, 0, 0],
           [0, 0, 0, 0, 0]], dtype=int32)
    """

    def __init__(
        self, order: int = 2, min_count: int = 1, size: int = 300_000, width: int = 800
    ) -> None:
        if not 1 <= order <= _HIGHEST_ORDER:
            raise ValueError(f"order must be 1 to {_HIGHEST_ORDER}. Received: order={order!r}")
        for name, value in (("min_count", min_count), ("size", size), ("width", width)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1. Received: {name}={value!r}")
        self.order = order
        self.min_count = min_count
        self.limit = size
        self.width = width
        self._widest = width
        self._bits = 0
        self._set_codes(np.empty(0, np.int64))

    def fit(self, ids: Sequence[Sequence[int]]) -> NgramEncoder:
        """Choose the n-grams and the width from the token numbers of the training texts."""
        self._bits = max(max(row, default=0) for row in chain(ids, [[1]])).bit_length()
        if self.order * self._bits > _CODE_BITS:
            raise ValueError(
                f"token numbers must be below {1 << _CODE_BITS // self.order} for "
                f"order={self.order}. Use a smaller vocabulary, or a lower order."
            )
        batches = [self._count_ngrams(batch)[1:] for batch in self._batches(ids)]
        empty = np.empty(0, np.int64)
        codes, counts = _sum_equal(
            np.concatenate([empty, *(codes for codes, _ in batches)]),
            np.concatenate([empty, *(counts for _, counts in batches)]),
        )
        frequent = counts >= self.min_count
        codes, counts = codes[frequent], counts[frequent]
        self._set_codes(codes[np.lexsort((codes, -counts))[: self.limit]])
        longest = max((int(n.max(initial=0)) for _, _, n in self._encode_batches(ids)), default=0)
        self.width = max(1, min(self._widest, longest))
        return self

    @property
    def size(self) -> int:
        """Number of n-grams; they are numbered from 1 to this number."""
        return len(self._codes)

    def encode(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """N-gram numbers of each text, int32 (texts, width): ascending, padded with 0 at the end.

        Args:
            ids: token numbers of each text.
        """
        out = np.zeros((len(ids), self.width), dtype=np.int32)
        start = 0
        for rows, numbers, lengths in self._encode_batches(ids):
            ends = np.cumsum(lengths)
            # Low numbers are the most frequent n-grams: a surplus is cut from the start of the row.
            surplus = np.maximum(lengths - self.width, 0)
            column = np.arange(len(rows)) - (ends - lengths + surplus)[rows]
            fits = column >= 0
            out[start + rows[fits], column[fits]] = numbers[fits]
            start += len(lengths)
        return out

    def ending(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """N-grams that end at each token: for each text int32 (tokens, order), shortest first.

        0 stands for no n-gram. `Tokenizer.pad` cuts and pads such rows like rows of tokens.

        >>> NgramEncoder().fit([[2, 3]]).ending([[2, 3, 9]])[0].tolist()
        [[1, 0], [2, 3], [0, 0]]
        """
        out: list[np.ndarray] = []
        for batch in self._batches(ids):
            lengths = _lengths(batch)
            numbers = np.zeros((int(lengths.sum()), self.order), np.int32)
            for n, (ends, codes) in enumerate(self._ngram_codes(batch, lengths)):
                numbers[ends, n] = self._look_up(codes)
            out.extend(np.split(numbers, np.cumsum(lengths)[:-1]))
        return out

    def log_ratios(
        self, ids: np.ndarray, labels: Sequence[int] | np.ndarray, classes: int, alpha: float = 1.0
    ) -> np.ndarray:
        """Log-count ratios: how much more frequent each n-gram is in one class than in the others.

        The naive-Bayes log-count ratio of Wang and Manning (2012,
        https://aclanthology.org/P12-2018), on binarised counts:
        log((p / sum(p)) / (q / sum(q))), where p is alpha + the number of texts of the class that
        hold the n-gram, and q the same for all other texts.

        Args:
            ids: n-gram numbers, int (texts, width), as `encode` returns them.
            labels: class number of each text, from 0 on, int (texts,).
            classes: number of classes.
            alpha: smoothing count.

        Returns:
            float32 (size + 1, outputs). With two classes there is one column, for class 1; with
            more, one per class. Row 0, padding, holds zeros.

        Raises:
            TypeError: if ids is no array of two axes.
            ValueError: if labels are not one class number per text.

        Example:

        >>> encoder = NgramEncoder(order=1).fit([[2], [2, 3]])
        >>> encoder.log_ratios(encoder.encode([[2], [2, 3]]), [0, 1], classes=2).round(2)
        array([[ 0.  ],
               [-0.29],
               [ 0.41]], dtype=float32)
        """
        if not isinstance(ids, np.ndarray) or ids.ndim != 2:
            raise TypeError(
                "ids must be the n-gram numbers that encode() gives, an array (n, width). "
                f"Received: {type(ids).__name__}"
            )
        if classes < 2:
            raise ValueError(f"classes must be at least 2. Received: classes={classes!r}")
        if not alpha > 0:
            raise ValueError(f"alpha must be above 0. Received: alpha={alpha!r}")
        target = np.asarray(labels, dtype=np.int64)
        if target.shape != ids.shape[:1] or np.any((target < 0) | (target >= classes)):
            raise ValueError(
                f"labels must be {len(ids)} class numbers, from 0 to {classes - 1}. "
                f"Received: {len(target)} labels, {sorted({*target.tolist()})[:5]} among them"
            )
        counts = np.stack(
            [np.bincount(ids[target == c].ravel(), minlength=self.size + 1) for c in range(classes)]
        )[:, 1:]
        inside = counts[1:] if classes == 2 else counts
        p = inside + alpha
        q = counts.sum(axis=0) - inside + alpha
        ratios = np.log(p / p.sum(axis=1, keepdims=True)) - np.log(q / q.sum(axis=1, keepdims=True))
        return np.pad(ratios.T, ((1, 0), (0, 0))).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """The JSON values for `from_state`; the codes are base64 of little-endian int64."""
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
        """Restore an encoder from the value of `state`.

        Raises:
            ValueError: if the state is damaged.

        >>> encoder = NgramEncoder(min_count=1).fit([[2, 3]])
        >>> NgramEncoder.from_state(encoder.state()).encode([[2, 3]]).tolist()
        [[1, 2, 3]]
        """
        encoder = cls(**{name: state[name] for name in ("order", "min_count", "size", "width")})
        encoder._bits = state["bits"]
        encoder._set_codes(np.frombuffer(base64.b64decode(state["codes"]), "<i8").astype(np.int64))
        if encoder.order * encoder._bits > _CODE_BITS or encoder.width > max(1, encoder.size):
            raise ValueError(
                f"n-grams of {encoder.order} tokens of {encoder._bits} bits, in rows of "
                f"{encoder.width:,}, are not those of {encoder.size:,} codes"
            )
        return encoder

    def _set_codes(self, codes: np.ndarray) -> None:
        """Store the codes in the order of their numbers, and sorted for look-ups."""
        self._codes = codes
        self._order = np.argsort(codes)
        self._sorted = codes[self._order]

    def _look_up(self, codes: np.ndarray) -> np.ndarray:
        """Numbers of n-gram codes; 0 for an n-gram that is not in the vocabulary."""
        place = np.searchsorted(self._sorted, codes)
        known = place < self.size
        known[known] = self._sorted[place[known]] == codes[known]
        numbers = np.zeros_like(codes)
        numbers[known] = self._order[place[known]] + 1
        return numbers

    def _encode_batches(
        self, ids: Sequence[Sequence[int]]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield for each batch the row and number of its n-grams, sorted, and the count per row."""
        for batch in self._batches(ids):
            rows, codes, counts = self._count_ngrams(batch)
            numbers = np.repeat(self._look_up(codes), counts)
            pairs = np.sort((rows * (self.size + 1) + numbers)[numbers > 0])
            rows, numbers = np.divmod(pairs, self.size + 1)
            yield rows, numbers, np.bincount(rows, minlength=len(batch))

    def _count_ngrams(
        self, ids: Sequence[Sequence[int]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the distinct n-grams of each row.

        Returns:
            The row of each pair of n-gram and row, sorted by code; the distinct codes, ascending;
            and the number of rows that contain each code.
        """
        row_bits = len(ids).bit_length()
        lengths = _lengths(ids)
        row_of = np.repeat(np.arange(len(ids)), lengths)
        # Code and row form one integer, so that a single sort groups equal codes, and repeats
        # within a row. This is ten times as fast as np.unique, which hashes.
        pairs = np.concatenate(
            [(codes << row_bits) | row_of[ends] for ends, codes in self._ngram_codes(ids, lengths)]
        )
        pairs.sort()
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        codes, counts = _sum_equal(pairs >> row_bits)
        return pairs & ((1 << row_bits) - 1), codes, counts

    def _ngram_codes(
        self, ids: Sequence[Sequence[int]], lengths: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield for each order where its n-grams end in the joined rows, and their codes."""
        tokens = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
        row_of = np.repeat(np.arange(len(ids)), lengths)
        known = (tokens > UNKNOWN) & (tokens < 1 << self._bits)
        code, complete = np.zeros_like(tokens), np.ones_like(known)
        for n in range(self.order):
            count = max(len(tokens) - n, 0)
            code = (code[:count] << self._bits) | tokens[n:]
            complete = complete[:count] & known[n:] & (row_of[:count] == row_of[n:])
            yield np.flatnonzero(complete) + n, code[complete]

    def _batches(self, ids: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
        most_rows = 1 << (62 - self.order * self._bits)
        start, size = 0, 0
        for end, row in enumerate(ids, 1):
            size += len(row)
            if size >= _BATCH or end - start == most_rows or end == len(ids):
                yield ids[start:end]
                start, size = end, 0


def _lengths(ids: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter(map(len, ids), np.int64, len(ids))


def _sum_equal(
    codes: np.ndarray, counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct codes, ascending, with the sum of their counts; without counts, sorted codes."""
    if counts is not None:
        order = np.argsort(codes, kind="stable")
        codes, counts = codes[order], counts[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    if counts is None:
        return codes[starts], np.diff(starts, append=len(codes))
    return codes[starts], np.add.reduceat(counts, starts) if len(starts) else counts
