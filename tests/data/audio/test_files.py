"""Sound files of every width and rate are read alike, and faults are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from kerasseq.data.audio.files import ENDINGS, read_sound, resampled, sound_info
from kerasseq.io.limits import MAX_BYTES

RATE = 8000


def _tone(hertz: float = 440.0, rate: int = RATE, seconds: float = 0.5) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def _write(path: Path, samples: Any, rate: int = RATE, **options: Any) -> Path:
    soundfile.write(path, np.asarray(samples), rate, **options)
    return path


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 1 / 120), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 1e-6),
     ("DOUBLE", 1e-6)],
)  # fmt: skip
def test_wav_of_every_width_is_read_between_minus_one_and_one(
    tmp_path: Path, subtype: str, tolerance: float
) -> None:
    path = _write(tmp_path / "tone.wav", _tone(), subtype=subtype)
    sound = read_sound(path)
    assert (sound.rate, sound.notes, sound.samples.dtype) == (RATE, (), np.float32)
    np.testing.assert_allclose(sound.samples, _tone(), atol=tolerance)


@pytest.mark.parametrize(("ending", "tolerance"), [(".flac", 1e-4), (".ogg", 0.05)])
def test_flac_and_ogg_are_read(tmp_path: Path, ending: str, tolerance: float) -> None:
    assert ending in ENDINGS
    path = _write(tmp_path / f"tone{ending}", _tone())
    np.testing.assert_allclose(read_sound(path).samples, _tone(), atol=tolerance)
    assert sound_info(path).samples == len(_tone())


def test_an_ending_says_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path / "tone.flac", _tone())
    np.testing.assert_allclose(
        read_sound(path.rename(tmp_path / "a.wav")).samples, _tone(), atol=1e-4
    )


def test_channels_become_their_mean(tmp_path: Path) -> None:
    path = _write(tmp_path / "two.wav", np.stack([_tone(), 0 * _tone()], axis=1), subtype="FLOAT")
    assert sound_info(path).channels == 2
    np.testing.assert_allclose(read_sound(path).samples, _tone() / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 44100])
def test_another_rate_is_resampled_and_said(tmp_path: Path, rate: int) -> None:
    path = _write(tmp_path / "tone.wav", _tone(rate=rate), rate, subtype="FLOAT")
    sound = read_sound(path, RATE)
    assert sound.rate == RATE
    assert len(sound.samples) == pytest.approx(RATE / 2, abs=2)
    note = () if rate == RATE else (f"resampled from {rate:,} to 8,000 Hz",)
    assert sound.notes == note
    middle = slice(400, -400)  # filters see zeros beyond the ends
    expected = _tone()[: len(sound.samples)]
    np.testing.assert_allclose(sound.samples[: len(expected)][middle], expected[middle], atol=0.01)


def test_frequencies_that_a_lower_rate_cannot_hold_are_suppressed() -> None:
    high = resampled(_tone(3500.0, 16000).astype("float32"), 16000, 4000)
    assert np.abs(high[100:-100]).max() < 0.01


def test_long_files_are_read_in_blocks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = random.uniform(-0.5, 0.5, 2**18 + 1000).astype("float32")
    path = _write(tmp_path / "long.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(read_sound(path).samples, samples)


def test_silence_and_clipping_are_said(tmp_path: Path) -> None:
    silent = _write(tmp_path / "silent.wav", 0 * _tone())
    clipped = _write(tmp_path / "clipped.wav", (3 * _tone()).clip(-1, 1))
    (note,) = read_sound(silent).notes
    assert note.startswith("silent: no sample is louder")
    (note,) = read_sound(clipped).notes
    assert note == "clipped: 42.0% of its samples are at full scale"
    assert read_sound(_write(tmp_path / "loud.wav", 1.99 * _tone())).notes == ()


def _mp3(path: Path, tagged: bool) -> Path:
    path.write_bytes((b"ID3\x03\x00" if tagged else b"\xff\xfb\x90\x64") + bytes(2000))
    return path


@pytest.mark.parametrize("tagged", [True, False])
def test_an_mp3_is_known_whatever_its_ending(tmp_path: Path, tagged: bool) -> None:
    path = _mp3(tmp_path / "song.wav", tagged)
    with pytest.raises(ValueError, match=r"song.wav is an MP3, whatever its ending. Convert it"):
        read_sound(path)


def test_files_that_are_no_sound_are_refused(tmp_path: Path) -> None:
    text, empty, header = (tmp_path / name for name in ("text.wav", "empty.wav", "header.wav"))
    text.write_text("not a sound at all, but long enough to have a header of 44 bytes")
    with pytest.raises(ValueError, match=r"text.wav is no sound that can be read .*Convert it"):
        read_sound(text)
    empty.touch()
    with pytest.raises(ValueError, match=r"empty.wav is empty. Leave it out"):
        read_sound(empty)
    _write(header, np.zeros(0))
    with pytest.raises(ValueError, match=r"header.wav is empty: it has no samples"):
        read_sound(header)
    with pytest.raises(FileNotFoundError, match=r"there is no sound .*gone.wav"):
        read_sound(tmp_path / "gone.wav")
    other = _write(tmp_path / "other.wav", _tone(), format="AIFF")
    with pytest.raises(ValueError, match=r"other.wav is a file of the format AIFF"):
        read_sound(other)


def test_samples_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    samples = _tone()
    samples[7] = np.nan
    path = _write(tmp_path / "nan.wav", samples, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"nan.wav has samples that are not finite"):
        read_sound(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "tone.flac", np.random.default_rng(0).uniform(-1, 1, 50_000))
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(ValueError, match=r"tone.flac is cut off or damaged .*Fetch it again"):
        read_sound(path)


def test_a_wav_that_is_cut_off_is_read_and_said(tmp_path: Path) -> None:
    path = _write(tmp_path / "tone.wav", _tone())
    path.write_bytes(path.read_bytes()[:4044])
    sound = read_sound(path)
    assert sound.notes == ("cut off: the file has 4,044 of 8,044 bytes",)
    np.testing.assert_allclose(sound.samples, _tone()[:2000], atol=1e-4)


def test_sizes_are_checked_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "tone.wav", _tone())
    monkeypatch.setenv(MAX_BYTES, "1000")
    with pytest.raises(ValueError, match=r"tone.wav holds 16,000 bytes"):
        sound_info(path)
