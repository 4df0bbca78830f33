"""Parse lists of texts that a table cell spells as text, as JSON, Python and NumPy write them."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings

from kerasseq.io.limits import parse_json

__all__ = ["parse_texts"]

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


def parse_texts(text: str) -> list[str] | None:
    """The list of texts that a text spells; a missing one is empty.

    Args:
        text: a JSON list, or a list, tuple or array of texts as Python or NumPy writes it.

    Returns:
        The list, or None if the text is no list.

    Raises:
        ValueError: if the text looks like a list, and is not a list of texts.

    Example:

    >>> parse_texts("['Ana' 'ran']"), parse_texts("[laughs] a man runs")
    (['Ana', 'ran'], None)
    """
    if not text.lstrip().startswith(("[", "(", "{")):
        return None
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
    return None


def _literal(quoted: str) -> str:
    """The value of a string literal of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unknown escape sequences
        return str(ast.literal_eval(quoted))
