"""Every cell computes what its paper says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq import cells
from tests.cells import statement
from tests.cells.harness import BACKEND, KINDS, close, layer_of, make, sequences, states
from tests.thorough import covering, examples

PRECISIONS = [("float32", 1e-5)] + ([("float64", 1e-12)] if BACKEND == "tensorflow" else [])
EXAMPLES = 3 if BACKEND == "jax" else 8  # JAX compiles every operation for every shape
ACTIVATIONS = st.sampled_from(["tanh", "relu", "softsign", "linear"])
# Options beside those that every cell takes; a cell that is not here has none.
OWN_OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "gru": {"reset_after": st.booleans()},
    "janet": {"beta": st.floats(-1, 2)},
    "lru": {"state": st.sampled_from([None, 5])},
}


def options_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    cell = cells.get(kind)(1)
    config = cell.get_config()
    drawn = {
        "projection": st.sampled_from([None, 2]),
        "trainable_initial_state": st.booleans(),
        "random": st.integers(0, 1000),
        "inputs": st.sampled_from([1, 3]),
        "units": st.sampled_from([1, 4]),
        **OWN_OPTIONS.get(kind, {}),
    }
    if "use_bias" in cell.options:
        drawn["use_bias"] = st.booleans()
    if "activation" in config:
        drawn["activation"] = ACTIVATIONS
    if "recurrent_activation" in config:
        drawn["recurrent_activation"] = st.sampled_from(["sigmoid", "softsign"])
    return st.fixed_dictionaries(drawn)


@pytest.mark.parametrize("kind", KINDS)
@examples(EXAMPLES, derandomize=True)
@given(data=st.data())
def test_a_step_is_the_papers(kind: str, data: st.DataObject) -> None:
    options = data.draw(options_of(kind))
    cell = make(kind, **options)
    x = sequences(2, 1, options["inputs"], random=options["random"] + 1)
    before = states(cell, 2, random=options["random"] + 2)
    output, new = cell(x[:, 0], before)
    expected = statement.run(cell, x, states=before)
    close(output, expected.last, what="output")
    close(list(new), expected.states, what="states")


@pytest.mark.parametrize(("kind", "precision"), covering(KINDS, PRECISIONS))
def test_a_sequence_is_the_papers(kind: str, precision: tuple[str, float]) -> None:
    dtype, tolerance = precision
    cell = make(kind, dtype=dtype)
    x = sequences(3, 5, 3)
    first = states(cell, 3)
    output, *final = layer_of(cell)(x.astype(dtype), initial_state=first)
    expected = statement.run(cell, x, states=first)
    assert output.dtype == final[0].dtype
    assert dtype in str(output.dtype)
    close(output, expected.outputs, tolerance=tolerance, what="outputs")
    close(final, expected.states, tolerance=tolerance, what="states")


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_looks_at_every_weight(kind: str) -> None:
    cell = make(kind, projection=3, trainable_initial_state=True)
    x = sequences(2, 3, 3)
    weights = statement.weights_of(cell)
    before = statement.run(cell, x).outputs
    for name, value in weights.items():
        changed = statement.Weights(weights, **{name: value + 0.1 * np.sign(value)})
        assert not np.allclose(before, statement.run(cell, x, weights=changed).outputs), name
