"""Readers of files of sound and of images, which other kinds of data bring along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kerasseq.data.audio.files import ENDINGS as SOUNDS
from kerasseq.data.audio.files import read_sound
from kerasseq.data.images.files import ENDINGS as IMAGES
from kerasseq.data.images.files import read_pixels
from kerasseq.data.sequences.folders import FileReaders
from kerasseq.data.sequences.recordings import Recording

__all__ = ["file_readers"]

_SILENT = "silent"  # how the remark of a silent sound begins


def file_readers(
    rate: float | None = None,
    mel_bins: int = 40,
    image_size: int | None = None,
    video: bool | None = None,
) -> FileReaders:
    """Readers of sound and images by the endings of files.

    Sound becomes its log-mel spectrogram, a timestep each 10 ms; an image its rows, from 0 to 1.

    Args:
        rate: samples per second to which sounds are resampled; default: the rate of the first.
        mel_bins: number of bands of a log-mel spectrogram.
        image_size: height and width to which images are scaled; None for those of each image.
        video: whether the images in a folder are the frames of a video; None to decide by the
            depth of the folders.
    """

    def read_rows(path: Path) -> Recording:
        pixels = read_pixels(path, image_size)
        values = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
        return Recording(path.name, values, one_unit=True)

    def read_frames(paths: Sequence[Path]) -> np.ndarray:
        frames = [read_pixels(path, image_size) for path in paths]
        sizes = {frame.shape for frame in frames}
        if len(sizes) > 1:
            raise ValueError(f"its frames differ in size: {' and '.join(map(str, sorted(sizes)))}")
        stacked = np.stack(frames)
        return stacked if stacked.ndim == 4 else stacked[..., None]

    return FileReaders(
        {
            **dict.fromkeys(IMAGES, read_rows),
            **dict.fromkeys(SOUNDS, _sound_reader(rate, mel_bins)),
        },
        read_frames,
        IMAGES,
        video,
    )


def _sound_reader(rate: float | None, mel_bins: int) -> Callable[[Path], Recording]:
    """A reader of sounds as log-mel spectrograms, all of one rate."""
    chosen, layer = None if rate is None else round(rate), None

    def read(path: Path) -> Recording:
        nonlocal chosen, layer
        import keras

        from kerasseq.layers.spectrogram import LogMel

        sound = read_sound(path, chosen)
        chosen = sound.rate
        layer = layer or LogMel(sound.rate, mel_bins, top_db=None)
        notes = list(sound.notes)
        silent = next((note for note in notes if note.startswith(_SILENT)), "")
        features = keras.ops.convert_to_numpy(layer(sound.samples[None]))[0]
        return Recording(path.name, features, rate=sound.rate, fault=silent, notes=notes)

    return read
