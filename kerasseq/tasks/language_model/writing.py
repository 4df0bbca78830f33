"""Texts that go on: by sampling, and by beam search."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kerasseq import training
from kerasseq.data.text.language_reader import LanguageReader
from kerasseq.data.tokenizers.tokenizer import END, PADDING, START, UNKNOWN
from kerasseq.tasks.language_model.scoring import TokenReader

if TYPE_CHECKING:
    import keras

    from kerasseq.generation import Generator, Sampler, Sentences

__all__ = ["Writer"]

_PIECE = 64  # tokens that are sampled in one compiled loop, which serves texts of every length
_CACHED = 8  # compiled loops
_BEAMS = 4  # per continuation that is asked for
_LENGTHS = {"character": 20, "subword": 3, "word": 1}  # of a continuation, in tokens


class Writer:
    """Goes on with texts.

    Args:
        model: a model that `LanguageModelConfig` built.
        reader: its vocabulary.
    """

    def __init__(self, model: keras.Model, reader: LanguageReader) -> None:
        self.model, self.reader = model, reader
        self.tokens = TokenReader(model, reader.first)
        self._generators: dict[tuple[Any, ...], Generator] = {}

    @property
    def ends(self) -> list[int]:
        """The tokens that end a sampled text."""
        # The end of a document ends the text, that of a line within a document does not.
        goes_on = self.reader.kind == "word" and not self.reader.lines
        return [END] if self.reader.ends and not goes_on else []

    @property
    def forbidden(self) -> list[int]:
        """The tokens, besides padding, that are never written."""
        return [UNKNOWN, START] + [END] * (not self.reader.ends)

    def sample(self, prompts: Sequence[str], length: int, **options: Any) -> list[str]:
        """Go on with each prompt by sampling.

        Args:
            prompts: the prompts.
            length: largest number of tokens.
            **options: as in `stream`.

        Raises:
            ValueError: as in `stream`.
        """
        pieces = [*self._pieces(prompts, length, **options)]
        tokens = np.concatenate(pieces, axis=1)
        return [self.reader.write(row[row != PADDING]) for row in tokens]

    def stream(
        self, prompt: str, length: int, *, stop: str | None = None, **options: Any
    ) -> Iterator[str]:
        """Go on with a prompt by sampling, piece by piece.

        Args:
            prompt: the prompt.
            length: largest number of tokens.
            stop: text before which to stop.
            **options: `seed`, `temperature`, and other arguments of `kerasseq.generation.Sampler`.

        Raises:
            ValueError: if the prompt is no text, is empty or unknown, or an option is out of range.
        """
        pieces = self.reader.write_pieces(
            tokens[0] for tokens in self._pieces([prompt], length, **options)
        )
        return pieces if stop is None else _before(stop, pieces)

    def _pieces(
        self,
        prompts: Sequence[str],
        length: int,
        *,
        seed: int = 0,
        temperature: float = 0.8,
        **options: Any,
    ) -> Iterator[np.ndarray]:
        """The tokens after each prompt, piece by piece, int `(prompts, tokens)`, 0 after an end."""
        from kerasseq.generation.generator import check_number

        check_number("temperature", temperature, 0, kind=numbers.Real)
        # Of positive temperatures one compiled loop serves all.
        options["temperature"] = float(temperature > 0)
        options["jit_compile"] = True
        sampler = cast("Sampler", self._generator("Sampler", _PIECE, self.ends, **options))
        sampler.seed, sampler.temperature = seed, temperature
        pieces = sampler.stream(**self._after(prompts))
        counts = [_PIECE] * (length // _PIECE) + [length % _PIECE] * (length % _PIECE > 0)
        return (
            self._checked(piece).tokens[:, 0, :count]
            # The counts first: no piece is made that is not asked for.
            for count, piece in zip(counts, pieces)
        )

    def complete(self, prompt: str, n: int, length: int | None) -> list[tuple[str, float]]:
        """The likeliest continuations, and their log-probabilities, best first.

        Args:
            prompt: the prompt.
            n: number of continuations, at most.
            length: largest number of tokens; None for a default.
        """
        ends = [END] if self.reader.ends else []
        if self.reader.kind == "character" and length is None:
            ends += self._separators()
        search = self._generator(
            "BeamSearch",
            length or _LENGTHS[self.reader.kind],
            ends,
            beam_width=_BEAMS * n,
            best=n,
        )
        sentences = self._checked(search.run(**self._after([prompt])))
        scores = sentences.log_probs[0].sum(axis=-1)
        rows = [row[row != 0] for row in sentences.tokens[0]]
        return [
            (self.reader.write(row), float(score))
            for row, score in zip(rows, scores)
            if np.isfinite(score)
        ]

    def begin(self, prompt: str) -> np.ndarray:
        """The tokens of a prompt.

        Raises:
            ValueError: if it is no text, is empty where texts have no beginning, or has no known
                token.
        """
        kind = self.reader.kind
        if not isinstance(prompt, str):
            raise ValueError(f"prompt must be a text. Received: prompt={prompt!r}")
        tokens = self.reader.begun(prompt)
        if not len(tokens) and not self.reader.ends:
            raise ValueError(
                "prompt must have at least one token: this model was trained on a text without "
                f"beginnings to go on from. Received: prompt={prompt!r}"
            )
        if len(tokens) and (tokens == UNKNOWN).all():
            raise ValueError(
                f"prompt must have a {kind} that the model knows: it has none of its vocabulary of "
                f"{len(self.reader.tokenizer):,}. Received: prompt={prompt[:60]!r}"
            )
        return tokens

    def _after(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Arguments of a generator that goes on from the states after the prompts."""
        states, last = zip(*(self.tokens.state(self.begin(prompt)) for prompt in prompts))
        context = {"states": [np.concatenate(parts) for parts in zip(*states)]}
        return {"context": context, "first": np.array(last)}

    def _checked(self, sentences: Sentences) -> Sentences:
        """Raise an error unless the log-probabilities are finite."""
        missing = ~np.isfinite(sentences.log_probs)  # sentences that a beam search did not find
        training.finite(np.where(missing, 0, sentences.log_probs), self.model)
        return sentences

    def _generator(self, kind: str, length: int, ends: list[int], **options: Any) -> Generator:
        """A generator, kept since compiling its loop takes longer than running it."""
        from kerasseq import generation

        key = (kind, length, tuple(ends), *sorted(options.items()))
        if key not in self._generators:
            made = getattr(generation, kind)(
                self.model.get_layer("decoder"),
                length=length,
                start=START,
                end=ends,
                forbidden=self.forbidden,
                **options,
            )
            if len(self._generators) >= _CACHED:
                self._generators.pop(next(iter(self._generators)))
            self._generators[key] = made
        return self._generators[key]

    def _separators(self) -> list[int]:
        """The characters that end a word."""
        tokens = self.reader.tokenizer.vocabulary
        return [
            number
            for number, token in enumerate(tokens)
            if number > END and not (token.isalnum() or token in "'\u2019-")
        ]


def _before(stop: str, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of a text before `stop`, whose beginning may be the end of a piece."""
    held = ""
    for piece in pieces:
        held += piece
        text, found, _ = held.partition(stop)
        ready = len(text) if found else max(0, len(held) - len(stop) + 1)
        yield held[:ready]
        if found:
            return
        held = held[ready:]
    yield held
