"""A setting is declared once: its type, default, limits, range and documentation."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kerasseq import registry, settings
from kerasseq.settings import declarations_of, setting
from tests.settings.harness import Own, Shared


def test_a_redeclared_setting_keeps_all_but_its_default() -> None:
    own, shared = declarations_of(Own)["units"], declarations_of(Shared)["units"]
    assert (own.default, shared.default) == (8, 64)
    assert (own.doc, own.range, own.least) == (shared.doc, shared.range, shared.least)


def test_a_range_may_be_taken_away() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Fixed(Shared):
        units: int = setting(8, range=None)

    assert declarations_of(Fixed)["units"].range is None
    assert declarations_of(Fixed)["units"].least == 1


def test_own_settings_come_before_inherited_ones_and_data_first() -> None:
    assert list(declarations_of(Own)) == [
        "data",
        "mode",
        "levels",
        "wide",
        "clipnorm",
        "units",
        "rate",
    ]


def test_settings_of_later_stages_cannot_be_read() -> None:
    view = settings.restrict_to(Own(), "prepare")
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
    for own in declarations_of(registry.task(name).settings).values():
        assert own.doc, own.name
        assert own.doc[-1] not in ".,;", own.name
        assert own.fault(own.default) is None


@pytest.mark.parametrize("name", registry.builtin())
def test_the_space_of_a_recipe_has_settings_that_a_search_may_vary(name: str) -> None:
    for own in declarations_of(registry.task(name).settings).values():
        if own.range is not None:
            assert own.stage in ("prepare", "train"), own.name
