"""Spectrograms by librosa, which the layers are compared with.

    python -m venv librosa && librosa/bin/pip install librosa==0.11.0
    librosa/bin/python tests/layers/librosa_values.py

writes `librosa_values.npz` beside this file: for each case the samples, the log-mel spectrogram and
the cepstral coefficients. The committed file is of librosa 0.11.0 with NumPy 2.4.6. Neither librosa
nor its dependencies (numba among them) are needed to run the tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("librosa_values.npz")
#: Arguments of `kerasseq.layers.LogMel` in each case.
CASES: dict[str, dict[str, Any]] = {
    "speech": {"sampling_rate": 8000},
    "range": {
        "sampling_rate": 16000, "num_mel_bins": 32, "sequence_length": 512, "sequence_stride": 128,
        "fft_length": 512, "min_freq": 60.0, "max_freq": 7600.0, "top_db": None,
    },
    "odd": {
        "sampling_rate": 11025, "num_mel_bins": 24, "sequence_length": 301, "sequence_stride": 97,
        "fft_length": 400, "top_db": 30.0,
    },
}  # fmt: skip
COEFFICIENTS = 13


def sound(rate: int) -> np.ndarray:
    """A rising tone with noise between silence, of 0.4 seconds and a bit, as 16-bit samples."""
    random = np.random.default_rng(rate)
    seconds = np.arange(int(0.41 * rate)) / rate
    tone = 0.4 * np.sin(2 * np.pi * (200 * seconds + 0.2 * rate * seconds**2))
    samples = tone + random.normal(0, 0.02, len(seconds))
    samples[: rate // 20] = 0
    return np.rint(samples * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)


def main() -> None:
    import librosa

    arrays = {}
    for name, case in CASES.items():
        rate, bands = case["sampling_rate"], case.get("num_mel_bins", 40)
        samples = sound(rate)
        power = librosa.feature.melspectrogram(
            y=samples.astype(np.float32) / 2**15,
            sr=rate,
            n_mels=bands,
            n_fft=case.get("fft_length", 256),
            win_length=case.get("sequence_length", 200),
            hop_length=case.get("sequence_stride", 80),
            fmin=case.get("min_freq", 0.0),
            fmax=case.get("max_freq"),
        )
        decibels = librosa.power_to_db(power, top_db=case.get("top_db", 80.0))
        arrays[f"{name}/samples"] = samples
        arrays[f"{name}/log_mel"] = decibels.T
        arrays[f"{name}/mfcc"] = librosa.feature.mfcc(S=decibels, n_mfcc=COEFFICIENTS).T
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
