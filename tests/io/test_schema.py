"""Values are checked against the types that declare them, and each fault says where it is."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import pytest

from kerasseq.io import schema


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


class _Columns(TypedDict):
    first: list[int]
    second: list[int]


@pytest.mark.parametrize(
    ("value", "kind", "fault"),
    [
        (math.inf, float, "it must be a finite number, and is inf"),
        (math.nan, float | None, "it must be a finite number, and is nan"),
        (10**400, float, "it must be a finite number, and is 1000"),
        (2**63, int, "it must be at least -9223372036854775808 and at most 92.* and is 9223372"),
        (2**63, schema.Count, "it must be at least -9.* and is 9223372036854775808"),
        (-1, schema.Count, "it must be at least 0, and is -1"),
        (math.inf, schema.Count, "it must be a whole number, and is inf"),
        (
            0,
            Annotated[float, schema.Limits(above=0, most=2)],
            "it must be above 0 and at most 2, and",
        ),
        ("x", schema.AnyFloat, "it must be a finite number, and is 'x'"),
        ([], Annotated[list[int], schema.Length(1, 3)], "it must have 1 to 3 entries, and has 0"),
        ([1], Annotated[list[int], schema.Length(2)], "it must have 2 or more entries, and has 1"),
        (["x"], Annotated[list[int], schema.Length(2)], r"it\[0\] must be a whole number"),
        ({"a": [1], "b": []}, Annotated[dict[str, list[int]], schema.SameLength()], "b 0$"),
        ([[1], [1, 2]], Annotated[list[list[int]], schema.SameLength()], r"\[0\] has 1 .* \[1\] 2"),
        (
            {"first": [1], "second": [1, 2]},
            Annotated[_Columns, schema.SameLength("first", "second")],
            "it must have lists of one length: first has 1 entries, and second 2",
        ),
        (
            np.array([1.0, np.nan]),
            Annotated[np.ndarray, schema.Array("f")],
            "it must have finite numbers, and has nan",
        ),
        (
            np.array([np.nan, np.inf]),
            Annotated[np.ndarray, schema.Array("f", missing=True)],
            "it must have finite numbers, and has inf",
        ),
        (
            np.array([2, 0]),
            Annotated[np.ndarray, schema.Array("i", 1, above=0)],
            "it must have numbers above 0, and has 0",
        ),
        (
            np.array(["2024-01-01", "NaT"], "datetime64[s]"),
            Annotated[np.ndarray, schema.Array("M", 1)],
            "it must have times, and has NaT",
        ),
    ],
)
def test_rules_that_values_break(value: Any, kind: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        schema.check(value, kind, "it")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (math.nan, schema.AnyFloat),
        (-math.inf, schema.AnyFloat | None),
        (None, schema.AnyFloat | None),
        (2**63 - 1, schema.Count),
        (0.5, Annotated[float, schema.Limits(above=0, most=0.5)]),
        ([1, 2, 3], Annotated[list[int], schema.Length(1, 3)]),
        ({}, Annotated[dict[str, list[int]], schema.SameLength()]),
        ([[1], [2]], Annotated[list[list[int]], schema.SameLength()]),
        (np.array([1.0, np.nan]), Annotated[np.ndarray, schema.Array("f", missing=True)]),
    ],
)
def test_rules_that_values_keep(value: Any, kind: Any) -> None:
    schema.check(value, kind)
