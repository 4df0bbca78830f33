"""Words of a text with their character offsets, and tags from spans of characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from kerasseq.data.tags.schemes import write
from kerasseq.evaluation.chunks import Chunk

__all__ = ["Span", "Word", "span_tags", "split_words"]

_JOINERS = "\u200c\u200d"  # inside of words, of Persian and Hindi say
_ENDING = r"['\u2019](?i:s|re|ve|ll|d|m)\b"
_WORD = re.compile(
    r"https?://\S+[\w/]"
    r"|\w[\w.+-]{0,64}@\w[\w-]*(?:\.\w+)+"  # an e-mail address
    r"|(?:[^\W\d_]\.){2,}"  # U.N.
    r"|\w+?(?=(?i:n['\u2019]t)\b)|(?i:n['\u2019]t)\b"
    rf"|{_ENDING}"
    r"|\d+(?:[.,:/-]\d+)*(?:-?\w+)*"  # 1,000.50, 12:30, 1996-08-22, 3rd, 20-year
    r"|\w+(?:[-&]\w+)*(?:['\u2019](?!(?i:s|re|ve|ll|d|m|t)\b)\w+)*"  # ex-president, AT&T, O'Neil
    r"|\.{2,}|-{2,}|[^\w\s]"
)


class Word(NamedTuple):
    """A word of a text, from character `start` to `end`, which is excluded."""

    text: str
    start: int
    end: int


class Span(NamedTuple):
    """Characters `start` to `end`, of which the last is excluded, that are of a type."""

    start: int
    end: int
    type: str


def split_words(text: str) -> list[Word]:
    """Split a text into words, with their offsets; the text itself is not changed.

    Words are split about as in the corpora of CoNLL: punctuation marks and endings such as "'s" and
    "n't" are words, while numbers, dates, abbreviations such as "U.N." and words with a hyphen stay
    whole.

    Args:
        text: a text of any length.

    Example:

    >>> [word.text for word in split_words("The U.N. didn't say: 3.50, O'Neil's.")]
    ['The', 'U.N.', 'did', "n't", 'say', ':', '3.50', ',', "O'Neil", "'s", '.']
    """
    matches = _WORD.finditer(_with_joined_marks(text))
    return [Word(text[slice(*match.span())], *match.span()) for match in matches]


def _with_joined_marks(text: str) -> str:
    """The text with combining marks after letters, which are part of words, as letters."""
    if text.isascii():
        return text
    signs: list[str] = []
    for sign in text:
        joins = sign in _JOINERS or unicodedata.category(sign) in ("Mn", "Mc", "Me")
        signs.append(signs[-1] if joins and signs and signs[-1].isalnum() else sign)
    return "".join(signs)


def span_tags(words: Sequence[Word], spans: Sequence[Span]) -> tuple[list[str], int, int]:
    """Tags (IOB2) of the words of a text from its spans of characters.

    A span takes every word that it touches. Of spans that share a word, the one that begins first
    is kept, and of these the longest.

    Args:
        words: the words of the text.
        spans: its spans, in any order.

    Returns:
        The tags; the number of spans that were widened to whole words; and the number of spans that
        were left out.

    Example:

    >>> span_tags(split_words("in New York"), [Span(3, 11, "LOC")])
    (['O', 'B-LOC', 'I-LOC'], 0, 0)
    """
    parts: list[Chunk] = []
    widened = dropped = 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        touched = [i for i, w in enumerate(words) if w.start < span.end and w.end > span.start]
        if not touched or (parts and parts[-1].end > touched[0]):
            dropped += 1
            continue
        first, last = touched[0], touched[-1]
        widened += words[first].start < span.start or words[last].end > span.end
        parts.append(Chunk(span.type, first, last + 1))
    return write(parts, len(words), "IOB2"), widened, dropped
