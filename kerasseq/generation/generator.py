"""Base class of the generators: all sentences of a batch in one compiled loop."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.generation.decoder import PADDING, Sentences, Tensor
from kerasseq.params.spec import positive_int
from kerasseq.training.retracing import without_retracing_warnings

__all__ = ["NEVER", "Generator", "check_number", "count_rows", "occurs"]

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
NEVER = -1e9  # log-probability of forbidden tokens; -inf would lead to NaN


class Generator(keras.Model):
    """Base class of generators, which generate sentences with a decoder, token by token.

    Use `run`; a subclass implements `call`, the loop over the tokens. TensorFlow and JAX compile
    this loop, PyTorch does not.

    Args:
        decoder: A `Decoder`; a Keras layer, so that its weights are tracked.
        length: Largest number of tokens of a sentence, including the end token.
        start: Id of the start token.
        end: Id of the end token, or ids of several tokens each of which ends a sentence; none for
            sentences that end at `length` alone.
        forbidden: Ids of tokens that are never generated; padding, 0, is always forbidden.
        no_repeat_ngram_size: Size of n-grams that must not occur twice in a sentence; 0 for any.
        repetition_penalty: At least 1: the log-probabilities of tokens that the sentence
            already has are multiplied by it (after Keskar et al. 2019, arXiv 1909.05858).
        sentences: Number of sentences to generate for each row of the input.

    Raises:
        ValueError: If an argument is out of range, or `forbidden` has the end token.
    """

    def __init__(
        self,
        decoder: Any,
        *,
        length: int,
        start: int,
        end: int | Sequence[int],
        forbidden: Sequence[int] = (),
        no_repeat_ngram_size: int = 0,
        repetition_penalty: float = 1.0,
        sentences: int = 1,
    ) -> None:
        super().__init__()
        words = getattr(decoder, "words", None)
        words = words if isinstance(words, int) else math.inf
        self.first = check_number("start", start, 0, words)
        ends = end if isinstance(end, Sequence) else [end]
        self.ends = [check_number("end", token, 1, words) for token in ends]
        tokens = [check_number("forbidden", token, 0, words) for token in forbidden]
        self.forbidden = sorted({PADDING, *tokens})
        excluded = sorted({*self.ends} & {*self.forbidden})
        if excluded:
            raise ValueError(
                f"`forbidden` must not have the end, {excluded[0]}: no sentence would end."
            )
        self.decoder = decoder
        self.length, self.sentences = (
            positive_int("length", length),
            positive_int("sentences", sentences),
        )
        self.no_repeat_ngram_size = check_number("no_repeat_ngram_size", no_repeat_ngram_size, 0)
        self.repetition_penalty = check_number(
            "repetition_penalty", repetition_penalty, 1, kind=numbers.Real
        )
        self.built = True

    def run(self, context: Any, batch_size: int = 64, first: np.ndarray | None = None) -> Sentences:
        """Generate sentences for all rows.

        Args:
            context: Input of the decoder's `start`: an array or a nest of arrays, (rows, ...) each.
            batch_size: Number of rows in a batch.
            first: Id of the token that each row goes on from, int (rows,), such as the last one of
                a prompt; default: the start token.

        Returns:
            The sentences of all rows, (rows, sentences, length), with log-probabilities and scores.

        Raises:
            ValueError: If there are no rows, or the arrays differ in their number of rows.
        """
        rows = count_rows(context)
        first = self.first_tokens(rows, first)
        inputs = {"context": context, "first": first, **self.draw_noise(rows)}
        outputs = []
        for begin in range(0, rows, positive_int("batch_size", batch_size)):
            # The last batch is filled up with its last row: one shape, one compiled loop.
            size = min(batch_size, rows)
            indices = np.minimum(np.arange(begin, begin + size), rows - 1)
            batch = keras.tree.map_structure(lambda values, rows=indices: values[rows], inputs)
            outputs.append(self.predict_on_batch(batch))
        joined = {
            name: np.concatenate([np.asarray(batch[name]) for batch in outputs])[:rows]
            for name in ("tokens", "log_probs", "scores")
        }
        return Sentences(**joined)

    def first_tokens(self, rows: int, first: np.ndarray | None) -> np.ndarray:
        """Check the token that each row goes on from; the start token if there is none."""
        first = np.asarray(np.full(rows, self.first) if first is None else first, dtype=np.int32)
        if first.shape != (rows,):
            raise ValueError(
                f"`first` must have one token for each of {rows} rows. Received: {first.shape}"
            )
        return first

    def draw_noise(self, rows: int) -> dict[str, np.ndarray]:
        """Random inputs of `call`, by name; none for a generator that draws no samples."""
        return {}

    def predict_on_batch(self, x: Any) -> Any:
        """As `keras.Model` does; each generator is traced once, of which TensorFlow would warn."""
        with without_retracing_warnings():
            return super().predict_on_batch(x)

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Generate the `tokens`, `log_probs` and `scores` of a batch; see `Sentences`."""
        raise NotImplementedError

    def first_step(self, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
        """The initial state, repeated for each sentence of a row, and the first tokens."""
        state = keras.tree.map_structure(
            lambda part: ops.repeat(part, self.sentences, axis=0),
            self.decoder.start(inputs["context"]),
        )
        if "first" in inputs:
            return state, ops.repeat(inputs["first"], self.sentences, axis=0)
        rows = ops.shape(keras.tree.flatten(state)[0])[0]
        return state, ops.full((rows,), self.first, dtype="int32")

    def has_ended(self, tokens: Tensor) -> Tensor:
        """Whether a sentence, tokens (..., length), has an end token, (...)."""
        ended = ops.zeros_like(tokens, dtype="bool")
        for end in self.ends:
            ended = ops.logical_or(ended, tokens == end)
        return ops.any(ended, axis=-1)

    def stepper(self, token: Tensor) -> Step:
        """The function that reads a token in each step of the loop, from the first tokens."""
        if not hasattr(self.decoder, "stepper"):
            return self.decoder.step
        return self.decoder.stepper(self.length * (token.shape[0] or 1))

    def next_log_probs(
        self,
        step: Step,
        token: Tensor,
        state: Any,
        tokens: Tensor,
        time: Tensor,
        before: Tensor | None = None,
    ) -> tuple[Any, ...]:
        """Log-probabilities of the next token.

        Args:
            step: From `stepper`.
            token: The last token of each sentence, int (sentences,).
            state: State of the decoder before this token.
            tokens: The tokens generated so far, int (sentences, length), followed by zeros.
            time: Number of tokens generated so far.
            before: Further words that are penalized as repeated, bool (sentences, words).

        Returns:
            The decoder's log-probabilities, (sentences, words); the same with penalties and
            forbidden tokens, from which to choose; and the new state.
        """
        logits, state = step(token, state)
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        words = log_probs.shape[-1]
        adjusted = log_probs
        if self.repetition_penalty != 1:
            repeated = occurs(tokens, tokens != PADDING, words)
            repeated = repeated if before is None else ops.logical_or(repeated, before)
            adjusted = ops.where(repeated, log_probs * self.repetition_penalty, log_probs)
        forbidden = ops.convert_to_tensor(np.isin(np.arange(words), self.forbidden))
        if self.no_repeat_ngram_size:
            forbidden = ops.logical_or(
                forbidden, _repeats_ngram(tokens, time, self.no_repeat_ngram_size, words)
            )
        return log_probs, ops.where(forbidden, NEVER, adjusted), state

    def continues(self, time: Tensor, done: Tensor) -> Tensor:
        """Whether the loop continues: some rows are not done, and the length is not reached."""
        return ops.logical_and(time < self.length, ops.logical_not(ops.all(done)))

    def write_step(self, old: Tensor, new: Tensor, time: Tensor) -> Tensor:
        """Replace the values of one timestep: `old` is (..., length), `new` is (...)."""
        return ops.where(ops.arange(self.length) == time, new[..., None], old)


def check_number(
    name: str, value: Any, least: int, below: float = math.inf, kind: Any = numbers.Integral
) -> Any:
    """Check that a number is at least `least` and less than `below`, and return it."""
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < below:
        what = "a whole number" if kind is numbers.Integral else "a finite number"
        limit = "" if below == math.inf else f", below the decoder's {below} words"
        raise ValueError(
            f"`{name}` must be {what} of at least {least}{limit}. Received: {name}={value!r}"
        )
    return value


def count_rows(context: Any) -> int:
    """Number of rows of the arrays of a context; a ValueError if they differ."""
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


def occurs(tokens: Tensor, counts: Tensor, words: int) -> Tensor:
    """Whether a sentence has a word, (sentences, words), among tokens (sentences, n) that count.

    Args:
        tokens: int (sentences, n).
        counts: bool (sentences, n), whether a token counts.
        words: size of the vocabulary.
    """
    rows = ops.zeros_like(tokens) + ops.arange(ops.shape(tokens)[0], dtype=tokens.dtype)[:, None]
    indices = ops.reshape(ops.stack([rows, tokens], axis=-1), (-1, 2))
    weights = ops.reshape(ops.cast(counts, "float32"), (-1,))
    return ops.scatter(indices, weights, (ops.shape(tokens)[0], words)) > 0


def _repeats_ngram(tokens: Tensor, time: Tensor, size: int, words: int) -> Tensor:
    """Whether a word would repeat an n-gram of its sentence, (sentences, words).

    The last `size` - 1 tokens are compared with all earlier windows of that size. Where they are
    equal, the token after the window would complete the n-gram a second time.
    """
    starts = max(tokens.shape[1] - size + 1, 0)
    last = ops.maximum(time - size + 1 + ops.arange(size - 1), 0)
    matches = ops.arange(starts)[None] + size <= time  # the n-gram lies within the tokens so far
    for offset in range(size - 1):
        recent = ops.take(tokens, last[offset], axis=1)[:, None]
        matches = ops.logical_and(matches, tokens[:, offset : offset + starts] == recent)
    following = tokens[:, size - 1 :]
    return occurs(following, ops.logical_and(matches, following != PADDING), words)
