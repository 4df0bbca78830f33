"""Patterns of file names that hold the label and the group of a sequence."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["FIELDS", "compile_pattern", "match_name"]

#: Fields that a pattern may have.
FIELDS = ("label", "group")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern with the fields `{label}` and `{group}`; `*` stands for any text.

    Raises:
        ValueError: if it has other fields, a field twice, or no field.

    Example:

    >>> match_name(compile_pattern("a{label}_s{group}_*"), "a01_s02_e03_skeleton3D")
    {'label': '01', 'group': '02'}
    """
    pieces = re.split(r"\{(\w*)\}|(\*)", pattern)
    fields = [name for name in pieces[1::3] if name is not None]
    if not fields or {*fields} - {*FIELDS} or len({*fields}) < len(fields):
        raise ValueError(
            "pattern must have {label}, and may have {group}, each once; * stands for any text. "
            f"Received: pattern={pattern!r}"
        )
    expression = ""
    for literal, name, star in zip(pieces[::3], [*pieces[1::3], None], [*pieces[2::3], None]):
        expression += re.escape(literal)
        expression += rf"(?P<{name}>.+?)" if name else ".*?" if star else ""
    return re.compile(expression, re.DOTALL)


def match_name(pattern: re.Pattern[str], name: str) -> Mapping[str, str] | None:
    """The fields of a name without its ending; None if the pattern does not match all of it."""
    match = pattern.fullmatch(name)
    return None if match is None else match.groupdict()
