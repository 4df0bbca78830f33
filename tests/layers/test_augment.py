"""Augmentation changes sequences in training alone, by its seed, and never reads padding."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.layers import ChannelScaling, TimeCrop, TimeWarp
from tests.layers.harness import array, draw

LAYERS = (ChannelScaling, TimeWarp, TimeCrop)
LENGTHS = np.array([12, 5, 1])
MASK = np.arange(12) < LENGTHS[:, None]


def _ramps() -> np.ndarray:
    """Sequences whose values are their timesteps; the padding is far away."""
    ramps = np.repeat(np.arange(12, dtype="float32")[None, :, None], len(LENGTHS), axis=0)
    return np.where(MASK[..., None], ramps, 1e3).astype("float32")


def _trained(layer: Any, values: np.ndarray) -> np.ndarray:
    return array(layer(values, mask=ops.convert_to_tensor(MASK), training=True))


@pytest.mark.parametrize("kind", LAYERS)
def test_nothing_changes_outside_training_or_without_strength(kind: Any) -> None:
    values = draw(3, 12, 2)
    np.testing.assert_array_equal(array(kind(0.5, seed=0)(values)), values)
    np.testing.assert_array_equal(array(kind(0.0)(values, training=True)), values)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_seed_repeats_the_draws_which_differ_from_call_to_call(kind: Any) -> None:
    values = draw(3, 12, 2)
    one, other = kind(0.5, seed=4), kind(0.5, seed=4)
    first = _trained(one, values)
    np.testing.assert_array_equal(first, _trained(other, values))
    assert not np.allclose(first, _trained(one, values))
    assert not np.allclose(first, _trained(kind(0.5, seed=5), values))


@pytest.mark.parametrize("kind", LAYERS)
def test_padding_is_not_read_and_stays_padding(kind: Any) -> None:
    layers = [kind(0.5, seed=0) for _ in range(2)]
    values = _ramps()
    outputs = _trained(layers[0], values)
    np.testing.assert_array_equal(outputs[~MASK], 0)
    other = np.where(MASK[..., None], values, -5.0).astype("float32")
    np.testing.assert_allclose(_trained(layers[1], other), outputs, atol=1e-2)
    assert np.abs(outputs).max() < 40


def test_a_channel_has_one_factor_per_sequence() -> None:
    values = draw(4000, 3, 2) + 5
    factors = array(ChannelScaling(0.2, seed=0)(values, training=True)) / values
    np.testing.assert_allclose(factors, np.repeat(factors[:, :1], 3, axis=1), rtol=1e-5)
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors[:, 0].std() == pytest.approx(0.2, abs=0.01)


def test_a_warp_keeps_the_ends_and_the_order() -> None:
    warped = _trained(TimeWarp(0.5, seed=1), _ramps())[..., 0]
    for row, length in enumerate(LENGTHS):
        times = warped[row, :length]
        assert times[0] == pytest.approx(0, abs=1e-4)
        assert times[-1] == pytest.approx(length - 1, abs=1e-2)
        assert (np.diff(times) > 0).all()
    assert not np.allclose(warped[0], np.arange(12), atol=0.05)


def test_a_crop_is_a_stretch_of_even_steps() -> None:
    cropped = _trained(TimeCrop(0.4, seed=1), _ramps())[..., 0]
    for row, length in enumerate(LENGTHS[:2]):
        times = cropped[row, :length]
        steps = np.diff(times)
        np.testing.assert_allclose(steps, steps[0], atol=1e-3)
        assert 0.6 - 1e-4 <= steps[0] <= 1 + 1e-4
        assert times[0] >= -1e-4
        assert times[-1] <= length - 1 + 1e-2


@pytest.mark.parametrize("kind", LAYERS)
def test_a_config_comes_back(kind: Any) -> None:
    layer = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(kind(0.3, seed=2, name="mine"))
    )
    assert (type(layer), layer.strength, layer.seed, layer.name) == (kind, 0.3, 2, "mine")


@pytest.mark.parametrize("kind", LAYERS)
def test_a_strength_that_is_impossible_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"`strength` must be at least 0.*strength=-0.1"):
        kind(-0.1)
    with pytest.raises(ValueError, match=r"below 1.*strength=1.0"):
        TimeCrop(1.0)
