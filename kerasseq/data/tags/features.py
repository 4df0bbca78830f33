"""Features of single words: the normalised form, the shape, the casing, the affixes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["DERIVED", "casing", "normalise", "prefix", "shape", "suffix"]

_DIGIT = re.compile(r"\d")
_RUNS = re.compile(r"(.)\1+")
_AFFIX = 3  # characters
_LONGEST = 6  # signs of a shape


def normalise(word: str) -> str:
    """A word in lower case, with every digit as 0.

    >>> normalise("Boeing-747")
    'boeing-000'
    """
    return _DIGIT.sub("0", word.lower())


def shape(word: str) -> str:
    """The shape of a word: X for capitals, x for other letters, 0 for digits; runs count once.

    >>> shape("McDonald's"), shape("F-16"), shape("co-operation")
    ("XxXx'x", 'X-0', 'x-x')
    """
    signs = "".join(
        "X" if sign.isupper() else "x" if sign.isalpha() else "0" if sign.isdigit() else sign
        for sign in word
    )
    return _RUNS.sub(r"\1", signs)[:_LONGEST]


def casing(word: str) -> str:
    """How a word is written: lower, upper, title, mixed, number, digits or sign.

    >>> [casing(word) for word in ("in", "UN", "Rome", "eBay", "1,000", "F16", ";")]
    ['lower', 'upper', 'title', 'mixed', 'number', 'digits', 'sign']
    """
    letters = [sign for sign in word if sign.isalpha()]
    if any(sign.isdigit() for sign in word):
        return "digits" if letters else "number"
    if not letters:
        return "sign"
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper" if len(letters) > 1 else "title"
    return "title" if letters[0].isupper() and "".join(letters[1:]).islower() else "mixed"


def prefix(word: str) -> str:
    """The first three characters, normalised."""
    return normalise(word)[:_AFFIX]


def suffix(word: str) -> str:
    """The last three characters, normalised."""
    return normalise(word)[-_AFFIX:]


#: Columns that are computed from the words.
DERIVED: Mapping[str, Callable[[str], str]] = {
    "casing": casing,
    "prefix": prefix,
    "suffix": suffix,
}
