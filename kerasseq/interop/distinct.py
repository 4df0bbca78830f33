"""Distinct names of the inputs and the outputs of a file."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["distinct"]


def distinct(names: Iterable[str]) -> list[str]:
    """Names with a number at the end of those that occur before.

    >>> distinct(["x", "y", "x"])
    ['x', 'y', 'x_1']
    """
    used: dict[str, None] = {}
    for name in names:
        number, free = 0, name
        while free in used:
            number += 1
            free = f"{name}_{number}"
        used[free] = None
    return [*used]
