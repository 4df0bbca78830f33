"""Captions as words, and words as numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["END", "PADDING", "START", "UNKNOWN", "CaptionWords", "plain"]

PADDING, UNKNOWN, START, END = range(4)
_RESERVED = ("[padding]", "[unknown]", "[start]", "[end]")  # no caption has brackets
_SIGN = re.compile(r"[^\w\s]|_")
_WITHIN = re.compile(r"(?<=\w)['’&=._‐-](?=\w)|(?<=\d)[,:](?=\d)")  # a word, or a number


def plain(caption: str) -> str:
    """A caption as it is learned and scored: lower case, without punctuation, single spaces.

    What stands within a word (man's, T-shirt, U.S.) goes; other signs part words.

    >>> plain("A man's T-shirt,and 2 dogs .")
    'a mans tshirt and 2 dogs'
    """
    told = _WITHIN.sub("", unicodedata.normalize("NFKC", caption).lower())
    return " ".join(_SIGN.sub(_left, told).split())


def _left(sign: re.Match[str]) -> str:
    """What is left of a sign: many scripts write vowels as marks on the letter before."""
    category = unicodedata.category(sign[0])
    if category in ("Mn", "Mc"):
        before = sign.string[max(0, sign.start() - 1)]
        return sign[0] if unicodedata.category(before)[0] in "LNM" else ""
    return "" if category == "Cf" else " "  # joiners, which are not seen


class CaptionWords:
    """The words of captions by number: 0 padding, 1 unknown, 2 start, 3 end, then by frequency.

    Args:
        words: the known words, the most frequent one first.
        length: words of the longest caption to learn from; what is beyond is left out.

    Example:

    >>> words = CaptionWords.fitted(["a dog", "a dog runs"], min_count=2)
    >>> words.known
    ['a', 'dog']
    >>> words.encode(["a dog runs", "a"])
    array([[2, 4, 5, 1, 3],
           [2, 4, 3, 0, 0]], dtype=int32)
    >>> words.texts([[4, 5, 3, 0]])
    ['a dog']
    """

    def __init__(self, words: Sequence[str], length: int) -> None:
        self.known = list(words)
        self.length = length
        self._numbers = {word: number for number, word in enumerate(words, len(_RESERVED))}

    @classmethod
    def fitted(cls, captions: Iterable[str], min_count: int, length: int = 40) -> CaptionWords:
        """The words that these plain captions have at least so often.

        Args:
            captions: those to learn from, as `plain` gives them.
            min_count: how often a word must occur.
            length: words of the longest caption; longer ones are cut.

        Raises:
            ValueError: if no word occurs so often.
        """
        counts: Counter[str] = Counter()
        longest = 0
        for caption in captions:
            found = caption.split()
            counts.update(found)
            longest = max(longest, len(found))
        words = [word for word, count in counts.items() if count >= min_count]
        words.sort(key=lambda word: (-counts[word], word))
        if not words:
            raise ValueError(
                f"no word occurs min_count={min_count} times in the captions to learn from: give "
                "more captions, or a smaller min_count."
            )
        return cls(words, min(longest, length))

    def __len__(self) -> int:
        """How many numbers there are, the reserved ones among them."""
        return len(_RESERVED) + len(self.known)

    @property
    def names(self) -> list[str]:
        """What each number stands for."""
        return [*_RESERVED, *self.known]

    def encode(self, captions: Sequence[str]) -> np.ndarray:
        """Plain captions between their marks, int32 (captions, 2 + words), padded on the right."""
        rows = [
            [START, *(self._numbers.get(word, UNKNOWN) for word in caption.split()[: self.length])]
            for caption in captions
        ]
        out = np.full((len(rows), 2 + self.length), PADDING, dtype=np.int32)
        for target, row in zip(out, rows):
            target[: len(row)] = row
            target[len(row)] = END
        return out

    def texts(self, rows: Iterable[Iterable[int]]) -> list[str]:
        """The captions of rows of numbers, each up to its end mark."""
        names = self.names
        found = []
        for row in rows:
            words: list[str] = []
            for number in row:
                if number == END:
                    break
                if number not in (PADDING, START):
                    words.append(names[number])
            found.append(" ".join(words))
        return found

    def state(self) -> dict[str, Any]:
        """All that `of` needs, ready for JSON."""
        return {"words": self.known, "length": self.length}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> CaptionWords:
        """The words that `state` was taken from."""
        return cls(state["words"], state["length"])
