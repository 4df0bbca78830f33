"""Read sound files as one channel at one sampling rate."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasseq.io import paths
from kerasseq.io.limits import check_size

if TYPE_CHECKING:
    import soundfile

__all__ = ["ENDINGS", "Sound", "SoundInfo", "read_sound", "sound_info"]

ENDINGS = (".wav", ".flac", ".ogg")
# The formats of these endings, by the names of libsndfile.
_FORMATS = {"WAV": "WAV", "WAVEX": "WAV", "RF64": "WAV", "FLAC": "FLAC", "OGG": "OGG"}
_BLOCK = 2**18  # samples that are read at a time
_SILENCE = 1e-4  # 80 decibels below full scale
_FULL_SCALE = 0.999
_CLIPPED = 0.001  # share of the samples
_TAPS = 20  # of the filter of SciPy's resample_poly, times the larger factor


@dataclass(frozen=True)
class SoundInfo:
    """The header of a sound file.

    Args:
        rate: samples of a second.
        samples: number of samples of each channel.
        channels: number of channels.
    """

    rate: int
    samples: int
    channels: int


@dataclass(frozen=True)
class Sound:
    """A sound with one channel.

    Args:
        samples: float32 (samples,), between -1 and 1.
        rate: samples of a second.
        notes: remarks: that the file was resampled, is silent or is clipped.
    """

    samples: np.ndarray
    rate: int
    notes: tuple[str, ...] = ()


def sound_info(path: str | os.PathLike[str]) -> SoundInfo:
    """Read the header of a sound file.

    Args:
        path: a WAV, FLAC or OGG file, whatever its ending.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no such sound, is damaged, or holds more than may be read.
    """
    with _open(path) as file:
        return SoundInfo(file.samplerate, file.frames, file.channels)


def read_sound(path: str | os.PathLike[str], rate: int | None = None) -> Sound:
    """Read a sound file as the mean of its channels, resampled if it has another rate.

    The file is read in blocks, so that only the mean of the channels is kept in memory.

    Args:
        path: a WAV (8 to 32 bits, or float), FLAC or OGG file, whatever its ending.
        rate: samples of a second; by default the rate of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no such sound, is damaged or empty, holds more than may be read,
            or has samples that are not finite.
    """
    with _open(path) as file:
        original, blocks = file.samplerate, _blocks(file, path)
    if not blocks:
        raise ValueError(f"{path} is empty: it has no samples. Leave it out, or record it again.")
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise ValueError(f"{path} has samples that are not finite. Convert it again.")
    notes = [*_missing(Path(path)), *_faults(samples)]
    if rate is not None and rate != original:
        samples = resampled(samples, original, rate)
        notes.append(f"resampled from {original:,} to {rate:,} Hz")
    return Sound(samples, rate or original, tuple(notes))


def resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resample a sound by a polyphase filter, which suppresses frequencies that would alias.

    Args:
        samples: float32 (samples,).
        rate: samples of a second.
        new_rate: samples of a second afterwards.

    Raises:
        ValueError: if the result or the filter would be larger than what may be read.

    Example:

    >>> resampled(np.zeros(800, "float32"), 8000, 16000).shape
    (1600,)
    """
    from scipy import signal  # type: ignore[import-untyped]  # it has no types

    divisor = gcd(rate, new_rate)
    up, down = new_rate // divisor, rate // divisor
    size = max(4 * len(samples) * up // down, 8 * _TAPS * max(up, down))
    check_size(size, f"a sound at {new_rate:,} samples per second")
    return np.asarray(signal.resample_poly(samples, up, down), dtype=np.float32)


def _open(path: str | os.PathLike[str]) -> soundfile.SoundFile:
    """Open a sound file after a look at its format and its size."""
    import soundfile

    path = paths.user_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"there is no sound {path}. Check the path.")
    _check_beginning(path)
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise ValueError(
            f"{path} is no sound that can be read ({_reason(error, path)}): known are WAV, FLAC "
            "and OGG. Convert it to WAV."
        ) from None
    try:
        if file.format not in _FORMATS:
            raise ValueError(
                f"{path} is a file of the format {file.format}, and known are WAV, FLAC and OGG. "
                "Convert it to WAV."
            )
        check_size(4 * file.frames, str(path))
    except ValueError:
        file.close()
        raise
    return file


def _blocks(file: soundfile.SoundFile, path: str | os.PathLike[str]) -> list[np.ndarray]:
    """The mean of the channels, block by block."""
    import soundfile

    try:
        return [
            block.mean(axis=1, dtype=np.float32)
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True)
            if len(block)
        ]
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{path} is cut off or damaged ({_reason(error, Path(path))}). Fetch it again, or "
            "leave it out."
        ) from None


def _check_beginning(path: Path) -> None:
    """Raise an error for an empty file, and for an MP3 under another extension."""
    with open(path, "rb") as file:
        start = file.read(4)
    if not start:
        raise ValueError(f"{path} is empty. Leave it out, or fetch it again.")
    # A tag, or the eleven bits with which each frame of MPEG audio begins.
    if start[:3] == b"ID3" or (start[0] == 0xFF and len(start) > 1 and start[1] >= 0xE0):
        raise ValueError(
            f"{path} is an MP3, whatever its ending. Convert it to WAV, such as by "
            f"`ffmpeg -i {path.name} {path.stem}-converted.wav`."
        )


def _reason(error: Exception, path: Path) -> str:
    """The message of an error of libsndfile without the path."""
    text = str(getattr(error, "error_string", error))
    return " ".join(text.replace(repr(str(path)), "it").split()).rstrip(".")


def _missing(path: Path) -> list[str]:
    """A remark about a WAV file that is shorter than its header says."""
    with open(path, "rb") as file:
        start = file.read(8)
    size = int.from_bytes(start[4:], "little") + 8
    present = path.stat().st_size
    # Programs that write to a pipe leave the size open.
    if start[:4] != b"RIFF" or size >= 2**31 or size <= present:
        return []
    return [f"cut off: the file has {present:,} of {size:,} bytes"]


def _faults(samples: np.ndarray) -> list[str]:
    """Remarks about a recording that is silent or clipped."""
    loud = np.abs(samples)
    if loud.max() < _SILENCE:
        return ["silent: no sample is louder than 80 decibels below full scale"]
    full = loud >= _FULL_SCALE
    share = (full[1:] & full[:-1]).mean() if len(full) > 1 else 0.0
    return [f"clipped: {share:.1%} of its samples are at full scale"] if share > _CLIPPED else []
