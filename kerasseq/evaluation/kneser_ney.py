"""Interpolated Kneser-Ney n-gram models, the classical language models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["KneserNey"]


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length.

    An n-gram is numbered by the sorted pairs of the number of its context, which is the n-gram of
    one token less, and its last token.

    Args:
        keys: context times vocabulary plus token of each n-gram, sorted, `(ngrams,)`.
        counts: counts of the n-grams, `(ngrams,)`.
        totals: sum of the counts of each context, `(contexts,)`.
        types: number of different tokens that follow each context, `(contexts,)`.
        discount: discount of each count.
    """

    keys: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    types: np.ndarray
    discount: float


class KneserNey:
    """An interpolated Kneser-Ney n-gram model (Kneser & Ney 1995; Chen & Goodman 1999).

    Each count is discounted, and the rest of the probability goes to the model of one order less,
    whose counts are not those of n-grams in the text, but of the different tokens before them. Each
    order has one discount, n1 / (n1 + 2 n2), from the numbers of n-grams that are counted once and
    twice. The lowest order is interpolated with the uniform distribution.

    Args:
        tokens: the training text, int `(tokens,)`.
        words: size of the vocabulary, above all tokens.
        order: number of tokens of the longest n-grams; 1 for a unigram model, whose counts are
            those of the text.
        unused: number of words that never occur in a text, such as padding.

    Raises:
        ValueError: if there are fewer tokens than `order`.

    Example:

    >>> model = KneserNey(np.array([0, 1, 0, 1, 0, 2]), words=3, order=2)
    >>> np.exp(model.log_probabilities(np.array([0, 1]))).round(4).tolist()
    [0.3333, 0.6444]
    """

    def __init__(self, tokens: np.ndarray, words: int, order: int = 5, unused: int = 0) -> None:
        tokens = np.asarray(tokens, dtype=np.int64)
        if len(tokens) < order:
            raise ValueError(
                f"there must be at least as many tokens as order. Received: {len(tokens)} tokens, "
                f"order={order}"
            )
        self._words, self._possible = words, words - unused
        keys, numbers = _number_ngrams(tokens, words, order)
        self._orders = [
            _count(
                keys[n],
                numbers[n],
                len(keys[n - 1]) if n else 1,
                words,
                # The longest n-grams are counted at all places, shorter ones once for each n-gram
                # that is longer by the token before.
                _first_places(numbers[n + 1]) if n + 1 < order else None,
            )
            for n in range(order)
        ]

    def log_probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Natural log-probability of each token after those before it, float64 `(tokens,)`.

        Args:
            tokens: a text, int `(tokens,)`; its first token has no context.
        """
        tokens = np.asarray(tokens, dtype=np.int64)
        probabilities = np.full(len(tokens), 1 / self._possible)
        contexts = np.zeros(len(tokens), dtype=np.int64)  # the empty context has number 0
        for order in self._orders:
            has_context = contexts >= 0
            place = np.maximum(contexts, 0)
            keys = np.where(has_context, place * self._words + tokens, -1)
            numbers = np.minimum(np.searchsorted(order.keys, keys), len(order.keys) - 1)
            numbers = np.where(order.keys[numbers] == keys, numbers, -1)
            counts = np.where(numbers >= 0, order.counts[np.maximum(numbers, 0)], 0)
            totals = np.where(has_context, order.totals[place], 0)
            occurs = totals > 0  # a context that never occurs keeps the lower order's probability
            discounted = np.maximum(counts - order.discount, 0)
            rest = order.discount * order.types[place] * probabilities
            mixed = (discounted + rest) / np.maximum(totals, 1)
            probabilities = np.where(occurs, mixed, probabilities)
            # The context of the next token, one longer.
            contexts = np.concatenate([[-1], numbers[:-1]])
        return np.asarray(np.log(probabilities))


def _number_ngrams(
    tokens: np.ndarray, words: int, order: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The keys of the n-grams of each length, and the number of the one at each place.

    The n-gram at a place ends there; -1 where the text has not enough tokens before.
    """
    keys, numbers = [], []
    contexts = np.zeros(len(tokens), dtype=np.int64)
    for length in range(1, order + 1):
        ngrams = (contexts * words + tokens)[length - 1 :]
        different, inverse = np.unique(ngrams, return_inverse=True)
        number = np.concatenate([np.full(length - 1, -1), inverse.ravel()])
        keys.append(different)
        numbers.append(number)
        contexts = np.concatenate([[-1], number[:-1]])
    return keys, numbers


def _first_places(numbers: np.ndarray) -> np.ndarray:
    """The first place of each n-gram, `(ngrams,)`."""
    different, first = np.unique(numbers, return_index=True)
    return first[different >= 0]


def _count(
    keys: np.ndarray, numbers: np.ndarray, contexts: int, words: int, places: np.ndarray | None
) -> _Order:
    """Count the n-grams of one length.

    Args:
        keys: as in `_Order`.
        numbers: number of the n-gram at each place, or -1.
        contexts: number of contexts.
        words: size of the vocabulary.
        places: places to count at; None for all places.
    """
    counted = numbers if places is None else numbers[places]
    counts = np.bincount(counted[counted >= 0], minlength=len(keys))
    once, twice = (int(np.sum(counts == n)) for n in (1, 2))
    context = keys // words
    return _Order(
        keys=keys,
        counts=counts,
        totals=np.bincount(context, counts, contexts),
        types=np.bincount(context, counts > 0, contexts),
        # Without a discount, an n-gram that was never seen would have no probability.
        discount=once / (once + 2 * twice) if once else 0.5,
    )
