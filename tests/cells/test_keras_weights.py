"""LSTM, GRU and SimpleRNN are those of `keras.layers`, weight by weight."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from kerasseq import cells
from tests.cells.harness import DTYPE, close, make, randomise, sequences, states

PAIRS = {
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
    "simple_rnn": keras.layers.SimpleRNNCell,
}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("lstm", {}),
    ("lstm", {"use_bias": False, "activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    ("gru", {}),
    ("gru", {"reset_after": False}),
    ("gru", {"use_bias": False}),
    ("gru", {"use_bias": False, "reset_after": False}),
    ("simple_rnn", {}),
    ("simple_rnn", {"activation": "relu", "use_bias": False}),
]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_weights_and_steps_are_those_of_keras(kind: str, options: dict[str, Any]) -> None:
    ours = make(kind, **options)
    theirs = PAIRS[kind](4, dtype=DTYPE, **options)
    theirs.build((None, 3))
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    x, before = sequences(5, 3), states(ours, 5)
    close(ours(x, before), theirs(x, before))
    randomise(theirs, 7)
    ours.set_weights(theirs.get_weights())
    close(ours(x, before), theirs(x, before))


@pytest.mark.parametrize("kind", PAIRS)
def test_training_starts_where_that_of_keras_starts(kind: str) -> None:
    built = []
    for one in (cells.get(kind), PAIRS[kind]):
        keras.utils.set_random_seed(3)
        cell = one(4, recurrent_initializer="glorot_uniform")
        cell.build((None, 3))
        built.append(cell.get_weights())
    ours, theirs = built
    close(ours[2], theirs[2], what="bias")
    for mine, other in zip(ours, theirs, strict=True):  # the draws differ, not their spread
        assert mine.shape == other.shape
        assert abs(mine).max() <= 2 * max(abs(other).max(), 1e-9)
