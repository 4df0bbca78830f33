"""Sequences without a timestep give empty outputs, zeros and the first states."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kerasseq
from kerasseq import cells
from kerasseq.layers import AdditiveAttention, DotProductAttention, SequencePooling
from kerasseq.layers.pooling import MODES
from tests.layers.harness import WIDTH, array, arrays, assert_close, draw, randomize
from tests.thorough import covering, one_in

EMPTY = np.zeros((2, 0, WIDTH), "float32")
OPTIONS: list[dict[str, Any]] = [
    {},
    {"bidirectional": True},
    {"bidirectional": True, "merge": None},
    {"depth": 2},
    {"depth": 2, "bidirectional": True, "merge": "sum"},
    {"residual": True},
    {"depth": 2, "highway": True},
    {"projection": 2},
    {"go_backwards": True},
    {"stateful": True},
]


@pytest.mark.parametrize(
    ("options", "form"),
    covering(OPTIONS, [*itertools.product((False, True), repeat=2)]),
    ids=str,
)
def test_outputs_are_empty_or_zeros(options: dict[str, Any], form: tuple[bool, bool]) -> None:
    return_sequences, masked = form
    layer = kerasseq.rnn("lstm", WIDTH, return_sequences=return_sequences, **options)
    layer.build(EMPTY.shape)
    randomize(layer)
    told = {"mask": ops.zeros((2, 0), "bool")} if masked else {}
    shapes = layer.compute_output_shape(EMPTY.shape)
    shapes = [shapes] if isinstance(shapes[0], int) else shapes
    assert_close(layer(EMPTY, **told), [np.zeros(shape, "float32") for shape in shapes])


@pytest.mark.parametrize("cell", one_in(3, cells.names()))
def test_states_are_the_first_ones_zeros_given_or_learned(cell: str) -> None:
    layer = kerasseq.rnn(
        cell, 4, depth=2, bidirectional=True, return_state=True, trainable_initial_state=True
    )
    layer.build((None, None, WIDTH))
    randomize(layer)
    _, *learned = arrays(layer(EMPTY))
    initial = [
        direction.cell.get_initial_state(2)
        for level in layer.levels
        for direction in (level.forward_layer, level.backward_layer)
    ]
    assert_close(learned, initial)
    assert min(np.abs(state).min() for state in learned) > 0
    given = [draw(*state.shape, seed=seed) for seed, state in enumerate(learned)]
    _, *states = layer(EMPTY, initial_state=[ops.convert_to_tensor(state) for state in given])
    assert_close(states, given)


def test_a_stateful_layer_keeps_its_states() -> None:
    layer = kerasseq.rnn("gru", 4, depth=2, stateful=True, return_state=True)
    layer.build((2, None, WIDTH))
    randomize(layer)
    _, *before = arrays(layer(draw(2, 3, WIDTH)))
    _, *states = layer(EMPTY)
    assert_close(states, before)


def test_a_model_of_unknown_length_takes_them_too() -> None:
    model = keras.Sequential(
        [
            keras.Input((None, WIDTH)),
            kerasseq.gru(WIDTH, depth=2, bidirectional=True, return_sequences=True),
            kerasseq.lstm(2 * WIDTH, residual=True),
        ]
    )
    assert_close(model.predict(EMPTY, verbose=0), np.zeros((2, 2 * WIDTH), "float32"))


@pytest.mark.parametrize("mode", MODES)
def test_pooling_gives_zeros(mode: str) -> None:
    assert_close(SequencePooling(mode)(EMPTY), np.zeros((2, WIDTH), "float32"))


@pytest.mark.parametrize("kind", [AdditiveAttention, DotProductAttention])
def test_attention_over_nothing_gives_zeros(kind: Any) -> None:
    assert_close(array(kind(4)(draw(2, 5), EMPTY)), np.zeros((2, WIDTH), "float32"))
