"""A captioner is counted as it is built, and says the same in one go and word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from keras import ops

from kerasseq.generation import BeamSearch, Sampler
from kerasseq.models import Captioner, WordLoss
from tests.layers.harness import array, assert_close, draw, randomize
from tests.models.sizes import DECODERS, captioners
from tests.thorough import covering, examples

CELLS = ("lstm", "gru", "simple_rnn", "mgu", "layernorm_lstm", "mingru")
WORDS, FEATURES, REGIONS = 12, 6, 5


def _sizes(decoder: str, **others: Any) -> Captioner:
    sizes: dict[str, Any] = {"units": 4, "embedding": 3, "regions": decoder == "attention"}
    return Captioner(words=WORDS, features=FEATURES, decoder=decoder, **{**sizes, **others})


def _model(sizes: Captioner) -> keras.Model:
    model = sizes.build()
    randomize(model)
    return model


def _inputs(sizes: Captioner, rows: int = 3, timesteps: int = 7) -> dict[str, Any]:
    shape = (rows, REGIONS, FEATURES) if sizes.regions else (rows, FEATURES)
    tokens = np.random.default_rng(1).integers(1, WORDS, (rows, timesteps))
    tokens[0, 4:] = 0
    return {"image": draw(*shape), "tokens": tokens.astype("int32")}


@given(captioners(CELLS))
@examples(25)
def test_the_closed_form_is_what_is_built(sizes: Captioner) -> None:
    model = sizes.build()
    assert sizes.count() == model.count_params()
    assert model.output_shape == (None, None, sizes.words)


@pytest.mark.parametrize(("decoder", "cell"), covering(DECODERS, ["gru", "lstm", "mingru"]))
def test_word_by_word_it_says_what_it_says_in_one_go(decoder: str, cell: str) -> None:
    sizes = _sizes(decoder, cell=cell, depth=2)
    model, inputs = _model(sizes), _inputs(sizes)
    whole = array(model(inputs))
    layer = model.get_layer("decoder")
    state = layer.start(ops.convert_to_tensor(inputs["image"]))
    for time in range(inputs["tokens"].shape[1]):
        logits, state = layer.step(ops.convert_to_tensor(inputs["tokens"][:, time]), state)
        assert_close(logits, whole[:, time], 1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_word_follows_from_the_image_and_the_words_before(decoder: str) -> None:
    sizes = _sizes(decoder)
    model, inputs = _model(sizes), _inputs(sizes)
    before = array(model(inputs))
    tokens = inputs["tokens"].copy()
    tokens[:, 3] = tokens[:, 3] % (WORDS - 1) + 1
    after = array(model({**inputs, "tokens": tokens}))
    np.testing.assert_allclose(after[:, :3], before[:, :3], atol=1e-5)
    assert (np.abs(after[:, 3:] - before[:, 3:]).max(axis=(1, 2)) > 1e-3).all()
    other = array(model({**inputs, "image": inputs["image"] + 1}))
    assert (np.abs(other - before).max(axis=-1) > 1e-5).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_it_is_saved_and_loaded(decoder: str, tmp_path: Path) -> None:
    sizes = _sizes(decoder, depth=2, dropout=0.1, scheduled_sampling=0.2)
    model, inputs = _model(sizes), _inputs(sizes)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_close(loaded(inputs), model(inputs))
    layer = loaded.get_layer("decoder")
    assert (layer.scheduled_sampling, layer.dropout.rate, layer.tie_embeddings) == (0.2, 0.1, False)


@pytest.mark.parametrize("grid", [False, True])
def test_an_encoder_is_part_of_it(grid: bool, tmp_path: Path) -> None:
    pixels = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(FEATURES, 4, strides=4)(pixels)
    if not grid:
        features = keras.layers.GlobalAveragePooling2D()(features)
    sizes = _sizes("attention" if grid else "merge", encoder=keras.Model(pixels, features))
    model = _model(sizes)
    assert sizes.count() == model.count_params()
    tokens = np.ones((2, 5), "int32")
    inputs = {"image": draw(2, 8, 8, 3), "tokens": tokens}
    model.save(tmp_path / "model.keras")
    assert_close(keras.models.load_model(tmp_path / "model.keras")(inputs), model(inputs))
    features = array(sizes.encoder(inputs["image"])).reshape(2, *[4] * grid, FEATURES)
    assert_close(model.get_layer("decoder")(inputs["image"], tokens), model(inputs))
    bare = _sizes(sizes.decoder).build()
    own = {id(weight) for weight in sizes.encoder.weights}
    bare.set_weights([array(weight) for weight in model.weights if id(weight) not in own])
    assert_close(bare({"image": features, "tokens": tokens}), model(inputs), 1e-4)


def test_attention_says_where_it_looks() -> None:
    sizes = _sizes("attention")
    model, inputs = _model(sizes), _inputs(sizes)
    looked = array(model.get_layer("decoder").look(inputs["image"], inputs["tokens"]))
    assert looked.shape == (*inputs["tokens"].shape, REGIONS)
    np.testing.assert_allclose(looked.sum(axis=-1), 1.0, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("decoder", DECODERS)
def test_it_learns_captions_by_heart(decoder: str) -> None:
    keras.utils.set_random_seed(0)
    sizes = _sizes(decoder, units=24, embedding=24, tie_embeddings=True)
    captions = [[4, 5, 6], [7, 4], [8, 9, 10, 11]]
    tokens, targets = np.zeros((2, 3, 5), "int32")
    for row, caption in enumerate(captions):
        tokens[row, : len(caption) + 1] = [2, *caption]
        targets[row, : len(caption) + 1] = [*caption, 3]
    model, image = sizes.build(), _inputs(sizes)["image"]
    model.compile(keras.optimizers.Adam(0.03), WordLoss(0.1))
    inputs = {"image": np.tile(image, (20, *[1] * (image.ndim - 1)))}
    inputs["tokens"] = np.tile(tokens, (20, 1))
    model.fit(inputs, np.tile(targets, (20, 1)), batch_size=15, epochs=20, verbose=0)
    rules: dict[str, Any] = {"length": 8, "start": 2, "end": 3, "forbidden": (1, 2)}
    for generator in (
        Sampler(model.get_layer("decoder"), **rules),
        BeamSearch(model.get_layer("decoder"), beam_width=3, **rules),
    ):
        found = generator.run(image).tokens[:, 0]
        assert [[int(t) for t in row if t > 3] for row in found] == captions


def test_scheduled_sampling_reads_its_own_guesses_in_training_only() -> None:
    sizes = _sizes("merge", scheduled_sampling=1.0)
    model, inputs = _model(sizes), _inputs(sizes)
    known = array(model(inputs))
    assert_close(array(_same(model, _sizes("merge"))(inputs)), known)
    guesses = np.concatenate([inputs["tokens"][:, :1], known.argmax(axis=-1)[:, :-1]], axis=1)
    guesses = np.where(inputs["tokens"] == 0, 0, guesses)
    guessed = model({**inputs, "tokens": guesses.astype("int32")})
    assert_close(model(inputs, training=True), guessed, 1e-4)


def _same(model: keras.Model, sizes: Captioner) -> keras.Model:
    other = sizes.build()
    other.set_weights(model.get_weights())
    return other


def test_the_loss_is_over_real_words() -> None:
    logits, targets = draw(2, 4, WORDS), np.array([[5, 2, 3, 0], [7, 3, 0, 0]])
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    rows, times = np.nonzero(targets)
    each = -np.log(shares[rows, times, targets[rows, times]])
    assert_close(WordLoss()(targets, logits), each.mean())
    smooth = 0.9 * each - 0.1 * np.log(shares[rows, times]).mean(axis=-1)
    assert_close(WordLoss(0.1)(targets, logits), smooth.mean())
    longer = np.pad(targets, [(0, 0), (0, 3)]), np.pad(logits, [(0, 0), (0, 3), (0, 0)])
    assert_close(WordLoss(0.1)(*longer), smooth.mean())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"decoder": "inject"}, "`decoder` must be one of merge, init"),
        ({"units": 0}, "`units` must be a positive integer"),
        ({"decoder": "attention"}, "needs regions to look at"),
        ({"decoder": "init", "tie_embeddings": True}, "Make `embedding` and `units` equal"),
        ({"options": {"bidirectional": True}}, "cannot be bidirectional"),
        ({"encoder": keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])}, "`features`"),
    ],
)
def test_wrong_sizes_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Captioner(**{"words": 9, "features": 5, "units": 4, "embedding": 3, **wrong})


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_is_a_share(smoothing: float) -> None:
    with pytest.raises(ValueError, match="`smoothing` must be"):
        WordLoss(smoothing)
