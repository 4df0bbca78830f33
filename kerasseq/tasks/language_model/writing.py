"""Texts that go on: by sampling, and by beam search."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training
from kerasseq.data.text.language_reader import LanguageReader
from kerasseq.data.tokenizers.tokenizer import END, START, UNKNOWN
from kerasseq.tasks.language_model.scoring import TokenReader

if TYPE_CHECKING:
    import keras

    from kerasseq.generation import Generator, Sentences

__all__ = ["Writer"]

_SHORTEST = 64  # tokens that the loop has room for, at least
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

    def sample(
        self,
        prompts: Sequence[str],
        length: int,
        *,
        seed: int = 0,
        temperature: float = 0.8,
        **options: Any,
    ) -> list[str]:
        """Go on with each prompt by sampling.

        Args:
            prompts: the prompts.
            length: largest number of tokens.
            seed: seed of the samples.
            temperature: divisor of the logits; 0 for the likeliest tokens.
            **options: arguments of `kerasseq.generation.Sampler`.

        Raises:
            ValueError: if a prompt is no text, is empty or unknown, or an option is out of range.
        """
        # The end of a document ends the text, that of a line does not.
        ends = [END] if self.reader.ends and self.reader.kind != "word" else []
        from kerasseq.generation.generator import check_number

        check_number("temperature", temperature, 0, kind=numbers.Real)
        # Of positive temperatures one compiled loop serves all.
        options["temperature"] = float(temperature > 0)
        sampler = self._generator("Sampler", _room(length), ends, **options)
        sampler.seed, sampler.temperature = seed, temperature
        tokens = self._run(sampler, prompts).tokens[:, 0, :length]
        return [self.reader.write(row[row != 0]) for row in tokens]

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
        sentences = self._run(search, [prompt])
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

    def _run(self, generator: Generator, prompts: Sequence[str]) -> Sentences:
        """Run a generator from the states after the prompts."""
        states, last = zip(*(self.tokens.state(self.begin(prompt)) for prompt in prompts))
        context = {"states": [np.concatenate(parts) for parts in zip(*states)]}
        sentences = generator.run(context, batch_size=len(prompts), first=np.array(last))
        missing = ~np.isfinite(sentences.log_probs)  # sentences that a beam search did not find
        training.finite(np.where(missing, 0, sentences.log_probs), self.model)
        return sentences

    def _generator(self, kind: str, length: int, ends: list[int], **options: Any) -> Generator:
        """A generator, kept since compiling its loop takes longer than running it."""
        from kerasseq import generation

        key = (kind, length, tuple(ends), *sorted(options.items()))
        if key not in self._generators:
            forbidden = [UNKNOWN, START] + [END] * (not self.reader.ends)
            made = getattr(generation, kind)(
                self.model.get_layer("decoder"),
                length=length,
                start=START,
                end=ends,
                forbidden=forbidden,
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


def _room(length: int) -> int:
    """Tokens that the loop has room for: one compiled loop serves many lengths."""
    return max(_SHORTEST, 1 << (length - 1).bit_length())
