"""Greedy decoding and sampling, with temperature, top-k and top-p."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq import kernels
from kerasseq.generation.decoder import PADDING, Sentences, Tensor
from kerasseq.generation.generator import Generator, check_number, count_rows, occurs

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
        jit_compile: Whether XLA compiles the loop on TensorFlow too, as it does on JAX. This takes
            seconds once, and then a fraction of the time for each token.
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
        jit_compile: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(decoder, **settings)
        if not 0 < top_p <= 1:
            raise ValueError(f"`top_p` must be above 0, and at most 1. Received: top_p={top_p!r}")
        self.temperature = check_number("temperature", temperature, 0, kind=numbers.Real)
        self.top_k, self.top_p, self.seed = check_number("top_k", top_k, 0), top_p, seed
        if jit_compile and keras.backend.backend() == "tensorflow":
            with kernels.portable():
                self.jit_compile = True

    def stream(self, context: Any, first: np.ndarray | None = None) -> Iterator[Sentences]:
        """Generate sentences piece by piece, `length` tokens each, until all of them have ended.

        The pieces together have the tokens that one call of `run` draws for as many tokens, for any
        `length` of a piece: a short one is there sooner, and one compiled loop serves texts of
        every length.

        Args:
            context: As in `run`.
            first: As in `run`.

        Raises:
            ValueError: As in `run`; or if `no_repeat_ngram_size` is set, since n-grams cross the
                borders of pieces, or the decoder of repeated words has no attribute `words`.

        Example:
            >>> import itertools
            >>> from kerasseq.models import LanguageModelConfig
            >>> decoder = LanguageModelConfig(words=9, units=4).build().get_layer("decoder")
            >>> sampler = Sampler(decoder, length=5, start=2, end=[], temperature=1.0)
            >>> pieces = sampler.stream({"states": [np.zeros((1, 4), "float32")] * 2})
            >>> [piece.tokens.shape for piece in itertools.islice(pieces, 2)]
            [(1, 1, 5), (1, 1, 5)]
        """
        if self.no_repeat_ngram_size:
            raise ValueError(
                "`no_repeat_ngram_size` cannot be kept over pieces: use `run`, with the `length` "
                f"of the whole. Received: no_repeat_ngram_size={self.no_repeat_ngram_size}"
            )
        rows = count_rows(context)
        state, token = self.first_step(
            {"context": context, "first": self.first_tokens(rows, first)}
        )
        carried = {"state": state, "token": token, "ended": np.zeros(len(token), dtype=bool)}
        if self.repetition_penalty != 1:
            words = getattr(self.decoder, "words", None)
            if words is None:
                raise ValueError(
                    "`repetition_penalty` over pieces needs a decoder with an attribute `words`, "
                    "the size of its vocabulary. Use `run`, or set it."
                )
            carried["repeated"] = np.zeros((len(token), words), dtype=bool)
        # Later changes of the attributes are for later texts.
        return self._pieces(carried, rows, np.random.default_rng(self.seed), self.temperature)

    def _pieces(
        self, carried: Any, rows: int, generator: np.random.Generator, temperature: float
    ) -> Iterator[Sentences]:
        carried = keras.tree.map_structure(ops.convert_to_numpy, carried)
        while not carried["ended"].all():
            noise = self._noise(generator, rows, temperature)
            outputs = self.predict_on_batch({"carried": carried, **noise})
            outputs = keras.tree.map_structure(np.asarray, outputs)
            carried = outputs.pop("carried")
            yield Sentences(**outputs)

    def predict_on_batch(self, x: Any) -> Any:
        """As `keras.Model` does, with kernels that XLA compiles together with the loop.

        The extension is fast for long sequences. For one step it costs more than the step, since it
        packs all weights in each call, and on TensorFlow it keeps XLA from compiling the loop.
        """
        with kernels.portable() if self.jit_compile else nullcontext():
            return super().predict_on_batch(x)

    def draw_noise(self, rows: int) -> dict[str, np.ndarray]:
        """The temperature, and uniform random numbers, one for each token.

        They are from NumPy, so that all backends agree.
        """
        return self._noise(np.random.default_rng(self.seed), rows, self.temperature)

    def _noise(
        self, generator: np.random.Generator, rows: int, temperature: float
    ) -> dict[str, np.ndarray]:
        if not temperature:
            return {}
        # Token by token, so that the first ones do not depend on the length.
        noise = generator.random((self.length, rows, self.sentences), dtype=np.float32)
        return {
            "noise": np.moveaxis(noise, 0, -1),
            "temperature": np.full((rows, self.sentences), temperature, dtype=np.float32),
        }

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Generate token by token until all sentences have ended.

        With `carried`, the outputs of an earlier call go on, and `carried` is among the outputs.
        """
        carried = inputs.get("carried")
        if carried is None:
            state, token = self.first_step(inputs)
            ended, before = ops.zeros_like(token, dtype="bool"), None
        else:
            state, token, ended = (carried[name] for name in ("state", "token", "ended"))
            before = carried.get("repeated")
        step = self.stepper(token)
        tokens = ops.zeros_like(token)[:, None] + ops.zeros((1, self.length), dtype="int32")
        noise = ops.reshape(inputs["noise"], (-1, self.length)) if "noise" in inputs else None

        def condition(time: Tensor, token: Tensor, ended: Tensor, *_: Any) -> Tensor:
            return self.continues(time, ended)

        def body(
            time: Tensor,
            token: Tensor,
            ended: Tensor,
            tokens: Tensor,
            log_probs: Tensor,
            state: Any,
        ) -> tuple[Any, ...]:
            word_log_probs, adjusted, state = self.next_log_probs(
                step, token, state, tokens, time, before
            )
            if noise is None:
                token = ops.argmax(adjusted, axis=-1)
            else:
                temperature = ops.reshape(inputs["temperature"], (-1, 1))
                token = self._draw(adjusted / temperature, ops.take(noise, time, axis=1))
            token = ops.where(ended, PADDING, ops.cast(token, "int32"))
            token_log_probs = ops.take_along_axis(word_log_probs, token[:, None], axis=-1)[:, 0]
            tokens = self.write_step(tokens, token, time)
            log_probs = self.write_step(log_probs, ops.where(ended, 0.0, token_log_probs), time)
            ended = ops.logical_or(ended, self.has_ended(token[:, None]))
            return time + 1, token, ended, tokens, log_probs, state

        first = (ops.convert_to_tensor(0), token, ended, tokens, ops.cast(tokens, "float32"), state)
        _, token, ended, tokens, log_probs, state = ops.while_loop(condition, body, first)
        shape = (-1, self.sentences, self.length)
        outputs: dict[str, Any] = {
            "tokens": ops.reshape(tokens, shape),
            "log_probs": ops.reshape(log_probs, shape),
        }
        outputs["scores"] = ops.sum(outputs["log_probs"], axis=-1)
        if carried is not None:
            outputs["carried"] = {"state": state, "token": token, "ended": ended}
            if before is not None:
                repeated = occurs(tokens, tokens != PADDING, before.shape[-1])
                outputs["carried"]["repeated"] = ops.logical_or(before, repeated)
        return outputs

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
