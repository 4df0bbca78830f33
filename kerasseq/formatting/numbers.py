"""Formatting of numbers, amounts and times for people to read."""

from __future__ import annotations

from typing import Any

__all__ = ["duration", "plural", "score", "setting", "value"]


def value(number: float) -> str:
    """Format a number: thousands separated, and four significant digits unless it is an int.

    >>> value(98816), value(0.123456), value(1234.5)
    ('98,816', '0.1235', '1,234')
    """
    return f"{number:,}" if isinstance(number, int) else f"{number:,.4g}"


def score(number: float) -> str:
    """Format a score with three decimals, or with fewer if it is large.

    >>> score(0.98765), score(13.8912), score(1234567.8)
    ('0.988', '13.89', '1,234,568')
    """
    size = abs(number)
    decimals = 3 if size < 10 else 2 if size < 100 else 1 if size < 10_000 else 0
    return f"{number:,.{decimals}f}"


def setting(content: Any) -> str:
    """Format the value of a setting; a float gets at most four significant digits.

    >>> setting(0.123456), setting(1.0), setting(20_000), setting("gru"), setting(None)
    ('0.1235', '1.0', '20000', 'gru', 'None')
    """
    if not isinstance(content, float):
        return str(content)
    text = f"{content:.4g}"
    # 1.0 is not shortened to 1, since a float and an int may mean different things.
    return f"{text}.0" if text.lstrip("-").isdecimal() else text


def plural(number: int, word: str) -> str:
    """Format a number with the noun that it counts.

    >>> plural(1, "bias"), plural(2, "bias"), plural(1024, "input")
    ('1 bias', '2 biases', '1,024 inputs')
    """
    if number != 1:
        word += "es" if word.endswith("s") else "s"
    return f"{number:,} {word}"


def duration(seconds: float) -> str:
    """Format a time in its two largest units.

    >>> duration(7.2), duration(65), duration(3 * 3600 + 120)
    ('7 s', '1 min 5 s', '3 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
