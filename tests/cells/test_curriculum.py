"""What a course on recurrent networks teaches first, seen in these cells."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from kerasseq.layers import RNN
from tests.cells import gradients
from tests.cells.harness import numpy, sequences

UNITS, INPUTS = 8, 3


def drawn(seed: int, scale: float) -> Any:
    """An initializer whose numbers are the same on every backend."""

    def initialize(shape: Any, dtype: Any = None, **_: Any) -> Any:
        limit = scale * (6 / sum(shape)) ** 0.5
        values = np.random.default_rng(seed).uniform(-limit, limit, shape)
        return ops.convert_to_tensor(values, dtype)

    return initialize


def layer_of(kind: str, **options: Any) -> RNN:
    """A layer whose recurrent kernel shrinks what it is given."""
    starts = {"kernel_initializer": drawn(1, 1.0), "recurrent_initializer": drawn(2, 0.5)}
    return RNN(cells.get(kind)(UNITS, **{**starts, **options}))


def influence(layer: RNN, steps: int) -> float:
    """How much the first input still moves the last output: the norm of d h_T / d x_1."""
    x = sequences(1, steps, INPUTS)
    rows = []
    for unit in range(UNITS):
        _, slope, _ = gradients.of_layer(layer, lambda h, unit=unit: ops.sum(h[:, unit]), x)
        rows.append(slope[0, 0])
    return float(np.linalg.norm(rows))


def with_forget_bias(value: float) -> RNN:
    layer = layer_of("lstm")
    layer.build((None, None, INPUTS))
    kernel, recurrent, bias = layer.get_weights()
    bias[UNITS : 2 * UNITS] = value
    layer.set_weights([kernel, recurrent, bias])
    return layer


def test_the_gradient_of_a_simple_rnn_vanishes_and_that_of_an_open_lstm_does_not() -> None:
    simple, lstm = layer_of("simple_rnn"), with_forget_bias(5.0)
    near, far = influence(simple, 2), influence(simple, 40)
    assert far < 1e-5 * near, "a product of forty Jacobians has all but vanished"
    near, far = influence(lstm, 2), influence(lstm, 40)
    assert far > 0.1 * near, "the cell state adds up: its Jacobian is the forget gate"


def test_it_is_the_forget_gate_that_keeps_the_gradient() -> None:
    slopes = [influence(with_forget_bias(bias), 25) for bias in (-3.0, 0.0, 1.0, 3.0, 6.0)]
    assert slopes == sorted(slopes)
    assert slopes[-1] > 1e3 * slopes[1]


@pytest.mark.parametrize(
    ("options", "keeps"),
    [
        ({"activation": "relu", "recurrent_initializer": "identity"}, True),
        ({"activation": "tanh"}, False),
        ({"activation": "relu"}, False),
    ],
)
def test_an_irnn_keeps_what_it_saw_first(options: dict[str, Any], keeps: bool) -> None:
    layer = layer_of("simple_rnn", **options)
    x = np.zeros((1, 100, INPUTS), "float32")
    x[:, 0] = 1
    first, last = numpy(layer(x[:, :1])), numpy(layer(x))
    assert first.any()
    if keeps:
        np.testing.assert_array_equal(last, first)
    else:
        assert np.linalg.norm(last) < 0.01 * np.linalg.norm(first)


def test_an_exploding_gradient_is_tamed_by_clipping_its_norm() -> None:
    x = np.ones((4, 40, INPUTS), "float32")
    y = np.zeros((4, UNITS), "float32")
    losses = {}
    for clipnorm in (None, 0.1):
        growing = keras.initializers.Orthogonal(gain=1.2, seed=3)
        layer = layer_of("simple_rnn", activation="linear", recurrent_initializer=growing)
        model = keras.Sequential([keras.Input((40, INPUTS)), layer])
        model.compile(keras.optimizers.SGD(0.05, clipnorm=clipnorm), "mse", jit_compile=False)
        losses[clipnorm] = model.fit(x, y, epochs=10, verbose=0).history["loss"]
    assert not np.isfinite(losses[None][-1]), "each step overshoots further than the last"
    assert np.isfinite(losses[0.1]).all()
    assert losses[0.1][-1] < losses[0.1][0] / 2


def test_the_gradient_of_an_orthogonal_linear_rnn_neither_vanishes_nor_explodes() -> None:
    balanced = keras.initializers.Orthogonal(seed=3)
    layer = layer_of("simple_rnn", activation="linear", recurrent_initializer=balanced)
    np.testing.assert_allclose(influence(layer, 60), influence(layer, 1), rtol=1e-3)
