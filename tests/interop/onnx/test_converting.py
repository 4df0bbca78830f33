"""Models in ONNX have the outputs of the model in Keras."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kerasseq
from kerasseq import cells, models
from kerasseq.interop.onnx.converting import step_to_onnx, to_onnx
from tests.interop.onnx.harness import TOKENS, check, kinds, run
from tests.layers.harness import array, draw, randomize
from tests.models.windows import windows
from tests.thorough import covering, first_of

SEQUENCES = draw(4, 6, 3)


def words(*stack: Any) -> Any:
    """A model of tokens, whose mask excludes the zeros."""
    first = [keras.Input((None,), dtype="int32", name="tokens")]
    return keras.Sequential([*first, layers.Embedding(10, 3, mask_zero=True), *stack])


def numbers(*stack: Any) -> Any:
    """A model of sequences of three numbers."""
    return keras.Sequential([keras.Input((None, 3), name="sequences"), *stack])


@pytest.mark.parametrize(
    ("backwards", "zeros", "kind"),
    covering([False, True], [False, True], ["LSTM", "GRU", "SimpleRNN"]),
)
def test_layers_of_keras_are_one_node_with_any_mask(
    backwards: bool, zeros: bool, kind: str
) -> None:
    options = {"go_backwards": backwards, "zero_output_for_mask": zeros}
    layer = getattr(layers, kind)
    stack = [layer(4, return_sequences=True, **options), layer(3, go_backwards=backwards)]
    node = kind.removeprefix("Simple")
    assert kinds(check(words(*stack), {"tokens": TOKENS})) == [node, node]


@pytest.mark.parametrize("merge", first_of(["concat", "ave", "sum", "mul"]))
def test_both_directions_are_one_node(merge: str) -> None:
    bidirectional = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode=merge)
    deep = kerasseq.lstm(3, depth=2, bidirectional=True)
    exported = check(words(bidirectional, deep), {"tokens": TOKENS})
    assert kinds(exported) == ["GRU", "LSTM", "LSTM"]


@pytest.mark.parametrize(("cell", "bidirectional"), covering(sorted(cells.names()), [False, True]))
def test_every_cell_can_be_exported(cell: str, bidirectional: bool) -> None:
    # With what no node of ONNX has.
    options = {"zoneout": 0.1, "projection": 3, "trainable_initial_state": True}
    layer = kerasseq.rnn(
        cell, 4, bidirectional=bidirectional, return_sequences=bidirectional, **options
    )
    assert {*kinds(check(words(layer), {"tokens": TOKENS}))} == {"Scan"}


@pytest.mark.parametrize(
    ("layer", "node"),
    [
        (lambda: layers.GRU(4, reset_after=False, use_bias=False), "GRU"),
        (lambda: layers.GRU(4, activation="relu", recurrent_activation="hard_sigmoid"), "GRU"),
        (lambda: layers.SimpleRNN(4, activation=None), "RNN"),
        (lambda: kerasseq.lstm(4, trainable_initial_state=True), "LSTM"),
        (lambda: layers.LSTM(4, activation="silu"), "Scan"),
        (lambda: layers.LSTM(4, unroll=False, recurrent_dropout=0.5, dropout=0.5), "LSTM"),
        (lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)]), "Scan"),
    ],
    ids=["gru", "activations", "linear", "initial state", "silu", "dropout", "cells"],
)
def test_options_of_cells(layer: Any, node: str) -> None:
    assert kinds(check(numbers(layer()), {"sequences": SEQUENCES})) == [node]


def test_states_go_in_and_come_out() -> None:
    sequences = keras.Input((None, 3), name="sequences")
    states = [keras.Input((4,), name=name) for name in "hc"]
    outputs = kerasseq.lstm(4, return_state=True)(sequences, initial_state=states)
    model = keras.Model([sequences, *states], outputs)
    inputs = {"sequences": SEQUENCES, "h": draw(4, 4), "c": draw(4, 4, seed=1)}
    exported = check(model, inputs)
    output = run(exported, inputs)[0]
    # Two halves, with the states of the first, are the whole.
    first = run(exported, {**inputs, "sequences": SEQUENCES[:, :2]})
    rest = {"sequences": SEQUENCES[:, 2:], "h": first[1], "c": first[2]}
    np.testing.assert_allclose(run(exported, rest)[0], output, atol=1e-6)


def test_the_batch_and_the_time_have_any_size() -> None:
    model = numbers(layers.Bidirectional(layers.LSTM(4)), layers.Dense(2))
    exported = check(model, {"sequences": SEQUENCES})
    for rows, timesteps in ((1, 1), (7, 20)):
        x = draw(rows, timesteps, 3)
        np.testing.assert_allclose(run(exported, {"sequences": x})[0], array(model(x)), atol=1e-5)


def test_other_layers() -> None:
    model = numbers(
        layers.Dropout(0.5),
        layers.TimeDistributed(layers.Dense(5, activation="gelu")),
        layers.Conv1D(4, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling1D(2),
        layers.GRU(6, return_sequences=True),
        layers.LayerNormalization(),
        layers.GlobalMaxPooling1D(),
        layers.Reshape((2, 3)),
        layers.Permute((2, 1)),
        layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    )
    check(model, {"sequences": SEQUENCES})


@pytest.mark.parametrize(
    ("options", "call"),
    first_of(
        [
            ({}, {"use_causal_mask": True}),
            ({"dropout": 0.1}, {"use_causal_mask": True}),
            ({"value_dim": 3, "use_bias": False, "output_shape": 5}, {}),
            ({}, {"return_attention_scores": True}),
        ],
        2,
    ),
    ids=["causal", "dropout", "sizes", "scores"],
)
def test_attention_with_any_mask(options: dict[str, Any], call: dict[str, Any]) -> None:
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    read = layers.Embedding(10, 6, mask_zero=True)(tokens)
    read = layers.GRU(4, return_sequences=True)(read)
    attended = layers.MultiHeadAttention(2, 4, **options)(read, read, **call)
    check(keras.Model(tokens, attended), {"tokens": TOKENS})


@pytest.mark.parametrize("causal", first_of([True, False]))
def test_attention_of_one_head(causal: bool) -> None:
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    read = layers.Embedding(10, 6, mask_zero=True)(tokens)
    attended = layers.Attention(use_scale=True)([read, read], use_causal_mask=causal)
    check(keras.Model(tokens, attended), {"tokens": TOKENS})


def test_attention_between_sequences() -> None:
    sequences = keras.Input((None, 3), name="sequences")
    past, future = layers.GRU(4, return_sequences=True)(sequences), layers.Dense(4)(sequences)
    shown = sequences[:, :, :1] > 0
    attended = layers.MultiHeadAttention(2, 3)(future, past, attention_mask=shown)
    check(keras.Model(sequences, attended), {"sequences": SEQUENCES})


def test_vectors_of_unit_length_and_activations() -> None:
    model = numbers(
        layers.GRU(4, activation="hard_silu", return_sequences=True),
        layers.UnitNormalization(),
        layers.Dense(4, activation="hard_silu"),
        layers.Activation("mish"),
        layers.UnitNormalization(axis=[1, 2]),
        layers.Softmax(),
    )
    check(model, {"sequences": SEQUENCES})
    zeros = np.zeros((2, 3, 3), np.float32)
    unit = numbers(layers.UnitNormalization())
    np.testing.assert_array_equal(run(to_onnx(unit), {"sequences": zeros})[0], zeros)


def test_the_activations_that_the_guide_lists() -> None:
    """Each on the same numbers; the guide names all that can be exported, and no other."""
    guide = (Path(kerasseq.__file__).parents[1] / "docs" / "export.md").read_text(encoding="utf-8")
    (listed,) = re.findall(
        r"^The activations of Keras that are known are ((?s:.+?))\.$", guide, re.M
    )
    names = re.findall(r"`(\w+)`", listed)
    x = keras.Input((None, 3), name="sequences")
    check(
        keras.Model(x, [layers.Activation(name)(x * 2.0) for name in names]),
        {"sequences": SEQUENCES},
    )
    for name in {*dir(keras.activations)} - {*names, "silu", "swish"}:
        activation = getattr(keras.activations, name)
        if not name.startswith("_") and name not in ("get", "serialize", "deserialize"):
            with pytest.raises(ValueError, match="cannot be exported to ONNX"):
                to_onnx(numbers(layers.Dense(2, activation=activation)))


def test_convolutions_of_images() -> None:
    model = keras.Sequential(
        [
            keras.Input((9, 8, 3), name="pixels"),
            layers.Rescaling(1 / 2, -1.0),
            layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2),
            layers.SeparableConv2D(5, 3, padding="same", activation="relu6"),
            layers.Conv2D(4, 2, strides=2, padding="same", use_bias=False),
            layers.GlobalAveragePooling2D(),
        ]
    )
    check(model, {"pixels": draw(4, 9, 8, 3)})


@pytest.mark.parametrize(
    "options",
    [{"padding": "causal", "dilation_rate": 2}, {"padding": "same", "strides": 2}],
    ids=str,
)
def test_convolutions_in_groups(options: dict[str, Any]) -> None:
    """One node, which has the groups."""
    model = numbers(layers.Dense(4), layers.Conv1D(6, 3, groups=2, activation="mish", **options))
    exported = check(model, {"sequences": SEQUENCES})
    (node,) = (each for each in exported.graph.node if each.op_type == "Conv")
    assert {part.name: part.i for part in node.attribute}["group"] == 2


def test_a_stream_has_convolutions_in_groups() -> None:
    first = layers.Conv1D(6, 3, groups=3, padding="causal", name="read")
    step = step_to_onnx(numbers(first, layers.GRU(2)))
    groups = [part.i for each in step.graph.node for part in each.attribute if part.name == "group"]
    assert groups == [3]


def test_operations_between_layers_and_models_in_models() -> None:
    inner = keras.Sequential([keras.Input((None, 3)), layers.GRU(4, return_sequences=True)])
    x = keras.Input((None, 3), name="sequences")
    y = inner(x)
    both = layers.Concatenate()([layers.Add()([y, inner(x * 2 + 1)]), layers.Attention()([y, y])])
    model = keras.Model(x, keras.ops.max(both, axis=1) - keras.ops.mean(both, axis=1))
    assert kinds(check(model, {"sequences": SEQUENCES})) == ["GRU", "GRU"]


def test_a_layer_of_a_class_of_its_own_is_opened() -> None:
    class Gate(keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.dense = layers.Dense(3)

        def build(self, shape: Any) -> None:
            self.dense.build(shape)
            self.built = True

        def call(self, x: Any) -> Any:
            return x * keras.ops.sigmoid(self.dense(x)) + x[:, -1:, ::-1]

    check(numbers(Gate(), layers.SimpleRNN(2)), {"sequences": SEQUENCES})


def test_the_model_does_not_change() -> None:
    model = numbers(layers.LSTM(4), layers.Dense(1))
    before = model.layers[0].output
    to_onnx(model)
    assert model.layers[0].output is before  # which raises for a layer with two nodes


@pytest.mark.parametrize("ngrams", first_of([20, 0]))
def test_the_text_classifier(ngrams: int) -> None:
    pooling = "max+mean+attention+last"
    config = models.Classifier(
        vocabulary=10, classes=3, units=4, embedding=8, depth=2, ngrams=ngrams, pooling=pooling,
        token_dropout=0.1, embedding_dropout=0.1, dropout=0.1,
    )  # fmt: skip
    random = np.random.default_rng(0)
    inputs: dict[str, Any] = {"tokens": TOKENS}
    if ngrams:
        inputs |= {
            "ending": random.integers(0, ngrams, (4, 6, 2)).astype("int32"),
            "ending_corrections": np.zeros((4, 1, 1, 3), "float32"),
            "ngrams": random.integers(0, ngrams, (4, 7)).astype("int32"),
            "ngram_corrections": np.zeros((4, 1, 3), "float32"),
        }
    check(config.build(), inputs)


AUGMENTED = {"jitter": 0.1, "scaling": 0.1, "time_warp": 0.1, "cropping": 0.1}


@pytest.mark.parametrize(
    "options", first_of([{}, {"causal": True, "bidirectional": False}, AUGMENTED])
)
def test_the_sequence_classifier(options: dict[str, Any]) -> None:
    config = models.SequenceClassifierConfig(
        channels=3, classes=3, units=4, convolutions=2, pooling="max+mean+attention+last", **options
    )
    lengths = np.array([6, 3, 1, 4], "int32")
    check(config.build(), {"sequences": SEQUENCES, "lengths": lengths})


def test_frames() -> None:
    model = models.SequenceClassifierConfig(channels=1, classes=3, units=4, frame=(8, 8)).build()
    lengths = np.array([5, 3], "int32")
    check(model, {"sequences": draw(2, 5, 8, 8, 1), "lengths": lengths})


def test_the_tagger_without_a_crf() -> None:
    config = models.TaggerConfig(
        words=10, tags={"tag": 5}, units=4, embedding=8, characters=10, crf=False
    )
    characters = np.random.default_rng(0).integers(0, 10, (4, 6, 5)).astype("int32")
    check(config.build(), {"words": TOKENS, "characters": characters})


FORECASTERS: list[dict[str, Any]] = [
    {"kind": "direct", "normalization": "last"},
    {"kind": "seq2seq", "attention": True, "normalization": "none"},
    {"kind": "segment", "segment": 3, "linear": True, "normalization": "instance"},
    {"kind": "recursive", "normalization": "seasonal", "season": 3},
    {"kind": "hybrid", "season": 3, "normalization": "multiplicative"},
]
FURTHER: list[dict[str, Any]] = [
    {"kind": "recursive", "cell": "mgu", "depth": 2, "options": {"zoneout": 0.1}},
    {"kind": "hybrid", "season": 1, "normalization": "additive"},
]
OF_DATA: list[dict[str, Any]] = [
    {},
    {"masked": True, "series": 3, "static": 2, "past": 3, "future": 1},
    {"targets": 2, "past": 1},
    {"targets": 2, "channels": "together"},
]


@pytest.mark.thorough
@pytest.mark.parametrize("data", OF_DATA)
@pytest.mark.parametrize("options", FURTHER)
def test_further_forecasters(options: dict[str, Any], data: dict[str, Any]) -> None:
    test_forecasters(options, data, "point")


@pytest.mark.parametrize(("options", "data"), covering(FORECASTERS, OF_DATA))
@pytest.mark.parametrize(
    "output", first_of(["quantiles", "point", "normal", "student_t", "negative_binomial"])
)
def test_forecasters(options: dict[str, Any], data: dict[str, Any], output: str) -> None:
    config = models.Forecaster(lookback=8, horizon=4, units=4, output=output, **options, **data)
    inputs = windows(config)
    if options["kind"] == "hybrid":  # of positive values
        inputs["history"] = np.abs(inputs["history"]) + inputs.get("observed", 1.0)
    check(config.build(), inputs)


def test_all_layers_that_cannot_be_exported_are_listed() -> None:
    class Sorted(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.sort(x, axis=-1)

    model = numbers(
        layers.GRU(3, return_sequences=True),
        Sorted(name="sorted"),
        layers.LSTM(3, return_sequences=True, dtype="mixed_float16", name="half"),
        layers.SimpleRNN(2),
    )
    with pytest.raises(ValueError, match="2 layers") as error:
        to_onnx(model)
    assert "half (it computes in float16" in str(error.value)
    assert "sorted (the operation Sort has no counterpart)" in str(error.value)


class Backend(keras.layers.Layer):
    """Is not written in operations of `keras.ops`."""

    def call(self, x: Any) -> Any:
        if isinstance(x, keras.KerasTensor):
            raise RuntimeError(f"It wants numbers. {'And much more. ' * 50}")
        return x


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda x: layers.Attention(score_mode="concat", name="a")([x, x]), "its score_mode='conc"),
        (
            lambda x: layers.AdditiveAttention(name="a")([x, x]),
            "the `call` of AdditiveAttention ca",
        ),
        (
            layers.Dense(2, activation="sparsemax", name="a"),
            "its activation sparsemax cannot be tr",
        ),
        (lambda x: Backend(name="a")(x), "of `keras.ops`: It wants numbers)."),
    ],
    ids=["concat", "additive", "activation", "own"],
)
def test_a_layer_that_cannot_be_traced_is_one_sentence(layer: Any, reason: str) -> None:
    x = keras.Input((None, 3))
    model = keras.Model(x, layer(x))
    with pytest.raises(ValueError, match=r"1 layer .*: a \(") as error:
        to_onnx(model)
    message = str(error.value)
    assert reason in message
    assert "KerasTensor" not in message
    assert message.count("\n") == 0
    assert len(message) < 250


def test_a_stateful_layer_is_refused_with_the_remedy() -> None:
    first = keras.Input(batch_shape=(2, 5, 3))
    model = keras.Sequential([first, layers.LSTM(4, stateful=True)])
    with pytest.raises(ValueError, match="initial_state"):
        to_onnx(model)
    assert len(step_to_onnx(model).graph.input) == 3  # with its states


def test_a_model_that_is_not_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="that is built"):
        to_onnx(keras.Sequential([layers.LSTM(4)]))


def test_a_mask_of_a_model_inside_is_refused() -> None:
    inner = keras.Sequential(
        [
            keras.Input((None,)),
            layers.Embedding(9, 3, mask_zero=True),
            layers.GRU(3, return_sequences=True),
        ]
    )
    x = keras.Input((None,))
    with pytest.raises(ValueError, match="a model inside the model"):
        to_onnx(keras.Model(x, layers.GlobalAveragePooling1D()(inner(x))))


def test_any_name_of_keras_can_be_used() -> None:
    x = keras.Input((None, 3), name="weight_1")
    check(keras.Model(x, layers.LSTM(2, name="lstm_2")(x)), {"weight_1": SEQUENCES})


def test_equal_weights_are_stored_once() -> None:
    x = keras.Input((None, 3))
    shared = layers.Dense(64)
    model = keras.Model(x, shared(shared.__class__(3)(x)) + shared(x))
    randomize(model)
    assert len(to_onnx(model).SerializeToString()) < 4 * model.count_params() + 4000


@pytest.mark.parametrize("backwards", first_of([True, False]))
def test_a_gru_over_many_rows_is_the_one_over_few(backwards: bool) -> None:
    x, state = keras.Input((None, 3), name="x"), keras.Input((4,), name="state")
    options: dict[str, Any] = {"go_backwards": backwards, "return_sequences": True}
    below = layers.GRU(5, return_sequences=True)(x)
    outputs, last = kerasseq.gru(4, return_state=True, **options)(below, initial_state=state)
    model = keras.Model([x, state], [layers.GRU(2, use_bias=False)(outputs), last])
    inputs = {"x": draw(40, 6, 3), "state": draw(40, 4)}
    exported = check(model, inputs)
    few = {name: values[:9] for name, values in inputs.items()}
    for wide, narrow in zip(run(exported, inputs), run(exported, few), strict=True):
        np.testing.assert_allclose(wide[:9], narrow, atol=1e-6)
