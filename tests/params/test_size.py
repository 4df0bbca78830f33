"""The widest layer that a budget pays for, and cells side by side."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kerasseq.params import catalogue, compare, count, units_for
from tests.params.drawn import Layer, layers


def _total(layer: Layer, units: int) -> int | None:
    """The count at a width, or None where the layer cannot have it."""
    try:
        return count(layer.cell, layer.inputs, units, **layer.options).total
    except ValueError:
        return None


@given(layers(widest=6), st.integers(1, 3000))
@example(Layer("indrnn", 8, 1, {"depth": 2, "highway": True}), 300)
@example(Layer("gru", 8, 1, {"highway": True}), 100_000)
def test_the_fit_is_the_largest_that_the_budget_pays_for(layer: Layer, budget: int) -> None:
    # Every unit has a parameter at least, so no width beyond the budget can fit.
    widths = [units for units in range(1, min(budget, 200) + 1) if _fits(layer, units, budget)]
    assume(not widths or widths[-1] < 200)
    if not widths:
        with pytest.raises(ValueError, match="`budget` is too small"):
            units_for(layer.cell, budget, layer.inputs, **layer.options)
        return
    fit = units_for(layer.cell, budget, layer.inputs, **layer.options)
    assert fit.units == widths[-1]
    assert fit.total == fit.count.total == _total(layer, fit.units)
    assert fit.left == budget - fit.total


def _fits(layer: Layer, units: int, budget: int) -> bool:
    total = _total(layer, units)
    return total is not None and total <= budget


@pytest.mark.parametrize("budget", [100, 231, 232, 278, 279, 280, 303, 304, 305, 400])
def test_a_width_made_dear_by_its_highway_is_skipped_and_not_stuck_at(budget: int) -> None:
    # At 8 units, and there alone, the first level has a highway too.
    totals = {u: count("indrnn", 8, u, depth=2, highway=True).total for u in range(1, 30)}
    assert totals[8] > totals[9]
    best = max(units for units, total in totals.items() if total <= budget)
    assert units_for("indrnn", budget, 8, depth=2, highway=True).units == best


def test_large_budgets_are_met_exactly() -> None:
    fit = units_for("lstm", 10**12, 64)
    assert fit.total <= 10**12 < count("lstm", 64, fit.units + 1).total


def test_the_smallest_budget_is_named_and_is_enough() -> None:
    with pytest.raises(ValueError, match=r"1 unit of gru.*must be at least 201.*budget=200"):
        units_for("gru", 200, 64)
    assert units_for("gru", 201, 64).units == 1


def test_a_list_of_cells_shares_the_width() -> None:
    fit = units_for(["lstm", "gru"], 1000, 3)
    assert fit.count == count(["lstm", "gru"], 3, fit.units)
    assert count(["lstm", "gru"], 3, fit.units + 1).total > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "`budget` must be a positive integer. Received: budget=0"),
        ({"budget": 1e6}, "`budget` must be a positive integer"),
        ({"budget": 1000, "units": 3}, "`units` must be left out"),
        ({"budget": 1000, "depthh": 3}, "no option 'depthh'"),
        ({"budget": 1000, "inputs": 0}, "`inputs` must be a positive integer"),
        (
            {"budget": 10**6, "inputs": 3, "residual": True, "bidirectional": True},
            "`residual` needs",
        ),
    ],
)
def test_what_cannot_be_fitted_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        units_for("gru", **{"inputs": 3, **options})


def test_a_fit_reads_as_text_and_data() -> None:
    fit = units_for("gru", 100_000, 64)
    assert (
        str(fit)
        == """\
 cell   units   params   left
 ────────────────────────────
 gru      152   99,408    592

3 gates x (152 units x (64 inputs + 152 units + 2 biases)) = 99,408"""
    )
    assert fit.to_dict()["count"]["total"] == 99_408
    assert {k: fit.to_dict()[k] for k in ("units", "total", "left")} == {
        "units": 152, "total": 99_408, "left": 592,
    }  # fmt: skip


@pytest.mark.thorough
@given(st.integers(300, 100_000), st.integers(1, 20))
def test_cells_at_an_equal_budget_each_have_their_largest_width(budget: int, inputs: int) -> None:
    table = compare(catalogue.names(), budget=budget, inputs=inputs)
    for row in table.to_dict()["rows"]:
        fit = units_for(row["cell"], budget, inputs)
        assert (row["units"], row["params"], row["left"]) == (fit.units, fit.total, fit.left)


def test_cells_at_equal_width() -> None:
    table = compare(["lstm", "gru", "lru"], units=5, inputs=3, timesteps=10, batch=2)
    lstm, gru, lru = table.to_dict()["rows"]
    counted = count("lstm", 3, 5, timesteps=10, batch=2)
    assert lstm == {
        "cell": "lstm",
        "form": "row",
        "units": 5,
        "params": counted.total,
        "MACs/step": counted.macs,
        "state size": 10,
        "activation bytes": counted.activation_bytes,
        "gates": 4,
    }
    assert (gru["params"], lru["form"], lru["gates"]) == (150, "linear", 0)


def test_an_option_of_some_cells_goes_to_those() -> None:
    rows = compare(["gru", "lstm"], units=5, inputs=3, reset_after=False).to_dict()["rows"]
    assert [(row["params"], row["form"]) for row in rows] == [(135, "gated"), (180, "row")]


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["gru"], {}, "give one of the two. Received: budget=None, units=None"),
        (["gru"], {"budget": 100, "units": 3}, "give one of the two"),
        ([], {"units": 3}, r"`cells` must be a list of names. Received: cells=\[\]"),
        ("gru", {"units": 3}, "`cells` must be a list of names. Received: cells='gru'"),
        (3, {"units": 3}, "`cells` must be a list of names. Received: cells=3"),
        (["gru"], {"budget": 10**6, "depth": 10**12}, "`depth` must be at most 1,000"),
        (["gru", "gruu"], {"units": 3}, "no cell named 'gruu'"),
        (["gru"], {"units": 3, "reset_aftr": False}, "no option 'reset_aftr'"),
        (["gru"], {"budget": 5}, "too small for 1 unit of gru"),
    ],
)
def test_what_cannot_be_compared_says_why(
    cells: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(cells, inputs=3, **options)
