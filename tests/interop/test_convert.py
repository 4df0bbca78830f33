"""A converted model is the same model: weights, names, outputs, gradients and compile state."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.interop.convert import conversion
from kerasseq.interop.inside import recurrent_layers
from tests.interop.models import MODELS, SEQUENCES
from tests.layers.harness import EAGERLY, array, arrays, assert_close, draw, randomize
from tests.thorough import first_of, one_in


def weighted(name: str) -> tuple[Any, Any]:
    """One of the models, with random weights."""
    model, x = MODELS[name]()
    randomize(model)
    for weight in model.weights:
        if "variance" in weight.name:
            weight.assign(keras.ops.abs(weight))
    return model, x


def step(model: Any, x: Any) -> list[np.ndarray]:
    """The weights after a step of gradient descent."""
    model.compile(keras.optimizers.SGD(1.0), "mse", run_eagerly=EAGERLY)
    target = draw(*array(model(x)).shape, seed=9)
    model.train_on_batch(x, target)
    return arrays(model.get_weights())


def classes(model: Any) -> dict[str, str]:
    """The package of each recurrent layer, by its path."""
    return {
        path: type(layer).__module__.partition(".")[0] for layer, path in recurrent_layers(model)
    }


@pytest.mark.parametrize("name", one_in(2, MODELS))
def test_weights_names_outputs_and_gradients_are_the_same(name: str) -> None:
    model, x = weighted(name)
    done = conversion(model)
    faster = done.model
    assert {*classes(faster).values()} == {"kerasseq"}
    assert not [row for row in done.layers if row.reason]
    assert not done.notes
    assert_close(faster.get_weights(), model.get_weights(), 0)
    assert type(faster) is type(model)
    assert faster.name == model.name
    assert [layer.name for layer in faster.layers] == [layer.name for layer in model.layers]
    before = arrays(model.get_weights())
    assert_close(faster(x), model(x))
    if name == "stateful" and keras.backend.backend() == "torch":
        return  # which the layers of Keras cannot train there
    assert_close(step(faster, x), step(model, x))
    moved = [np.ptp(a - b) > 1e-6 for a, b in zip(before, arrays(model.get_weights()))]
    assert sum(moved) > len(moved) / 2


BACK = [
    pytest.param(name, marks=[] if name in ("sequential", "seq2seq") else [pytest.mark.thorough])
    for name in MODELS
    if name != "cells"  # whose cell of kerasseq Keras does not have
]


@pytest.mark.parametrize("name", BACK)
def test_back_gives_plain_layers_again(name: str) -> None:
    model, x = weighted(name)
    plain = kerasseq.convert(kerasseq.convert(model), back=True)
    assert classes(plain) == classes(model)
    assert [type(layer) for layer in plain.layers] == [type(layer) for layer in model.layers]
    assert_close(plain.get_weights(), model.get_weights(), 0)
    assert_close(plain(x), model(x))


def test_the_model_that_was_passed_does_not_change() -> None:
    model, x = weighted("functional")
    before = arrays(model.get_weights())
    faster = kerasseq.convert(model)
    step(faster, x)
    assert_close(model.get_weights(), before, 0)
    assert {*classes(model).values()} == {"keras"}
    assert faster.get_layer("tower").layers[-1] is faster.get_layer("shared")


def test_the_compile_state_goes_along() -> None:
    def my_loss(targets: Any, outputs: Any) -> Any:
        return keras.ops.mean(keras.ops.square(targets - outputs))

    model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4), keras.layers.Dense(1)])
    randomize(model)
    # With a state, and without Adam's division, which makes much of differences in rounding.
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, my_loss, metrics=["mae"], run_eagerly=EAGERLY)
    y = draw(3, 1)
    model.train_on_batch(SEQUENCES, y)
    faster = kerasseq.convert(model)
    assert faster.optimizer is not model.optimizer
    assert_close([v.value for v in faster.optimizer.variables],
                 [v.value for v in model.optimizer.variables], 0)  # fmt: skip
    expected = [model.train_on_batch(SEQUENCES, y) for _ in range(2)]
    assert_close([faster.train_on_batch(SEQUENCES, y) for _ in range(2)], expected)
    assert_close(faster.get_weights(), model.get_weights())
    kept = [layer.kernel.name for layer, _ in recurrent_layers(faster)]
    assert "keras" not in kept


def test_a_stateful_layer_goes_on_from_its_state() -> None:
    model, x = weighted("stateful")
    model(x)
    faster = kerasseq.convert(model)
    assert_close(faster(x), model(x))
    faster.layers[0].reset_state()
    model.layers[0].reset_state()
    assert_close(faster(x), model(x))


def test_frozen_layers_stay_frozen() -> None:
    model, _ = weighted("sequential")
    model.get_layer("reader").trainable = False
    faster = kerasseq.convert(model)
    assert [w.shape for w in faster.trainable_weights] == [w.shape for w in model.trainable_weights]
    model.trainable = False
    assert kerasseq.convert(model).trainable_weights == []


def test_layers_with_files_and_state_of_their_own_keep_them() -> None:
    scale = keras.layers.Normalization(name="scale")
    scale.adapt(SEQUENCES)
    model = keras.Sequential([keras.Input((5, 3)), scale, keras.layers.LSTM(4)])
    assert_close(kerasseq.convert(model)(SEQUENCES), model(SEQUENCES))
    if keras.backend.backend() == "tensorflow":  # the other backends have no texts
        words = keras.layers.StringLookup(name="words")
        words.adapt(np.array(["a", "b", "a"]))
        hidden = [words, keras.layers.Embedding(4, 3), keras.layers.LSTM(4)]
        model = keras.Sequential([keras.Input((2,), dtype="string"), *hidden])
        x = keras.ops.convert_to_tensor(np.array([["a", "b"], ["c", "a"]]))
        assert_close(kerasseq.convert(model)(x), model(x))


class Mine(keras.layers.LSTM):
    """A layer of somebody else that may compute anything."""


@keras.saving.register_keras_serializable("tests.interop")
class Late(keras.layers.Layer):
    """A layer that makes a part of its layers when it is built."""

    def __init__(self, again: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.again = again
        self.early = keras.layers.GRU(3, return_sequences=True, name="early")

    def build(self, shape: Any) -> None:
        if self.again:
            self.early = keras.layers.GRU(3, return_sequences=True, name="anew")
        self.late = keras.layers.LSTM(2, name="late")
        self.scale = keras.layers.Dense(2, name="scale")
        self.early.build(shape)
        self.late.build((*shape[:-1], 3))
        self.scale.build((shape[0], 2))
        self.built = True

    def call(self, x: Any) -> Any:
        return self.scale(self.late(self.early(x)))


def test_layers_that_are_made_in_build_stay_as_they_are() -> None:
    model = keras.Sequential([keras.Input((5, 3)), Late(name="reader")])
    randomize(model)
    with pytest.warns(UserWarning, match="reader/late was not converted: it is made in `build`"):
        faster = kerasseq.convert(model)
    assert classes(faster) == {"reader/early": "kerasseq", "reader/late": "keras"}
    assert_close(faster(SEQUENCES), model(SEQUENCES))
    again = keras.Sequential([keras.Input((5, 3)), Late(again=True)])
    with pytest.raises(ValueError, match="Late makes `early` anew when it is built"):
        kerasseq.convert(again)


class Closed(keras.layers.Layer):
    """A layer that cannot be created from its config."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, x: Any) -> Any:
        return self.inner(x)


def test_what_cannot_be_converted_is_listed_with_the_reason() -> None:
    closed = Closed(keras.layers.GRU(3, return_sequences=True, name="inner"))
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.Reshape((5, 3, 1)),
            keras.layers.ConvLSTM1D(3, 2, name="conv"),
            closed,
            Mine(4, return_sequences=True, name="mine"),
            keras.layers.RNN(
                [keras.layers.GRUCell(2), keras.layers.GRUCell(2)],
                go_backwards=True,
                name="backwards",
            ),
        ]
    )
    with pytest.warns(UserWarning, match="conv was not converted: ConvLSTM1D is none of") as told:
        same = kerasseq.convert(model)
    message = " ".join(str(each.message) for each in told)
    assert "mine was not converted: Mine is none of LSTM" in message
    assert "backwards was not converted: go_backwards=True over several cells" in message
    assert "/inner was not converted: it is inside" in message
    assert "is shared with the model that was converted: Closed cannot be created" in message
    assert_close(same(SEQUENCES), model(SEQUENCES))
    rows = conversion(model)
    assert "why not" in str(rows)
    assert len(rows.to_dict()["layers"]) == 4


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: kerasseq.rnn("mgu", 4), "keras.layers has no cell like MGUCell"),
        (lambda: kerasseq.lstm(4, zoneout=0.1), "keras.layers has no option like zoneout=0.1"),
        (lambda: kerasseq.gru(3, depth=2, residual=True), "`residual` connections of a stack"),
        (lambda: kerasseq.gru(3, dropout=0.1, variational=False), "variational=False draws"),
    ],
)
def test_what_keras_does_not_have_stays_as_it_is(layer: Any, reason: str) -> None:
    model = keras.Sequential([keras.Input((5, 3)), layer()])
    with pytest.warns(UserWarning, match=reason):
        same = kerasseq.convert(model, back=True)
    assert_close(same(SEQUENCES), model(SEQUENCES))


def test_a_bidirectional_stack_goes_back() -> None:
    stack = kerasseq.gru(3, depth=2, bidirectional=True, name="stack")
    model = keras.Sequential([keras.Input((5, 3)), stack, keras.layers.Dense(1)])
    plain = kerasseq.convert(model, back=True)
    assert {*classes(plain).values()} == {"keras"}
    assert_close(plain(SEQUENCES), model(SEQUENCES))


def test_a_layer_on_its_own_and_a_model_that_is_not_built() -> None:
    layer = keras.layers.LSTM(4, name="layer")
    assert type(kerasseq.convert(layer)) is kerasseq.layers.LSTM
    layer.build((None, 5, 3))
    assert_close(kerasseq.convert(layer)(SEQUENCES), layer(SEQUENCES))
    model = kerasseq.convert(keras.Sequential([keras.layers.GRU(4)]))
    assert not model.built
    assert tuple(model(SEQUENCES).shape) == (3, 4)


def test_models_without_anything_to_convert_are_refused_or_said_so() -> None:
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name="dense")
    with pytest.raises(ValueError, match="model 'dense' has none, so that there is nothing"):
        kerasseq.convert(dense)
    with pytest.raises(TypeError, match=r"`model` must be a Keras model or layer.* Received: 3"):
        kerasseq.convert(3)
    with pytest.raises(TypeError, match="`back` must be True or False"):
        kerasseq.convert(dense, back="no")  # type: ignore[arg-type]
    ours = keras.Sequential([keras.Input((5, 3)), kerasseq.lstm(4)])
    with pytest.warns(UserWarning, match="All recurrent layers are of kerasseq already"):
        kerasseq.convert(ours)


def test_a_model_that_cannot_be_created_anew_is_refused() -> None:
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(3)])

    class Alone(keras.Model):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

    with pytest.raises(ValueError, match="Alone cannot be created from its config"):
        kerasseq.convert(Alone(model))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("mode", first_of(["float8", "int8", "int4"]))
def test_layers_that_keras_has_quantized_stay_quantized(mode: str) -> None:
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.GRU(4, return_sequences=True),
            keras.layers.TimeDistributed(keras.layers.Dense(4)),
            keras.layers.Dense(4, name="last"),
        ]
    )
    randomize(model)
    model.quantize(mode)
    converted = kerasseq.convert(model)
    assert converted.get_layer("last").quantization_mode == mode
    expected = array(model(SEQUENCES))  # up to 100, since the weights are large
    np.testing.assert_allclose(array(converted(SEQUENCES)), expected, rtol=1e-6, atol=1e-5)


def test_mixed_precision_stays() -> None:
    layer = keras.layers.GRU(4, dtype="mixed_float16", name="layer")
    model = keras.Sequential([keras.Input((5, 3)), layer])
    faster = kerasseq.convert(model)
    assert faster.layers[0].dtype_policy.name == "mixed_float16"
    assert_close(faster(SEQUENCES), model(SEQUENCES), 2e-3)
