"""The Run class of language models."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseq.io.limits import encodable
from kerasseq.io.tables import TABLES
from kerasseq.params.spec import positive_int
from kerasseq.runs import Run

if TYPE_CHECKING:
    import pandas as pd

    from kerasseq.tasks.language_model.writing import Writer

__all__ = ["LanguageModelRun"]

_COLUMNS = (
    *("text", "tokens", "log_probability", "per_token", "perplexity", "bits_per_character"),
    *("unknown", "note"),
)


class LanguageModelRun(Run):
    """A trained language model with its vocabulary and scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.language_model(epochs=1, units=4, quiet=True)
    >>> len(run.generate("Citizen:", length=20))
    20
    """

    verbs: ClassVar[tuple[str, ...]] = ("score", "generate", "complete", "evaluate")
    files: ClassVar[tuple[str, ...]] = (*TABLES, ".txt", "")
    rowwise: ClassVar[Mapping[str, str]] = {"score": ""}
    row_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}

    def predict(self, data: Any, **options: Any) -> pd.DataFrame:
        """Log-probabilities of texts; the same as `score`.

        Args:
            data: as in `score`.
            **options: as in `score`.

        Returns:
            As `score`.
        """
        return self.score(data, **options)

    def score(
        self,
        data: list[str] | str | os.PathLike[str] | pd.DataFrame,
        text: str | None = None,
    ) -> pd.DataFrame:
        """Log-probabilities of texts, each read without the others.

        Args:
            data: a list of texts; a table, or its file, with a column of texts; or a text file,
                each line of which is a text.
            text: name of the column of texts in a table; default: the one of the training data, or
                detected.

        Returns:
            A row for each text: `text`, number of `tokens`, `log_probability` in nats, the same
            `per_token`, `perplexity` per token, `bits_per_character`, number of `unknown` tokens,
            and a `note` on a text that has no probability.

        Raises:
            ValueError: if the data cannot be read as a whole.
            FileNotFoundError: if there is no such file.
        """
        import pandas as pd

        from kerasseq.data.text.corpus import read_lines
        from kerasseq.data.tokenizers.tokenizer import UNKNOWN

        texts = [
            encodable(each) if isinstance(each, str) else each
            for each in read_lines(data, text, self.state["column"])
        ]
        reader = self._writer.reader
        tokens = [
            reader.whole(each) if isinstance(each, str) and each.strip() else None for each in texts
        ]
        known = [each for each in tokens if each is not None]
        nats = iter(self._writer.tokens.nats(known))
        rows = []
        for each, numbers in zip(texts, tokens):
            if numbers is None:
                missing = pd.api.types.is_scalar(each) and pd.isna(each)
                empty = isinstance(each, str) or missing
                note = "no text" if empty else "not a text"
                rows.append((each, 0, *[math.nan] * 4, 0, note))
                continue
            total, count = float(next(nats).sum()), len(numbers)
            bits = total / math.log(2) / len(each)
            perplexity = math.exp(min(total / count, 700.0))
            unknown = int(np.sum(numbers == UNKNOWN))
            rows.append((each, count, -total, -total / count, perplexity, bits, unknown, ""))
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def generate(
        self,
        prompt: str,
        length: int = 200,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        stop: str | None = None,
        seed: int = 0,
    ) -> str:
        """Go on with a text by sampling token by token.

        Args:
            prompt: the text to go on from; an empty one begins a new text, if the model has learned
                beginnings from several documents or from lines.
            length: largest number of tokens. The text is shorter if a document ends. Between words
                an end is a line break, and the text goes on.
            temperature: divisor of the logits: below 1 likely tokens become likelier; 0 always
                takes the likeliest one.
            top_k: number of the likeliest tokens to sample from; 0 for all.
            top_p: sample from the likeliest tokens that have this probability together.
            repetition_penalty: at least 1: log-probabilities of tokens that the new text already
                has are multiplied by it.
            stop: text before which to stop, such as a line break.
            seed: seed of the samples.

        Returns:
            The text after the prompt.

        Raises:
            ValueError: if the prompt has no known token, or an argument is out of range.
        """
        pieces = self.stream(
            prompt,
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            stop=stop,
            seed=seed,
        )
        return "".join(pieces)

    def stream(
        self,
        prompt: str,
        length: int = 200,
        *,
        stop: str | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Iterator[str]:
        """The text of `generate`, piece by piece, as soon as each is there.

        Args:
            prompt: as in `generate`.
            length: as in `generate`.
            stop: as in `generate`.
            seed: as in `generate`.
            **options: `temperature`, `top_k`, `top_p` and `repetition_penalty`, as in `generate`.

        Returns:
            An iterator of texts that together are the one of `generate`.

        Raises:
            ValueError: as in `generate`.

        Example:

        >>> import kerasseq
        >>> run = kerasseq.language_model(epochs=1, units=4, quiet=True)
        >>> "".join(run.stream("Citizen:", length=90)) == run.generate("Citizen:", length=90)
        True
        """
        if stop is not None and not (isinstance(stop, str) and stop):
            raise ValueError(f"stop must be a text that is not empty. Received: stop={stop!r}")
        length = positive_int("length", length)
        return self._writer.stream(prompt, length, stop=stop, seed=_seed(seed), **options)

    def complete(self, prompt: str, n: int = 5, length: int | None = None) -> pd.DataFrame:
        """The likeliest continuations of a text, by beam search.

        Args:
            prompt: the text to complete, as in `generate`.
            n: number of continuations.
            length: largest number of tokens; default: one word. A model of characters goes on to
                the end of the word that the prompt ends in, with the character after it; one of
                subwords by three tokens.

        Returns:
            A row for each continuation, the likeliest first: `text`, its `probability`, and
            `log_probability` in nats.

        Raises:
            ValueError: if the prompt has no known token, or an argument is out of range.
        """
        import pandas as pd

        if length is not None:
            positive_int("length", length)
        continuations = self._writer.complete(prompt, positive_int("n", n), length)
        rows = [(text, math.exp(score), score) for text, score in continuations]
        return pd.DataFrame(rows, columns=["text", "probability", "log_probability"])

    def evaluate(self, data: Any, dynamic: float | None = None, **reading: Any) -> dict[str, Any]:
        """Score the model on new texts.

        Args:
            data: new texts, in a form that the recipe accepts as its own `data`.
            dynamic: learning rate of dynamic evaluation, in which a copy of the model learns from
                each chunk of the text after the chunk was scored (Krause et al. 2018, arXiv
                1709.07432); None for none. Its scores are apart from those of the model as it is.
            **reading: arguments of the recipe that say how to read the data; default: the values of
                the run.

        Returns:
            `rows`, `test` (each metric), `interval` and `remarks`, as in `metrics`; with `dynamic`
            also `dynamic`, which has the metrics of dynamic evaluation, and `dynamic_interval`.

        Raises:
            ValueError: if the data cannot be read, or the learning rate is not above 0.
        """
        rate = None if dynamic is None else _rate(dynamic)
        result = super().evaluate(data, **reading)
        if rate is None:
            return result
        examples = self.task.read(data, self.state, self.resolved, reading)
        nats = self.task.dynamic_predictions(self.model, examples, self.state, self.resolved, rate)
        score = self.task.score(nats, examples.targets, self.resolved)
        return {**result, "dynamic": score.values, "dynamic_interval": score.interval()}

    @property
    def _writer(self) -> Writer:
        writer: Writer = self.task.writer(self.model, self.state)
        return writer


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise ValueError(f"dynamic must be a rate above 0. Received: dynamic={value!r}")
    return float(value)


def _seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0. Received: seed={seed!r}")
    return int(seed)
