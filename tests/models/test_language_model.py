"""A language model is counted as it is built, and its dropout is locked and of training alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kerasseq.models import LanguageModelConfig, TokenScorer
from kerasseq.params import report
from tests.thorough import examples

TOKENS = np.random.default_rng(0).integers(2, 12, (3, 6)).astype("int32")


@st.composite
def configs(draw: st.DrawFn) -> LanguageModelConfig:
    return LanguageModelConfig(
        words=draw(st.integers(2, 20)),
        cell=draw(st.sampled_from(["lstm", "gru", "mgu", "mingru", "lru"])),
        units=draw(st.integers(1, 6)),
        depth=draw(st.integers(1, 3)),
        embedding=draw(st.none() | st.integers(1, 6)),
        tied=draw(st.booleans()),
        layer_dropout=draw(st.sampled_from([0.0, 0.2])),
        options=draw(st.sampled_from([{}, {"zoneout": 0.1}, {"projection": 2}])),
    )


@given(configs())
@examples(20)
def test_the_closed_form_is_the_number_of_parameters(config: LanguageModelConfig) -> None:
    model = config.build()
    assert config.count() == model.count_params() == report(model).total
    assert model.output_shape == (None, None, config.words)
    assert config.macs(6) == 6 * config.macs(1)


def _outputs(model: keras.Model, training: bool) -> np.ndarray:
    return ops.convert_to_numpy(model({"tokens": TOKENS}, training=training))


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("none", {}),
        ("dropout", {"dropout": 0.5}),
        ("layer_dropout", {"layer_dropout": 0.5}),
        ("embedding_dropout", {"embedding_dropout": 0.5}),
        ("word_dropout", {"word_dropout": 0.5}),
        ("recurrent_dropout", {"options": {"recurrent_dropout": 0.5}}),
        ("weight_drop", {"options": {"weight_drop": 0.5}}),
    ],
)
def test_each_dropout_acts_in_training_and_not_otherwise(name: str, rates: dict[str, Any]) -> None:
    keras.utils.set_random_seed(0)
    model = LanguageModelConfig(words=12, units=8, depth=2, **rates).build()
    plain, trained = _outputs(model, False), _outputs(model, True)
    np.testing.assert_array_equal(plain, _outputs(model, False))
    assert np.allclose(plain, trained, atol=1e-6) == (name == "none")


def test_dropout_is_locked_over_time() -> None:
    keras.utils.set_random_seed(0)
    config = LanguageModelConfig(words=12, units=8, dropout=0.5, embedding_dropout=0.5)
    decoder = config.build().get_layer("decoder")
    for layer in (decoder.dropout, decoder.embedding_dropout):
        kept = ops.convert_to_numpy(layer(np.ones((3, 5, 8), "float32"), training=True)) > 0
        assert (kept == kept[:, :1]).all()
        assert kept.any()
        assert not kept.all()


def test_penalties_are_mean_squares_of_outputs_and_of_their_changes() -> None:
    config = LanguageModelConfig(
        words=12, units=8, dropout=0.5, activation_penalty=2.0, temporal_penalty=3.0
    )
    model = config.build()
    decoder = model.get_layer("decoder")
    tokens = np.where(np.arange(6) < 4, TOKENS, 0)  # padding at the end
    embedded = decoder.embedding(tokens)
    outputs = ops.convert_to_numpy(decoder.run(embedded, decoder.first_states(3), False)[0])[:, :4]
    seen: list[np.ndarray] = []
    dropout = decoder.dropout.call

    def call(inputs: Any, training: bool = False) -> Any:
        seen.append(ops.convert_to_numpy(dropout(inputs, training=training)))
        return seen[-1]

    decoder.dropout.call = call
    decoder(tokens, training=True)
    penalties = [float(ops.convert_to_numpy(loss)) for loss in decoder.losses]
    changes = np.diff(outputs, axis=1)
    expected = [2 * np.mean(seen[0][:, :4] ** 2), 3 * np.mean(changes**2)]
    np.testing.assert_allclose(penalties, expected, rtol=1e-4)
    decoder(tokens)
    assert not decoder.losses, "penalties outside of training"


def test_a_text_may_be_read_in_pieces_and_padding_is_skipped() -> None:
    decoder = LanguageModelConfig(words=12, units=8, depth=2).build().get_layer("decoder")
    scorer = TokenScorer(decoder)
    following = np.roll(TOKENS, -1, axis=1)
    states = [np.zeros((3, 8), np.float32)] * 4

    def read(tokens: np.ndarray, targets: np.ndarray, states: Any) -> Any:
        inputs = {"tokens": tokens, "following": targets, "states": states}
        return scorer.predict_on_batch(inputs)

    whole = read(TOKENS, following, states)
    first = read(TOKENS[:, :2], following[:, :2], states)
    padding = [(0, 0), (0, 2)]
    rest = [np.pad(values[:, 2:], padding) for values in (TOKENS, following)]
    second = read(*rest, first["states"])
    nats = np.concatenate([first["nats"], second["nats"][:, :4]], axis=1)
    np.testing.assert_allclose(nats, whole["nats"], rtol=1e-4, atol=1e-5)
    for one, other in zip(second["states"], whole["states"]):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_steps_are_what_reading_gives() -> None:
    model = LanguageModelConfig(words=12, units=8, cell="gru", embedding=5).build()
    decoder, expected = model.get_layer("decoder"), _outputs(model, False)
    state = decoder.start({"states": [np.zeros((3, 8), np.float32)]})
    for time in range(TOKENS.shape[1]):
        logits, state = decoder.step(ops.convert_to_tensor(TOKENS[:, time]), state)
        np.testing.assert_allclose(
            ops.convert_to_numpy(logits), expected[:, time], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"options": {"bidirectional": True}}, "it would see the tokens that it has to predict"),
        ({"units": 0}, "units"),
        ({"embedding": 0}, "embedding"),
        ({"cell": "lstmm"}, "lstmm"),
    ],
)
def test_sizes_that_cannot_be(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LanguageModelConfig(words=9, **wrong)


@given(configs())
@examples(20)
def test_a_projected_vocabulary_gives_the_same_steps(config: LanguageModelConfig) -> None:
    decoder = config.build().get_layer("decoder")
    state = reference = {"states": decoder.first_states(3)}
    step = decoder.stepper(config.words)
    assert step != decoder.step
    assert decoder.stepper(config.words - 1) == decoder.step
    for token in ([1, 0, 1], [0, 1, 1]):
        tokens = np.array(token, dtype="int32")
        logits, state = step(tokens, state)
        expected, reference = decoder.step(tokens, reference)
        np.testing.assert_allclose(
            ops.convert_to_numpy(logits), ops.convert_to_numpy(expected), atol=1e-5
        )
    for a, b in zip(state["states"], reference["states"], strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(a), ops.convert_to_numpy(b), atol=1e-5)
