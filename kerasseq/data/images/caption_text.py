"""Normalize captions for training and scoring, and build their tokenizer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from kerasseq.data.tokenizers.tokenizer import Tokenizer

__all__ = ["caption_tokenizer", "normalize_caption"]

_SIGN = re.compile(r"[^\w\s]|_")
_WITHIN = re.compile(r"(?<=\w)['’&=._‐-](?=\w)|(?<=\d)[,:](?=\d)")  # a word, or a number


def normalize_caption(caption: str) -> str:
    """Normalize a caption: lower case, no punctuation, single spaces.

    Signs within a word are removed (man's, T-shirt, U.S.); other signs separate words.

    >>> normalize_caption("A man's T-shirt,and 2 dogs .")
    'a mans tshirt and 2 dogs'
    """
    joined = _WITHIN.sub("", unicodedata.normalize("NFKC", caption).lower())
    return " ".join(_SIGN.sub(_replace_sign, joined).split())


def _replace_sign(sign: re.Match[str]) -> str:
    """Replacement of a sign: a space, except for marks and invisible characters.

    Many scripts write vowels as marks on the letter before, which belong to the word.
    """
    category = unicodedata.category(sign[0])
    if category in ("Mn", "Mc"):
        before = sign.string[max(0, sign.start() - 1)]
        return sign[0] if unicodedata.category(before)[0] in "LNM" else ""
    return "" if category == "Cf" else " "  # Cf: invisible, such as joiners


def caption_tokenizer(captions: Sequence[str], min_count: int, length: int) -> Tokenizer:
    """Fit a tokenizer of words with start and end tokens on normalized captions.

    Args:
        captions: training captions, as `normalize_caption` returns them.
        min_count: minimum number of occurrences of a word.
        length: maximum number of words of a caption; longer ones are cut.

    Raises:
        ValueError: if no word occurs `min_count` times.

    Example:

    >>> tokenizer = caption_tokenizer(["a dog", "a dog runs"], min_count=2, length=40)
    >>> tokenizer.encode(["a dog runs", "a"], start=True, end=True)
    array([[2, 4, 5, 1, 3],
           [2, 4, 3, 0, 0]], dtype=int32)
    """
    longest = max((len(caption.split()) for caption in captions), default=0)
    return Tokenizer(
        "word",
        vocabulary_size=None,
        min_count=min_count,
        lowercase=False,
        length=max(1, min(longest, length)),
        clean=False,
        boundaries=True,
    ).fit(captions)
