"""Equal data has equal fingerprints, and other data another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from kerasseq.io.digest import digest


@dataclass
class _Table:
    values: Any
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict, compare=False)


def test_equal_data_has_equal_fingerprints() -> None:
    for make in (
        lambda: ["a", None, 1.5, {"x": np.arange(3)}],
        lambda: _Table(np.array(["a", None], dtype=object)),
    ):
        assert digest(make()) == digest(make())
    assert digest(_Table([1], notes=["read from a"])) == digest(_Table([1], notes=["from b"]))
    assert digest(_Table([1], columns={"x": "a"})) == digest(_Table([1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([["a"], ["b"]], [["a", "b"], []]),
        (np.arange(4), np.arange(4.0)),
        (np.arange(4), np.arange(4).reshape(2, 2)),
        ({"a": 1}, {"b": 1}),
        ([1], ["1"]),
        (_Table([1]), _Table([2])),
    ],
)
def test_other_data_has_another_fingerprint(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_what_has_no_fingerprint_says_so() -> None:
    with pytest.raises(TypeError, match="no fingerprint of a object"):
        digest(object())
