"""Output projection and trained initial states, on every cell."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from tests.cells import gradients, statement
from tests.cells.harness import KINDS, close, kernels_of, layer_of, make, numpy, sequences, states
from tests.thorough import in_turn


@pytest.mark.parametrize(
    ("kind", "kernel"), in_turn((kind, kernel) for kind in KINDS for kernel in kernels_of(kind))
)
def test_a_projection_narrows_the_output(kind: str, kernel: str) -> None:
    cell = make(kind, projection=2)
    x, first = sequences(2, 4, 3), states(cell, 2)
    outputs, *final = layer_of(cell, kernel=kernel)(x, initial_state=first)
    assert outputs.shape == (2, 4, cell.output_size) == (2, 4, 2)
    expected = statement.run(cell, x, states=first)
    close(outputs, expected.outputs)
    close(final, expected.states)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_lstm_family_feeds_its_projection_back(kind: str) -> None:
    cell = make(kind, projection=2)
    fed_back = kind in statement.FEEDS_PROJECTION
    assert cell.spec.feeds_projection == fed_back
    assert cell.state_size[0] == (2 if fed_back else 4)
    outputs, first, *_ = layer_of(cell)(sequences(2, 4, 3))
    if fed_back:
        close(first, numpy(outputs[:, -1]))
        assert cell.recurrent_kernel.shape[0] == 2
    else:
        assert first.shape == (2, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_initial_state_is_an_initial_state(kind: str) -> None:
    cell = make(kind, trainable_initial_state=True)
    x = sequences(2, 4, 3)
    own = [getattr(cell, f"initial_{state.name}") for state in cell.spec.states]
    passed = [np.repeat(numpy(state)[None], 2, axis=0) for state in own]
    assert all(state.any() for state in passed)
    layer = layer_of(cell)
    close(layer(x), numpy(layer(x, initial_state=passed)))
    other = states(cell, 2)  # which takes precedence
    expected = statement.run(cell, x, states=other)
    close(layer(x, initial_state=other), (expected.outputs, *expected.states))


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_initial_state_gets_a_gradient(kind: str) -> None:
    cell = make(kind, trainable_initial_state=True)
    layer = layer_of(cell, return_state=False)
    result, _, _ = gradients.of_layer(layer, lambda y: ops.sum(ops.square(y)), sequences(2, 4, 3))
    by_name = {w.name: g for w, g in zip(layer.trainable_weights, result, strict=True)}
    for state in cell.spec.states:
        assert abs(by_name[f"initial_{state.name}"]).max() > 1e-6
