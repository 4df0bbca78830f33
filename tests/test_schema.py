"""Values are checked against the types that declare them, and each fault says where it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import pytest

from kerasseq import schema


class _Inner(TypedDict):
    size: int
    note: NotRequired[str]


class _Outer(TypedDict):
    kind: Literal["a", "b"]
    inner: _Inner
    rates: dict[str, float | None]
    spans: list[tuple[float, float]]
    values: Annotated[np.ndarray, schema.Array("f", 2)]
    either: _Inner | list[int] | None


def _whole() -> dict[str, Any]:
    return {
        "kind": "a",
        "inner": {"size": 3, "note": "x"},
        "rates": {"x": 1.0, "y": None, "z": 2},
        "spans": [[0.0, 1.0]],
        "values": np.zeros((2, 2)),
        "either": None,
        "further": "is no fault",
    }


@pytest.mark.parametrize("change", [{}, {"either": [1]}, {"either": {"size": 1}}, {"rates": {}}])
def test_values_of_the_declared_types(change: dict[str, Any]) -> None:
    schema.check({**_whole(), **change}, _Outer)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"kind": "c"}, "kind must be one of 'a', 'b', and is 'c'"),
        ({"kind": ["a"]}, "kind must be one of 'a', 'b', and is a list of 1"),
        ({"inner": {"note": "x"}}, "inner lacks size"),
        ({"inner": {"size": True}}, "inner.size must be a whole number, and is True"),
        ({"inner": {"size": 1, "note": 2}}, "inner.note must be a text, and is 2"),
        ({"inner": [1]}, "inner must be a mapping, and is a list of 1"),
        ({"rates": {"x": "1"}}, "rates.x must be a finite number or null, and is '1'"),
        ({"spans": [[0.0, 1.0], [0.0]]}, r"spans\[1\] must be a list of 2, and is a list of 1"),
        ({"spans": [[0.0, "x"]]}, r"spans\[0\]\[1\] must be a finite number, and is 'x'"),
        ({"values": np.zeros(2)}, r"values must be an array of 2 dim.* is an array float64 \(2,\)"),
        ({"values": np.zeros((2, 2), int)}, "values must be an array of 2 dimensions"),
        ({"values": [[0.0]]}, "values must be an array of 2 dimensions, and is a list of 1"),
        ({"either": 3}, "either must be a mapping or a list or null, and is 3"),
        ({"either": ["x"]}, r"either\[0\] must be a whole number, and is 'x'"),
        ({"either": {"size": "x"}}, "either.size must be a whole number, and is 'x'"),
    ],
)
def test_faults_say_where_they_are(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        schema.check({**_whole(), **change}, _Outer)


def test_many_faults_are_cut_short() -> None:
    with pytest.raises(ValueError, match=r"^it\[0\].*; it\[1\].*; it\[2\].* and more$") as info:
        schema.check(["x"] * 1000, list[int], "it")
    assert len(str(info.value)) < 200
    with pytest.raises(ValueError, match=r"^it must be a list, and is 'x+\.\.\.$"):
        schema.check("x" * 10_000, list[int])
