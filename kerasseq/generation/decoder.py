"""The decoder protocol, and the sentences that a generator produces with a decoder.

`start(context) -> state` returns the state before the first word, a nest of tensors with the batch
as first axis. `step(tokens, state) -> (logits, state)` reads one more token of each row, (batch,),
and returns logits of the next, (batch, words). The state replaces the tokens read so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["PADDING", "Decoder", "Sentences", "Tensor"]

Tensor = Any
PADDING = 0


class Decoder(Protocol):
    """A model that predicts the next word from its state.

    An optional attribute `words`, the size of the vocabulary, lets generators check their token
    arguments. An optional method `stepper(tokens)` returns a function like `step` for a loop that
    reads as many tokens, so that what is the same in each step is computed once.
    """

    def start(self, context: Any) -> Any:
        """The state before the first word, a nest of tensors with the batch as first axis."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read one token of each row; returns logits of the next, (batch, words), and the state.

        A tensor of the state that is returned unchanged, as the same object, belongs to the
        context: beam search does not reorder it.
        """


@dataclass(frozen=True)
class Sentences:
    """Generated sentences of each row, the best one first.

    A beam search may find fewer sentences than requested if no more are possible. The missing ones
    have no tokens, and minus infinity in `log_probs` and `scores`.

    Args:
        tokens: int (rows, sentences, length), without the start token; zeros after the end token.
        log_probs: (rows, sentences, length), log-probability of each token by the decoder, in nats,
            before temperature, top-k, top-p and penalties; zeros after the end token.
        scores: (rows, sentences), by which the sentences are ranked.
    """

    tokens: np.ndarray
    log_probs: np.ndarray
    scores: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each sentence, (rows, sentences), including the end token."""
        return (self.tokens != PADDING).sum(axis=-1)
