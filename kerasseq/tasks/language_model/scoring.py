"""Reading texts with a trained model: nats of each token, and the state after a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training

if TYPE_CHECKING:
    import keras

__all__ = ["LanguageExamples", "Tokens", "TokenReader"]

_STEPS = 128  # timesteps that are read at once
_ROWS = 64  # texts that are read side by side, at most
_LOGITS = 2**25  # numbers, at most, that are in memory at once


@dataclass(frozen=True)
class Tokens:
    """The tokens of a part, int `(tokens,)`, and the number of its characters."""

    tokens: np.ndarray
    characters: int

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class LanguageExamples:
    """A part to score on.

    Args:
        targets: the tokens, each of which is predicted from those before it.
    """

    targets: Tokens

    def __len__(self) -> int:
        return len(self.targets)


class TokenReader:
    """Reads tokens with a model, chunk by chunk, the state carried over.

    Args:
        model: a model that `LanguageModelConfig` built.
        first: token that a text without context follows.
    """

    def __init__(self, model: keras.Model, first: int) -> None:
        from keras import ops

        from kerasseq.models import TokenScorer

        self._model, self._first = model, first
        decoder = model.get_layer("decoder")
        self._scorer = TokenScorer(decoder)
        self._initial = [np.asarray(ops.convert_to_numpy(s)) for s in decoder.first_states(1)]
        self._rows = int(max(1, min(_ROWS, _LOGITS // (_STEPS * decoder.words))))

    def nats(self, texts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Negative log-probability of each token of each text, in nats.

        Args:
            texts: tokens of each text, int `(tokens,)`.
        """
        order = np.argsort([len(text) for text in texts], kind="stable")
        results: list[np.ndarray] = [np.zeros(0)] * len(texts)
        for start in range(0, len(order), self._rows):
            rows = order[start : start + self._rows]
            for row, nats in zip(rows, self._read([texts[row] for row in rows])[0]):
                results[row] = nats
        return results

    def state(self, tokens: np.ndarray) -> tuple[list[np.ndarray], int]:
        """The state before the last token of a text, and this token.

        Args:
            tokens: the text, int `(tokens,)`; if it is empty, the token is the first one, which a
                text without context follows.
        """
        return self._read([tokens])[1], int(tokens[-1]) if len(tokens) else self._first

    def _read(self, texts: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Nats of the tokens of some texts; of one text, also the state before its last token."""
        # Few shapes, each of which is compiled: one row or all, filled up, and whole chunks.
        rows = 1 if len(texts) == 1 else self._rows
        width = -(-max(map(len, texts)) // _STEPS) * _STEPS
        states: Any = [np.repeat(state, rows, axis=0) for state in self._initial]
        nats = []
        for start in range(0, width, _STEPS):
            tokens, following = (np.zeros((rows, _STEPS), dtype=np.int32) for _ in range(2))
            for row, text in enumerate(texts):
                part = text[start : start + _STEPS]
                before = text[start - 1 : start + len(part) - 1] if start else [self._first, *part]
                following[row, : len(part)] = part
                tokens[row, : len(part)] = before[: len(part)]
            inputs = {"tokens": tokens, "following": following, "states": states}
            with training.without_retracing_warnings():
                outputs = self._scorer.predict_on_batch(inputs)
            states = outputs["states"]
            nats.append(np.asarray(outputs["nats"], dtype=np.float64))
        joined = np.concatenate(nats, axis=1) if nats else np.zeros((rows, 0))
        training.finite(joined, self._model)
        return [row[: len(text)] for row, text in zip(joined, texts)], list(states)
