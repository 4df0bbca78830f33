"""Models of keras.layers of every kind, with inputs, for tests of conversions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.layers.harness import draw

Made = tuple[Any, Any]  # a built model, and inputs


@keras.saving.register_keras_serializable("tests.interop")
class Leaky(layers.Layer):
    """A cell of somebody else."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.dense = layers.Dense(units, name="dense")

    def build(self, shape: Any) -> None:
        self.dense.build(shape)
        self.built = True

    def call(self, inputs: Any, states: Any) -> Any:
        state = 0.5 * states[0] + self.dense(inputs)
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests.interop")
class Reader(layers.Layer):
    """A layer of a class of its own, with recurrent layers in its attributes."""

    def __init__(self, units: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(3, name="first")
        self.levels = [
            layers.GRU(units, return_sequences=True, name="lower"),
            layers.Bidirectional(layers.LSTM(units), name="upper"),
        ]
        self.by_name = {"again": self.levels[0]}

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.levels[0].build((*shape[:-1], 3))
        self.levels[1].build((*shape[:-1], self.units))
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.levels[1](self.by_name["again"](self.first(inputs)))


class Subclassed(keras.Model):
    """A model that keeps its layers in attributes, and is built by its first call."""

    def __init__(self, units: int = 4) -> None:
        super().__init__(name="subclassed")
        self.embedding = layers.Embedding(9, 3, mask_zero=True)
        self.reader = Reader(3)
        self.lstm = layers.LSTM(units, return_sequences=True)
        self.head = layers.Dense(2)

    def call(self, tokens: Any) -> Any:
        below = self.embedding(tokens)
        return (
            self.head(layers.GlobalAveragePooling1D()(self.lstm(below))) + self.reader(below)[:, :2]
        )


TOKENS = np.array([[1, 2, 3, 4, 5], [6, 5, 0, 0, 0], [0, 3, 0, 4, 0]])
SEQUENCES = draw(3, 5, 3)


def sequential() -> Made:
    deep = layers.SimpleRNN(3, activation="relu", return_sequences=True, name="deep")
    inner = keras.Sequential([keras.Input((5, 8)), deep], name="inner")
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(9, 3, mask_zero=True, name="embedding"),
            layers.Bidirectional(
                layers.GRU(4, return_sequences=True, reset_after=False),
                backward_layer=layers.LSTM(4, return_sequences=True, go_backwards=True),
                name="reader",
            ),
            inner,
            layers.Dropout(0.0),
            layers.LSTM(4, kernel_regularizer="l2", unroll=True, name="last"),
            layers.BatchNormalization(),
            layers.Dense(2),
        ],
        name="sequential",
    ), TOKENS


def functional() -> Made:
    """Shared layers, operations between layers, a Lambda, several inputs."""
    inputs = [keras.Input((5, 3), name="a"), keras.Input((5, 3), name="b")]
    shared = layers.LSTM(4, name="shared")
    doubled = layers.Lambda(lambda x: 2 * x, output_shape=lambda shape: shape)(inputs[1])
    tower = keras.Sequential([keras.Input((5, 3)), shared], name="tower")
    both = [shared(inputs[0]), tower(doubled)]
    frames = layers.TimeDistributed(layers.GRU(3), name="frames")(
        keras.ops.reshape(inputs[0], (-1, 5, 3, 1))
    )
    merged = layers.concatenate([*both, layers.Flatten()(frames)]) * 0.5
    return keras.Model(inputs, layers.Dense(2)(merged), name="functional"), [
        SEQUENCES,
        draw(3, 5, 3, seed=5),
    ]


def seq2seq() -> Made:
    """States go from an encoder to a decoder, whose mask Keras drops."""
    inputs = [keras.Input((5,), dtype="int32", name="x"), keras.Input((5,), name="y")]
    embedding = layers.Embedding(9, 3, mask_zero=True)
    *_, h, c, h2, c2 = layers.Bidirectional(layers.LSTM(4, return_state=True), name="encoder")(
        embedding(inputs[0])
    )
    states = [layers.add([h, h2]), layers.add([c, c2])]
    decoded = layers.LSTM(4, return_sequences=True, name="decoder")(
        embedding(inputs[1]), initial_state=states
    )
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True), name="both")(
        layers.Masking(name="masking")(decoded), initial_state=[h, h2]
    )
    return keras.Model(inputs, layers.Dense(2)(both)), [TOKENS, TOKENS[::-1].copy()]


def cells() -> Made:
    """RNN over a known cell, a custom cell, one of kerasseq, and several cells at once."""
    import kerasseq

    ours = kerasseq.cells.get("mgu")(3)
    several = [layers.LSTMCell(4), layers.GRUCell(3), Leaky(2)]
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.Masking(),
            layers.RNN(layers.LSTMCell(4), return_sequences=True, name="known"),
            layers.RNN(Leaky(3), return_sequences=True, name="custom"),
            layers.RNN(ours, return_sequences=True, name="ours"),
            layers.RNN(several, return_sequences=True, name="several"),
            layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(3)], name="last"),
        ]
    ), np.where(np.arange(5)[None, :, None] < np.array([5, 3, 2])[:, None, None], SEQUENCES, 0)


def stacked_states() -> Made:
    """Several cells at once that return their states."""
    inputs = keras.Input((5, 3))
    output, *states = layers.RNN(
        [layers.LSTMCell(4), layers.GRUCell(3)], return_state=True, name="several"
    )(inputs)
    flat = keras.tree.flatten(states)
    return keras.Model(inputs, layers.concatenate([output, *flat])), SEQUENCES


def custom_layer() -> Made:
    model = keras.Sequential([keras.Input((5, 3)), Reader(3, name="reader"), layers.Dense(2)])
    return model, SEQUENCES


def subclassed() -> Made:
    model = Subclassed()
    model(TOKENS)
    return model, TOKENS


def stateful() -> Made:
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(3, 5, 3)),
            layers.GRU(4, stateful=True, return_sequences=True, name="gru"),
            layers.Bidirectional(layers.LSTM(3, stateful=True), name="both"),
        ]
    )
    model(SEQUENCES)
    return model, SEQUENCES


MODELS: dict[str, Callable[[], Made]] = {
    make.__name__: make
    for make in (
        *(sequential, functional, seq2seq, cells, stacked_states),
        *(custom_layer, subclassed, stateful),
    )
}
