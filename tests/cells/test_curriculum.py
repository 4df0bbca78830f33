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


def layer_of(kind: str, gain: float = 0.7, forget: float = 0.0, **options: Any) -> RNN:
    """A layer with the same weights on every backend, orthogonal times `gain` where it recurs."""
    layer = RNN(cells.get(kind)(UNITS, **options))
    layer.build((None, None, INPUTS))
    draw = np.random.default_rng(0)
    kernel, recurrent, bias = layer.get_weights()
    blocks = [
        gain * np.linalg.qr(draw.normal(size=(UNITS, UNITS)))[0]
        for _ in range(recurrent.shape[1] // UNITS)
    ]
    bias[UNITS : 2 * UNITS] = forget  # the second gate of an LSTM
    layer.set_weights([0.5 * draw.normal(size=kernel.shape), np.concatenate(blocks, axis=1), bias])
    return layer


def influence(layer: RNN, steps: int) -> float:
    """How much the first input still moves the last output: the norm of v d h_T / d x_1."""
    return float(np.linalg.norm(slopes(layer, steps)[1][0, 0]))


def slopes(layer: RNN, steps: int) -> Any:
    """Gradients of a fixed mixture of the last outputs, from a state of zeros."""
    mixture = ops.convert_to_tensor(np.linspace(-1, 1, UNITS, dtype="float32"))
    start = [np.zeros((1, size)) for size in layer.state_size]
    x = sequences(1, steps, INPUTS)
    return gradients.of_layer(layer, lambda h: ops.sum(ops.multiply(h, mixture)), x, start)


def test_the_gradient_of_a_simple_rnn_vanishes_and_that_of_an_open_lstm_does_not() -> None:
    simple, lstm = layer_of("simple_rnn"), layer_of("lstm", forget=5.0)
    near, far = influence(simple, 2), influence(simple, 40)
    assert far < 1e-5 * near, "a product of forty Jacobians has all but vanished"
    near, far = influence(lstm, 2), influence(lstm, 40)
    assert far > 0.1 * near, "the cell state adds up: its Jacobian is the forget gate"


def test_it_is_the_forget_gate_that_keeps_the_gradient() -> None:
    result = [influence(layer_of("lstm", forget=bias), 25) for bias in (-3.0, 0.0, 2.0, 6.0)]
    assert result == sorted(result)
    assert result[-1] > 1e3 * result[1]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_an_irnn_keeps_what_it_saw_first(activation: str) -> None:
    irnn = RNN(cells.get("simple_rnn")(UNITS, activation="relu", recurrent_initializer="identity"))
    other = layer_of("simple_rnn", activation=activation)
    x = np.zeros((1, 100, INPUTS), "float32")
    x[:, 0] = 1
    first, last = numpy(irnn(x[:, :1])), numpy(irnn(x))
    assert first.any()
    np.testing.assert_array_equal(last, first)
    first, last = numpy(other(x[:, :1])), numpy(other(x))
    assert np.linalg.norm(last) < 0.01 * np.linalg.norm(first)


def test_an_exploding_gradient_is_tamed_by_clipping_its_norm() -> None:
    x = np.ones((4, 40, INPUTS), "float32")
    y = np.zeros((4, UNITS), "float32")
    losses = {}
    for clipnorm in (None, 0.1):
        model = keras.Sequential(
            [keras.Input((40, INPUTS)), layer_of("simple_rnn", gain=1.2, activation="linear")]
        )
        model.compile(keras.optimizers.SGD(0.05, clipnorm=clipnorm), "mse", jit_compile=False)
        losses[clipnorm] = model.fit(x, y, epochs=10, verbose=0).history["loss"]
    assert not np.isfinite(losses[None][-1]), "each step overshoots further than the last"
    assert np.isfinite(losses[0.1]).all()
    assert losses[0.1][-1] < losses[0.1][0] / 2


@pytest.mark.parametrize(("gain", "power"), [(1.0, 1.0), (0.9, 0.9**60), (1.1, 1.1**60)])
def test_a_linear_rnn_carries_a_gradient_by_the_power_of_its_gain(
    gain: float, power: float
) -> None:
    layer = layer_of("simple_rnn", gain=gain, activation="linear")
    _, _, (slope,) = slopes(layer, 60)
    expected = power * np.linalg.norm(np.linspace(-1, 1, UNITS))
    np.testing.assert_allclose(np.linalg.norm(slope), expected, rtol=1e-3)
