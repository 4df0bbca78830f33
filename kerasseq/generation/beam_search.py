"""Sentences by beam search."""

from __future__ import annotations

import math
import numbers
from typing import Any

import keras
from keras import ops

from kerasseq.generation.decoder import PADDING, Tensor
from kerasseq.generation.generator import NEVER, Generator, number
from kerasseq.params.spec import positive_int

__all__ = ["BeamSearch"]


class BeamSearch(Generator):
    """Goes on with the best sentences so far, ended ones among them.

    Args:
        decoder: See `Generator`.
        width: How many sentences are kept; 1 takes the likeliest word each time.
        normalization: Sentences are ranked by their log-probability divided by their length to this
            power: 0 favours short ones, 1 is the mean of their words.
        best: How many to give of each row; None for all that are kept.
        **settings: Those of `Generator`, but `sentences`.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> from kerasseq.models import Captioner
        >>> model = Captioner(words=9, features=5, units=4, embedding=3).build()
        >>> search = BeamSearch(model.get_layer("decoder"), length=6, start=2, end=3, width=4)
        >>> search.run(np.ones((2, 5), "float32")).scores.shape
        (2, 4)
    """

    def __init__(
        self,
        decoder: Any,
        *,
        width: int = 3,
        normalization: float = 0.0,
        best: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(decoder, sentences=positive_int("width", width), **settings)
        self.best = width if best is None else positive_int("best", best)
        if self.best > width:
            raise ValueError(
                f"`best` cannot be more than the {width} sentences that are kept. "
                f"Received: best={best}"
            )
        self.width = width
        self.normalization = number("normalization", normalization, 0, kind=numbers.Real)

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Step by step until no better sentences can be found."""
        state, token = self.begin(inputs)
        flat = ops.zeros_like(token)[:, None] + ops.zeros((1, self.length), dtype="int32")
        tokens = ops.reshape(flat, (-1, self.width, self.length))
        log_probs = ops.cast(tokens, "float32")
        # All are the same at first: one of them may go on.
        total = log_probs[..., 0] + ops.where(ops.arange(self.width) == 0, 0.0, NEVER)

        def more(time: Tensor, token: Tensor, tokens: Tensor, *others: Any) -> Tensor:
            return self.going_on(time, self._settled(tokens, others[1]))

        first = (ops.convert_to_tensor(0), token, tokens, log_probs, total, state)
        _, _, tokens, log_probs, total, _ = ops.while_loop(more, self._body, first)
        missing = total < NEVER / 2  # what must not come fills up where nothing else is left
        scores = self._scores(total, _lengths(tokens))
        found = {
            "tokens": ops.where(missing[..., None], PADDING, tokens),
            "log_probs": ops.where(missing[..., None], -math.inf, log_probs),
            "scores": ops.where(missing, -math.inf, scores),
        }
        return {name: values[:, : self.best] for name, values in found.items()}

    def _body(
        self,
        time: Tensor,
        token: Tensor,
        tokens: Tensor,
        log_probs: Tensor,
        total: Tensor,
        state: Any,
    ) -> tuple[Any, ...]:
        """One more token for the best sentences."""
        own, chosen, after = self.ahead(token, state, ops.reshape(tokens, (-1, self.length)), time)
        words = own.shape[-1]
        ended = ops.any(tokens == self.end, axis=-1)[..., None]
        # A sentence that has ended goes on with padding alone, which costs nothing.
        staying = ops.where(ops.arange(words) == PADDING, 0.0, NEVER)
        grown = ops.where(ended, staying, ops.reshape(chosen, (-1, self.width, words)))
        own = ops.where(ended, 0.0, ops.reshape(own, (-1, self.width, words)))
        grown = total[..., None] + grown
        length = ops.where(ended, _lengths(tokens)[..., None], time + 1)
        _, place = ops.top_k(
            ops.reshape(self._scores(grown, length), (-1, self.width * words)), self.width
        )
        place = ops.cast(place, "int32")
        parent, token = place // words, place % words

        def picked(values: Tensor) -> Tensor:
            every = ops.reshape(values, (-1, self.width * words))
            return ops.take_along_axis(every, place, axis=-1)

        def inherited(values: Tensor) -> Tensor:
            return ops.take_along_axis(values, parent[..., None], axis=1)

        tokens = self.written(inherited(tokens), token, time)
        log_probs = self.written(inherited(log_probs), picked(own), time)
        rows = ops.reshape(parent + self.width * ops.arange(ops.shape(parent)[0])[:, None], (-1,))
        state = keras.tree.map_structure(
            lambda old, new: new if new is old else ops.take(new, rows, axis=0), state, after
        )
        return time + 1, ops.reshape(token, (-1,)), tokens, log_probs, picked(grown), state

    def _scores(self, total: Tensor, length: Tensor) -> Tensor:
        if not self.normalization:
            return total
        return total / ops.maximum(ops.cast(length, "float32"), 1.0) ** self.normalization

    def _settled(self, tokens: Tensor, total: Tensor) -> Tensor:
        """(batch,), whether the best sentences have ended, and none of the others can pass them.

        Log-probabilities only fall, and nothing is longer than `length`.
        """
        ended = ops.any(tokens == self.end, axis=-1)
        least = self._scores(total, _lengths(tokens))[:, self.best - 1]
        reach = self._scores(total, self.length)
        passing = ops.logical_and(ops.logical_not(ended), reach > least[:, None])
        best = ops.all(ended[:, : self.best], axis=-1)
        return ops.logical_and(best, ops.logical_not(ops.any(passing, axis=-1)))


def _lengths(tokens: Tensor) -> Tensor:
    return ops.sum(ops.cast(tokens != PADDING, "int32"), axis=-1)
