"""Streams: every token once, in order, and a model that carries its state from batch to batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.models import BatchLoss, LanguageModelConfig, TokenScorer
from kerasseq.training import Streams, TrainingConfig, fit
from tests.thorough import examples, first_of


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9))
@examples(30)
def test_every_token_is_read_once_and_in_order(tokens: int, streams: int, steps: int) -> None:
    text = np.arange(1, tokens + 1)
    batches = Streams(text, 99, min(streams, tokens), steps).batches()
    parts = [batches[k] for k in range(len(batches))]
    inputs = np.concatenate([part[0]["tokens"] for part in parts], axis=1)
    targets = np.concatenate([part[1] for part in parts], axis=1)
    assert targets.shape == (min(streams, tokens), len(batches) * steps)
    assert targets[targets > 0].tolist() == text.tolist()
    assert inputs[inputs > 0].tolist() == [99, *text[:-1]]
    for number, (part, labels) in enumerate(parts):
        np.testing.assert_array_equal(part["following"], labels)
        assert (part["first"] == int(number == 0)).all()


def test_a_start_token_replaces_the_first_token_of_each_row() -> None:
    inputs, targets = Streams(np.arange(1, 9), 5, streams=2, steps=4, start=99).batches()[0]
    assert inputs["tokens"].tolist() == [[99, 1, 2, 3], [99, 5, 6, 7]]
    assert targets.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


@given(st.integers(40, 400), st.integers(1, 4), st.integers(1, 12))
@examples(20)
def test_varying_lengths_leave_the_text_contiguous(tokens: int, streams: int, steps: int) -> None:
    text = np.arange(1, tokens + 1)
    batches = Streams(text, 99, streams, steps, vary_steps=True, seed=3).batches()
    plain = Streams(text, 99, streams, steps).batches()
    assert len(batches) == len(plain)
    orders = []
    for batches.epoch in range(2):
        parts = [batches[k] for k in range(len(batches))]
        for name in ("tokens", "following"):
            joined = np.concatenate([part[0][name] for part in parts], axis=1)
            expected = np.concatenate([plain[k][0][name] for k in range(len(plain))], axis=1)
            np.testing.assert_array_equal(joined, expected)
        lengths = [part[1].shape[1] for part in parts]
        assert len({*lengths}) <= 3
        assert sum(lengths) == len(lengths) * steps
        for length, part in zip(lengths, parts):
            np.testing.assert_allclose(part[2], length / steps)
        orders.append(lengths)
    if len(batches) >= 4 and steps > 1:
        assert orders[0][0] < steps < orders[0][1]
    batches.epoch = 0
    assert [batches[k][1].shape[1] for k in range(len(batches))] == orders[0]


@pytest.mark.parametrize("steps", first_of([35, 20, 50], 1))
def test_in_time_each_token_comes_first_in_a_chunk(steps: int) -> None:
    text = np.arange(1, 1500 * steps + 1)
    batches = Streams(text, 99, 1, steps, vary_steps=True).batches()
    firsts = set()
    for batches.epoch in range(2):
        firsts |= {int(batches[k][1][0, 0]) % steps for k in range(len(batches))}
    assert firsts == {*range(steps)}


def test_restarts_are_a_share_of_the_chunks_and_others_in_each_epoch() -> None:
    text = np.arange(1, 4001)
    streams = Streams(text, 1, streams=10, steps=2, start=9999, restarts=0.1, seed=3)
    batches = streams.batches()
    starts = []
    for batches.epoch in range(2):
        first = np.array([batches[k][0]["first"] for k in range(len(batches))])
        inputs = np.array([batches[k][0]["tokens"] for k in range(len(batches))])
        assert first[0].all()
        assert first[1:].mean() == pytest.approx(0.1, abs=0.03)
        assert ((inputs[:, :, 0] == 9999) == (first == 1)).all()
        assert (inputs[:, :, 1] != 9999).all()
        starts.append(first)
    assert (starts[0] != starts[1]).any()
    batches.epoch = 0
    assert (batches[7][0]["first"] == starts[0][7]).all()


@pytest.fixture(scope="module")
def text() -> np.ndarray:
    return np.random.default_rng(0).integers(4, 12, 121)


def test_the_state_is_carried_and_the_loss_is_that_of_whole_rows(text: np.ndarray) -> None:
    config = LanguageModelConfig(words=12, units=6, depth=2, dropout=0.3)
    model = config.build()
    streams = Streams(text[1:], int(text[0]), streams=3, steps=10)
    training_model = config.training_model(model, 4, 3)
    training_model.compile(loss=BatchLoss())
    for _ in range(2):  # the first batch forgets what was read before
        loss = training_model.evaluate(streams.batches(), verbose=0)
        rows = text[:-1].reshape(3, -1)
        inputs = {"tokens": rows, "following": text[1:].reshape(3, -1)}
        states = [np.zeros((3, 6), np.float32)] * 4
        scorer = TokenScorer(model.get_layer("decoder"))
        nats = scorer.predict_on_batch({**inputs, "states": states})["nats"]
        assert loss == pytest.approx(np.asarray(nats).mean(), rel=1e-5)


def test_the_state_is_carried_in_training(text: np.ndarray) -> None:
    config = LanguageModelConfig(words=12, units=6)
    model = config.build()
    training_model = config.training_model(model, 4)
    streams = Streams(text[1:], int(text[0]), streams=4, steps=10)
    training = TrainingConfig(
        BatchLoss(), monitor=None, epochs=2, optimizer="sgd", learning_rate=1e-12
    )
    fit(training_model, streams, None, training, quiet=True)
    rows = text[:-1].reshape(4, -1)
    states = [np.zeros((4, 6), np.float32)] * 2
    scorer = TokenScorer(model.get_layer("decoder"))
    expected = scorer.predict_on_batch({"tokens": rows, "following": rows, "states": states})
    carried = training_model.get_layer("carried_states").non_trainable_weights
    for variable, state in zip(carried, expected["states"]):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), state, atol=1e-6)
