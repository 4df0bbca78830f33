"""Settings within a budget, found without building anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq import params
from kerasseq.settings import Choice, Number, Whole
from kerasseq.tuning.budget import Budget

SPACE = {
    "cell": Choice(("lstm", "gru")),
    "units": Whole(2, 64, log=True),
    "embedding": Whole(4, 40, step=4),
    "batch_size": Whole(8, 64),
    "vocabulary": Whole(10, 100),
    "rate": Number(0.1, 0.2),
}


def _count(settings: Any) -> int:
    embedded = settings["vocabulary"] * settings["embedding"]
    layer = params.count(settings["cell"], settings["embedding"], settings["units"]).total
    return int(embedded + layer)


def _budget(**limits: int) -> Budget:
    return Budget(_count, SPACE, ("vocabulary",), **limits)


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
    found = _budget(most=most).fit(settings)
    assert found is not None
    assert _count(found) <= most
    assert found["embedding"] % 4 == 0
    assert 4 <= found["embedding"] <= settings["embedding"]
    assert 2 <= found["units"] <= settings["units"]
    # What saves no parameters, and what the data depends on, stays.
    for name in ("cell", "batch_size", "vocabulary", "rate"):
        assert found[name] == settings[name]
    if _count(settings) <= most:
        assert found == settings
    elif found["embedding"] == settings["embedding"]:  # as many units as fit
        assert _count({**found, "units": found["units"] + 1}) > most


def test_units_are_lowered_before_anything_else() -> None:
    settings = {"cell": "gru", "units": 64, "embedding": 40, "vocabulary": 10, "batch_size": 8}
    found = _budget(most=5_000).fit(settings)
    assert found == {**settings, "units": params.units_for("gru", 4_600, 40).units}


def test_what_cannot_fit_is_none() -> None:
    settings = {"cell": "gru", "units": 64, "embedding": 40, "vocabulary": 100, "batch_size": 8}
    assert _budget(most=400).fit(settings) is None


@given(DRAWN, st.integers(5_000, 20_000))
def test_sizes_are_matched_from_below(settings: dict[str, Any], match: int) -> None:
    found = _budget(match=match).fit(settings)
    assert found is not None
    assert _count(found) <= match < _count({**found, "units": found["units"] + 1})


@pytest.mark.parametrize("name", ["most", "match"])
def test_a_budget_that_nothing_meets_says_what_would(name: str) -> None:
    settings = {"cell": "lstm", "units": 64, "embedding": 40, "vocabulary": 100, "batch_size": 8}
    fewest = 10 * 4 + params.count("gru", 4, 2 if name == "most" else 1).total
    limit = "max_params" if name == "most" else "match_params"
    told = rf"smallest has {fewest} \(cell='gru', .*embedding=4, .*Received: {limit}={fewest - 1}$"
    with pytest.raises(ValueError, match=told):
        _budget(**{name: fewest - 1}).check(settings)
    _budget(**{name: fewest}).check(settings)
