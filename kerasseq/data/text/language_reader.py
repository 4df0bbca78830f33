"""Texts to the tokens of a language model, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NotRequired, TypedDict

import numpy as np

from kerasseq.data.text.corpus import lines_of
from kerasseq.data.text.corpus_split import TextPart
from kerasseq.data.tokenizers.tokenizer import (
    END,
    PADDING,
    START,
    UNKNOWN,
    Kind,
    Tokenizer,
    TokenizerState,
)

__all__ = ["LanguageReader", "LanguageReaderState"]

_INCOMPLETE = "\ufffd"  # in place of a character some bytes of which are missing
_UNKNOWN_WORD = "<unk>"  # corpora with it are separated into words already


class LanguageReaderState(TypedDict):
    """The JSON values of a `LanguageReader`."""

    tokenizer: TokenizerState
    ends: bool
    lines: NotRequired[bool]  # missing in earlier runs, as the next one
    reverse: NotRequired[bool]


@dataclass(frozen=True)
class LanguageReader:
    """Turns texts into the tokens of a language model, and tokens into texts.

    Words are read line by line, and each line ends with the end token. Characters and subwords keep
    the text as it is, and the end token follows whole documents alone. A text that begins without
    context follows the end token where there are ends, otherwise the start token. In reverse, each
    text is read from its last token to its first, and then ends.

    Args:
        tokenizer: the vocabulary.
        ends: whether the training part has end tokens.
        lines: whether each text is a line, which is read without those before it.
        reverse: whether texts are read in reverse.
    """

    tokenizer: Tokenizer
    ends: bool
    lines: bool = False
    reverse: bool = False

    @classmethod
    def fit(
        cls,
        part: TextPart,
        kind: Kind,
        *,
        vocabulary_size: int,
        min_count: int,
        lowercase: bool,
        lines: bool = False,
        reverse: bool = False,
    ) -> LanguageReader:
        """Choose the vocabulary from the training part.

        Args:
            part: the training part.
            kind: "character", "word" or "subword".
            vocabulary_size: largest number of words or subwords.
            min_count: least number of occurrences of a token.
            lowercase: whether texts are lower-cased.
            lines: whether each text is a line, which is read without those before it.
            reverse: whether texts are read in reverse.

        Raises:
            ValueError: if no token occurs often enough, or the vocabulary is larger than the text.
        """
        separated = any(f" {_UNKNOWN_WORD} " in text for text in part.texts)
        tokenizer = Tokenizer(
            kind,
            None if kind == "character" else vocabulary_size,
            min_count=min_count,
            lowercase=lowercase,
            length=1,  # rows are never padded
            clean=kind == "word" and not separated,
            boundaries=True,
        )
        pieces = lines_of(part.texts)
        tokenizer.fit(pieces if kind == "word" else part.texts)
        return cls(tokenizer, part.documents or kind == "word", lines, reverse)

    @property
    def kind(self) -> Kind:
        """Kind of the tokens: character, word or subword."""
        return self.tokenizer.kind

    @property
    def first(self) -> int:
        """The token that a text without context follows."""
        return END if self.ends else START

    def read(self, part: TextPart) -> np.ndarray:
        """The tokens of a part, int32 `(tokens,)`."""
        rows = self._texts(part.texts, part.documents)
        return np.fromiter(chain.from_iterable(rows), dtype=np.int32)

    def separate(self, tokens: np.ndarray) -> list[np.ndarray]:
        """The tokens of a part by texts that are read without each other: lines, or all as one."""
        if not self.lines:
            return [tokens]
        lines = np.split(tokens, np.flatnonzero(tokens == END) + 1)
        return [line for line in lines if len(line)]

    def whole(self, text: str) -> np.ndarray:
        """The tokens of a whole text, with its end if there are ends, int32 `(tokens,)`."""
        return np.array(self._texts([text], self.ends)[0], dtype=np.int32)

    def begun(self, text: str) -> np.ndarray:
        """The tokens of a text that will go on, int32 `(tokens,)`.

        Raises:
            ValueError: if texts are read in reverse.
        """
        if self.reverse:
            raise ValueError(
                "a model that reads texts in reverse (reverse=True) scores them, and cannot go on "
                "with one: train a model with reverse=False for that."
            )
        if self.kind != "word":
            return np.array(self.tokenizer.tokens([text])[0], dtype=np.int32)
        numbers = self.whole(text)
        return numbers if text.endswith("\n") else numbers[:-1]

    def write(self, tokens: Sequence[int] | np.ndarray) -> str:
        """The text of tokens; an end token between words is a line break."""
        numbers = np.asarray(tokens)
        if self.kind != "word" or self.lines:
            return self.tokenizer.decode([numbers])[0]
        lines = np.split(numbers, np.flatnonzero(numbers == END))
        return "\n".join(self.tokenizer.decode([line[line != END] for line in lines]))

    def write_pieces(self, pieces: Iterable[np.ndarray]) -> Iterator[str]:
        """The text of tokens that come piece by piece; all pieces together are `write` of all.

        A character whose bytes are divided between pieces comes with the last of them.

        Args:
            pieces: rows of tokens, int `(tokens,)`; padding does not count.
        """
        tokens, text, written = np.zeros(0, dtype=np.int32), "", ""
        for piece in pieces:
            added = piece[piece != PADDING]
            # How a piece continues the text depends on the tokens before it.
            tokens = np.concatenate([tokens, added])
            text = self.write(tokens)
            complete = text.rstrip(_INCOMPLETE)
            yield complete[len(written) :]
            written = complete
            if complete == text:
                tokens, written = added, self.write(added)
                text = written
        yield text[len(written) :]

    def unknown_share(self, tokens: np.ndarray) -> float:
        """Share of the tokens that are unknown."""
        return float(np.mean(tokens == UNKNOWN)) if len(tokens) else 0.0

    def _texts(self, texts: Sequence[str], documents: bool) -> list[list[int]]:
        if self.kind == "word":
            rows = [self.tokenizer.tokens(lines_of([text])) for text in texts]
            return [
                [*chain.from_iterable([*line[:: self._step], END] for line in lines[:: self._step])]
                for lines in rows
            ]
        end = [END] if documents and self.ends else []
        return [[*row[:: self._step], *end] for row in self.tokenizer.tokens(texts)]

    @property
    def _step(self) -> int:
        """The step of slices in the order of reading."""
        return -1 if self.reverse else 1

    def state(self) -> dict[str, Any]:
        """The JSON values from which `from_state` restores the reader."""
        settings = {name: getattr(self, name) for name in ("ends", "lines", "reverse")}
        return {"tokenizer": self.tokenizer.state(), **settings}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LanguageReader:
        """Restore a reader from its state."""
        tokenizer = Tokenizer.from_state(state["tokenizer"])
        later = {name: state[name] for name in ("lines", "reverse") if name in state}
        return cls(tokenizer, state["ends"], **later)
