"""Readers of files of sound and of images, which other kinds of data bring along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasseq.data.audio.files import ENDINGS as SOUNDS
from kerasseq.data.audio.files import read_sound, sound_info
from kerasseq.data.images.files import ENDINGS as IMAGES
from kerasseq.data.images.files import read_pixels
from kerasseq.data.sequences.folders import FileReaders
from kerasseq.data.sequences.recordings import Recording

if TYPE_CHECKING:
    from kerasseq.layers.spectrogram import LogMel
    from kerasseq.tasks.sequence_classification.frames import FrameEncoding

__all__ = ["file_readers"]

_SILENT = "silent"  # how the remark of a silent sound begins
_LEAST_RATE = 100  # a timestep each 10 ms
_MOST_RATE = 384_000  # of recordings with the highest resolution; the memory grows with it
_TOO_MANY_BINS = 1024  # for the spectrogram of sound of any rate


def file_readers(
    rate: float | None = None,
    mel_bins: int = 40,
    top_db: float | None = None,
    *,
    image_size: int | None = None,
    video: bool | None = None,
    encoder: FrameEncoding | None = None,
) -> FileReaders:
    """Readers of sound and images by the endings of files.

    Sound becomes its log-mel spectrogram, a timestep each 10 ms; an image its rows, from 0 to 1.

    Args:
        rate: samples per second to which sounds are resampled; default: the rate of most.
        mel_bins: number of bands of a log-mel spectrogram.
        top_db: decibels below its loudest value at which a spectrogram is cut off; None for none.
        image_size: height and width to which images are scaled; None for the size of each image.
        video: whether the images in a folder are the frames of a video; None to decide by the
            depth of the folders.
        encoder: computes features of the frames of a video; None for their pixels.
    """
    used: set[str] = set()
    sounds = _SoundReader(rate, mel_bins, top_db, used)
    remedy = "" if image_size else "image_size= scales images to one size"

    def read_rows(path: Path) -> Recording:
        used.add("image_size")
        pixels = read_pixels(path, image_size)
        values = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
        return Recording(path.name, values, one_unit=True, remedy=remedy)

    def read_frames(paths: Sequence[Path]) -> np.ndarray:
        used.add("image_size")
        frames = [read_pixels(path, image_size) for path in paths]
        sizes = {frame.shape for frame in frames}
        if len(sizes) > 1:
            listed = " and ".join(map(str, sorted(sizes)))
            raise ValueError(f"its frames differ in size: {listed}; image_size= scales them to one")
        stacked = np.stack(frames)
        return stacked if stacked.ndim == 4 else stacked[..., None]

    return FileReaders(
        {**dict.fromkeys(IMAGES, read_rows), **dict.fromkeys(SOUNDS, sounds.read)},
        frames=encoder or read_frames,
        encode=encoder,
        images=IMAGES,
        video=video,
        begin=sounds.begin,
        used=used,
    )


class _SoundReader:
    """Reads sounds as log-mel spectrograms, all of one rate."""

    def __init__(
        self, rate: float | None, mel_bins: int, top_db: float | None, used: set[str]
    ) -> None:
        self._rate, self._mel_bins, self._top_db, self._used = rate, mel_bins, top_db, used
        self._layer: LogMel | None = None

    def begin(self, paths: Sequence[Path]) -> None:
        """Check the rate before all sounds are read; by default it is that of most of them."""
        sounds = [path for path in paths if path.suffix.lower() in SOUNDS]
        if sounds:
            self._check_rate()
        if self._rate is None:
            rates = Counter(rate for path in sounds if (rate := _rate_of(path)))
            self._rate = rates.most_common(1)[0][0] if rates else None
        if sounds and self._rate is not None:
            self._spectrogram(round(self._rate))

    def read(self, path: Path) -> Recording:
        """Read one sound."""
        self._used.update(("mel_bins", "top_db"))
        self._check_rate()
        if not _LEAST_RATE <= (rate := sound_info(path).rate) <= _MOST_RATE:
            raise ValueError(
                f"it has {rate:,} samples per second, and from {_LEAST_RATE} to {_MOST_RATE:,} "
                "can be"
            )
        sound = read_sound(path, None if self._rate is None else round(self._rate))
        self._rate = sound.rate
        notes = list(sound.notes)
        silent = next((note for note in notes if note.startswith(_SILENT)), "")
        features = self._spectrogram(sound.rate).of_sound(sound.samples)
        return Recording(
            path.name, features, rate=sound.rate, own_offset=True, fault=silent, notes=notes
        )

    def _spectrogram(self, rate: int) -> LogMel:
        """The layer of the spectrograms, which is made once.

        Raises:
            ValueError: if there are too many bands for the rate.
        """
        from kerasseq.layers.spectrogram import LogMel

        if self._layer is None:
            try:
                self._layer = LogMel(rate, min(self._mel_bins, _TOO_MANY_BINS), top_db=self._top_db)
            except ValueError:
                raise ValueError(
                    f"mel_bins= must be lower for sound of {rate:,} samples per second, or rate= "
                    "higher: some bands have no frequency of the spectrogram. Received: "
                    f"mel_bins={self._mel_bins:,}"
                ) from None
        return self._layer

    def _check_rate(self) -> None:
        """Raise a ValueError if sound cannot have the rate."""
        if self._rate is not None and not _LEAST_RATE <= self._rate <= _MOST_RATE:
            raise ValueError(
                f"rate must be from {_LEAST_RATE} to {_MOST_RATE:,} samples per second for sound. "
                f"Received: rate={self._rate:g}"
            )


def _rate_of(path: Path) -> int | None:
    """The rate of a sound; None if its header cannot be read, or no sound can have it."""
    try:
        rate = sound_info(path).rate
    except (ValueError, OSError):
        return None
    return rate if _LEAST_RATE <= rate <= _MOST_RATE else None
