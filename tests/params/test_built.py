"""The proof: the closed form is what a built layer has."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given

import kerasseq
from kerasseq import cells
from kerasseq.params import catalogue, count, report
from kerasseq.params.matrix import has_recurrent_kernel
from tests.params.drawn import Layer, layers
from tests.thorough import examples


def _built(layer: Layer) -> Any:
    """The layer with its weights."""
    sequences = {"return_sequences": True}  # a skip over a bidirectional level needs them
    built = kerasseq.rnn(layer.cell, layer.units, **layer.options, **sequences)
    built.build((None, None, layer.inputs))
    return built


@examples(60)
@given(layers(widest=7))
def test_the_closed_form_is_what_the_built_layer_has(layer: Layer) -> None:
    counted = count(layer.cell, layer.inputs, layer.units, **layer.options)
    built = _built(layer)
    assert counted.total == built.count_params()
    assert sorted(row.shape for row in counted.weights) == sorted(
        tuple(weight.shape) for weight in built.weights
    )
    assert report(built).total == counted.total


@pytest.mark.parametrize("cell", catalogue.names())
def test_the_states_are_those_of_the_cell(cell: str) -> None:
    made = cells.get(cell)(5, projection=3)
    assert count(cell, 4, 5, projection=3).states == sum(made.state_size)


@pytest.mark.parametrize("cell", catalogue.names())
def test_weight_drop_is_taken_where_the_matrix_says_so(cell: str) -> None:
    if has_recurrent_kernel(catalogue.get(cell)):
        assert kerasseq.rnn(cell, 3, weight_drop=0.5).cell.weight_drop == 0.5
    else:
        with pytest.raises(ValueError, match="weight_drop"):
            kerasseq.rnn(cell, 3, weight_drop=0.5)


def _options(function: Any) -> set[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind not in kinds} - {"self", "cell", "units", "inputs"}


@pytest.mark.parametrize("cell", catalogue.names())
def test_one_set_of_arguments_serves_the_layer_and_the_count(cell: str) -> None:
    kind = cells.get(cell)
    bases = kind.__mro__[: kind.__mro__.index(cells.Cell) + 1]
    taken = _options(kerasseq.rnn).union(*(_options(base.__init__) for base in bases))
    taken -= {
        name for name in ("use_bias", "reset_after") if name not in catalogue.get(cell).options
    }
    for option in taken - _options(count):
        weighs = option in catalogue.get(cell).options or option == "projection"
        value = 3 if weighs or option == "trainable_initial_state" else 0.5
        assert count(cell, 4, 5, **{option: value}).total > 0
