"""Settings of a search as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kerasseq.formatting import numbers

__all__ = ["cut", "inline", "ordered"]


def inline(settings: Mapping[str, Any]) -> str:
    """Format settings on one line.

    >>> inline({"cell": "gru", "units": 26, "dropout": 0.25})
    'cell=gru units=26 dropout=0.25'
    """
    return " ".join(f"{name}={numbers.setting(value)}" for name, value in settings.items())


def ordered(settings: Mapping[str, Any], space: Iterable[str]) -> dict[str, Any]:
    """Sort settings in the order of the space, which begins with the model's shape; others last.

    >>> ordered({"batch_size": 8, "cell": "gru", "units": 2}, ["cell", "batch_size"])
    {'cell': 'gru', 'batch_size': 8, 'units': 2}
    """
    names = dict.fromkeys([*(name for name in space if name in settings), *settings])
    return {name: settings[name] for name in names}


def cut(text: str, length: int) -> str:
    """Shorten a text to at most `length` characters.

    >>> cut("attention", 5), cut("max", 5)
    ('atte…', 'max')
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"
