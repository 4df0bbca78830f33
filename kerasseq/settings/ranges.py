"""Ranges from which a search draws the values of a setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Choice", "Conditional", "Float", "Int", "Range"]


@dataclass(frozen=True)
class Int:
    """A range of whole numbers.

    Args:
        low: smallest value.
        high: largest value.
        step: difference between neighbouring values.
        log: whether to draw on a logarithmic scale.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False


@dataclass(frozen=True)
class Float:
    """A range of real numbers.

    Args:
        low: smallest value.
        high: largest value.
        log: whether to draw on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """A list of values to choose from.

    Args:
        options: the values.
    """

    options: tuple[Any, ...]


@dataclass(frozen=True)
class Conditional:
    """A range that applies only with certain values of another setting.

    Args:
        setting: name of the other setting.
        values: values of the other setting with which the range applies.
        range: range of this setting.
    """

    setting: str
    values: tuple[Any, ...]
    range: Int | Float | Choice


Range = Int | Float | Choice | Conditional
