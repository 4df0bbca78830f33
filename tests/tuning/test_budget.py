"""Settings within a budget, found without building anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq import params
from kerasseq.settings import Choice, Conditional, Float, Int
from kerasseq.tuning.budget import Budget, Limit

SPACE = {
    "cell": Choice(("lstm", "gru")),
    "units": Int(2, 64, log=True),
    "embedding": Int(4, 40, step=4),
    "batch_size": Int(8, 64),
    "vocabulary": Int(10, 100),
    "rate": Float(0.1, 0.2),
}


def _count(settings: Any) -> int:
    embedded = settings["vocabulary"] * settings["embedding"]
    layer = params.count(settings["cell"], settings["embedding"], settings["units"]).total
    return int(embedded + layer)


def _macs(settings: Any) -> int:
    """Without the embedding, and so with another share of what units take."""
    layer = params.count(settings["cell"], settings["embedding"], settings["units"])
    return layer.macs_for(10)


MEASURES = {
    "max_params": ("parameters", _count),
    "max_macs": ("multiply-accumulates", _macs),
    "match_params": ("parameters", _count),
}


def _budget(space: Any = None, **limits: int) -> Budget:
    fitted = [Limit(name, *MEASURES[name], most) for name, most in limits.items()]
    return Budget(fitted, space or SPACE, ("vocabulary",), "match_params" in limits)


DRAWN = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["lstm", "gru"]),
        "units": st.integers(2, 64),
        "embedding": st.sampled_from(range(4, 44, 4)),
        "batch_size": st.integers(8, 64),
        "vocabulary": st.integers(10, 100),
        "rate": st.just(0.1),
    }
)


@given(DRAWN, st.integers(600, 20_000))
def test_what_is_too_large_is_made_to_fit(settings: dict[str, Any], most: int) -> None:
    fitted = _budget(max_params=most).fit(settings)
    assert fitted is not None
    assert _count(fitted) <= most
    assert fitted["embedding"] % 4 == 0
    assert 4 <= fitted["embedding"] <= settings["embedding"]
    assert 2 <= fitted["units"] <= settings["units"]
    # What saves no parameters, and what the data depends on, stays.
    for name in ("cell", "batch_size", "vocabulary", "rate"):
        assert fitted[name] == settings[name]
    if _count(settings) <= most:
        assert fitted == settings
    elif fitted["embedding"] == settings["embedding"]:  # as many units as fit
        assert _count({**fitted, "units": fitted["units"] + 1}) > most


def test_units_are_lowered_before_anything_else() -> None:
    settings = {"cell": "gru", "units": 64, "embedding": 40, "vocabulary": 10, "batch_size": 8}
    fitted = _budget(max_params=5_000).fit(settings)
    assert fitted == {**settings, "units": params.units_for("gru", 4_600, 40).units}


def test_what_cannot_fit_is_none() -> None:
    settings = {"cell": "gru", "units": 64, "embedding": 40, "vocabulary": 100, "batch_size": 8}
    assert _budget(max_params=400).fit(settings) is None
    assert _budget(max_params=40_000, max_macs=10).fit(settings) is None


@given(DRAWN, st.integers(5_000, 20_000))
def test_sizes_are_matched_from_below(settings: dict[str, Any], match: int) -> None:
    fitted = _budget(match_params=match).fit(settings)
    assert fitted is not None
    assert _count(fitted) <= match < _count({**fitted, "units": fitted["units"] + 1})


@given(DRAWN, st.integers(600, 20_000), st.integers(2_000, 100_000))
def test_whichever_limit_binds_is_met(settings: dict[str, Any], most: int, macs: int) -> None:
    fitted = _budget(max_params=most, max_macs=macs).fit(settings)
    one, other = _budget(max_params=most).fit(settings), _budget(max_macs=macs).fit(settings)
    assert fitted is not None
    assert one is not None
    assert other is not None
    assert _count(fitted) <= most
    assert _macs(fitted) <= macs
    names = ("cell", "batch_size", "vocabulary", "rate")
    assert all(fitted[name] == settings[name] for name in names)
    if one["embedding"] == other["embedding"] == settings["embedding"]:  # units alone are lowered
        assert fitted == {**settings, "units": min(one["units"], other["units"])}


@pytest.mark.parametrize("name", ["max_params", "match_params"])
def test_a_budget_that_nothing_meets_says_what_would(name: str) -> None:
    settings = {"cell": "lstm", "units": 64, "embedding": 40, "vocabulary": 100, "batch_size": 8}
    fewest = 10 * 4 + params.count("gru", 4, 2 if name == "max_params" else 1).total
    told = rf"smallest has {fewest} \(cell='gru', .*embedding=4, .*Received: {name}={fewest - 1}$"
    with pytest.raises(ValueError, match=told):
        _budget(**{name: fewest - 1}).check(settings)
    _budget(**{name: fewest}).check(settings)


def test_the_limit_that_nothing_meets_is_named() -> None:
    settings = {"cell": "lstm", "units": 64, "embedding": 40, "vocabulary": 100, "batch_size": 8}
    fewest = params.count("gru", 4, 2).macs_for(10)
    told = rf"so few multiply-accumulates: the smallest has {fewest} \(.*max_macs={fewest - 1}$"
    with pytest.raises(ValueError, match=told):
        _budget(max_params=100_000, max_macs=fewest - 1).check(settings)
    _budget(max_params=100_000, max_macs=fewest).check(settings)


def _costs(settings: Any) -> dict[str, int]:
    """By kind; `long` has few steps of many weights, and a segment does the same."""
    parameters, steps = {"short": (10, 90), "long": (90, 10)}[settings["kind"]]
    return {
        "parameters": parameters + settings["segment"],
        "macs": steps * 60 // settings["segment"],
    }


def _kinds(**limits: int) -> Budget:
    fitted = [
        Limit(f"max_{name}", name, lambda settings, name=name: _costs(settings)[name], most)
        for name, most in limits.items()
    ]
    return Budget(fitted, {"kind": Choice(("short", "long")), "segment": Int(1, 12)})


def test_limits_that_cannot_be_met_together_are_told() -> None:
    settings = {"kind": "short", "segment": 1}
    _kinds(parameters=11).check(settings)
    _kinds(macs=50).check(settings)  # with long segments
    told = (
        "few parameters within the other limits: the nearest has 102 .*parameters=30, max_macs=50"
    )
    with pytest.raises(ValueError, match=told):
        _kinds(parameters=30, macs=50).check(settings)
    _kinds(parameters=102, macs=50).check(settings)


def test_settings_of_which_there_is_no_model_are_over_any_budget() -> None:
    def count(settings: Any) -> int:
        if settings["tied"] and settings["units"] != settings["embedding"]:
            raise ValueError("tied weights need one width")
        return int(settings["units"] + settings["embedding"])

    space = {"units": Int(4, 8), "embedding": Int(4, 8)}
    budget = Budget([Limit("max_params", "parameters", count, 12)], space)
    six = {"units": 6, "embedding": 6, "tied": True}
    assert budget.fit(six) == six
    assert budget.fit({"units": 6, "embedding": 5, "tied": True}) is None
    assert budget.fit({"units": 8, "embedding": 8, "tied": True}) is None  # neither can go alone
    none = Budget([Limit("max_params", "parameters", count, 7)], space)
    with pytest.raises(ValueError, match="has so few parameters: the smallest has 8"):
        none.check({"units": 5, "embedding": 6, "tied": True})
    apart = Budget(none.limits, {"units": Int(4, 8)})
    with pytest.raises(ValueError, match="tied weights need one width"):
        apart.check({"units": 5, "embedding": 6, "tied": True})


def test_what_settings_have_no_use_for_is_left_as_it_is() -> None:
    def count(settings: Any) -> int:
        if settings["head"] == "none" and (settings["wide"], settings["sharp"]) != (8, False):
            raise ValueError("there is no head")
        return int(settings["units"] + settings["wide"] * (1 + settings["sharp"]))

    space = {
        "units": Int(1, 64),
        "head": Choice(("none", "some")),
        "wide": Conditional("head", ("some",), Int(2, 32)),
        "sharp": Conditional("head", ("some",), Choice((True, False))),
    }
    own = {"units": 64, "head": "none", "wide": 8, "sharp": False}
    budget = Budget([Limit("max_params", "parameters", count, 12)], space)
    assert budget.fit(own) == {**own, "units": 4}
    assert budget.fit({**own, "head": "some", "wide": 32}) == {
        "units": 6, "head": "some", "wide": 6, "sharp": False,
    }  # fmt: skip
    least = {"units": 1, "head": "some", "wide": 2, "sharp": False}
    assert budget.smallest(own, budget.limits) == least
