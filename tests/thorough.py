"""How many examples and cases are tested: by default a part that covers each behaviour."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import settings

__all__ = [
    "THOROUGH",
    "covering",
    "examples",
    "first_of",
    "in_turn",
    "is_thorough",
    "one_in",
    "sample",
]

THOROUGH = "thorough"


def is_thorough() -> bool:
    """Whether `--hypothesis-profile=thorough` or `HYPOTHESIS_PROFILE=thorough` is given."""
    return settings.get_current_profile_name() == THOROUGH


def examples(number: int, **options: Any) -> settings:
    """So many examples of a property in thorough runs; in others a third of them, at least 5."""
    least = min(number, 5)
    return settings(
        max_examples=number if is_thorough() else max(least, math.ceil(number / 3)), **options
    )


def covering(*axes: Sequence[Any]) -> list[Any]:
    """Parameters: all combinations, of which only a part is not marked `thorough`.

    The part has each value of each axis, and of three axes each pair of values, as a Latin square.
    """
    fewest = min(map(len, axes))
    places = itertools.product(*(range(len(axis)) for axis in axes))
    return [
        pytest.param(
            *(axis[k] for axis, k in zip(axes, place, strict=True)),
            marks=[pytest.mark.thorough] if sum(place) % fewest else [],
        )
        for place in places
    ]


def first_of(cases: Sequence[Any], number: int = 1) -> list[Any]:
    """Parameters: all cases, of which those after the first `number` are marked `thorough`."""
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else [case]),
            marks=[pytest.mark.thorough] if place >= number else [],
        )
        for place, case in enumerate(cases)
    ]


def one_in(number: int, cases: Iterable[Any]) -> list[Any]:
    """Parameters: all cases, of which one in so many, the first too, is not marked `thorough`."""
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else [case]),
            marks=[pytest.mark.thorough] if place % number else [],
        )
        for place, case in enumerate(cases)
    ]


def in_turn(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Parameters: all pairs, of which one for each first value is not marked `thorough`.

    Its second value is the one that was taken least before.
    """
    seconds: dict[Any, list[Any]] = {}
    for first, second in pairs:
        seconds.setdefault(first, []).append(second)
    taken: Counter[Any] = Counter()
    result = []
    for first, those in seconds.items():
        rarest = min(those, key=taken.__getitem__)
        taken[rarest] += 1
        result += [
            pytest.param(first, second, marks=[] if second == rarest else [pytest.mark.thorough])
            for second in those
        ]
    return result


def sample(cases: Iterable[str], number: int) -> list[bool]:
    """Whether each case is one in so many of its test, of which the first one always is.

    Args:
        cases: names of cases as pytest writes them, `file::test[parameters]`.
        number: one in how many cases of a test.
    """
    places, result = Counter[str](), []
    for case in cases:
        test = case.partition("[")[0]
        result.append(places[test] % number == 0)
        places[test] += 1
    return result
