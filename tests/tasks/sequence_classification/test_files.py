"""Sound becomes a log-mel spectrogram of one rate, and faulty sound has its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasseq.data.sequences.read import Reading, read_sequences
from kerasseq.recipes.sequence_classification import (
    SequenceClassificationSettings,
    sequence_classification,
)
from kerasseq.tasks.perform import prepare
from kerasseq.tasks.sequence_classification.files import file_readers

soundfile = pytest.importorskip("soundfile")


def _tone(path: Path, rate: int = 8000, level: float = 0.3, seconds: float = 0.2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    wave = np.clip(level * np.sin(2 * np.pi * 440 * time), -1, 1)
    soundfile.write(path, wave, rate)
    return path


def test_folders_of_sound_are_spectrograms_of_one_rate(tmp_path: Path) -> None:
    _tone(tmp_path / "a" / "0.wav")
    _tone(tmp_path / "a" / "1.wav", 16000)
    _tone(tmp_path / "b" / "0.flac", seconds=0.1)
    _tone(tmp_path / "b" / "1.wav", level=4)
    source = read_sequences(tmp_path, Reading(readers=file_readers(mel_bins=20)))
    assert source.values.shape == (20,)
    assert source.values.lengths.tolist() == [21, 21, 11, 21]  # a timestep each 10 ms
    assert (source.labels, source.rate) == (["a", "a", "b", "b"], 8000)
    assert "resampled from 16,000 to 8,000 Hz" in source.remarks[1]
    assert "clipped" in source.remarks[3]
    one, other = source.values[0], source.values[1]
    assert np.abs(one[3:-3] - other[3:-3]).max() < 6  # decibels, of the same tone


def test_new_sound_that_cannot_be_read_has_its_reason(tmp_path: Path) -> None:
    files = [_tone(tmp_path / "0.wav", 16000), _tone(tmp_path / "1.wav", level=0)]
    (tmp_path / "2.wav").write_bytes(b"ID3" + bytes(100))
    (tmp_path / "3.wav").write_bytes(b"")
    files += [tmp_path / "2.wav", tmp_path / "3.wav"]
    readers = file_readers(8000, mel_bins=20)
    source = read_sequences(files, Reading(readers=readers, learn=False, shape=(20,), rate=8000))
    assert source.faults[0] == ""
    assert source.remarks[0] == "resampled from 16,000 to 8,000 Hz"
    assert source.faults[1].startswith("silent: ")
    assert "is an MP3" in source.faults[2]
    assert "is empty" in source.faults[3]
    with pytest.raises(ValueError, match="3 of 4 sequences cannot be used"):
        read_sequences(tmp_path, Reading(readers=readers, pattern="{label}"))


def test_the_rate_is_that_of_most_sounds(tmp_path: Path) -> None:
    for number, rate in enumerate((8000, 16000, 16000)):
        _tone(tmp_path / "a" / f"{number}.wav", rate)
    assert read_sequences(tmp_path, Reading(readers=file_readers())).rate == 16000


def test_a_rate_that_sound_cannot_have_is_refused(tmp_path: Path) -> None:
    path = _tone(tmp_path / "a" / "0.wav")
    for rate in (0.3, 400_000, 1e8, 1e12):
        for data in (tmp_path, path):
            with pytest.raises(
                ValueError, match="rate must be from 100 to 384,000 samples per sec"
            ):
                read_sequences(data, Reading(readers=file_readers(rate), rate=rate))


@pytest.mark.parametrize(("rate", "mel_bins"), [(100, 40), (8000, 200), (384_000, 10**9)])
def test_bands_without_a_frequency_are_refused_once(
    tmp_path: Path, rate: int, mel_bins: int
) -> None:
    for number in range(3):
        _tone(tmp_path / "a" / f"{number}.wav")
    match = rf"^mel_bins= must be lower for sound of {rate:,} .*or rate= higher.*={mel_bins:,}$"
    with pytest.raises(ValueError, match=match):
        read_sequences(tmp_path, Reading(readers=file_readers(rate, mel_bins), rate=rate))


def test_a_file_whose_header_has_a_rate_that_sound_cannot_have(tmp_path: Path) -> None:
    for name, rate in (("0", 10**9), ("1", 1), ("2", 8000)):
        _tone(tmp_path / "a" / f"{name}.wav", 8000)
        header = bytearray((tmp_path / "a" / f"{name}.wav").read_bytes())
        header[24:28] = rate.to_bytes(4, "little")
        (tmp_path / "a" / f"{name}.wav").write_bytes(header)
    source = read_sequences([tmp_path], Reading(readers=file_readers(), learn=False, shape=(40,)))
    assert source.rate == 8000
    assert source.faults == [
        "it has 1,000,000,000 samples per second, and from 100 to 384,000 can be",
        "it has 1 samples per second, and from 100 to 384,000 can be",
        "",
    ]


def test_images_of_unequal_size_have_a_remedy(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "a").mkdir()
    for number, width in enumerate((4, 4, 5)):
        Image.fromarray(np.zeros((3, width), np.uint8)).save(tmp_path / "a" / f"{number}.png")
    with pytest.raises(ValueError, match="5 channels, and 4 are expected: image_size= scales"):
        read_sequences(tmp_path, Reading(readers=file_readers()))


def test_frames_of_unequal_size_have_a_remedy(tmp_path: Path) -> None:
    from PIL import Image

    for number, sizes in enumerate(((4, 4), (4, 4), (5, 5), (4, 5))):
        folder = tmp_path / "a" / str(number)
        folder.mkdir(parents=True)
        for step, size in enumerate(sizes):
            Image.fromarray(np.zeros((size, size), np.uint8)).save(folder / f"{step}.png")
    with pytest.raises(ValueError, match="2 of 4 sequences cannot be used") as error:
        read_sequences(tmp_path, Reading(readers=file_readers()))
    message = str(error.value)
    assert "(5, 5, 1), and (4, 4, 1) is expected: image_size= scales frames to one size" in message
    assert "its frames differ in size: (4, 4) and (5, 5); image_size= scales them" in message
    assert read_sequences(tmp_path, Reading(readers=file_readers(image_size=4))).faults == [""] * 4


def test_the_noise_far_below_the_loudest_value_is_cut_off(tmp_path: Path) -> None:
    _tone(tmp_path / "a" / "0.wav")
    for top_db in (20.0, None):
        source = read_sequences(tmp_path, Reading(readers=file_readers(top_db=top_db)))
        width = np.ptp(source.values.values)
        assert width == pytest.approx(20, abs=1e-3) if top_db else width > 60


def test_sounds_are_centred_unless_a_stream_may_follow(tmp_path: Path) -> None:
    for row in range(12):
        _tone(
            tmp_path / "ab"[row % 2] / f"{row}.wav", level=0.05 * (row + 1), seconds=0.1 + row / 50
        )
    task = sequence_classification.task
    for causal, centred in ((False, True), (True, False)):
        settings = SequenceClassificationSettings(data=str(tmp_path), causal=causal)
        parts, prepared = prepare(task, task.load(settings.data, settings), settings)
        assert prepared.state["centred"] == centred
        assert parts.train.take(np.arange(2)).own_offset
