"""Settings of recipes: what they must be, and the ranges in which they are worth tuning."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "Choice",
    "Number",
    "Range",
    "Settings",
    "When",
    "Whole",
    "levels",
    "listed",
    "one_of",
    "positive",
    "share",
    "steps",
]

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Whole:
    """A range of whole numbers, both ends included; `log` draws them evenly by their logarithm."""

    low: int
    high: int
    step: int = 1
    log: bool = False


@dataclass(frozen=True)
class Number:
    """A range of numbers; `log` draws them evenly by their logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[Any, ...]


@dataclass(frozen=True)
class When:
    """A range of a setting that matters only with some values of another setting.

    Args:
        setting: the other one.
        values: of it.
        range: of this one.
    """

    setting: str
    values: tuple[Any, ...]
    range: Whole | Number | Choice


Range = Whole | Number | Choice | When


def positive(settings: Settings, *names: str) -> None:
    """Raise a ValueError unless each of these settings is a whole number above zero."""
    for name in names:
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(
                f"{name} must be a whole number above zero. Received: {name}={value!r}"
            )


def share(settings: Settings, *names: str, zero: bool = True) -> None:
    """Raise a ValueError unless each of these settings is at least (or above) 0 and below 1."""
    for name in names:
        value = settings[name]
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value < 1 or (value == 0 and not zero):
            least = "at least" if zero else "above"
            raise ValueError(f"{name} must be {least} 0 and below 1. Received: {name}={value!r}")


def one_of(settings: Settings, name: str, options: Sequence[Any]) -> None:
    """Raise a ValueError unless this setting is one of the options."""
    if settings[name] not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name} must be one of {known}. Received: {name}={settings[name]!r}")


def levels(settings: Settings, name: str) -> None:
    """Raise a ValueError unless this setting has rising numbers between 0 and 1, at least one."""
    values = listed(settings, name)
    numbers = [own for own in values if isinstance(own, int | float | np.number)]
    rising = all(low < high for low, high in itertools.pairwise(numbers))
    inside = all(0 < own < 1 for own in numbers)
    if not values or len(numbers) < len(values) or not (rising and inside):
        raise ValueError(
            f"{name} must be levels between 0 and 1, each above the one before. "
            f"Received: {name}={tuple(values)!r}"
        )


def steps(settings: Settings, name: str) -> None:
    """Raise a ValueError unless this setting has whole numbers above zero, or nothing."""
    for value in listed(settings, name):
        positive({name: value}, name)


def listed(settings: Settings, name: str) -> list[Any]:
    """What a setting holds; raises a ValueError where it is not several values."""
    value = settings[name]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list. Received: {name}={value!r}; pass [{value!r}].")
    return list(value)
