"""Weights of LSTM, GRU and SimpleRNN load from and into `keras.layers`, and mean the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from tests.layers.harness import (
    KERAS_LAYERS,
    WIDTH,
    array,
    assert_close,
    hand_over,
    mask,
    randomize,
    sequences,
    twin,
    weighted,
)
from tests.thorough import first_of, one_in

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((cell, {}) for cell in KERAS_LAYERS),
    *((cell, {"use_bias": False}) for cell in KERAS_LAYERS),
    ("gru", {"reset_after": False}),
    ("lstm", {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    ("gru", {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    ("simple_rnn", {"activation": "relu"}),
]


def both(cell: str, **options: Any) -> tuple[Any, Any]:
    """Our layer and that of Keras, with the same options."""
    settings = {"return_sequences": True, "return_state": True} | options
    return kerasseq.rnn(cell, 4, **settings), KERAS_LAYERS[cell](4, **settings)


@pytest.mark.parametrize(("cell", "options"), one_in(2, OPTIONS), ids=str)
def test_weights_have_the_names_order_and_meaning_of_keras(
    cell: str, options: dict[str, Any]
) -> None:
    ours, theirs = both(cell, **options)
    weighted(theirs)
    twin(ours, theirs)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert_close(ours(sequences()), theirs(sequences()))
    assert_close(ours(sequences(), mask=mask()), theirs(sequences(), mask=mask()))
    randomize(ours, seed=2)
    theirs.set_weights(ours.get_weights())
    assert_close(theirs(sequences()), ours(sequences()))


@pytest.mark.parametrize("cell", first_of([*KERAS_LAYERS]))
def test_a_deep_stack_takes_the_weights_of_keras_layers(cell: str) -> None:
    levels = [
        keras.layers.Bidirectional(KERAS_LAYERS[cell](4, return_sequences=True)),
        keras.layers.Bidirectional(KERAS_LAYERS[cell](4)),
    ]
    model = keras.Sequential([keras.Input((None, WIDTH)), *levels])
    randomize(model)
    stack = twin(kerasseq.rnn(cell, 4, depth=2, bidirectional=True), model)
    assert_close(stack(sequences()), model(sequences()))
    randomize(stack, seed=2)
    hand_over(stack.get_weights(), levels)
    assert_close(model(sequences()), stack(sequences()))


def model_of(layer: Any) -> Any:
    """A model with the layer between others, with random weights."""
    hidden = [keras.layers.Embedding(7, WIDTH, mask_zero=True), layer, keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *hidden])
    randomize(model, seed=3)
    return model


MODELS: dict[str, tuple[Any, Any]] = {
    "lstm": (lambda: kerasseq.lstm(4), lambda: keras.layers.LSTM(4)),
    "gru": (lambda: kerasseq.gru(4), lambda: keras.layers.GRU(4)),
    "simple_rnn": (lambda: kerasseq.simple_rnn(4), lambda: keras.layers.SimpleRNN(4)),
    "bidirectional": (
        lambda: kerasseq.lstm(4, bidirectional=True),
        lambda: keras.layers.Bidirectional(keras.layers.LSTM(4)),
    ),
    "dropout": (
        lambda: kerasseq.gru(4, dropout=0.5, recurrent_dropout=0.5),
        lambda: keras.layers.GRU(4, dropout=0.5, recurrent_dropout=0.5),
    ),
    "custom name": (
        lambda: kerasseq.gru(4, name="encoder"),
        lambda: keras.layers.GRU(4, name="encoder"),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), one_in(3, MODELS.values()), ids=MODELS)
def test_a_weights_file_of_either_loads_into_the_other(
    ours: Any, theirs: Any, tmp_path: Path
) -> None:
    words = np.array([[1, 2, 3, 4, 5], [6, 1, 2, 0, 0]])
    for source, target in ((theirs, ours), (ours, theirs)):
        saved, loaded = model_of(source()), model_of(target())
        randomize(loaded, seed=4)
        saved.save_weights(tmp_path / "model.weights.h5")
        loaded.load_weights(tmp_path / "model.weights.h5")
        assert_close(loaded.get_weights(), saved.get_weights(), 0)
        assert_close(loaded(words), saved(words))
        assert np.ptp(array(saved(words))) > 1e-3
