"""Sentences from a decoder: greedily, by drawing, or by beam search, a batch in one compiled loop.

A decoder has two methods. `start(context) -> state` gives what it knows before the first word, a
nest of tensors with the batch first. `step(tokens, state) -> (logits, state)` takes one more token
of each row, (batch,), and gives logits of the next, (batch, words). The prefix is never read again.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from kerasseq.params.spec import positive_int

__all__ = ["BeamSearch", "Decoder", "Generator", "Sampler", "Sentences"]

Tensor = Any
PADDING = 0
_NEVER = -1e9  # the log-probability of what must not come; infinities would make NaN


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
        self.first, self.end = _number("start", start, 0, words), _number("end", end, 1, words)
        never = [_number("forbidden", token, 0, words) for token in forbidden]
        self.forbidden = sorted({PADDING, *never})
        if end in self.forbidden:
            raise ValueError(f"`forbidden` must not have the end, {end}: no sentence would end.")
        self.decoder = decoder
        self.length, self.sentences = (
            positive_int("length", length),
            positive_int("sentences", sentences),
        )
        self.no_repeat = _number("no_repeat", no_repeat, 0)
        self.penalty = _number("penalty", penalty, 1, kind=numbers.Real)
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
        return own, ops.where(never, _NEVER, chosen), state

    def going_on(self, time: Tensor, done: Tensor) -> Tensor:
        """Whether there are sentences left to go on with."""
        return ops.logical_and(time < self.length, ops.logical_not(ops.all(done)))

    def written(self, old: Tensor, new: Tensor, time: Tensor) -> Tensor:
        """(..., length) values, with new ones, (...), at one timestep."""
        return ops.where(ops.arange(self.length) == time, new[..., None], old)


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
        self.temperature = _number("temperature", temperature, 0, kind=numbers.Real)
        self.top_k, self.top_p, self.seed = _number("top_k", top_k, 0), top_p, seed

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
        self.normalization = _number("normalization", normalization, 0, kind=numbers.Real)

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Step by step until no better sentences can be found."""
        state, token = self.begin(inputs)
        flat = ops.zeros_like(token)[:, None] + ops.zeros((1, self.length), dtype="int32")
        tokens = ops.reshape(flat, (-1, self.width, self.length))
        log_probs = ops.cast(tokens, "float32")
        # All are the same at first: one of them may go on.
        total = log_probs[..., 0] + ops.where(ops.arange(self.width) == 0, 0.0, _NEVER)

        def more(time: Tensor, token: Tensor, tokens: Tensor, *others: Any) -> Tensor:
            return self.going_on(time, self._settled(tokens, others[1]))

        first = (ops.convert_to_tensor(0), token, tokens, log_probs, total, state)
        _, _, tokens, log_probs, total, _ = ops.while_loop(more, self._body, first)
        missing = total < _NEVER / 2  # what must not come fills up where nothing else is left
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
        staying = ops.where(ops.arange(words) == PADDING, 0.0, _NEVER)
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


def _number(
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


def _lengths(tokens: Tensor) -> Tensor:
    return ops.sum(ops.cast(tokens != PADDING, "int32"), axis=-1)


def _fallen(shares: Tensor, noise: Tensor) -> Tensor:
    """The place in each row where a number from 0 to 1 falls, by shares that need not sum to 1."""
    upto = ops.cumsum(shares, axis=-1)
    # Below the total even where rounding says otherwise, so that no place without a share is hit.
    mark = ops.minimum(noise[:, None] * upto[:, -1:], upto[:, -1:] * (1 - 1e-6))
    return ops.sum(ops.cast(upto <= mark, "int32"), axis=-1)


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
