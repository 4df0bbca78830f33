"""Chunks (entities, phrases, slots) in sequences of tags, as the script conlleval reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["OUTSIDE", "Chunk", "chunks", "split_tag"]

#: The tag of a token that belongs to no chunk.
OUTSIDE = "O"
# BILOU has L (last) for E (end) and U (unit) for S (single).
_PREFIXES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S"}


class Chunk(NamedTuple):
    """Tokens `start` to `end`, of which the last is excluded, that are one chunk of a type."""

    type: str
    start: int
    end: int


def split_tag(tag: str) -> tuple[str, str]:
    """The prefix of a tag (B, I, E, S or O), and its type.

    Of BILOU, L becomes E and U becomes S. A tag without a prefix is inside a chunk of that type.

    >>> [split_tag(tag) for tag in ("B-LOC", "U-LOC", "O", "I", "LOC")]
    [('B', 'LOC'), ('S', 'LOC'), ('O', ''), ('I', ''), ('I', 'LOC')]
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix = _PREFIXES.get(tag[:1])
    if prefix and (len(tag) == 1 or tag[1] == "-"):
        return prefix, tag[2:]
    return "I", tag


def chunks(tags: Sequence[str]) -> list[Chunk]:
    """The chunks in the tags of a sentence, in any scheme (IOB1, IOB2, BIOES, BILOU or IO).

    These are the rules of conlleval (Tjong Kim Sang & Buchholz 2000,
    https://aclanthology.org/W00-0726), which reads every sequence of tags: an I after O, or after a
    chunk of another type, begins a chunk.

    Args:
        tags: one tag per token.

    Example:

    >>> chunks(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [Chunk(type='PER', start=0, end=2), Chunk(type='LOC', start=3, end=4), \
Chunk(type='LOC', start=4, end=5)]
    """
    result: list[Chunk] = []
    start, last, kind = 0, OUTSIDE, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, new_kind = split_tag(tag)
        continues = (
            last in ("B", "I") and prefix in ("I", "E") and new_kind == kind
        )  # else the chunk before has ended
        if last != OUTSIDE and not continues:
            result.append(Chunk(kind, start, place))
        if not continues:
            start = place
        last, kind = prefix, new_kind
    return result
