"""Texts that are read piece by piece, in memory or, if they are large, on disk."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np

from kerasseq.io.files import decode
from kerasseq.io.limits import check_size
from kerasseq.io.mapped import mapped_array

__all__ = ["LARGE", "LongText", "Pieces", "Text", "is_blank", "pieces"]

#: Bytes of a file, or characters of a part, from which on texts and tokens are kept on disk.
LARGE = 64 * 2**20
_PIECE = 2**20  # characters that are in memory at once
_BLOCK = 2**20  # bytes that are read at once
_NEAR = 2**16  # characters in which a good place to cut is looked for
# Between two lines, or between two words: neither word nor white space is divided.
_BETWEEN_LINES, _BETWEEN_WORDS = re.compile(r"(?<=\S\n)(?=\S)"), re.compile(r"(?<=\S)(?= \S)")
_ENCODINGS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}  # by the bytes of a character


class LongText:
    """A text on disk: its code points in a memory-mapped array, each of 1, 2 or 4 bytes.

    Like a string it has a length and slices, which are long texts too.

    Args:
        points: code points, uint8, uint16 or uint32 `(characters,)`.
        fingerprint: digest of the whole text.

    Example:

    >>> text = LongText(np.frombuffer(b"Ada\\nBob", np.uint8))
    >>> len(text), str(text[4:]), text.find("\\n", 1)
    (7, 'Bob', 3)
    """

    def __init__(self, points: np.ndarray, fingerprint: str | None = None) -> None:
        self._points, self.fingerprint = points, fingerprint

    @classmethod
    def read(cls, path: Path) -> LongText | None:
        """Read a file of UTF-8 with line breaks as \\n; None if it has another encoding.

        Raises:
            ValueError: if it is not text, or is larger than the limit of `kerasseq.io.limits`.
        """
        check_size(path.stat().st_size, str(path))
        try:
            highest = max(ord(max(piece, default="\0")) for piece in _decoded(path))
        except UnicodeDecodeError:
            return None
        width = 1 if highest < 2**8 else 2 if highest < 2**16 else 4
        digest = hashlib.sha256()

        def points() -> Iterator[np.ndarray]:
            for piece in _decoded(path):
                digest.update(piece.encode())
                yield np.frombuffer(piece.encode(_ENCODINGS[width]), f"<u{width}")

        array = mapped_array(points(), f"<u{width}")
        return cls(array, f"long text {digest.hexdigest()}")

    def __len__(self) -> int:
        return len(self._points)

    def __str__(self) -> str:
        return self._points.tobytes().decode(_ENCODINGS[self._points.itemsize])

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> LongText: ...
    def __getitem__(self, place: int | slice) -> str | LongText:
        if isinstance(place, slice):
            return LongText(self._points[place])
        return chr(self._points[place])

    def find(self, character: str, start: int = 0) -> int:
        """The first place of a character from `start` on; -1 if there is none."""
        for begin in range(start, len(self), _PIECE):
            places = np.flatnonzero(self._points[begin : begin + _PIECE] == ord(character))
            if len(places):
                return begin + int(places[0])
        return -1


Text: TypeAlias = str | LongText


class Pieces(Sequence[str]):
    """The pieces of texts one after another, made anew whenever they are read.

    Args:
        texts: the texts.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(pieces, self._texts))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, place: int | slice) -> str | list[str]:  # type: ignore[override]
        return [*self][place]


def pieces(text: Text) -> Iterator[str]:
    """Cut a text into pieces of about a million characters, between lines, or at least words.

    >>> [*pieces("to be")]
    ['to be']
    """
    start = 0
    while len(text) - start > _PIECE:
        part = str(text[start : start + _PIECE])
        part = part[: _cut(part)]
        yield part
        start += len(part)
    yield str(text[start:])


def is_blank(text: Text) -> bool:
    """Whether a text has nothing but white space."""
    return not any(piece.strip() for piece in pieces(text))


def _cut(part: str) -> int:
    """The last good place to cut near the end of a part of a text."""
    for between in (_BETWEEN_LINES, _BETWEEN_WORDS):
        # The last character may be before a space.
        places = [match.start() for match in between.finditer(part, max(1, len(part) - _NEAR))]
        if places:
            return places[-1]
    return len(part)


def _decoded(path: Path) -> Iterator[str]:
    """The text of a UTF-8 file block by block, with line breaks as \\n.

    Raises:
        UnicodeDecodeError: if it is not UTF-8.
        ValueError: if it is not text.
    """
    decoder, held = codecs.getincrementaldecoder("utf-8-sig")(), ""
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            text = held + decoder.decode(block)
            if "\0" in text:
                decode(block, str(path))  # raises the error of binary files
            # The second half of a line break may come with the next block.
            held = "\r" if text.endswith("\r") else ""
            yield text.removesuffix("\r").replace("\r\n", "\n")
    yield held + decoder.decode(b"", final=True)
