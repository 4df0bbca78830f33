"""Texts to the tokens of a language model, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NotRequired, TypedDict

import numpy as np

from kerasseq.data.text import long_text
from kerasseq.data.text.corpus import lines_of
from kerasseq.data.text.corpus_split import TextPart
from kerasseq.data.text.long_text import Pieces, Text
from kerasseq.data.tokenizers.tokenizer import (
    END,
    PADDING,
    START,
    UNKNOWN,
    Kind,
    Tokenizer,
    TokenizerState,
)
from kerasseq.io.mapped import mapped_array

__all__ = ["LanguageReader", "LanguageReaderState"]

_BATCH = 2**20  # characters that are encoded at once
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
        pieces = Pieces(part.texts)
        separated = any(f" {_UNKNOWN_WORD} " in piece for piece in pieces)
        tokenizer = Tokenizer(
            kind,
            None if kind == "character" else vocabulary_size,
            min_count=min_count,
            lowercase=lowercase,
            length=1,  # rows are never padded
            clean=kind == "word" and not separated,
            boundaries=True,
        )
        tokenizer.fit(pieces)
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
        """The tokens of a part, int `(tokens,)`; of a large one, in a file that is mapped."""
        batches = self._batches(part.texts, part.documents)
        if part.characters < long_text.LARGE:
            return np.concatenate([*batches])
        return mapped_array(batches, np.uint16 if len(self.tokenizer) <= 2**16 else np.int32)

    def separate(self, tokens: np.ndarray) -> list[np.ndarray]:
        """The tokens of a part by texts that are read without each other: lines, or all as one."""
        if not self.lines:
            return [tokens]
        lines = np.split(tokens, np.flatnonzero(tokens == END) + 1)
        return [line for line in lines if len(line)]

    def whole(self, text: str) -> np.ndarray:
        """The tokens of a whole text, with its end if there are ends, int32 `(tokens,)`."""
        return np.concatenate([*self._batches([text], self.ends)])

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

    def _batches(self, texts: Sequence[Text], documents: bool) -> Iterator[np.ndarray]:
        """The tokens of texts, batch by batch, int32 `(tokens,)`."""
        for batch in _batches(texts, whole=self.reverse):
            if self.kind == "word":
                rows = [self._lines(piece, last) for piece, last in batch]
            else:
                end = [END] if documents and self.ends else []
                numbers = self.tokenizer.tokens([piece for piece, _ in batch])
                rows = [
                    row[:: self._step] + end * last
                    for row, (_, last) in zip(numbers, batch, strict=True)
                ]
            yield np.fromiter(chain.from_iterable(rows), dtype=np.int32)

    def _lines(self, piece: str, last: bool) -> list[int]:
        """The tokens of lines of words, each with its end."""
        lines = self.tokenizer.tokens(lines_of([piece]))[:: self._step]
        numbers = [*chain.from_iterable([*line[:: self._step], END] for line in lines)]
        goes_on = not last and not piece.endswith("\n")  # in the next piece of the text
        return numbers[:-1] if goes_on else numbers

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


def _batches(texts: Sequence[Text], *, whole: bool) -> Iterator[list[tuple[str, bool]]]:
    """Pieces of texts, each with whether it is the last one of its text, in few large batches.

    With `whole` each text is one piece.
    """
    batch: list[tuple[str, bool]] = []
    size = 0
    for text in texts:
        rest = len(text)
        for piece in (str(text),) if whole else long_text.pieces(text):
            rest -= len(piece)
            batch.append((piece, rest == 0))
            size += len(piece)
            if size >= _BATCH:
                yield batch
                batch, size = [], 0
    yield batch
