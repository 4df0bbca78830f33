"""Baselines of language models: n-gram models of the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from kerasseq.evaluation.kneser_ney import KneserNey

__all__ = ["Baselines"]

_UNIGRAM, _KNESER_NEY = "unigram", "Kneser-Ney 5-gram"
_UNUSED = 2  # padding and the start token are never predicted


class Baselines(Mapping[str, np.ndarray]):
    """Nats of each token of a test part, by the name of the baseline; computed when read.

    Args:
        known: tokens to learn from, int `(tokens,)`.
        test: tokens of the test part, int `(tokens,)`.
        words: size of the vocabulary.
    """

    def __init__(self, known: np.ndarray, test: np.ndarray, words: int) -> None:
        self._known, self._test, self._words = known, test, words
        self._orders = {_UNIGRAM: 1, _KNESER_NEY: min(5, len(known))}

    def __getitem__(self, name: str) -> np.ndarray:
        model = KneserNey(self._known, self._words, self._orders[name], _UNUSED)
        return -model.log_probabilities(self._test)

    def __iter__(self) -> Iterator[str]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)
