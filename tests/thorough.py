"""How many examples and cases are tested: by default a part that covers each behaviour."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings

__all__ = ["THOROUGH", "covering", "examples", "first_of", "is_thorough"]

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
