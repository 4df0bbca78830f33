"""Beam search."""

from __future__ import annotations

import functools
import math
import numbers
from typing import Any

import keras
from keras import ops

from kerasseq.generation.decoder import PADDING, Tensor
from kerasseq.generation.generator import NEVER, Generator, Step, check_number
from kerasseq.params.spec import positive_int

__all__ = ["BeamSearch"]


class BeamSearch(Generator):
    """Extends the best sentences by one token at a time; ended sentences stay in the beam.

    Args:
        decoder: See `Generator`.
        beam_width: Number of sentences in the beam; 1 for greedy decoding.
        length_penalty: Exponent of the length that divides the log-probability of a
            sentence to give its score. 0 favours short sentences; with 1 the score is the mean
            log-probability of the tokens.
        best: Number of sentences to return for each row; None for the whole beam.
        **settings: Further arguments of `Generator`, except `sentences`.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> import numpy as np
        >>> from kerasseq.models import Captioner
        >>> model = Captioner(words=9, features=5, units=4, embedding=3).build()
        >>> search = BeamSearch(model.get_layer("decoder"), length=6, start=2, end=3, beam_width=4)
        >>> search.run(np.ones((2, 5), "float32")).scores.shape
        (2, 4)
    """

    def __init__(
        self,
        decoder: Any,
        *,
        beam_width: int = 3,
        length_penalty: float = 0.0,
        best: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(decoder, sentences=positive_int("beam_width", beam_width), **settings)
        self.best = beam_width if best is None else positive_int("best", best)
        if self.best > beam_width:
            raise ValueError(
                f"`best` cannot be more than the {beam_width} sentences that are kept. "
                f"Received: best={best}"
            )
        self.beam_width = beam_width
        self.length_penalty = check_number("length_penalty", length_penalty, 0, kind=numbers.Real)

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Generate token by token until no unfinished sentence can become one of the best."""
        state, token = self.first_step(inputs)
        flat = ops.zeros_like(token)[:, None] + ops.zeros((1, self.length), dtype="int32")
        tokens = ops.reshape(flat, (-1, self.beam_width, self.length))
        log_probs = ops.cast(tokens, "float32")
        # All sentences of a beam are equal at first: only one of them is extended.
        total = log_probs[..., 0] + ops.where(ops.arange(self.beam_width) == 0, 0.0, NEVER)

        def condition(
            time: Tensor, token: Tensor, tokens: Tensor, log_probs: Tensor, total: Tensor, *_: Any
        ) -> Tensor:
            return self.continues(time, self._is_final(tokens, total))

        extend = functools.partial(self._extend, self.stepper(token))
        first = (ops.convert_to_tensor(0), token, tokens, log_probs, total, state)
        _, _, tokens, log_probs, total, _ = ops.while_loop(condition, extend, first)
        missing = total < NEVER / 2  # sentences with forbidden tokens, where no others are possible
        scores = self._length_penalized(total, _lengths(tokens))
        outputs = {
            "tokens": ops.where(missing[..., None], PADDING, tokens),
            "log_probs": ops.where(missing[..., None], -math.inf, log_probs),
            "scores": ops.where(missing, -math.inf, scores),
        }
        return {name: values[:, : self.best] for name, values in outputs.items()}

    def _extend(
        self,
        step: Step,
        time: Tensor,
        token: Tensor,
        tokens: Tensor,
        log_probs: Tensor,
        total: Tensor,
        state: Any,
    ) -> tuple[Any, ...]:
        """Extend the sentences by one token, and keep the best `beam_width` of each row."""
        flat_tokens = ops.reshape(tokens, (-1, self.length))
        word_log_probs, adjusted, new_state = self.next_log_probs(
            step, token, state, flat_tokens, time
        )
        words = word_log_probs.shape[-1]
        word_log_probs = ops.reshape(word_log_probs, (-1, self.beam_width, words))
        adjusted = ops.reshape(adjusted, (-1, self.beam_width, words))
        ended = self.has_ended(tokens)[..., None]
        # An ended sentence can be extended only by padding, with log-probability 0.
        padding_only = ops.where(ops.arange(words) == PADDING, 0.0, NEVER)
        totals = ops.where(ended, padding_only, adjusted)
        word_log_probs = ops.where(ended, 0.0, word_log_probs)
        totals = total[..., None] + totals
        length = ops.where(ended, _lengths(tokens)[..., None], time + 1)
        scores = ops.reshape(self._length_penalized(totals, length), (-1, self.beam_width * words))
        _, chosen = ops.top_k(scores, self.beam_width)
        chosen = ops.cast(chosen, "int32")
        parent, token = chosen // words, chosen % words

        def take_chosen(values: Tensor) -> Tensor:
            every = ops.reshape(values, (-1, self.beam_width * words))
            return ops.take_along_axis(every, chosen, axis=-1)

        def take_parents(values: Tensor) -> Tensor:
            return ops.take_along_axis(values, parent[..., None], axis=1)

        tokens = self.write_step(take_parents(tokens), token, time)
        log_probs = self.write_step(take_parents(log_probs), take_chosen(word_log_probs), time)
        rows = ops.reshape(
            parent + self.beam_width * ops.arange(ops.shape(parent)[0])[:, None], (-1,)
        )
        state = keras.tree.map_structure(
            lambda old, new: new if new is old else ops.take(new, rows, axis=0), state, new_state
        )
        return time + 1, ops.reshape(token, (-1,)), tokens, log_probs, take_chosen(totals), state

    def _length_penalized(self, total: Tensor, length: Tensor) -> Tensor:
        if not self.length_penalty:
            return total
        return total / ops.maximum(ops.cast(length, "float32"), 1.0) ** self.length_penalty

    def _is_final(self, tokens: Tensor, total: Tensor) -> Tensor:
        """Whether the best sentences of a row are final, (batch,).

        They are if they have ended and no unfinished sentence can get a better score. Its upper
        bound is its current log-probability, which can only fall, divided by the length penalty of
        the largest length.
        """
        ended = self.has_ended(tokens)
        worst_best = self._length_penalized(total, _lengths(tokens))[:, self.best - 1]
        bounds = self._length_penalized(total, self.length)
        overtaking = ops.logical_and(ops.logical_not(ended), bounds > worst_best[:, None])
        best = ops.all(ended[:, : self.best], axis=-1)
        return ops.logical_and(best, ops.logical_not(ops.any(overtaking, axis=-1)))


def _lengths(tokens: Tensor) -> Tensor:
    return ops.sum(ops.cast(tokens != PADDING, "int32"), axis=-1)
