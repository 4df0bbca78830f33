"""Values of the declared kind pass; of others, all faults are told at once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq.settings import check, declarations_of
from tests.settings.harness import Own


def _fault(**values: Any) -> str | None:
    try:
        check(Own(**values))
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 1), ("units", np.int64(3)), ("rate", 0), ("rate", None),
        ("rate", np.float32(0.5)),
        ("mode", "slow"), ("mode", 3), ("levels", [0.1, 0.9]), ("levels", ()),
        ("levels", np.array([0.2])), ("wide", False), ("wide", np.bool_(True)), ("clipnorm", 3),
    ],
)  # fmt: skip
def test_values_of_the_declared_kind_pass(name: str, value: Any) -> None:
    assert _fault(**{name: value}) is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("units", 0, "a whole number above zero"),
        ("units", 2.0, "a whole number above zero"),
        ("units", True, "a whole number above zero"),
        ("units", None, "a whole number above zero"),
        ("units", [3], "a whole number above zero"),
        ("units", 10**30, "a whole number above zero"),
        ("clipnorm", 10**30, "a number above zero, or None"),
        ("rate", 1, "at least 0 and below 1, or None"),
        ("rate", float("nan"), "at least 0 and below 1, or None"),
        ("rate", "0.5", "at least 0 and below 1, or None"),
        ("mode", "medium", "one of 'fast', 'slow', 3"),
        ("mode", True, "one of 'fast', 'slow', 3"),
        ("levels", 0.5, "a list of values of type float, each above 0 and below 1"),
        ("levels", [0.5, 1.5], "a list of values of type float, each above 0 and below 1"),
        ("wide", 1, "True or False"),
        ("clipnorm", -1, "a number above zero, or None"),
        ("clipnorm", float("nan"), "a number above zero, or None"),
        ("clipnorm", float("inf"), "a number above zero, or None"),
        ("data", 3, "a text"),
    ],
)
def test_other_values_are_told(name: str, value: Any, expected: str) -> None:
    fault = _fault(**{name: value})
    assert fault is not None
    assert fault.startswith(f"{name} must be {expected}. Received: {name}={value!r}")


def test_a_number_that_no_array_holds_is_out_of_range() -> None:
    assert _fault(units=2**63) == (
        "units must be a whole number above zero. Received: units=9223372036854775808; it is out "
        "of range."
    )
    assert _fault(units=2**63 - 1) is None


def test_all_faults_are_told_at_once() -> None:
    assert _fault(units=0, wide=3) == (
        "2 settings are wrong: wide must be True or False. Received: wide=3; "
        "units must be a whole number above zero. Received: units=0"
    )


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
    )
)
def test_a_fault_names_the_setting_and_the_value(value: Any) -> None:
    for own in declarations_of(Own).values():
        fault = own.fault(value)
        begin = repr(value)[:100]  # a long one is cut off
        assert fault is None or (own.name in fault and begin in fault)


def test_an_optimizer_must_be_an_object() -> None:
    with pytest.raises(ValueError, match=r"is a class: pass SGD\(\.\.\.\) or 'sgd'"):
        kerasseq.sentiment(optimizer=keras.optimizers.SGD)  # type: ignore[arg-type]
