"""Cells of Keras, and of its users, in our layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from kerasseq.layers import RNN
from tests.cells.harness import BACKEND, DTYPE, MASK, close, numpy, sequences, variant
from tests.thorough import covering


@keras.saving.register_keras_serializable("tests")
class Sum(keras.layers.Layer):
    """A cell with the least that Keras asks for."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def call(self, inputs: Any, states: Any) -> Any:
        total = states[0] + ops.sum(inputs, axis=-1, keepdims=True)
        return total, [total]


MAKERS = {
    "lstm": lambda: keras.layers.LSTMCell(4, dtype=DTYPE, seed=1),
    "gru": lambda: keras.layers.GRUCell(4, dtype=DTYPE, seed=1),
    "simple_rnn": lambda: keras.layers.SimpleRNNCell(4, dtype=DTYPE, seed=1),
    "stacked": lambda: keras.layers.StackedRNNCells(
        [keras.layers.LSTMCell(3, dtype=DTYPE), keras.layers.GRUCell(4, dtype=DTYPE)], dtype=DTYPE
    ),
    "stacked-of-ours": lambda: keras.layers.StackedRNNCells(
        [variant("lstm"), cells.get("mgu")(4, dtype=DTYPE)], dtype=DTYPE
    ),
    "own": lambda: Sum(4, dtype=DTYPE),
}


@pytest.mark.parametrize(("name", "masked"), covering([*MAKERS], [False, True]))
def test_any_cell_runs_as_in_keras(name: str, masked: bool) -> None:
    if masked and name.startswith("stacked") and BACKEND == "jax":
        pytest.skip("the loop of Keras on JAX needs the first state to be the output")
    cell = MAKERS[name]()
    x = sequences(*MASK.shape, 3)
    mask = ops.convert_to_tensor(MASK) if masked else None
    options = {"return_sequences": True, "return_state": True, "go_backwards": masked}
    theirs = keras.layers.RNN(cell, dtype=DTYPE, **options)(x, mask=mask)
    layer = RNN(cell, **options)
    close(layer(x, mask=mask), numpy(theirs))
    assert layer.kernel.name == "keras"


@pytest.mark.parametrize("name", ["lstm", "stacked-of-ours"])
def test_a_stateful_layer_of_any_cell_carries_on(name: str) -> None:
    cell = MAKERS[name]()
    x = sequences(2, 4, 3)
    whole = numpy(RNN(cell, return_sequences=True)(x))
    layer = RNN(cell, return_sequences=True, stateful=True)
    close(layer(x[:, :2]), whole[:, :2])
    close(layer(x[:, 2:]), whole[:, 2:])
    layer.reset_state()
    close(layer(x[:, :2]), whole[:, :2])


def test_dropout_of_a_cell_of_keras_is_its_own_affair() -> None:
    cell = keras.layers.GRUCell(4, dropout=0.5, recurrent_dropout=0.5, seed=1)
    layer = RNN(cell)
    x = np.ones((20, 3, 3), "float32")
    quiet, loud = numpy(layer(x)), numpy(layer(x, training=True))
    close(quiet, np.repeat(quiet[:1], 20, axis=0), tolerance=1e-5)
    assert np.ptp(loud, axis=0).max() > 0.01


def test_the_layer_takes_the_dtype_of_its_cell() -> None:
    for cell in (keras.layers.GRUCell(4, dtype="float16"), cells.get("gru")(4, dtype="float16")):
        for options in ({}, {"dtype": None}, {"dtype": "float16"}, {"dtype": cell.dtype_policy}):
            layer = RNN(cell, **options)
            assert layer.compute_dtype == "float16"
            assert layer.dtype_policy == cell.dtype_policy
            assert RNN.from_config(layer.get_config()).dtype_policy == cell.dtype_policy


def test_only_a_cell_of_keras_takes_another_dtype_around_it() -> None:
    theirs = keras.layers.GRUCell(4, dtype="float32")
    layer = RNN(theirs, dtype="mixed_bfloat16")
    output = layer(np.ones((2, 3, 3), "float32"))
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    message = "must be that of the cell, float32. Received: dtype='mixed_bfloat16'"
    with pytest.raises(ValueError, match=message):
        RNN(cells.get("gru")(4, dtype="float32"), dtype="mixed_bfloat16")


def test_a_layer_of_any_cell_comes_back_from_its_config() -> None:
    layer = RNN(MAKERS["stacked-of-ours"](), return_sequences=True)
    again = RNN.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = sequences(2, 3, 3)
    layer(x)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    close(again(x), numpy(layer(x)))
