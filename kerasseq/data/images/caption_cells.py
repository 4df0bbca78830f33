"""Parse the captions in a table cell: a text, a list of texts, or a list written as text."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings
from typing import Any

from kerasseq.io.limits import encodable, parse_json

__all__ = ["parse_captions"]

_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_MISSING = r"(?:None|null|nan|NaN)"
_MARK = """["'“”‘’]"""
_ITEM = re.compile(rf"[uU]?({_QUOTED})|{_MISSING}", re.DOTALL)
# A list or tuple of texts as Python and NumPy write them; NumPy writes no commas.
_LIST = re.compile(rf"\s*[\[(]\s*(?:(?:{_ITEM.pattern})[\s,]*)+[\])]\s*", re.DOTALL)
# Text that was probably meant as a list: brackets, then a quoted text that is followed by a
# delimiter or has no closing quotation mark; or quotation marks inside brackets at both ends.
_LIKE_A_LIST = re.compile(
    rf"""\s*(?:[\[({{]\s*)+
    (?: [a-zA-Z]{{0,2}} {_QUOTED} \s* (?:[,:\])}}'"]|\Z)
      | [a-zA-Z]{{0,2}} (?: '(?:[^'\\]|\\.)*\Z | "(?:[^"\\]|\\.)*\Z )
      | {_MISSING} \s* [,:\])}}]
      | {_MARK} .* {_MARK} \s* [\])}}] \s* \Z )""",
    re.DOTALL | re.VERBOSE,
)


def parse_captions(cell: Any) -> list[str]:
    """Parse the captions in a cell; a missing caption is an empty text.

    A text is read as a list of captions if it is a JSON list, or a list, tuple or array of texts as
    Python writes it. It is an error if a text looks like a list and cannot be read: if brackets are
    followed by a quoted text and then by a comma, colon, bracket, quotation mark or nothing, or if
    the text begins and ends with quotation marks in brackets. Every other text is a single caption,
    also one that begins with a bracket: `[laughs] a man runs`, `("Go!" he shouts) a man runs`.

    Args:
        cell: a text, number or missing value; or a list, tuple, set or array of them.

    Raises:
        ValueError: if a text looks like a list and is not a list of texts, or the cell has another
            type.

    Example:

    >>> parse_captions("['A dog.', 'A dog runs.']"), parse_captions("[laughs] a man runs")
    (['A dog.', 'A dog runs.'], ['[laughs] a man runs'])
    """
    if isinstance(cell, str):
        return _parse_text(encodable(cell))
    if hasattr(cell, "tolist"):  # an array
        cell = cell.tolist()
    if isinstance(cell, set | frozenset):
        cell = sorted(cell, key=str)  # the order of a set differs from process to process
    return [_to_caption(item) for item in (cell if isinstance(cell, list | tuple) else [cell])]


def _to_caption(value: Any) -> str:
    """Convert a single value to a caption."""
    import pandas as pd

    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, bytes) or not pd.api.types.is_scalar(value):
        raise ValueError("a caption must be a text")
    return "" if pd.isna(value) else str(value)


def _parse_text(text: str) -> list[str]:
    """Parse a text that is a caption or spells a list of captions."""
    if not text.lstrip().startswith(("[", "(", "{")):
        return [text]
    value = None
    with contextlib.suppress(ValueError):
        value = parse_json(text)
    if isinstance(value, list) and all(isinstance(item, str | None) for item in value):
        return [item or "" for item in value]
    if value is None and _LIST.fullmatch(text):
        with contextlib.suppress(ValueError, SyntaxError):
            return [_literal(item[1]) if item[1] else "" for item in _ITEM.finditer(text)]
    if isinstance(value, list | dict) or _LIKE_A_LIST.match(text):
        raise ValueError("it looks like a list, and cannot be read as a list of texts")
    return [text]


def _literal(quoted: str) -> str:
    """The value of a string literal of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unknown escape sequences
        return str(ast.literal_eval(quoted))
