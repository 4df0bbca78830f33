"""A classifier is counted as it is built, and its n-grams vote as the formula says."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.layers.ngrams import NgramRatios, NgramVotes
from kerasseq.layers.token_dropout import TokenDropout
from kerasseq.models import Classifier
from tests.models.texts import texts
from tests.thorough import covering, examples

CELLS = ("lstm", "gru", "simple_rnn", "mgu", "layernorm_lstm", "mingru")
POOLINGS = ("last", "mean", "max", "attention", "max+mean", "last+attention")


@st.composite
def _sizes(draw: st.DrawFn) -> Classifier:
    return Classifier(
        vocabulary=draw(st.integers(2, 30)),
        classes=draw(st.integers(2, 4)),
        cell=draw(st.sampled_from(CELLS)),
        units=draw(st.integers(1, 6)),
        depth=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        pooling=draw(st.sampled_from(POOLINGS)),
        embedding=draw(st.integers(1, 6)),
        ngrams=draw(st.sampled_from([0, 2, 9])),
        order=draw(st.integers(1, 3)),
        class_gains=draw(st.booleans()),
        token_dropout=draw(st.sampled_from([0.0, 0.2])),
        embedding_dropout=draw(st.sampled_from([0.0, 0.2])),
        dropout=draw(st.sampled_from([0.0, 0.2])),
    )


@given(_sizes())
@examples(25)
def test_the_closed_form_is_what_is_built(sizes: Classifier) -> None:
    model = sizes.build()
    assert sizes.count() == model.count_params()
    assert model.output_shape == (None, sizes.logits)


@pytest.mark.parametrize(("cell", "classes"), covering(CELLS, [2, 3]))
def test_it_gives_a_row_of_logits_for_each_text(cell: str, classes: int) -> None:
    sizes = Classifier(30, classes, cell, units=4, embedding=5, ngrams=9)
    outputs = np.asarray(sizes.build()(texts(sizes)))
    assert outputs.shape == (3, 1 if classes == 2 else 3)
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_nothing(pooling: str) -> None:
    sizes = Classifier(30, 2, units=4, embedding=5, pooling=pooling, ngrams=9)
    model, inputs = sizes.build(), texts(sizes)
    wider = {
        name: np.pad(values, [(0, 0), (0, 4), *[(0, 0)] * (values.ndim - 2)])
        if name in ("tokens", "ending", "ngrams")
        else values
        for name, values in inputs.items()
    }
    np.testing.assert_allclose(np.asarray(model(inputs)), np.asarray(model(wider)), atol=1e-6)


def test_the_logits_are_the_mean_of_the_branches() -> None:
    sizes = Classifier(30, 3, units=4, embedding=5, ngrams=9)
    model, inputs = sizes.build(), texts(sizes)
    assert sizes.branches == ("wide", "deep")
    outputs = {name: model.get_layer(name).output for name in sizes.branches}
    logits = keras.Model(model.input, outputs)(inputs)
    mean = (np.asarray(logits["wide"]) + np.asarray(logits["deep"])) / 2
    np.testing.assert_allclose(np.asarray(model(inputs)), mean, atol=1e-6)


def test_without_ngrams_there_is_one_branch() -> None:
    sizes = Classifier(30, 2, units=4, embedding=5)
    model = sizes.build()
    assert sizes.branches == ()
    assert [tensor.name for tensor in model.inputs] == ["tokens"]
    assert model.layers[-1].name == "deep"


def test_options_go_to_the_recurrent_layer_and_are_counted() -> None:
    sizes = Classifier(30, 2, units=6, embedding=5, options={"projection": 2, "zoneout": 0.1})
    assert sizes.count() == sizes.build().count_params()
    assert sizes.count() < Classifier(30, 2, units=6, embedding=5).count()


# N-grams


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("logits", [1, 3])
def test_ratios_are_looked_up_and_corrected(logits: int) -> None:
    table, ids = _random(6, logits), np.array([[1, 5, 0], [2, 0, 0]], dtype=np.int32)
    table[0] = 0
    layer = NgramRatios(6, logits)
    layer.build((None, None))
    layer.set_weights([table])
    assert layer.trainable_weights == []
    np.testing.assert_allclose(np.asarray(layer(ids)), table[ids])
    change = _random(2, 3, logits)
    expected = table[ids] + change * (ids > 0)[..., None]
    np.testing.assert_allclose(np.asarray(layer(ids, change)), expected, rtol=1e-6)
    zeros = np.zeros((2, 1, logits), np.float32)
    np.testing.assert_allclose(np.asarray(layer(ids, zeros)), table[ids])


@pytest.mark.parametrize("per_class", [False, True])
def test_votes_are_the_sum_of_ratios_times_gains(per_class: bool) -> None:
    ids, ratios = np.array([[1, 5, 0], [2, 0, 0]], dtype=np.int32), _random(2, 3, 2)
    layer = NgramVotes(6, per_class=per_class)
    layer.build((None, 3), (None, 3, 2))
    gain = _random(6, 2) if per_class else _random(6)
    bias = np.array([0.5, -1.0], dtype=np.float32)
    layer.set_weights([gain, bias])
    gains = gain if per_class else np.stack([gain, gain], axis=1)
    expected = [
        [bias[c] + sum(gains[i, c] * r for i, r in zip(row, said[:, c]) if i) for c in range(2)]
        for row, said in zip(ids, ratios)
    ]
    np.testing.assert_allclose(np.asarray(layer(ids, ratios)), expected, rtol=1e-5)


@pytest.mark.parametrize("make", [lambda: NgramRatios(0), lambda: NgramRatios(3, 0)])
def test_sizes_that_cannot_be_are_named(make: Any) -> None:
    with pytest.raises(ValueError, match=r"must be positive. Received: (ngrams|logits)=0"):
        make()


# Dropout of tokens


def test_tokens_are_dropped_in_training_alone_and_padding_never() -> None:
    ids = np.full((20, 100), 7, dtype=np.int32)
    ids[:, 50:] = 0
    layer = TokenDropout(0.3, seed=1)
    np.testing.assert_array_equal(np.asarray(layer(ids)), ids)
    outputs = np.asarray(layer(ids, training=True))
    np.testing.assert_array_equal(outputs[:, 50:], 0)
    assert set(np.unique(outputs[:, :50])) == {1, 7}
    assert np.mean(outputs[:, :50] == 1) == pytest.approx(0.3, abs=0.06)
    assert not np.array_equal(outputs, np.asarray(layer(ids, training=True)))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rates_that_cannot_be_are_named(rate: float) -> None:
    with pytest.raises(ValueError, match=f"Received: rate={rate}"):
        TokenDropout(rate)
