"""A setting is declared once: its type, default, limits, range and documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq import registry, settings
from kerasseq.settings import Choice, Int, check, declared, doc, setting


@dataclass(frozen=True, kw_only=True)
class Shared:
    units: int = setting(64, "width of the cell", least=1, range=Int(1, 8))
    rate: float | None = setting(0.1, "share", stage="prepare", least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class Own(Shared):
    """Do something.

    Returns:
        Nothing.
    """

    data: str = field(default="demo", kw_only=False, metadata=doc("text"))
    mode: Literal["fast", "slow", 3] = setting("fast", "speed", range=Choice(("fast", "slow")))
    levels: Sequence[float] = setting((0.5,), "levels", above=0, below=1)
    wide: bool = setting(True, "whether wide")
    clipnorm: float | None = setting(1.0, "largest norm", above=0)
    units: int = 8


def _fault(**values: Any) -> str | None:
    try:
        check(Own(**values))
    except ValueError as error:
        return str(error)
    return None


def test_a_redeclared_setting_keeps_all_but_its_default() -> None:
    own, shared = declared(Own)["units"], declared(Shared)["units"]
    assert (own.default, shared.default) == (8, 64)
    assert (own.doc, own.range, own.least) == (shared.doc, shared.range, shared.least)


def test_a_range_may_be_taken_away() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Fixed(Shared):
        units: int = setting(8, range=None)

    assert declared(Fixed)["units"].range is None
    assert declared(Fixed)["units"].least == 1


def test_own_settings_come_before_inherited_ones_and_data_first() -> None:
    assert list(declared(Own)) == ["data", "mode", "levels", "wide", "clipnorm", "units", "rate"]


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
    for own in declared(Own).values():
        fault = own.fault(value)
        assert fault is None or (own.name in fault and repr(value) in fault)


def test_settings_of_later_stages_cannot_be_read() -> None:
    view = settings.visible(Own(), "prepare")
    assert view.rate == 0.1
    with pytest.raises(AttributeError, match="must not depend on units"):
        view.units  # noqa: B018


def test_the_docstring_has_all_arguments_before_what_it_returns() -> None:
    assert settings.documentation(Own).splitlines() == [
        "Do something.",
        "",
        "Args:",
        "    data: text.",
        "    mode: speed.",
        "    levels: levels.",
        "    wide: whether wide.",
        "    clipnorm: largest norm.",
        "    units: width of the cell.",
        "    rate: share.",
        "",
        "Returns:",
        "    Nothing.",
    ]


@pytest.mark.parametrize("name", registry.builtin())
def test_every_setting_of_a_recipe_is_documented_and_takes_its_default(name: str) -> None:
    for own in declared(registry.task(name).settings).values():
        assert own.doc, own.name
        assert own.doc[-1] not in ".,;", own.name
        assert own.fault(own.default) is None


def test_an_optimizer_must_be_an_object() -> None:
    with pytest.raises(ValueError, match=r"is a class: pass SGD\(\.\.\.\) or 'sgd'"):
        kerasseq.sentiment(optimizer=keras.optimizers.SGD)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", registry.builtin())
def test_the_space_of_a_recipe_has_settings_that_a_search_may_vary(name: str) -> None:
    for own in declared(registry.task(name).settings).values():
        if own.range is not None:
            assert own.stage in ("prepare", "train"), own.name
