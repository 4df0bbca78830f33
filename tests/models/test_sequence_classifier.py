"""A sequence classifier is counted as it is built, and padding changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq.models import SequenceClassifierConfig
from tests.models.sequences import AUGMENTED, POOLINGS, sequence_classifiers, sequences
from tests.thorough import examples

CELLS = ("gru", "lstm", "layernorm_lstm", "mingru", "indrnn")
SMALL: dict[str, Any] = {"channels": 3, "classes": 4, "units": 4, "filters": 5}
JAX = keras.backend.backend() == "jax"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


def _outputs(model: keras.Model, inputs: dict[str, np.ndarray], **options: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(inputs, **options)))


def _padded(inputs: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    values = inputs["sequences"]
    padding = [(0, 0), (0, steps), *[(0, 0)] * (values.ndim - 2)]
    return {**inputs, "sequences": np.pad(values, padding, constant_values=7)}


@given(sequence_classifiers(CELLS, [{}, {"recurrent_dropout": 0.1}]))
@examples(25)
def test_the_closed_form_is_the_built_model(sizes: SequenceClassifierConfig) -> None:
    model = sizes.build()
    assert sizes.count() == model.count_params()
    assert model.output_shape == (None, sizes.outputs)


@pytest.mark.parametrize(
    ("arguments", "outputs"),
    [
        ({"classes": 2}, 1),
        ({"classes": 3}, 3),
        ({"classes": 0}, 1),
        ({"classes": 0, "targets": 2}, 2),
    ],
)
def test_it_gives_a_row_of_outputs_for_each_sequence(
    arguments: dict[str, int], outputs: int
) -> None:
    sizes = SequenceClassifierConfig(**{**SMALL, **arguments})
    assert sizes.outputs == sizes.logits == outputs
    assert _outputs(sizes.build(), sequences(sizes)).shape == (3, outputs)


@given(sequence_classifiers(("gru",)), st.integers(1, 5))
@examples(12)
def test_padding_changes_nothing(sizes: SequenceClassifierConfig, steps: int) -> None:
    model, inputs = sizes.build(), sequences(sizes)
    expected = _outputs(model, inputs)
    np.testing.assert_allclose(_outputs(model, _padded(inputs, steps)), expected, atol=1e-5)
    for row, length in enumerate(inputs["lengths"]):
        alone = {name: part[row : row + 1] for name, part in inputs.items()}
        alone["sequences"] = alone["sequences"][:, :length]
        np.testing.assert_allclose(_outputs(model, alone), expected[row : row + 1], atol=1e-5)


def test_padding_changes_nothing_in_training_either() -> None:
    """Batch normalisation takes its statistics from the timesteps of the sequences alone."""
    sizes = SequenceClassifierConfig(**SMALL, convolutions=2)
    model, inputs = sizes.build(), sequences(sizes)
    expected = _outputs(model, inputs, training=True)
    padded = _outputs(model, _padded(inputs, 6), training=True)
    np.testing.assert_allclose(padded, expected, atol=1e-4)


def test_lengths_become_shorter_with_each_convolution() -> None:
    sizes = SequenceClassifierConfig(**SMALL, convolutions=2, stride=3)
    assert [sizes.steps(length) for length in (1, 3, 9, 10)] == [1, 1, 1, 2]
    inputs = sequences(sizes, (10, 9, 1))
    model = sizes.build()
    recurrent = keras.Model(model.input, model.get_layer("convolution_2").output)
    assert _outputs(recurrent, inputs).shape == (3, 2, 5)
    assert np.abs(_outputs(recurrent, inputs)[1:, 1]).max() == 0


def test_augmentation_acts_in_training_alone() -> None:
    plain, augmented = (
        SequenceClassifierConfig(**SMALL, **strengths) for strengths in ({}, AUGMENTED)
    )
    models = plain.build(), augmented.build()
    models[1].set_weights(models[0].get_weights()[:])
    inputs = sequences(plain)
    expected = _outputs(models[0], inputs)
    np.testing.assert_array_equal(_outputs(models[1], inputs), expected)
    assert not np.allclose(_outputs(models[1], inputs, training=True), expected, atol=1e-3)


def test_a_causal_model_reads_no_later_timestep_before_it_pools() -> None:
    sizes = SequenceClassifierConfig(
        **SMALL, bidirectional=False, convolutions=2, causal=True, pooling="mean"
    )
    model = sizes.build()
    inputs = sequences(sizes, (12, 12))
    other = {**inputs, "sequences": inputs["sequences"].copy()}
    other["sequences"][:, 8:] += 1.0
    steps = keras.Model(model.input, model.get_layer("recurrent").output)
    one, two = _outputs(steps, inputs), _outputs(steps, other)
    np.testing.assert_allclose(one[:, :2], two[:, :2], atol=1e-6)
    assert not np.allclose(one[:, 2], two[:, 2], atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("frame", [None, (8, 8)])
def test_it_learns_and_comes_back_from_a_file(frame: Any, tmp_path: Path) -> None:
    sizes = SequenceClassifierConfig(
        channels=2, classes=2, units=4, convolutions=1, filters=4, frame=frame, frame_features=4,
        **({} if frame else AUGMENTED),
    )  # fmt: skip
    random = np.random.default_rng(0)
    targets = np.arange(32) % 2
    inputs = sequences(sizes, random.integers(4, 9, 32).tolist())
    inputs["sequences"] = inputs["sequences"] * 0.1 + targets.reshape(
        -1, *[1] * (inputs["sequences"].ndim - 1)
    )
    model = sizes.build()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss, jit_compile="auto" if JAX else False)
    losses = model.fit(inputs, targets[:, None], epochs=8, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_outputs(loaded, inputs), _outputs(model, inputs))
    for report in map(kerasseq.report, (model, tmp_path / "model.keras")):
        assert report.total == sizes.count()
        assert report.trainable == sum(math.prod(w.shape) for w in model.trainable_weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "`classes` must be at least 2, or 0 .*classes=1"),
        ({"stride": 0}, "`stride` must be a positive integer.*stride=0"),
        ({"convolutions": -1}, "`convolutions` must not be negative.*convolutions=-1"),
        ({"pooling": "max+sum"}, r"`pooling` must be one of last.*pooling='max\+sum'"),
        ({"pooling": "max+max"}, r"several different ones.*pooling='max\+max'"),
        ({"jitter": -0.1}, "`jitter` must be at least 0.*jitter=-0.1"),
        ({"cropping": 1.0}, "`cropping` must be at least 0 and below 1.*cropping=1.0"),
        ({"causal": True}, "`causal` excludes `bidirectional`"),
        ({"frame": (8, 8), "jitter": 0.1}, "Images are not augmented: leave out jitter"),
        ({"frame": (8, 0)}, "`width of frame` must be a positive integer"),
    ],
)
def test_values_that_are_impossible_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SequenceClassifierConfig(**SMALL), **arguments)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_gives_finite_outputs(pooling: str) -> None:
    sizes = SequenceClassifierConfig(**SMALL, pooling=pooling)
    assert np.isfinite(_outputs(sizes.build(), sequences(sizes))).all()
