"""What is left to thorough runs leaves a part that covers."""

from __future__ import annotations

import itertools

import pytest

from tests.thorough import covering, examples, in_turn, one_in, sample


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


def test_one_case_in_so_many_is_a_part() -> None:
    cases = one_in(3, [("a", 1), ("b", 2), "c", "d", "e"])
    assert [own.values for own in cases if not own.marks] == [("a", 1), ("d",)]
    assert len(cases) == 5


def test_a_part_of_pairs_has_each_value() -> None:
    pairs = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1), ("d", 1), ("d", 2), ("d", 3)]
    cases = in_turn(pairs)
    assert [own.values for own in cases] == pairs
    often = [own.values for own in cases if not own.marks]
    assert often == [("a", 1), ("b", 2), ("c", 1), ("d", 3)]


@pytest.mark.parametrize(("thorough", "drawn"), [(True, [60, 10, 3]), (False, [20, 5, 3])])
def test_thorough_runs_draw_all_examples(
    thorough: bool, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.thorough.is_thorough", lambda: thorough)
    assert [examples(number).max_examples for number in (60, 10, 3)] == drawn


def test_a_sample_has_the_first_case_of_each_test() -> None:
    cases = [*(f"f.py::a[{number}]" for number in range(4)), "f.py::b", "g.py::a[x[y]]"]
    assert sample(cases, 3) == [True, False, False, True, True, True]
    assert all(sample(cases, 1))
