"""Turn texts into examples of a text classifier, by the vocabularies of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np

from kerasseq.data.classes.labels import Label, class_numbers
from kerasseq.data.text.ngrams import NgramEncoder, NgramState
from kerasseq.data.tokenizers.tokenizer import (
    END,
    PADDING,
    START,
    UNKNOWN,
    Kind,
    Tokenizer,
    TokenizerState,
    Truncate,
)
from kerasseq.io.schema import Count, Limits
from kerasseq.training import Examples

__all__ = ["Reader", "ReaderState"]

MOST_WORDS = 1_000_000  # so that the code of an n-gram of three words fits into 60 bits


class _DataInfo(TypedDict):
    classes: Annotated[int, Limits(least=2)]
    vocabulary: Annotated[int, Limits(least=2)]
    ngrams: Count
    length: Annotated[int, Limits(least=1)]
    timesteps: NotRequired[Annotated[float, Limits(least=0)]]  # missing in earlier runs


class ReaderState(TypedDict):
    """The JSON values of a `Reader`, with the data info that models depend on."""

    data_info: _DataInfo
    classes: list[str | int | float | bool]
    encoder: TokenizerState
    ngrams: NgramState | None
    reading: NotRequired[dict[str, str]]
    shares: NotRequired[list[Annotated[float, Limits(least=0, most=1)]]]


class Reader:
    """Turn texts into examples, by the vocabularies of a run.

    There is one vocabulary of tokens, the most frequent first. N-grams are made of all of them; the
    recurrent branch knows only the first `known` ones. A tokenizer with boundaries adds the start
    and the end to every text, as tokens like others, also of n-grams: letters at the end of a name
    say more than the same letters inside.

    Args:
        tokenizer: fitted tokenizer.
        known: number of tokens that the recurrent branch knows; others are unknown to it.
        ngrams: fitted n-gram encoder, or None.
        classes: label of each class, in the order of the class numbers.
    """

    def __init__(
        self, tokenizer: Tokenizer, known: int, ngrams: NgramEncoder | None, classes: list[Label]
    ) -> None:
        self.tokenizer, self.known, self.ngrams, self.classes = tokenizer, known, ngrams, classes

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        classes: list[Label],
        *,
        tokens: Kind,
        vocabulary_size: int,
        min_count: int,
        lowercase: bool,
        length: int | None,
        truncate: Truncate,
        ngrams: int,
        ngram_count: int,
        ngram_limit: int,
    ) -> tuple[Reader, list[list[int]]]:
        """Fit the vocabularies of a new reader; also returns the token numbers of the texts.

        Args:
            texts: the training texts.
            classes: label of each class, in the order of the class numbers.
            tokens: kind of token; texts of characters get a start and an end.
            vocabulary_size: maximum number of tokens that the recurrent branch knows.
            min_count: minimum number of occurrences of such a token in the texts.
            lowercase: whether texts are lower-cased.
            length: tokens per text for the recurrent branch; None for a length that 95% of the
                texts do not exceed, at most 400.
            truncate: end at which a longer text is cut.
            ngrams: number of tokens of the longest n-grams; 0 for no n-grams.
            ngram_count: minimum number of texts that contain an n-gram.
            ngram_limit: maximum number of n-grams.

        Raises:
            ValueError: if no token occurs `min_count` times.
        """
        shared = bool(ngrams) and tokens == "word"
        tokenizer = Tokenizer(
            kind=tokens,
            vocabulary_size=MOST_WORDS if shared else vocabulary_size,
            min_count=1 if shared else min_count,
            lowercase=lowercase,
            length=length,
            truncate=truncate,
            boundaries=tokens == "character",
        ).fit(texts)
        rows = _token_rows(tokenizer, texts)
        known = len(tokenizer)
        if shared:
            counts = np.bincount(np.fromiter(chain.from_iterable(rows), np.int64))
            frequent = 2 + np.count_nonzero(counts[2:] >= min_count)
            known = min(int(frequent), vocabulary_size)
        encoder = NgramEncoder(ngrams, ngram_count, ngram_limit).fit(rows) if ngrams else None
        return cls(tokenizer, known, encoder, classes), rows

    def state(self) -> dict[str, Any]:
        """The JSON values from which `from_state` restores the reader."""
        return {
            "data_info": {
                "classes": len(self.classes),
                "vocabulary": self.known,
                "ngrams": self.ngrams.size + 1 if self.ngrams else 0,
                "length": self.length,
            },
            "classes": self.classes,
            "encoder": self.tokenizer.state(),
            "ngrams": self.ngrams and self.ngrams.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Reader:
        """Restore a reader from the value of `state`.

        Raises:
            ValueError: if parts of the state contradict each other.
        """
        reader = cls(
            Tokenizer.from_state(state["encoder"]),
            state["data_info"]["vocabulary"],
            state["ngrams"] and NgramEncoder.from_state(state["ngrams"]),
            state["classes"],
        )
        data_info = state["data_info"]
        sizes = {
            "classes": len(reader.classes),
            "ngrams": reader.ngrams.size + 1 if reader.ngrams else 0,
            "vocabulary": min(reader.known, len(reader.tokenizer)),
            "length": reader.length,
        }
        for name, size in sizes.items():
            if data_info[name] != size:
                raise ValueError(f"data_info.{name} is {data_info[name]:,}, and there are {size:,}")
        shares = state.get("shares")
        if shares is not None and len(shares) != len(reader.classes):
            raise ValueError(f"shares are of {len(shares):,} of {len(reader.classes):,} classes")
        return reader

    @property
    def length(self) -> int:
        """Maximum number of tokens per text for the recurrent branch, with start and end."""
        return self.tokenizer.length + 2 * self.tokenizer.boundaries

    def read(self, texts: Sequence[str], labels: Sequence[Label] | None = None) -> Examples:
        """Turn texts into examples, with targets if labels are given."""
        return self.examples(_token_rows(self.tokenizer, texts), labels)

    def examples(
        self, rows: Sequence[Sequence[int]], labels: Sequence[Label] | None = None
    ) -> Examples:
        """Turn rows of token numbers into examples, with targets if labels are given.

        Args:
            rows: token numbers of each text, as `fit` returns them.
            labels: one label per text.
        """
        tokens = self.tokenizer.pad(rows, length=self.length)
        tokens[tokens >= self.known] = UNKNOWN
        inputs = {"tokens": tokens}
        token_counts = np.array([min(len(row), self.length) for row in rows], dtype=np.int64)
        lengths = {"tokens": token_counts}
        if self.ngrams:
            logits = 1 if len(self.classes) == 2 else len(self.classes)
            inputs["ending"] = self.tokenizer.pad(self.ngrams.ending(rows), length=self.length)
            inputs["ending_corrections"] = np.zeros((len(rows), 1, 1, logits), np.float32)
            inputs["ngrams"] = self.ngrams.encode(rows)
            inputs["ngram_corrections"] = np.zeros((len(rows), 1, logits), np.float32)
            lengths["ending"] = token_counts
            lengths["ngrams"] = np.count_nonzero(inputs["ngrams"], axis=1)
        targets = None
        if labels is not None:
            targets = class_numbers(labels, self.classes)
            if len(self.classes) == 2:
                targets = targets[:, None].astype(np.float32)
        return Examples(inputs, targets, lengths)

    def has_known_tokens(self, examples: Examples) -> np.ndarray:
        """Mask of the texts with at least one token or n-gram that the model knows, bool (texts,).

        Start and end, which every text has, do not count.
        """
        inputs, empty = examples.inputs, self.read([""]).inputs
        known = np.any(~np.isin(inputs["tokens"], [PADDING, UNKNOWN, *empty["tokens"][0]]), axis=1)
        if self.ngrams:
            known |= np.any(~np.isin(inputs["ngrams"], [0, *empty["ngrams"][0]]), axis=1)
        return np.asarray(known)


def _token_rows(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """All token numbers of each text, with start and end if the tokenizer has them."""
    rows = tokenizer.tokens(texts)
    return [[START, *row, END] for row in rows] if tokenizer.boundaries else rows
