"""Multiply-accumulates in closed form, beside those of a forward pass and of what is built."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.models import (
    Captioner,
    Classifier,
    Forecaster,
    SequenceClassifierConfig,
    TaggerConfig,
    image_cnn,
    image_network,
)
from kerasseq.models.image_encoder import image_macs
from tests.models.sequences import sequence_classifiers, sequences
from tests.models.sizes import captioners, forecasters
from tests.models.windows import windows
from tests.thorough import examples

ROWS = 3
# Of these cells every weight that multiplies is a matrix, and this kernel multiplies by matrices.
CELLS = ("gru", "lstm", "simple_rnn", "mgu", "layernorm_lstm")
KERNEL = {"kernel": "scan"}
counted = pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch counts them")


def _passed(model: keras.Model, inputs: Any) -> int:
    """Those of all products of matrices and convolutions in a forward pass, for one row."""
    flops = importlib.import_module("torch.utils.flop_counter")
    model.trainable = False  # or the counter wants a backward pass
    with flops.FlopCounterMode(display=False) as counter:
        model(inputs, training=False)
    macs, rest = divmod(counter.get_total_flops(), 2 * ROWS)
    assert not rest
    return int(macs)


@st.composite
def _classifiers(draw: st.DrawFn) -> Classifier:
    return Classifier(
        vocabulary=9,
        classes=draw(st.integers(2, 4)),
        cell=draw(st.sampled_from(CELLS)),
        units=draw(st.integers(1, 5)),
        depth=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()),
        pooling=draw(st.sampled_from(["last", "max", "attention", "mean+attention"])),
        embedding=draw(st.integers(1, 5)),
        options=draw(st.sampled_from([KERNEL, {**KERNEL, "projection": 2}])),
    )


@counted
@pytest.mark.thorough
@given(_classifiers(), st.integers(1, 6))
@examples(20)
def test_a_classifier_takes_what_is_counted(sizes: Classifier, timesteps: int) -> None:
    tokens = np.ones((ROWS, timesteps), "int32")
    assert sizes.macs(timesteps) == _passed(sizes.build(), {"tokens": tokens})


@counted
@given(sequence_classifiers(CELLS, [KERNEL, {**KERNEL, "projection": 2}]), st.integers(1, 9))
@examples(30)
def test_a_sequence_classifier_takes_what_is_counted(
    sizes: SequenceClassifierConfig, timesteps: int
) -> None:
    assert sizes.macs(timesteps) == _passed(sizes.build(), sequences(sizes, [timesteps] * ROWS))


@pytest.mark.parametrize("classes", [2, 3])
def test_ngrams_are_seen_at_each_token_and_vote(classes: int) -> None:
    one, both = (
        Classifier(9, classes, units=4, bidirectional=False, embedding=3 + logits, ngrams=n)
        for n, logits in ((0, 2 * (classes if classes > 2 else 1)), (9, 0))
    )
    assert both.macs(6) == one.macs(6) + 6 * both.order * both.logits


@counted
@pytest.mark.parametrize("cell", CELLS[:2])
@pytest.mark.parametrize("crf", [True, False])
def test_a_tagger_takes_what_is_counted(cell: str, crf: bool) -> None:
    config = TaggerConfig(
        9, {"slot": 3, "pos": 2}, cell, 4, embedding=3, characters=8, character_encoder="cnn",
        character_embedding=3, character_units=2, features={"casing": (5, 2)}, classes=2, crf=crf,
        options=KERNEL,
    )  # fmt: skip
    inputs = {name: np.ones((ROWS, 6), "int32") for name in ("words", "casing")}
    inputs["characters"] = np.ones((ROWS, 6, 5), "int32")
    assert config.macs(6, 5) == _passed(config.build(), inputs)


@counted
@given(forecasters(CELLS, [KERNEL]))
@examples(30)
def test_a_forecaster_takes_what_is_counted(sizes: Forecaster) -> None:
    sizes = replace(sizes, attention=False)  # which has a test of its own
    assert sizes.macs() == _passed(sizes.build(), windows(sizes, ROWS))


@counted
def test_a_decoder_that_looks_back_is_counted_by_its_weights() -> None:
    sizes = Forecaster(7, 5, "seq2seq", units=4, attention=True, options=KERNEL)
    activations = 7 * 5 * (4 + 4)  # each step ahead meets each timestep, and takes a part of it
    assert sizes.macs() + activations == _passed(sizes.build(), windows(sizes, ROWS))


@counted
@given(captioners(CELLS, KERNEL), st.integers(1, 6), st.integers(1, 4))
@examples(30)
def test_a_captioner_takes_what_is_counted(sizes: Captioner, timesteps: int, regions: int) -> None:
    shape = (ROWS, regions, sizes.features) if sizes.regions else (ROWS, sizes.features)
    inputs = {
        "image": np.ones(shape, "float32"),
        "tokens": np.ones((ROWS, timesteps), "int32"),
    }
    # The regions that are seen are a sum of activations, each weighed by another.
    seen = timesteps * regions * sizes.embedding if sizes.decoder == "attention" else 0
    assert sizes.macs(timesteps, regions) + seen == _passed(sizes.build(), inputs)


def test_regions_that_nobody_counted_are_asked_for() -> None:
    sizes = Captioner(words=9, features=4, decoder="attention", regions=True)
    with pytest.raises(ValueError, match="`regions` must be given"):
        sizes.macs(5)


@pytest.mark.parametrize("grid", [True, False])
def test_an_encoder_is_part_of_a_captioner(grid: bool) -> None:
    encoder = image_cnn(16, grid=grid)
    decoder = "attention" if grid else "init"
    sizes = Captioner(9, encoder.output_shape[-1], decoder, units=4, embedding=3, encoder=encoder)
    alone = Captioner(9, sizes.features, decoder, units=4, embedding=3, regions=grid)
    assert sizes.macs(5) == alone.macs(5, 4) + image_macs(encoder)


def _network(kind: str) -> keras.Model:
    """One with each layer that has a kernel, one within another, or one of `keras.applications`."""
    if kind != "every layer":
        return image_network(kind, weights=None, size=32)
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            keras.layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=2),
            keras.layers.SeparableConv2D(5, 3, padding="same"),
            keras.layers.BatchNormalization(),
        ]
    )
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(4, 3, 2, "same"),
            keras.layers.Conv2D(4, 3, padding="same", groups=2),
            inner,
            keras.layers.Dense(3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )


@counted
@pytest.mark.parametrize("kind", ["every layer", "mobilenet_v2", "mobilenet_v3_small"])
def test_a_network_takes_what_is_counted(kind: str) -> None:
    network = _network(kind)
    images = np.ones((ROWS, *network.input_shape[1:]), "float32")
    assert image_macs(network) == _passed(network, images)


# On every backend: one timestep more is one more use of what is used at each.

BETWEEN = ("kernel", "projection", "query", "scorer")  # how the names of matrices end


def _matrices(model: keras.Model, *parts: str) -> int:
    """Elements of the matrices of a model under any of these paths."""
    return sum(
        math.prod(weight.shape)
        for weight in model.weights
        if weight.path.endswith(BETWEEN) and any(part in weight.path for part in parts)
    )


@pytest.mark.parametrize("cell", ["gru", "mingru", "peephole_lstm", "indrnn"])
def test_one_more_token_is_one_more_use_of_what_reads_it(cell: str) -> None:
    sizes = Classifier(9, 3, cell, units=4, depth=2, pooling="attention", embedding=3)
    per_step = _matrices(sizes.build(), "recurrent/", "pool_attention/")
    assert sizes.macs(8) - sizes.macs(7) == per_step


@pytest.mark.parametrize("kind", ["direct", "recursive", "seq2seq"])
@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_one_more_timestep_back_is_one_more_use_of_what_reads_it(kind: str, cell: str) -> None:
    attention = kind == "seq2seq"
    short, long = (
        Forecaster(timesteps, 3, kind, cell, 4, targets=2, past=1, static=1, attention=attention)
        for timesteps in (6, 7)
    )
    reads = ("encoder/", "value_kernel") if attention else ("recurrent/",)
    assert long.macs() - short.macs() == 2 * _matrices(long.build(), *reads)


@pytest.mark.parametrize("decoder", ["merge", "init", "pre", "par"])
def test_one_more_word_is_one_more_use_of_what_writes_it(decoder: str) -> None:
    sizes = Captioner(9, 6, decoder, "lstm", units=4, embedding=3)
    written = _matrices(sizes.build(), "recurrent/", "text_projection/", "decoder/kernel")
    assert sizes.macs(6) - sizes.macs(5) == written
