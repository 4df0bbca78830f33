"""Settings, amounts and times of a search in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["count", "cut", "duration", "inline", "ordered", "value"]


def value(given: Any) -> str:
    """A value with at most four significant digits.

    >>> value(0.123456), value("gru"), value(None)
    ('0.1235', 'gru', 'None')
    """
    if not isinstance(given, float):
        return str(given)
    text = f"{given:.4g}"  # and 1.0 as it is, which may mean something else than 1
    return f"{text}.0" if text.lstrip("-").isdecimal() else text


def inline(settings: Mapping[str, Any]) -> str:
    """Settings on one line.

    >>> inline({"cell": "gru", "units": 26, "dropout": 0.25})
    'cell=gru units=26 dropout=0.25'
    """
    return " ".join(f"{name}={value(own)}" for name, own in settings.items())


def ordered(settings: Mapping[str, Any], space: Iterable[str]) -> dict[str, Any]:
    """Settings in the order of the space, which begins with what shapes the model; others last.

    >>> ordered({"batch_size": 8, "cell": "gru", "units": 2}, ["cell", "batch_size"])
    {'cell': 'gru', 'batch_size': 8, 'units': 2}
    """
    names = dict.fromkeys([*(name for name in space if name in settings), *settings])
    return {name: settings[name] for name in names}


def count(number: int, what: str) -> str:
    """So many of something.

    >>> count(1, "trial"), count(1_200, "trial")
    ('1 trial', '1,200 trials')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def duration(seconds: float) -> str:
    """A time in its two largest units.

    >>> duration(7.2), duration(65), duration(3 * 3600 + 120)
    ('7 s', '1 min 5 s', '3 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def cut(text: str, length: int) -> str:
    """A text of so many characters at most.

    >>> cut("attention", 5), cut("max", 5)
    ('atte…', 'max')
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"
