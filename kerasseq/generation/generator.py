"""Base of the generators: a batch of sentences in one compiled loop."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.generation.decoder import PADDING, Sentences, Tensor
from kerasseq.params.spec import positive_int

__all__ = ["NEVER", "Generator", "number"]

NEVER = -1e9  # the log-probability of what must not come; infinities would make NaN


class Generator(keras.Model):
    """Base of what makes sentences with a decoder; on PyTorch the loop is not compiled.

    Args:
        decoder: A `Decoder`; a Keras layer, so that its weights are known.
        length: Most tokens of a sentence, the end among them.
        start: The token that is read first.
        end: The token that ends a sentence.
        forbidden: Tokens that never come; padding, 0, is always among them.
        no_repeat: Tokens of the shortest run that must not come twice in a sentence; 0 for any.
        penalty: What the log-probabilities of tokens that the sentence has are multiplied by, at
            least 1 (after Keskar et al. 2019, arXiv 1909.05858).
        sentences: How many there are for each row.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        decoder: Any,
        *,
        length: int,
        start: int,
        end: int,
        forbidden: Sequence[int] = (),
        no_repeat: int = 0,
        penalty: float = 1.0,
        sentences: int = 1,
    ) -> None:
        super().__init__()
        words = getattr(decoder, "words", None)
        words = words if isinstance(words, int) else math.inf
        self.first, self.end = number("start", start, 0, words), number("end", end, 1, words)
        never = [number("forbidden", token, 0, words) for token in forbidden]
        self.forbidden = sorted({PADDING, *never})
        if end in self.forbidden:
            raise ValueError(f"`forbidden` must not have the end, {end}: no sentence would end.")
        self.decoder = decoder
        self.length, self.sentences = (
            positive_int("length", length),
            positive_int("sentences", sentences),
        )
        self.no_repeat = number("no_repeat", no_repeat, 0)
        self.penalty = number("penalty", penalty, 1, kind=numbers.Real)
        self.built = True

    def run(self, context: Any, batch_size: int = 64) -> Sentences:
        """Sentences for all rows.

        Args:
            context: What the decoder starts from, an array or a nest of them, rows first.
            batch_size: Rows that run as one.

        Raises:
            ValueError: If there is no row, or there is something else than arrays of as many rows.
        """
        rows = _rows(context)
        inputs = {"context": context, **self.drawn(rows)}
        found = []
        for begin in range(0, rows, positive_int("batch_size", batch_size)):
            # The last batch is filled up with its last row: one shape, one compiled loop.
            size = min(batch_size, rows)
            taken = np.minimum(np.arange(begin, begin + size), rows - 1)
            batch = keras.tree.map_structure(lambda values, taken=taken: values[taken], inputs)
            found.append(self.predict_on_batch(batch))
        joined = {
            name: np.concatenate([np.asarray(batch[name]) for batch in found])[:rows]
            for name in ("tokens", "log_probs", "scores")
        }
        return Sentences(**joined)

    def drawn(self, rows: int) -> dict[str, np.ndarray]:
        """Further inputs of so many rows, drawn by chance."""
        return {}

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """`tokens`, `log_probs` and `scores` of a batch; see `Sentences`."""
        raise NotImplementedError

    def begin(self, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
        """The state before the first word, once for each sentence, and the first token."""
        state = keras.tree.map_structure(
            lambda part: ops.repeat(part, self.sentences, axis=0),
            self.decoder.start(inputs["context"]),
        )
        rows = ops.shape(keras.tree.flatten(state)[0])[0]
        return state, ops.full((rows,), self.first, dtype="int32")

    def ahead(self, token: Tensor, state: Any, tokens: Tensor, time: Tensor) -> tuple[Any, ...]:
        """What may come next, for (sentences, length) tokens so far.

        Returns:
            Log-probabilities of the decoder, (sentences, words), those by which to choose, and the
            state.
        """
        logits, state = self.decoder.step(token, state)
        own = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        words = own.shape[-1]
        chosen = own
        if self.penalty != 1:
            chosen = ops.where(_marked(tokens, tokens != PADDING, words), own * self.penalty, own)
        never = ops.convert_to_tensor(np.isin(np.arange(words), self.forbidden))
        if self.no_repeat:
            never = ops.logical_or(never, _repeating(tokens, time, self.no_repeat, words))
        return own, ops.where(never, NEVER, chosen), state

    def going_on(self, time: Tensor, done: Tensor) -> Tensor:
        """Whether there are sentences left to go on with."""
        return ops.logical_and(time < self.length, ops.logical_not(ops.all(done)))

    def written(self, old: Tensor, new: Tensor, time: Tensor) -> Tensor:
        """(..., length) values, with new ones, (...), at one timestep."""
        return ops.where(ops.arange(self.length) == time, new[..., None], old)


def number(
    name: str, value: Any, least: int, below: float = math.inf, kind: Any = numbers.Integral
) -> Any:
    """The value, or a ValueError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < below:
        what = "a whole number" if kind is numbers.Integral else "a finite number"
        limit = "" if below == math.inf else f", below the decoder's {below} words"
        raise ValueError(
            f"`{name}` must be {what} of at least {least}{limit}. Received: {name}={value!r}"
        )
    return value


def _rows(context: Any) -> int:
    """How many rows the arrays of a context have, or a ValueError."""
    parts = keras.tree.flatten(context)
    if not parts or not all(getattr(part, "shape", ()) for part in parts):
        raise ValueError(
            "`context` must be an array with rows first, or a nest of such arrays. Received: "
            f"{', '.join(sorted({type(part).__name__ for part in parts})) or 'nothing'} in a "
            f"{type(context).__name__}. Make it an array by `np.asarray`."
        )
    rows = {len(part) for part in parts}
    if len(rows) > 1:
        raise ValueError(
            f"`context` must have as many rows in each array. Received: {sorted(rows)} rows."
        )
    if rows == {0}:
        raise ValueError("`context` has no rows: there is nothing to make sentences of.")
    return rows.pop()


def _marked(tokens: Tensor, which: Tensor, words: int) -> Tensor:
    """(sentences, words), whether a word is among those (sentences, n) tokens that count."""
    rows = ops.zeros_like(tokens) + ops.arange(ops.shape(tokens)[0], dtype=tokens.dtype)[:, None]
    indices = ops.reshape(ops.stack([rows, tokens], axis=-1), (-1, 2))
    counted = ops.reshape(ops.cast(which, "float32"), (-1,))
    return ops.scatter(indices, counted, (ops.shape(tokens)[0], words)) > 0


def _repeating(tokens: Tensor, time: Tensor, size: int, words: int) -> Tensor:
    """(sentences, words), whether a word would make a run of so many tokens come again."""
    starts = max(tokens.shape[1] - size + 1, 0)
    last = ops.maximum(time - size + 1 + ops.arange(size - 1), 0)
    again = ops.arange(starts)[None] + size <= time  # the run lies in what is there
    for place in range(size - 1):
        recent = ops.take(tokens, last[place], axis=1)[:, None]
        again = ops.logical_and(again, tokens[:, place : place + starts] == recent)
    following = tokens[:, size - 1 :]
    return _marked(following, ops.logical_and(again, following != PADDING), words)
