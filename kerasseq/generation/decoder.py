"""The decoder protocol, and the sentences that a generator makes with a decoder.

A decoder has two methods. `start(context) -> state` gives what it knows before the first word, a
nest of tensors with the batch first. `step(tokens, state) -> (logits, state)` takes one more token
of each row, (batch,), and gives logits of the next, (batch, words). The prefix is never read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["PADDING", "Decoder", "Sentences", "Tensor"]

Tensor = Any
PADDING = 0


class Decoder(Protocol):
    """What sentences are made with.

    Where it has `words`, how many there are, wrong tokens are found before anything runs.
    """

    def start(self, context: Any) -> Any:
        """The state before the first word, a nest of tensors with the batch first."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits of the next word, (batch, words), and the state, after one token of each row.

        A tensor of the state that the step gives back as it came, the same object, belongs to the
        context, and is not put in order anew by a search.
        """


@dataclass(frozen=True)
class Sentences:
    """What was found for each row, the best sentence first.

    A beam search may find fewer sentences than it was asked for, since there are no more. What is
    left then has no tokens, and minus infinity in `log_probs` and `scores`.

    Args:
        tokens: int (rows, sentences, length), without the start; after the end come zeros.
        log_probs: (rows, sentences, length), the decoder's own log-probability of each token, in
            nats, whatever temperature, cuts and penalties were; zeros after the end.
        scores: (rows, sentences), what they were ranked by.
    """

    tokens: np.ndarray
    log_probs: np.ndarray
    scores: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(rows, sentences), how many tokens there are, the end among them."""
        return (self.tokens != PADDING).sum(axis=-1)
