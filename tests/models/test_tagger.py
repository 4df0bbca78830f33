"""A tagger is counted as it is built, trains, and does not see padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.models import TaggerConfig
from kerasseq.params import report
from tests.layers.harness import array
from tests.models.sentences import sentences, targets
from tests.thorough import examples

CELLS = ("lstm", "gru", "mgu", "mingru")
ENCODERS = ("cnn", "lstm", "mingru")


@st.composite
def configs(draw: st.DrawFn) -> TaggerConfig:
    crf = draw(st.booleans())
    return TaggerConfig(
        words=draw(st.integers(2, 20)),
        tags=draw(st.sampled_from([{"tag": 4}, {"slot": 3, "pos": 1}])),
        cell=draw(st.sampled_from(CELLS)),
        units=draw(st.integers(1, 5)),
        depth=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()),
        embedding=draw(st.integers(1, 5)),
        characters=draw(st.sampled_from([0, 9])),
        character_encoder=draw(st.sampled_from(ENCODERS)),
        character_embedding=draw(st.integers(1, 4)),
        character_units=draw(st.integers(1, 4)),
        character_window=draw(st.integers(1, 4)),
        character_dropout=draw(st.sampled_from([0.0, 0.2])),
        features=draw(st.sampled_from([{}, {"casing": (6, 2)}, {"casing": (6, 2), "end": (9, 3)}])),
        classes=draw(st.sampled_from([0, 3])),
        crf=crf,
        word_dropout=draw(st.sampled_from([0.0, 0.2])),
        embedding_dropout=draw(st.sampled_from([0.0, 0.2])),
        dropout=draw(st.sampled_from([0.0, 0.2])),
        options=draw(st.sampled_from([{}, {"residual": False, "zoneout": 0.1}])),
    )


@given(configs())
@examples(25)
def test_the_closed_form_is_the_number_of_parameters(config: TaggerConfig) -> None:
    model = config.build()
    assert config.count() == model.count_params() == report(model).total
    outputs = {name: tensor.shape for name, tensor in model.output.items()}
    expected: dict[str, Any] = dict.fromkeys(config.tags, (None, None))
    expected |= {f"{name}_marginals": (None, None, tags) for name, tags in config.tags.items()}
    assert outputs == expected | ({"sentence": (None, config.classes)} if config.classes else {})


def full(**options: Any) -> TaggerConfig:
    """A config with everything; allowed are slots that repeat themselves."""
    allowed = np.eye(5, dtype=bool)
    allowed[-1] = allowed[:, -1] = True
    values: dict[str, Any] = {
        **{"words": 12, "tags": {"slot": 4, "pos": 3}, "units": 4, "embedding": 5},
        **{"characters": 9, "character_units": 3, "character_embedding": 3, "classes": 3},
        **{"features": {"casing": (6, 2)}, "constraints": {"slot": allowed}},
        **dict.fromkeys(("word_dropout", "character_dropout", "dropout"), 0.1),
    }
    return TaggerConfig(**values | options)


@pytest.mark.parametrize("encoder", ["cnn", pytest.param("gru", marks=pytest.mark.thorough)])
def test_padding_changes_nothing(encoder: str) -> None:
    config = full(character_encoder=encoder)
    model, inputs = config.build(), sentences(config)
    wider = {
        name: np.pad(values, [(0, 0), (0, 3), *[(0, 2)] * (values.ndim - 2)])
        for name, values in inputs.items()
    }
    narrow, wide = ({k: np.asarray(v) for k, v in model(x).items()} for x in (inputs, wider))
    padding = inputs["words"] == 0
    for name, values in narrow.items():
        time = values.shape[1]
        cut = wide[name] if name == "sentence" else wide[name][:, :time]
        np.testing.assert_allclose(cut, values, atol=1e-5, err_msg=name)
        if name != "sentence":
            assert (values[padding] == 0).all()
            assert (wide[name][:, time:] == 0).all()
    true, _ = targets(config, inputs)
    wide_true, _ = targets(config, wider)
    train = config.training_model(model)
    np.testing.assert_allclose(
        np.asarray(train({**inputs, **true})),
        np.asarray(train({**wider, **wide_true})),
        rtol=1e-4,
    )


def test_constraints_hold_in_tags_and_marginals() -> None:
    config = full()
    outputs = config.build().predict(inputs := sentences(config), verbose=0)
    for row, words in enumerate(inputs["words"]):
        length = (words > 0).sum()
        assert len({*outputs["slot"][row, :length].tolist()}) == 1  # slots repeat themselves
        assert np.ptp(outputs["slot_marginals"][row, :length], axis=0).max() < 1e-5


@pytest.mark.parametrize("crf", [True, False])
def test_the_loss_is_that_of_all_columns_and_of_the_class(crf: bool) -> None:
    config = full(crf=crf, constraints={})
    model, inputs = config.build(), sentences(config)
    true, lengths = targets(config, inputs)
    losses = array(config.training_model(model)({**inputs, **true}))
    outputs = model.predict(inputs, verbose=0)
    rows = np.arange(len(losses))
    expected = -np.log(outputs["sentence"][rows, true["sentence_target"]])
    for name in config.tags:
        if crf:
            layer = model.get_layer(f"{name}_crf")
            emissions = keras.Model(model.input, model.get_layer(f"{name}_emissions").output)
            mask = inputs["words"] > 0
            of_column = layer(emissions(inputs), true[f"{name}_target"], mask=mask)
            expected = expected + array(of_column)
        else:
            marginals = outputs[f"{name}_marginals"]
            chosen = np.take_along_axis(marginals, true[f"{name}_target"][..., None], -1)[..., 0]
            real = inputs["words"] > 0
            expected = expected - np.where(real, np.log(np.where(real, chosen, 1)), 0).sum(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    mean = float(config.loss()(lengths, losses))
    assert mean == pytest.approx(expected.sum() / lengths.sum(), rel=1e-4)


def test_a_dropped_word_is_replaced_in_training_by_what_stands_for_it() -> None:
    config = TaggerConfig(words=9, tags={"tag": 3}, units=8, embedding=8, word_dropout=0.999)
    keras.utils.set_random_seed(1)
    model, words = config.build(), np.array([[5, 6, 7, 0]], dtype="int32")
    target = np.array([[1, 2, 0, 0]], dtype="int32")
    train = config.training_model(model)

    def loss(words: np.ndarray, unknown: np.ndarray, training: bool) -> Any:
        inputs = {"words": words, "unknown_words": unknown, "tag_target": target}
        return array(train(inputs, training=training))

    unknown = np.array([[2, 1, 3, 0]], dtype="int32")
    keras.utils.set_random_seed(0)
    np.testing.assert_allclose(loss(words, unknown, True), loss(unknown, words, False), rtol=1e-5)
    difference = loss(words, unknown, False) - loss(unknown, words, False)
    assert np.abs(difference).item() > 1e-4


@pytest.mark.thorough
def test_it_learns_and_comes_back(tmp_path: Path) -> None:
    config = full(units=16, embedding=8, constraints={}, dropout=0.0)
    keras.utils.set_random_seed(0)
    model = config.build()
    train = config.training_model(model)
    train.compile(keras.optimizers.Adam(0.03), config.loss())
    inputs = sentences(config, rows=48)
    true, lengths = targets(config, inputs)
    train.fit({**inputs, **true}, lengths, epochs=20, batch_size=12, verbose=0)
    outputs = model.predict(inputs, verbose=0)
    real = inputs["words"] > 0
    for name in config.tags:
        assert (outputs[name] == true[f"{name}_target"])[real].mean() > 0.9, name
    assert (outputs["sentence"].argmax(axis=-1) == true["sentence_target"]).mean() > 0.8
    model.save(tmp_path / "tagger.keras")
    loaded = keras.models.load_model(tmp_path / "tagger.keras")
    again = loaded.predict(inputs, verbose=0)
    for name, values in outputs.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    resumed = config.training_model(loaded).predict({**inputs, **true}, verbose=0)
    losses = train.predict({**inputs, **true}, verbose=0)
    np.testing.assert_allclose(resumed, losses, rtol=1e-4, atol=1e-4)


def test_vectors_are_the_first_embedding_but_for_rows_of_nan() -> None:
    config = TaggerConfig(words=5, tags={"tag": 2}, units=2, embedding=3)
    vectors = np.arange(15, dtype="float64").reshape(5, 3)
    vectors[[1, 3]] = np.nan
    (table,) = config.build(vectors).get_layer("embedding").get_weights()
    np.testing.assert_array_equal(table[[0, 2, 4]], vectors[[0, 2, 4]])
    assert np.isfinite(table).all()
    with pytest.raises(ValueError, match=r"row for each word, \(5, 3\).*shape \(4, 3\)"):
        config.build(vectors[:4])


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="The columns of `tags`") as caught:
        TaggerConfig(
            words=5, tags={"tag": 0, "words": 2}, features={"tag": (0, 1)}, characters=-1,
            crf=False, constraints={"other": [[True]]}, character_encoder="cnm",
        )  # fmt: skip
    for fault in (
        "Received: 'tag'", "Received: 'words'", "tag: 0", "tag: (0, 1)", "characters=-1",
        "Received: other", "pass crf=True", "character_encoder='cnm'",
    ):  # fmt: skip
        assert fault in str(caught.value)
    with pytest.raises(ValueError, match="at least one column"):
        TaggerConfig(words=5, tags={})
