"""What is left to thorough runs leaves a part that covers."""

from __future__ import annotations

import itertools

import pytest

from tests.thorough import covering, examples


def _often(*axes: str) -> list[tuple[str, ...]]:
    return [tuple(own.values) for own in covering(*axes) if not own.marks]


def test_a_part_of_two_axes_has_each_value() -> None:
    often = _often("abcd", "vwxyz")
    assert [{*values} for values in zip(*often, strict=True)] == [{*"abcd"}, {*"vwxyz"}]
    assert len(often) == 5


def test_a_part_of_three_axes_has_each_pair() -> None:
    axes = ("abc", "pqrs", "wxyz")
    often = _often(*axes)
    for one, other in itertools.combinations(range(3), 2):
        pairs = {*itertools.product(axes[one], axes[other])}
        assert {(own[one], own[other]) for own in often} == pairs
    assert len(covering(*axes)) == 48 == 3 * len(often)


@pytest.mark.parametrize(("thorough", "drawn"), [(True, [60, 10, 3]), (False, [20, 5, 3])])
def test_thorough_runs_draw_all_examples(
    thorough: bool, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.thorough.is_thorough", lambda: thorough)
    assert [examples(number).max_examples for number in (60, 10, 3)] == drawn
