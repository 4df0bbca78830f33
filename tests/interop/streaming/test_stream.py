"""A stream gives the outputs of the model on the whole sequence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kerasseq
from kerasseq import cells
from tests.interop.models import Leaky
from tests.layers.harness import array, draw, randomize
from tests.thorough import first_of

SEQUENCES = draw(3, 9, 3)
#: Padding at both ends and inside, and a row of padding alone.
TOKENS = np.array([[3, 4, 0, 5, 0, 0, 1, 0, 2], [0, 0, 7, 8, 9, 2, 0, 0, 0], [0] * 9], np.int32)
CHUNKS = (1, 3, 5)


def numbers(*stack: Any) -> Any:
    """A model of sequences of three numbers."""
    return keras.Sequential([keras.Input((None, 3), name="x"), *stack])


def words(*stack: Any) -> Any:
    """A model of tokens, whose mask excludes the zeros."""
    first = [keras.Input((None,), dtype="int32"), layers.Embedding(10, 3, mask_zero=True)]
    return keras.Sequential([*first, *stack])


def check(model: Any, x: Any, chunks: Sequence[int] = CHUNKS) -> None:
    """After each chunk, the outputs are those of the model on all timesteps so far."""
    randomize(model)
    for weight in model.weights:
        if "variance" in weight.name:
            weight.assign(keras.ops.abs(weight) + 0.5)
    inputs = x if isinstance(x, list) else [x]
    stream = kerasseq.stream(model)
    state, read = stream.start(len(inputs[0])), 0

    def part(start: int, end: int) -> Any:
        parts = [
            each[:, start:end] if each.ndim > 2 or each.shape[1] == 9 else each for each in inputs
        ]
        return parts if isinstance(x, list) else parts[0]

    for chunk in chunks:
        outputs, state = stream.update(state, part(read, read + chunk))
        whole = keras.tree.flatten(model(part(0, read + chunk), training=False))
        for one, expected in zip(keras.tree.flatten(outputs), whole, strict=True):
            expected = array(expected)
            if expected.ndim > 2 and expected.shape[1] == read + chunk:
                expected = expected[:, read:]
            np.testing.assert_allclose(one, expected, atol=1e-5, err_msg=f"after {read + chunk}")
        read += chunk


@pytest.mark.parametrize(
    ("kind", "last"), first_of([("LSTM", False), ("GRU", True), ("SimpleRNN", True)], 2)
)
def test_layers_of_keras_carry_their_states(kind: str, last: bool) -> None:
    layer = getattr(layers, kind)
    deep = [layer(4, return_sequences=True), layer(3, return_sequences=last)]
    check(numbers(*deep, layers.Dense(2, activation="softmax")), SEQUENCES)


@pytest.mark.parametrize("cell", first_of(["layernorm_lstm", *sorted(cells.names())]))
def test_stacks_of_every_cell_carry_the_states_of_every_level(cell: str) -> None:
    options = {"zoneout": 0.1, "trainable_initial_state": True, "dropout": 0.2}
    stack = kerasseq.rnn(cell, 3, depth=2, residual=True, return_sequences=True, **options)
    check(numbers(stack), SEQUENCES)


@pytest.mark.parametrize(
    ("zeros", "sequences", "keras_layer"),
    first_of([*itertools.product([False, True], [True, False], [False, True])], 3),
)
def test_a_mask_holds_states_and_outputs(zeros: bool, sequences: bool, keras_layer: bool) -> None:
    make = layers.GRU if keras_layer else kerasseq.gru
    options: dict[str, Any] = {"zero_output_for_mask": zeros}
    deep = [make(4, return_sequences=True), make(3, return_sequences=sequences, **options)]
    check(words(*deep), TOKENS)


def test_a_stack_takes_a_mask() -> None:
    check(words(kerasseq.lstm(3, depth=2, return_sequences=True)), TOKENS)


@pytest.mark.thorough
def test_cells_of_every_kind() -> None:
    several = [layers.LSTMCell(4), layers.GRUCell(3), Leaky(2)]
    check(
        numbers(
            layers.RNN(Leaky(3), return_sequences=True), layers.RNN(several, return_sequences=True)
        ),
        SEQUENCES,
    )  # fmt: skip


def test_layers_that_compute_each_timestep_alone() -> None:
    model = numbers(
        layers.Masking(0.0),
        layers.TimeDistributed(layers.Dense(4, activation="tanh")),
        layers.BatchNormalization(),
        layers.GaussianNoise(0.1),
        layers.LSTM(4, return_sequences=True, unroll=False),
        layers.LayerNormalization(),
        layers.PReLU(shared_axes=[1]),
        layers.Activation("softmax"),
        layers.Dropout(0.5),
        layers.SimpleRNN(2, return_sequences=True),
    )
    check(model, SEQUENCES)


@pytest.mark.parametrize("options", first_of([{"dilation_rate": 2, "groups": 3, "filters": 6}, {}]))
def test_causal_convolutions_carry_their_last_timesteps(options: dict[str, Any]) -> None:
    options = {"filters": 4, "kernel_size": 3, "padding": "causal", **options}
    check(numbers(layers.Conv1D(**options), layers.ReLU(), layers.GRU(4)), SEQUENCES)


def test_branches_are_added_and_what_follows_the_last_output_goes_on() -> None:
    x, fixed = keras.Input((None, 3), name="x"), keras.Input((5,), name="fixed")
    below = layers.GRU(3, return_sequences=True)(x)
    both = layers.Concatenate()([layers.Add()([x, below]), keras.ops.tanh(below) * 2.0])
    each = layers.Dense(2)(both)
    last, state = layers.GRU(4, return_state=True)(both)
    merged = layers.concatenate([last, state, layers.Dense(3)(fixed)])
    again = layers.LSTM(3)(layers.RepeatVector(4)(merged))
    model = keras.Model([x, fixed], [each, layers.Dense(2)(again)])
    check(model, [SEQUENCES, draw(3, 5)])


class Gate(keras.layers.Layer):
    """A layer of its own, whose operations show that it computes each timestep alone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)

    def build(self, shape: Any) -> None:
        self.dense.build(shape)
        self.scale = self.add_weight(shape=(2, 3), name="scale")
        self.built = True

    def call(self, x: Any) -> Any:
        gated = x * keras.ops.sigmoid(self.dense(x)) + keras.ops.matmul(x[..., 1:], self.scale)
        return gated - keras.ops.mean(x, axis=-1, keepdims=True)


def test_models_and_layers_inside_are_opened() -> None:
    shared = layers.GRU(3, return_sequences=True)
    inner = keras.Sequential([keras.Input((None, 3)), shared, Gate()])
    x = keras.Input((None, 3), name="x")
    check(keras.Model(x, shared(inner(inner(x)))), SEQUENCES)


def test_a_stateful_layer_begins_anew() -> None:
    model = keras.Sequential(
        [keras.Input(batch_shape=(3, 9, 3)), layers.LSTM(4, stateful=True, unroll=True)]
    )
    randomize(model)
    stream = kerasseq.stream(model)
    _, state = stream.update(stream.start(), SEQUENCES[:, :4])  # of another length
    outputs, _ = stream.update(state, SEQUENCES[:, 4:])
    np.testing.assert_allclose(outputs, array(model(SEQUENCES)), atol=1e-5)


def test_the_model_does_not_change_and_a_file_gives_the_same_stream(tmp_path: Path) -> None:
    model = numbers(layers.LSTM(4))
    before = model.layers[0].output
    model.save(tmp_path / "model.keras")
    results = []
    for source in (model, tmp_path / "model.keras"):
        stream = kerasseq.stream(source)
        results.append(stream.update(stream.start(3), SEQUENCES)[0])
    np.testing.assert_array_equal(*results)
    assert model.layers[0].output is before  # which raises for a layer with two nodes
    assert not model.layers[0].return_state


def test_a_state_is_not_changed_by_what_follows() -> None:
    stream = kerasseq.stream(numbers(kerasseq.gru(4)))
    _, state = stream.update(stream.start(3), SEQUENCES[:, :3])
    first, _ = stream.update(state, SEQUENCES[:, 3:])
    second, _ = stream.update(state, SEQUENCES[:, 3:])
    np.testing.assert_array_equal(first, second)


def test_all_layers_that_cannot_go_on_are_listed() -> None:
    model = numbers(
        layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both"),
        layers.Conv1D(3, 3, padding="same", name="same"),
        layers.LSTM(3, return_sequences=True, go_backwards=True, name="back"),
        layers.MaxPooling1D(name="shorter"),
        layers.LSTM(3, return_sequences=True, name="fine"),
        layers.GlobalAveragePooling1D(name="pooled"),
        layers.Dense(2, name="head"),
    )
    with pytest.raises(ValueError, match="5 layers") as error:
        kerasseq.stream(model)
    for part in (
        "both (its second direction begins at the last timestep)",
        "same (it reads later timesteps: padding='same', not 'causal')",
        "back (it begins at the last timestep: go_backwards=True)",
        "shorter (it changes the number of timesteps)",
        "pooled (it pools over time",
    ):
        assert part in str(error.value)


def _attention(x: Any) -> Any:
    return layers.Attention(name="bad")([x, x])


def _cumulated(x: Any) -> Any:
    return keras.ops.cumsum(x, axis=1)


class Positions(keras.layers.Layer):
    """Adds a vector of its own to each timestep."""

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(shape=(9, 3), name="table")
        self.built = True

    def call(self, x: Any) -> Any:
        return x + self.table


@pytest.mark.parametrize(
    ("mix", "reason"),
    [
        (_attention, r"bad \(every timestep attends to the others\)"),
        (_cumulated, "the operation Cumsum may mix timesteps"),
        (lambda x: Positions(name="bad")(x), r"bad \(it combines timesteps with an array"),
        (lambda x: x[:, 1:], "takes a part of the timesteps"),
        (lambda x: x + layers.GRU(3)(x)[:, None], "which later ones change"),
        (lambda x: keras.ops.softmax(x, axis=1), "along time: axis=1"),
        (lambda x: layers.LayerNormalization(axis=[1, 2], name="bad")(x), r"bad .* along time"),
        (lambda x: layers.Flatten(name="bad")(x), "bad .*to other places"),
    ],
)
def test_what_mixes_timesteps_is_refused(mix: Any, reason: str) -> None:
    x = keras.Input((9, 3))
    model = keras.Model(x, mix(layers.GRU(3, return_sequences=True)(x)))
    with pytest.raises(ValueError, match=f"1 layer .*{reason}"):
        kerasseq.stream(model)


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="must be a Keras model"):
        kerasseq.stream(3)
    with pytest.raises(ValueError, match="no state to carry"):
        kerasseq.stream(numbers(layers.Dense(2)))
    x, state = keras.Input((None, 3)), keras.Input((4,))
    with pytest.raises(ValueError, match="`initial_state` from elsewhere"):
        kerasseq.stream(keras.Model([x, state], layers.GRU(4)(x, initial_state=state)))
    stream = kerasseq.stream(numbers(layers.GRU(4, name="reader")))
    state = stream.start(3)
    with pytest.raises(ValueError, match=r"at least one timestep. Received: \(3, 0, 3\)"):
        stream.update(state, SEQUENCES[:, :0])
    with pytest.raises(ValueError, match=r"'x' must be an array of the shape \(None, None, 3\)"):
        stream.update(state, SEQUENCES[:, 0])
    for wrong, received in (
        ({}, "an empty dict"),
        ({"a": state}, r"a dict with the parts \['a'\]"),
    ):
        with pytest.raises(ValueError, match=rf"the parts \['reader_state_0'\].*: {received}"):
            stream.update(wrong, SEQUENCES)  # type: ignore[arg-type]


def test_rows_are_those_of_the_state() -> None:
    """An operation of the backend would broadcast one row to several, silently."""
    stream = kerasseq.stream(numbers(layers.GRU(4, name="reader")))
    for rows in (0, -1, 1.5, "a", True):
        with pytest.raises(ValueError, match=f"whole number above zero. Received: rows={rows!r}"):
            stream.start(rows)  # type: ignore[arg-type]
    assert stream.start(np.int64(2))["reader_state_0"].shape == (2, 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'x' must have as many rows as the state, 1. .* 3\."):
        stream.update(stream.start(1), SEQUENCES)
    for state in (None, [np.zeros((3, 4))]):
        with pytest.raises(ValueError, match=r"parts \['reader_state_0'\].*Received: state="):
            stream.update(state, SEQUENCES)  # type: ignore[arg-type]
    for part in (np.zeros((3, 5)), np.float32(0)):
        with pytest.raises(ValueError, match="'reader_state_0' must be an array of the shape"):
            stream.update({"reader_state_0": part}, SEQUENCES)


def test_rows_are_those_of_a_fixed_batch() -> None:
    model = keras.Sequential([keras.Input((None, 3), batch_size=2), layers.GRU(4, name="reader")])
    stream = kerasseq.stream(model)
    assert stream.start()["reader_state_0"].shape == (2, 4)
    with pytest.raises(ValueError, match="`rows` must be 2, the size of the model's batch"):
        stream.start(1)
