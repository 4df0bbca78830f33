"""Settings of a search in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kerasseq.formatting import numbers

__all__ = ["cut", "inline", "ordered"]


def inline(settings: Mapping[str, Any]) -> str:
    """Settings on one line.

    >>> inline({"cell": "gru", "units": 26, "dropout": 0.25})
    'cell=gru units=26 dropout=0.25'
    """
    return " ".join(f"{name}={numbers.setting(own)}" for name, own in settings.items())


def ordered(settings: Mapping[str, Any], space: Iterable[str]) -> dict[str, Any]:
    """Settings in the order of the space, which begins with what shapes the model; others last.

    >>> ordered({"batch_size": 8, "cell": "gru", "units": 2}, ["cell", "batch_size"])
    {'cell': 'gru', 'batch_size': 8, 'units': 2}
    """
    names = dict.fromkeys([*(name for name in space if name in settings), *settings])
    return {name: settings[name] for name in names}


def cut(text: str, length: int) -> str:
    """A text of so many characters at most.

    >>> cut("attention", 5), cut("max", 5)
    ('atte…', 'max')
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"
