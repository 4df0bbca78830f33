"""The closed form counts exactly what a built layer has, for every cell and option."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq import cells
from kerasseq.params import catalogue
from kerasseq.params.count import count
from tests.thorough import examples, one_in

WIDTHS = st.integers(1, 6)
MAYBE = st.none() | st.integers(1, 4)


@st.composite
def options(draw: st.DrawFn, cell: str) -> dict[str, Any]:
    """Whatever decides which weights a layer has."""
    drawn: dict[str, Any] = {
        "depth": draw(st.integers(1, 3)),
        "bidirectional": draw(st.booleans()),
        "projection": draw(MAYBE),
        "trainable_initial_state": draw(st.booleans()),
    }
    merges = ["concat", "sum", "mul", "ave"]
    if drawn["depth"] == 1:
        merges.append("apart")
    merge = draw(st.sampled_from(merges))
    drawn["merge"] = None if merge == "apart" else merge
    skip = draw(st.sampled_from([None, "residual", "highway"]))
    if skip and drawn["merge"]:
        drawn[skip] = True
    for name, default in catalogue.get(cell).options.items():
        drawn[name] = draw(st.booleans() if isinstance(default, bool) else MAYBE)
    return drawn


def not_wide_enough(cell: str, inputs: int, units: int, drawn: dict[str, Any]) -> bool:
    """Whether a connection is asked for and no level gives as many features as it gets."""
    if not (drawn.get("residual") or drawn.get("highway")):
        return False
    width = drawn["projection"] or units
    if drawn["bidirectional"] and drawn["merge"] == "concat":
        width *= 2
    return drawn["depth"] == 1 and width != inputs


@pytest.mark.parametrize("cell", one_in(3, cells.names()))
@examples(16)
@given(data=st.data(), inputs=WIDTHS, units=WIDTHS)
def test_the_closed_form_is_what_is_built(
    cell: str, data: st.DataObject, inputs: int, units: int
) -> None:
    drawn = data.draw(options(cell))
    layer = kerasseq.rnn(cell, units, return_sequences=True, **drawn)
    if not_wide_enough(cell, inputs, units, drawn):
        # A connection that no level can have: both refuse it.
        with pytest.raises(ValueError, match="wide"):
            count(cell, inputs, units, **drawn)
        with pytest.raises(ValueError, match="as wide as"):
            layer.build((None, None, inputs))
        return
    expected = count(cell, inputs, units, **drawn)
    layer.build((None, None, inputs))
    assert layer.count_params() == expected.total
    shapes = sorted(tuple(weight.shape) for weight in layer.weights)
    assert shapes == sorted(row.shape for row in expected.weights)
    outputs = layer.compute_output_shape((None, None, inputs))
    if drawn["merge"] is None and drawn["bidirectional"]:
        outputs = outputs[0]
    assert expected.levels[-1].output == outputs[-1]


@examples(25)
@given(
    levels=st.lists(st.tuples(st.sampled_from(cells.names()), WIDTHS), min_size=1, max_size=3),
    inputs=WIDTHS,
    bidirectional=st.booleans(),
)
def test_cells_of_many_kinds_count_level_by_level(
    levels: list[tuple[str, int]], inputs: int, bidirectional: bool
) -> None:
    layer = kerasseq.rnn(
        [cells.get(name)(units) for name, units in levels], bidirectional=bidirectional
    )
    layer.build((None, None, inputs))
    assert layer.count_params() == count(levels, inputs, bidirectional=bidirectional).total


@pytest.mark.parametrize("cell", cells.names())
def test_what_has_no_weights_adds_none(cell: str) -> None:
    noise = {"dropout": 0.2, "recurrent_dropout": 0.2, "zoneout": 0.1, "seed": 1}
    layer = kerasseq.rnn(cell, 4, depth=2, **noise)
    layer.build((None, None, 3))
    assert layer.count_params() == count(cell, 3, 4, depth=2).total
    assert count(cell, 3, 4, depth=2, **noise).total == count(cell, 3, 4, depth=2).total
