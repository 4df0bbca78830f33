"""Baselines of language models: n-gram models of the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kerasseq.evaluation.kneser_ney import KneserNey

__all__ = ["Baselines"]

_UNIGRAM, _KNESER_NEY = "unigram", "Kneser-Ney 5-gram"
_MOST = 5_000_000  # tokens to learn from; a 5-gram model takes some 150 bytes for each
_AT_ONCE = 1_000_000  # tokens to score
_UNUSED = 2  # padding and the start token are never predicted


class Baselines(Mapping[str, np.ndarray]):
    """Nats of each token of a test part, by the name of the baseline; computed when read.

    They learn from the last five million tokens at most, and their names say so if there are more.

    Args:
        known: tokens to learn from, int `(tokens,)`, of parts that follow one another.
        test: tokens of the test part, int `(tokens,)`.
        words: size of the vocabulary.
    """

    def __init__(self, known: Sequence[np.ndarray], test: np.ndarray, words: int) -> None:
        # First cut, then joined, since parts may be larger than memory.
        self._known = np.concatenate([part[-_MOST:] for part in known])[-_MOST:]
        self._test, self._words = test, words
        cut = f" of {_MOST:,} tokens" if sum(map(len, known)) > _MOST else ""
        self._orders = {_UNIGRAM + cut: 1, _KNESER_NEY + cut: min(5, len(self._known))}

    def __getitem__(self, name: str) -> np.ndarray:
        order = self._orders[name]
        model = KneserNey(self._known, self._words, order, _UNUSED)
        nats = []
        for start in range(0, len(self._test), _AT_ONCE):
            context = min(start, order - 1)
            part = self._test[start - context : start + _AT_ONCE]
            nats.append(-model.log_probabilities(part)[context:])
        return np.concatenate(nats)

    def __iter__(self) -> Iterator[str]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)
