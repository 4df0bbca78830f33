"""Ranges in which a search varies a setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Choice", "Conditional", "Float", "Int", "Range"]


@dataclass(frozen=True)
class Int:
    """A range of whole numbers, both ends included; `log` draws them evenly by their logarithm."""

    low: int
    high: int
    step: int = 1
    log: bool = False


@dataclass(frozen=True)
class Float:
    """A range of numbers; `log` draws them evenly by their logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[Any, ...]


@dataclass(frozen=True)
class Conditional:
    """A range of a setting that matters only with some values of another setting.

    Args:
        setting: name of the other setting.
        values: values of the other setting with which this range applies.
        range: range of this setting.
    """

    setting: str
    values: tuple[Any, ...]
    range: Int | Float | Choice


Range = Int | Float | Choice | Conditional
