"""Spectrograms have the values of librosa, and padding changes nothing."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.layers import MFCC, LogMel
from kerasseq.layers.spectrogram import mel_filters
from tests.layers.harness import array
from tests.layers.librosa_values import CASES, COEFFICIENTS, FILE


def _values(case: str) -> dict[str, np.ndarray]:
    with np.load(FILE) as arrays:
        values = {name: arrays[f"{case}/{name}"] for name in ("samples", "log_mel", "mfcc")}
    return {**values, "samples": values["samples"].astype(np.float32) / 2**15}


@pytest.mark.parametrize("case", CASES)
def test_the_values_are_those_of_librosa(case: str) -> None:
    values = _values(case)
    for layer, name in (
        (LogMel(**CASES[case]), "log_mel"),
        (MFCC(num_coefficients=COEFFICIENTS, **CASES[case]), "mfcc"),
    ):
        result = array(layer(values["samples"][None]))[0]
        np.testing.assert_allclose(result, values[name], rtol=1e-4, atol=1e-4, err_msg=name)
        shape = (1, *result.shape)
        assert layer.compute_output_shape((1, len(values["samples"]))) == shape


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", [LogMel, MFCC])
def test_numpy_has_the_values_of_the_layer(
    kind: Any, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kerasseq.layers.spectrogram._BLOCK", 7)  # several blocks, one is short
    samples = _values(case)["samples"]
    for options in (CASES[case], {**CASES[case], "top_db": None}):
        layer = kind(**options)
        for sound in (samples, samples[:1], np.zeros(900, np.float32)):
            expected = array(layer(sound[None]))[0]
            result = layer.of_sound(sound)
            assert (result.shape, result.dtype) == (expected.shape, np.float32)
            # Decibels are around 100.
            np.testing.assert_allclose(result / 100, expected / 100, atol=1e-5)


@pytest.mark.parametrize("kind", [LogMel, MFCC])
@pytest.mark.parametrize("padding", [1, 79, 80, 500])
def test_padding_changes_nothing(kind: Any, padding: int) -> None:
    layer, samples = kind(8000), _values("speech")["samples"]
    sounds = [samples, samples[:1600], samples[:1], samples[:799]]
    longest = len(samples) + padding
    rows = np.full((len(sounds), longest), 0.9, np.float32)
    mask = np.zeros(rows.shape, bool)
    for row, sound in enumerate(sounds):
        rows[row, : len(sound)], mask[row, : len(sound)] = sound, True
    outputs = array(layer(rows, mask=ops.convert_to_tensor(mask)))
    frames = array(layer.compute_mask(rows, ops.convert_to_tensor(mask)))
    for row, sound in enumerate(sounds):
        alone = array(layer(sound[None]))[0]
        assert frames[row].sum() == len(alone)
        np.testing.assert_allclose(outputs[row, : len(alone)], alone, atol=1e-3)
        assert np.abs(outputs[row, len(alone) :]).sum() == 0


def test_without_a_limit_a_frame_does_not_depend_on_later_ones() -> None:
    layer, samples = LogMel(8000, top_db=None), _values("speech")["samples"]
    first = array(layer(samples[None]))[0]
    louder = samples.copy()
    louder[2000:] *= 100
    np.testing.assert_allclose(array(layer(louder[None]))[0][:23], first[:23], atol=1e-4)


@pytest.mark.parametrize("kind", [LogMel, MFCC])
def test_it_has_no_weights_and_is_part_of_a_model(kind: Any) -> None:
    layer = kind(8000, top_db=60.0, min_freq=100.0)
    sounds = keras.Input((None,))
    model = keras.Model(sounds, layer(sounds))
    assert model.count_params() == 0
    samples = _values("speech")["samples"][None]
    copy = kind.from_config(layer.get_config())
    np.testing.assert_allclose(array(copy(samples)), array(model(samples)), atol=1e-4)
    assert model.output_shape[2] == array(model(samples)).shape[2]


def test_a_filter_has_an_area_of_one() -> None:
    """In Hz, as far as the resolution of the transform allows."""
    filters = mel_filters(16000, 4096, 20)
    np.testing.assert_allclose(filters.sum(axis=0) * 16000 / 4096, 1, atol=0.02)
    assert (filters >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampling_rate": 0}, "`sampling_rate` must be a positive integer"),
        ({"num_mel_bins": 200}, r"\d+ of 200 bands are narrower.*fft_length=256"),
        ({"max_freq": 5000.0}, r"between 0 and 4000 Hz.*max_freq=5000"),
        ({"fft_length": 100}, "`fft_length` must be at least `sequence_length`"),
        ({"num_coefficients": 41}, "`num_coefficients` must be at most `num_mel_bins`"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MFCC(**{"sampling_rate": 8000, **arguments})
