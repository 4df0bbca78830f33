"""A report says of every layer what Keras says of the whole model, in memory and from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kerasseq
from kerasseq.params import report

ROOT = Path(__file__).parents[2]


def _deep() -> Any:
    """One of everything that holds other layers."""
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 8, mask_zero=True, name="words")(tokens)
    x = layers.Dropout(0.2)(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True, dropout=0.1), name="both")(x)
    cells = [layers.LSTMCell(3, name="low"), layers.GRUCell(2, name="high")]
    x = layers.RNN(cells, return_sequences=True, name="stacked")(x)
    x = layers.TimeDistributed(layers.Dense(3, name="each"), name="steps")(x)
    x = layers.GRU(2, name="last")(x)
    return keras.Model(tokens, layers.Dense(1, name="head")(x), name="deep")


def _frozen() -> Any:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Normalization(name="scaled"),
            layers.Dense(4, trainable=False, name="fixed"),
            layers.BatchNormalization(name="batch"),
            layers.SpectralNormalization(layers.Dense(2, name="inner"), name="spectral"),
        ]
    )
    model.layers[2].trainable = True
    return model


def _shared() -> Any:
    """A layer used in two nested models, and one used twice in a row."""
    dense, twice = layers.Dense(3, name="shared"), layers.Dense(3, name="twice")
    first = keras.Sequential([keras.Input((3,)), dense, layers.Dense(3, name="a")], name="first")
    second = keras.Sequential([keras.Input((3,)), dense, layers.Dense(3, name="b")], name="second")
    inputs = keras.Input((3,), name="inputs")
    return keras.Model(inputs, second(first(twice(twice(inputs)))))


def _operations() -> Any:
    """Operations between layers, one of them named like a layer's class."""
    inputs = keras.Input((3,))
    x = layers.Add(name="sum")([layers.Dense(3, name="a")(inputs), inputs])
    return keras.Model(inputs, layers.Dense(2, name="b")(keras.ops.add(x, 1) * 2))


def _stack() -> Any:
    options: dict[str, Any] = {"bidirectional": True, "trainable_initial_state": True}
    recurrent = kerasseq.rnn("lru", 2, depth=2, highway=True, return_sequences=True, **options)
    pooled = layers.GlobalMaxPooling1D()
    return keras.Sequential([keras.Input((None, 3)), recurrent, pooled, layers.Dense(1)])


def _quantised() -> Any:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, name="biased"),
            layers.Dense(4, use_bias=False, name="plain"),
        ]
    )
    for layer in model.layers:
        layer.quantize("int8")
    return model


def _half() -> Any:
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(4, dtype="bfloat16", name="half")(inputs))


def _weightless() -> Any:
    return keras.Sequential([keras.Input((3,)), layers.ReLU()])


def _attention() -> Any:
    inputs = keras.Input((None, 3))
    return keras.Model(inputs, layers.MultiHeadAttention(2, 2, name="heads")(inputs, inputs))


@keras.saving.register_keras_serializable("tests.report")
class Towers(keras.Model):
    """A subclass with layers in a list, in a dict and in a private attribute, and a weight."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.towers = [layers.Dense(2, name="one"), layers.Dense(2, name="two")]
        self.named = {"a": layers.Dense(3, name="three"), "b": layers.LSTM(2, name="four")}
        self._hidden = layers.Dense(1, name="five")
        self.tracker = keras.metrics.Mean(name="tracked")
        self.seed_generator = keras.random.SeedGenerator(1)
        self.scale = self.add_weight(shape=(3,), name="scale")

    def call(self, x: Any) -> Any:
        for tower in self.towers:
            x = tower(x)
        return self._hidden(self.named["b"](self.named["a"](x)[:, None]))


def _subclass() -> Any:
    model = Towers(name="towers")
    model(np.ones((2, 3), "float32"))
    return model


MODELS = {
    build.__name__.strip("_"): build
    for build in (
        *(_deep, _frozen, _shared, _operations, _stack, _quantised, _half, _weightless),
        *(_attention, _subclass),
    )
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    keras.utils.clear_session(free_memory=False)
    return request.param()


def _sizes(weights: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_the_column_sums_to_what_keras_counts(model: Any) -> None:
    actual = report(model)
    table = actual.table()
    place = {name: table.columns.index(name) for name in ("trainable", "frozen", "params")}
    for name, expected in (
        ("params", model.count_params()),
        ("trainable", _sizes(model.trainable_weights)),
        ("frozen", _sizes(model.non_trainable_weights)),
    ):
        assert sum(row[place[name]] for row in table.rows) == expected
        assert table.total is not None
        assert table.total[place[name]] == expected
    assert actual.total == actual.trainable + actual.frozen
    assert f"parameters: {actual.total:,}" in str(actual)


def test_every_format_states_the_total(model: Any) -> None:
    result = report(model)
    assert json.loads(result.render("json"))["total"] == result.total
    for text in (
        result.render("markdown"),
        result.render("latex"),
        result._repr_html_(),
        str(result),
    ):
        assert f"{result.total:,}" in text
    assert result.to_frame()["params"].sum() == result.total


def test_a_keras_file_reads_as_the_model_in_memory(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    live, saved = report(model), report(tmp_path / "model.keras")
    assert (saved.total, saved.trainable, saved.frozen) == (
        *(live.total, live.trainable, live.frozen),
    )
    assert saved.bytes == live.bytes
    assert _own(saved) == _own(live)


def _own(found: Any) -> set[tuple[str, int, int, str]]:
    """The layers that have or share weights."""
    return {
        (entry.layer, entry.params, entry.trainable, entry.shared)
        for entry in found.entries
        if entry.params or entry.shared
    }


def test_a_bare_weights_file_has_the_totals_and_says_so(model: Any, tmp_path: Path) -> None:
    model.save_weights(tmp_path / "model.weights.h5")
    result = report(str(tmp_path / "model.weights.h5"))
    assert (result.total, result.trainable, result.frozen) == (model.count_params(), None, None)
    assert {entry[:2] for entry in _own(result)} == {
        entry[:2] for entry in _own(report(model)) if entry[1]
    }
    assert "trainable" not in result.table().columns
    assert "holds shapes and totals only" in str(result)


def test_layers_are_listed_in_order_with_classes_and_shapes(tmp_path: Path) -> None:
    keras.utils.clear_session(free_memory=False)
    model = _deep()
    model.save(tmp_path / "model.keras")
    expected = [
        ("words", "Embedding", ((20, 8),), 160),
        ("both/forward_lstm/lstm_cell", "LSTMCell", ((8, 16), (4, 16), (16,)), 208),
        ("both/backward_lstm/lstm_cell", "LSTMCell", ((8, 16), (4, 16), (16,)), 208),
        ("stacked/stacked_rnn_cells/low", "LSTMCell", ((8, 12), (3, 12), (12,)), 144),
        ("stacked/stacked_rnn_cells/high", "GRUCell", ((3, 6), (2, 6), (2, 6)), 42),
        ("steps/each", "Dense", ((2, 3), (3,)), 9),
        ("last/gru_cell", "GRUCell", ((3, 6), (2, 6), (2, 6)), 42),
        ("head", "Dense", ((2, 1), (1,)), 3),
    ]
    for actual in (report(model), report(tmp_path / "model.keras")):
        rows = [(e.layer, e.class_name, e.weights, e.params) for e in actual.entries if e.params]
        assert rows == expected
    outputs = {entry.layer: entry.output for entry in report(model).entries}
    assert outputs["both"] == (None, None, 8)
    assert outputs["head"] == (None, 1)


def test_a_report_reads_as_text(tmp_path: Path) -> None:
    keras.utils.clear_session(free_memory=False)
    _shared().save(tmp_path / "model.keras")
    assert (
        str(report(tmp_path / "model.keras"))
        == """\
model.keras (Functional)

 layer           class        weights                    trainable   frozen   params
 ───────────────────────────────────────────────────────────────────────────────────
 inputs          InputLayer                                      0        0        0
 twice           Dense        (3, 3) (3,)                       12        0       12
 first           Sequential                                      0        0        0
 first/shared    Dense        (3, 3) (3,)                       12        0       12
 first/a         Dense        (3, 3) (3,)                       12        0       12
 second          Sequential                                      0        0        0
 second/shared   Dense        shared with first/shared           0        0        0
 second/b        Dense        (3, 3) (3,)                       12        0       12
 ───────────────────────────────────────────────────────────────────────────────────
 total                                                          48        0       48

parameters: 48 (192 bytes)
trainable: 48, frozen: 0"""
    )


def test_optimiser_variables_stand_apart(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(1, trainable=False)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    for source in (model, tmp_path / "model.keras", tmp_path / "model.weights.h5"):
        result = report(source)
        assert result.total == model.count_params() == 11
        assert result.optimizer == _sizes(model.optimizer.variables) == 2 + 2 * 8
        assert "optimizer variables (not parameters): 18" in str(result)


def test_a_weight_held_by_two_layers_counts_once() -> None:
    class Tied(layers.Layer):
        def __init__(self, owner: Any) -> None:
            super().__init__(name="tied")
            self.kernel = owner.kernel
            self.own = self.add_weight(shape=(2,), name="own")

        def call(self, x: Any) -> Any:
            return keras.ops.matmul(x, keras.ops.transpose(self.kernel))

    owner = layers.Dense(2, use_bias=False, name="owner")
    owner.build((None, 3))
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Tied(owner)(owner(inputs)))
    result = {entry.layer: entry for entry in report(model).entries}
    assert report(model).total == model.count_params() == 8
    assert (result["owner"].params, result["tied"].params) == (6, 2)
    assert result["tied"].shared == "owner"
    assert "(2,) shared with owner" in str(report(model))


def test_a_file_says_where_equal_values_may_be_one_weight(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")]
    )
    model.save(tmp_path / "apart.keras")
    model.layers[1].set_weights(model.layers[0].get_weights())
    model.save(tmp_path / "equal.keras")
    assert "equal values" not in str(report(tmp_path / "apart.keras"))
    assert "a and b hold a weight of equal values" in str(report(tmp_path / "equal.keras"))


def test_initial_values_that_are_equal_anyway_raise_no_doubt(tmp_path: Path) -> None:
    options: dict[str, Any] = {"recurrent_initializer": "identity", "kernel_initializer": "zeros"}
    model = keras.Sequential(
        [keras.Input((None, 4)), layers.Bidirectional(layers.SimpleRNN(4, **options))]
    )
    model.save(tmp_path / "model.keras")
    assert "equal values" not in str(report(tmp_path / "model.keras"))


@pytest.mark.parametrize(
    "build",
    [
        lambda: layers.LSTM(5),
        lambda: layers.Bidirectional(layers.GRU(5)),
        lambda: layers.RNN([layers.LSTMCell(4), layers.LSTMCell(5)]),
        lambda: kerasseq.rnn("gru", 3, depth=2, highway=True),
        lambda: kerasseq.rnn("minlstm", 3, bidirectional=True),
        lambda: layers.LSTMCell(5),
    ],
)
def test_a_layer_is_reported_like_a_model(build: Callable[[], Any]) -> None:
    layer = build()
    layer.build((None, 3) if isinstance(layer, layers.LSTMCell) else (None, None, 3))
    result = report(layer)
    assert result.total == layer.count_params() > 0
    assert result.entries[0].layer == layer.name
    assert all(entry.layer.startswith(layer.name) for entry in result.entries)
    assert result.entries[-1].weights


def test_a_frozen_model_has_no_trainable_parameters(tmp_path: Path) -> None:
    model = _deep()
    model.trainable = False
    model.save(tmp_path / "model.keras")
    assert report(model).trainable == report(tmp_path / "model.keras").trainable == 0


def test_a_layer_that_leads_to_its_parent_does_not_own_it() -> None:
    class Child(layers.Dense):
        @property
        def parent(self) -> Any:
            return parents[0]

    class Parent(layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="parent")
            self.child = Child(2, name="child")

        def build(self, shape: Any) -> None:
            self.child.build(shape)

    parents = [Parent()]
    parents[0].build((None, 3))
    result = report(parents[0])
    assert [(entry.layer, entry.params) for entry in result.entries] == [
        ("parent", 0),
        ("parent/child", 8),
    ]


@pytest.mark.parametrize(
    "thing", [layers.LSTM(5), keras.Sequential([layers.Dense(2)])], ids=["layer", "model"]
)
def test_what_is_not_built_says_how_to_build_it(thing: Any) -> None:
    with pytest.raises(ValueError, match=rf"'{thing.name}' is not built.*build\(input_shape\)"):
        report(thing)


@pytest.mark.parametrize("thing", [None, 3, np.ones(3), keras.optimizers.Adam()])
def test_what_is_no_model_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"takes a built Keras model or layer.*Received"):
        report(thing)
