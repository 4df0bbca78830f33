"""Sequences of one step, of none, and of a length that is unknown while tracing."""

from __future__ import annotations

import importlib
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from kerasseq.kernels import native
from kerasseq.layers import RNN
from kerasseq.layers.recurrent.bidirectional import Bidirectional
from tests.cells import statement
from tests.cells.harness import (
    BACKEND,
    DTYPE,
    LINEAR,
    MASK,
    VARIANTS,
    close,
    kernels_of,
    layer_of,
    numpy,
    sequences,
    states,
    twin,
    variant,
)
from tests.thorough import covering, one_in

RUNS = [(name, kernel) for name in VARIANTS for kernel in kernels_of(name)]


@pytest.mark.parametrize(("run", "return_sequences"), covering(RUNS, [True, False]))
def test_one_step(run: tuple[str, str], return_sequences: bool) -> None:
    name, kernel = run
    cell = variant(name)
    x, first = sequences(2, 1, 3), states(cell, 2)
    expected = statement.run(cell, x, states=first)
    layer = layer_of(cell, kernel=kernel, return_sequences=return_sequences)
    output, *final = layer(x, initial_state=first)
    close(output, expected.outputs if return_sequences else expected.last)
    close(final, expected.states)


@pytest.mark.parametrize("name", ["mingru", "lru-state-projection"])
def test_the_associative_scan_takes_every_length(name: str) -> None:
    cell = variant(name)
    layer = layer_of(cell, kernel="associative")
    x, first = sequences(2, 17, 3), states(cell, 2)
    expected = statement.run(cell, x, states=first).outputs
    for time in (*range(1, 10), 16, 17):
        output, *final = layer(x[:, :time], initial_state=first)
        close(output, expected[:, :time], what=f"{time} steps")
        close(final, statement.run(cell, x[:, :time], states=first).states)


@pytest.mark.parametrize(("kind", "kernel"), covering(LINEAR, ["scan", "associative"]))
def test_a_long_sequence_stays_exact(kind: str, kernel: str) -> None:
    cell = cells.get(kind)(4, seed=1, dtype="float32")
    cell.build((None, 3))
    x = sequences(1, 400, 3)
    outputs, *final = layer_of(cell, kernel=kernel)(x.astype("float32"))
    expected = statement.run(cell, x)
    close(outputs, expected.outputs, tolerance=1e-4)
    close(final, expected.states, tolerance=1e-4)


@pytest.mark.parametrize("kernel", ["scan", "associative"])
def test_an_empty_batch_gives_empty_outputs(kernel: str) -> None:
    for name in ("lstm", "lru"):
        if kernel in kernels_of(name):
            outputs, *final = layer_of(variant(name), kernel=kernel)(np.zeros((0, 5, 3)))
            assert tuple(outputs.shape) == (0, 5, 4)
            assert {tuple(state.shape) for state in final} == {(0, 4)}


@pytest.mark.parametrize("name", VARIANTS)
def test_no_steps_give_empty_outputs_and_the_initial_states(name: str) -> None:
    cell = variant(name, trainable_initial_state=True)
    nothing = np.zeros((2, 0, 3))
    own = statement.run(cell, nothing).states
    handed = states(cell, 2)
    width = cell.output_size
    for first, expected in ((None, own), (handed, handed)):
        for return_sequences in (True, False):
            layer = layer_of(cell, return_sequences=return_sequences)
            output, *final = layer(nothing, initial_state=first)
            close(output, np.zeros((2, 0, width) if return_sequences else (2, width)))
            close(final, expected)
    alone = RNN(cell, return_sequences=True)(nothing)
    assert tuple(alone.shape) == (2, 0, width)


def test_no_steps_leave_a_stateful_layer_where_it_is() -> None:
    cell = variant("lstm", trainable_initial_state=True)
    layer = layer_of(cell, stateful=True)
    x = sequences(2, 3, 3)
    _, *before = numpy(layer(x))
    _, *after = layer(x[:, :0])
    close(after, before)
    close([state.value for state in layer.states], before)
    layer.reset_state()
    _, *first = layer(x[:, :0])
    close(first, statement.run(cell, x[:, :0]).states)


def test_no_steps_in_both_directions() -> None:
    layer = Bidirectional(layer_of(variant("gru")), dtype=DTYPE)
    output, *final = layer(np.zeros((2, 0, 3)))
    assert tuple(output.shape) == (2, 0, 8)
    close(final, [np.zeros((2, 4))] * 2)


def test_no_steps_through_cells_of_keras() -> None:
    stack = keras.layers.StackedRNNCells([keras.layers.LSTMCell(4), keras.layers.GRUCell(3)])
    layer = RNN(stack, return_sequences=True, return_state=True)
    some = layer(np.ones((2, 2, 3), "float32"))
    output, *final = layer(np.zeros((2, 0, 3), "float32"))
    assert tuple(output.shape) == (2, 0, 3)
    assert len(some[1:]) == len(final) == 2  # one nest of states per cell
    close(keras.tree.flatten(final), [np.zeros((2, 4)), np.zeros((2, 4)), np.zeros((2, 3))])


@pytest.mark.thorough
def test_every_cell_takes_sequences_of_any_length() -> None:
    every = {name: variant(name) for name in VARIANTS}
    inputs = keras.Input((None, 3), dtype=DTYPE)
    outputs = {}
    for name, cell in every.items():
        result = layer_of(cell)(inputs)
        assert result[0].shape == (None, None, cell.output_size)
        outputs[name] = list(result)
    model = keras.Model(inputs, outputs)
    for time in (4, 7, 1):
        x = sequences(3, time, 3).astype("float32")  # which is what a model makes of its arrays
        actual = model.predict(x, verbose=0)
        for name, cell in every.items():
            expected = statement.run(cell, x)
            close(list(actual[name]), [expected.outputs, *expected.states], what=name)


def test_a_model_takes_no_steps_too() -> None:
    cell = variant("gru")
    inputs = keras.Input((None, 3), dtype=DTYPE)
    model = keras.Model(inputs, layer_of(cell, return_state=False)(inputs))
    assert model.predict(np.zeros((2, 0, 3), DTYPE), verbose=0).shape == (2, 0, 4)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow traces unknown lengths")
@pytest.mark.parametrize(
    "name", one_in(2, ["lstm-projection", "gru-reset-before", "indrnn", "mingru", "lru"])
)
def test_noise_and_masks_are_traced_for_any_length(name: str) -> None:
    tf = importlib.import_module("tensorflow")
    options = {"dropout": 0.3, "recurrent_dropout": 0.3, "zoneout": 0.3, "seed": 3}
    loose = {"variational": name == "lru"}
    cell = variant(name, **options, **loose)
    other = twin(cell)
    layer, eager = layer_of(cell), layer_of(other, kernel="scan")
    signature = [tf.TensorSpec((None, None, 3), DTYPE), tf.TensorSpec((None, None), tf.bool)]
    traced: Any = tf.function(
        lambda x, mask: layer(x, mask=mask, training=True), input_signature=signature
    )
    for time in (6, 3):
        x, mask = sequences(len(MASK), time, 3), MASK[:, :time]
        expected = eager(x, mask=ops.convert_to_tensor(mask), training=True)
        close(traced(x, mask), numpy(expected))
    fastest = "associative" if native.status() else "native"
    assert layer.kernel.name == (fastest if cell.kind in LINEAR else "scan")
    output, *final = traced(np.zeros((2, 0, 3)), np.zeros((2, 0), bool))
    assert tuple(output.shape) == (2, 0, cell.output_size)
    close(final, statement.run(cell, np.zeros((2, 0, 3))).states)
