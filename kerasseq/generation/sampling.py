"""Greedy decoding and sampling, with temperature, top-k and top-p."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from keras import ops

from kerasseq.generation.decoder import PADDING, Tensor
from kerasseq.generation.generator import Generator, check_number

__all__ = ["Sampler"]


class Sampler(Generator):
    """Generates each word by sampling, or greedily.

    Args:
        decoder: See `Generator`.
        temperature: Divisor of the logits before sampling; 0 for greedy decoding. Another positive
            value of the attribute needs no other compiled loop.
        top_k: Number of most likely words to sample from; 0 for all words.
        top_p: Sample from the smallest set of most likely words with this total probability
            (nucleus sampling, Holtzman et al. 2020, arXiv 1904.09751).
        seed: Seed of the samples, which are the same in each run.
        **settings: Further arguments of `Generator`.

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
        self.temperature = check_number("temperature", temperature, 0, kind=numbers.Real)
        self.top_k, self.top_p, self.seed = check_number("top_k", top_k, 0), top_p, seed

    def draw_noise(self, rows: int) -> dict[str, np.ndarray]:
        """The temperature, and uniform random numbers, one for each token.

        They are from NumPy, so that all backends agree.
        """
        if not self.temperature:
            return {}
        shape = (rows, self.sentences, self.length)
        return {
            "noise": np.random.default_rng(self.seed).random(shape, dtype=np.float32),
            "temperature": np.full(shape[:2], self.temperature, dtype=np.float32),
        }

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Generate token by token until all sentences have ended."""
        state, token = self.first_step(inputs)
        tokens = ops.zeros_like(token)[:, None] + ops.zeros((1, self.length), dtype="int32")
        noise = ops.reshape(inputs["noise"], (-1, self.length)) if "noise" in inputs else None

        def condition(time: Tensor, token: Tensor, tokens: Tensor, *_: Any) -> Tensor:
            return self.continues(time, self.has_ended(tokens))

        def body(
            time: Tensor, token: Tensor, tokens: Tensor, log_probs: Tensor, state: Any
        ) -> tuple[Any, ...]:
            ended = self.has_ended(tokens)
            word_log_probs, adjusted, state = self.next_log_probs(token, state, tokens, time)
            if noise is None:
                token = ops.argmax(adjusted, axis=-1)
            else:
                temperature = ops.reshape(inputs["temperature"], (-1, 1))
                token = self._draw(adjusted / temperature, ops.take(noise, time, axis=1))
            token = ops.where(ended, PADDING, ops.cast(token, "int32"))
            token_log_probs = ops.take_along_axis(word_log_probs, token[:, None], axis=-1)[:, 0]
            tokens = self.write_step(tokens, token, time)
            log_probs = self.write_step(log_probs, ops.where(ended, 0.0, token_log_probs), time)
            return time + 1, token, tokens, log_probs, state

        first = (ops.convert_to_tensor(0), token, tokens, ops.cast(tokens, "float32"), state)
        _, _, tokens, log_probs, _ = ops.while_loop(condition, body, first)
        shape = (-1, self.sentences, self.length)
        log_probs = ops.reshape(log_probs, shape)
        return {
            "tokens": ops.reshape(tokens, shape),
            "log_probs": log_probs,
            "scores": ops.sum(log_probs, axis=-1),
        }

    def _draw(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Sample a word of each row by inverse transform, after the cuts by top-k and top-p."""
        shares = ops.softmax(logits, axis=-1)
        if not self.top_k and self.top_p == 1:
            return _inverse_transform(shares, noise)
        size = min(self.top_k or shares.shape[-1], shares.shape[-1])
        shares, order = ops.top_k(shares, size)  # sorted by falling probability
        before = ops.cumsum(shares, axis=-1) - shares
        total = ops.sum(shares, axis=-1, keepdims=True)
        shares = ops.where(before < self.top_p * total, shares, 0.0)
        index = _inverse_transform(shares, noise)
        return ops.take_along_axis(order, index[:, None], axis=-1)[:, 0]


def _inverse_transform(shares: Tensor, noise: Tensor) -> Tensor:
    """Inverse transform sampling: the index in each row where cumulative shares exceed `noise`.

    Args:
        shares: (rows, n), probabilities up to a factor.
        noise: (rows,), uniform random numbers from 0 to 1.
    """
    cumulative = ops.cumsum(shares, axis=-1)
    # Below the total in spite of rounding, so that no word with probability 0 is chosen.
    threshold = ops.minimum(noise[:, None] * cumulative[:, -1:], cumulative[:, -1:] * (1 - 1e-6))
    return ops.sum(ops.cast(cumulative <= threshold, "int32"), axis=-1)
