"""Sentences by drawing words, or by taking the likeliest."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from keras import ops

from kerasseq.generation.decoder import PADDING, Tensor
from kerasseq.generation.generator import Generator, number

__all__ = ["Sampler"]


class Sampler(Generator):
    """Draws each word, or takes the likeliest.

    Args:
        decoder: See `Generator`.
        temperature: What logits are divided by before a word is drawn; 0 takes the likeliest.
        top_k: Draw among so many of the likeliest words; 0 for all.
        top_p: Draw among the fewest likeliest words that have this probability together (Holtzman
            et al. 2020, arXiv 1904.09751).
        seed: Of the draws; the same in each run.
        **settings: Those of `Generator`.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> from kerasseq.models import Captioner
        >>> model = Captioner(words=9, features=5, units=4, embedding=3).build()
        >>> greedy = Sampler(model.get_layer("decoder"), length=6, start=2, end=3)
        >>> greedy.run(np.ones((2, 5), "float32")).tokens.shape
        (2, 1, 6)
    """

    def __init__(
        self,
        decoder: Any,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(decoder, **settings)
        if not 0 < top_p <= 1:
            raise ValueError(f"`top_p` must be above 0, and at most 1. Received: top_p={top_p!r}")
        self.temperature = number("temperature", temperature, 0, kind=numbers.Real)
        self.top_k, self.top_p, self.seed = number("top_k", top_k, 0), top_p, seed

    def drawn(self, rows: int) -> dict[str, np.ndarray]:
        """A number from 0 to 1 for each token that is to be drawn, the same on every backend."""
        if not self.temperature:
            return {}
        shape = (rows, self.sentences, self.length)
        return {"noise": np.random.default_rng(self.seed).random(shape, dtype=np.float32)}

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Step by step until all sentences have ended."""
        state, token = self.begin(inputs)
        tokens = ops.zeros_like(token)[:, None] + ops.zeros((1, self.length), dtype="int32")
        noise = ops.reshape(inputs["noise"], (-1, self.length)) if "noise" in inputs else None

        def more(time: Tensor, token: Tensor, tokens: Tensor, *_: Any) -> Tensor:
            return self.going_on(time, ops.any(tokens == self.end, axis=-1))

        def body(
            time: Tensor, token: Tensor, tokens: Tensor, log_probs: Tensor, state: Any
        ) -> tuple[Any, ...]:
            ended = ops.any(tokens == self.end, axis=-1)
            own, chosen, state = self.ahead(token, state, tokens, time)
            if noise is None:
                token = ops.argmax(chosen, axis=-1)
            else:
                token = self._draw(chosen, ops.take(noise, time, axis=1))
            token = ops.where(ended, PADDING, ops.cast(token, "int32"))
            gained = ops.take_along_axis(own, token[:, None], axis=-1)[:, 0]
            tokens = self.written(tokens, token, time)
            log_probs = self.written(log_probs, ops.where(ended, 0.0, gained), time)
            return time + 1, token, tokens, log_probs, state

        first = (ops.convert_to_tensor(0), token, tokens, ops.cast(tokens, "float32"), state)
        _, _, tokens, log_probs, _ = ops.while_loop(more, body, first)
        shape = (-1, self.sentences, self.length)
        log_probs = ops.reshape(log_probs, shape)
        return {
            "tokens": ops.reshape(tokens, shape),
            "log_probs": log_probs,
            "scores": ops.sum(log_probs, axis=-1),
        }

    def _draw(self, log_probs: Tensor, noise: Tensor) -> Tensor:
        """One word of each row, where a number from 0 to 1 falls among all probabilities."""
        shares = ops.softmax(log_probs / self.temperature, axis=-1)
        if not self.top_k and self.top_p == 1:
            return _fallen(shares, noise)
        size = min(self.top_k or shares.shape[-1], shares.shape[-1])
        shares, order = ops.top_k(shares, size)  # the likeliest first
        before = ops.cumsum(shares, axis=-1) - shares
        total = ops.sum(shares, axis=-1, keepdims=True)
        shares = ops.where(before < self.top_p * total, shares, 0.0)
        place = _fallen(shares, noise)
        return ops.take_along_axis(order, place[:, None], axis=-1)[:, 0]


def _fallen(shares: Tensor, noise: Tensor) -> Tensor:
    """The place in each row where a number from 0 to 1 falls, by shares that need not sum to 1."""
    upto = ops.cumsum(shares, axis=-1)
    # Below the total even where rounding says otherwise, so that no place without a share is hit.
    mark = ops.minimum(noise[:, None] * upto[:, -1:], upto[:, -1:] * (1 - 1e-6))
    return ops.sum(ops.cast(upto <= mark, "int32"), axis=-1)
