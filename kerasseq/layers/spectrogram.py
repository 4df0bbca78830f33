"""Log-mel spectrograms and cepstral coefficients of sound, with the values of librosa."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.layers.sequence_mask import zero_masked
from kerasseq.params.spec import positive_int

Tensor = Any
_WINDOW, _STEP = 0.025, 0.010  # seconds, as is usual for speech
_LEAST_POWER = 1e-10
_BLOCK = 2**12  # frames that NumPy transforms at a time, so that memory does not grow with them
# The mel scale of Slaney: linear up to 1,000 Hz, then logarithmic.
_LINEAR = 200 / 3  # Hz of a mel
_CORNER = 1000.0
_LOG_STEP = np.log(6.4) / 27


@keras.saving.register_keras_serializable("kerasseq")
class LogMel(keras.layers.Layer):
    """Log-mel spectrogram: the energy of sound in bands of frequencies, in decibels.

    The values equal `librosa.feature.melspectrogram` and `librosa.power_to_db`: windows of
    Hann, centred frames with zeros beyond the ends, the mel scale and the filters of Slaney
    (`keras.layers.MelSpectrogram` has the scale and the filters of HTK, and takes no mask). It has
    no weights.

    Args:
        sampling_rate: Samples of a second.
        num_mel_bins: Number of bands.
        sequence_length: Samples of a window; 25 ms by default.
        sequence_stride: Samples between two frames; 10 ms by default.
        fft_length: Length of the Fourier transform; by default the next power of two from
            `sequence_length`.
        min_freq: Lowest frequency, in Hz.
        max_freq: Highest frequency, in Hz; half of the sampling rate by default.
        top_db: Decibels below the loudest value of the sequence at which values are cut off; None
            for no limit, so that a frame does not depend on later ones.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        samples: (batch, samples), between -1 and 1.
        mask: (batch, samples) booleans, True up to the end of each sound.

    Output shape:
        (batch, 1 + samples // `sequence_stride`, num_mel_bins), with the mask of frames whose
        centre is not beyond the end of the sound; 0 in masked frames.

    Raises:
        ValueError: If sizes do not fit each other, or some bands are narrower than the resolution
            of the Fourier transform.

    Example:

    >>> import numpy as np
    >>> LogMel(8000, num_mel_bins=20)(np.zeros((1, 8000), "float32")).shape == (1, 101, 20)
    True
    """

    def __init__(
        self,
        sampling_rate: int,
        num_mel_bins: int = 40,
        *,
        sequence_length: int | None = None,
        sequence_stride: int | None = None,
        fft_length: int | None = None,
        min_freq: float = 0.0,
        max_freq: float | None = None,
        top_db: float | None = 80.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # half precision would blur the samples
        self.sampling_rate = positive_int("sampling_rate", sampling_rate)
        self.num_mel_bins = positive_int("num_mel_bins", num_mel_bins)
        length = sequence_length or max(round(_WINDOW * sampling_rate), 1)
        self.sequence_length = positive_int("sequence_length", length)
        stride = sequence_stride or max(round(_STEP * sampling_rate), 1)
        self.sequence_stride = positive_int("sequence_stride", stride)
        self.fft_length = positive_int("fft_length", fft_length or 2 ** (length - 1).bit_length())
        self.min_freq, self.max_freq, self.top_db = min_freq, max_freq, top_db
        if self.fft_length < self.sequence_length:
            raise ValueError(
                "`fft_length` must be at least `sequence_length`. Received: "
                f"fft_length={fft_length}, sequence_length={self.sequence_length}"
            )
        phase = 2 * np.pi * np.arange(self.sequence_length) / self.sequence_length
        self._window = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
        self._filters = mel_filters(
            sampling_rate, self.fft_length, num_mel_bins, min_freq, max_freq
        )
        self.supports_masking = True
        self.built = True

    def call(self, samples: Tensor, mask: Tensor | None = None) -> Tensor:
        """The spectrogram of (batch, samples); see the class."""
        frames = self.compute_mask(samples, mask)
        decibels = self._decibels(samples, mask, frames)
        return zero_masked(ops.cast(decibels, self.compute_dtype), frames)

    def _decibels(self, samples: Tensor, mask: Tensor | None, frames: Tensor | None) -> Tensor:
        """Energies of the bands in decibels, float32 (batch, frames, bands)."""
        samples = zero_masked(ops.cast(samples, "float32"), mask)
        half = self.fft_length // 2
        # Not `center=True`, for which Keras reflects the sound at its ends, and not the name of the
        # window, which TensorFlow makes symmetric if its length is odd.
        real, imaginary = ops.stft(
            ops.pad(samples, [[0, 0], [half, half]]),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            window=ops.convert_to_tensor(self._window, "float32"),
            center=False,
        )
        power = ops.square(real) + ops.square(imaginary)
        energy = ops.matmul(power, ops.convert_to_tensor(self._filters, "float32"))
        decibels = 10 * ops.log10(ops.maximum(energy, _LEAST_POWER))
        if self.top_db is None:
            return decibels
        heard = decibels
        if frames is not None:
            heard = ops.where(ops.cast(frames, "bool")[..., None], decibels, -1e9)
        loudest = ops.max(heard, axis=(1, 2), keepdims=True)
        return ops.maximum(decibels, loudest - self.top_db)

    def of_sound(self, samples: np.ndarray) -> np.ndarray:
        """The spectrogram of one sound, computed by NumPy.

        It is quicker than the layer for many short files, for which most of the time of the layer
        is the overhead of the operations of the backend.

        Args:
            samples: float32 (samples,), between -1 and 1.

        Returns:
            float32 (1 + samples // `sequence_stride`, num_mel_bins), the values of the layer.

        >>> import numpy as np
        >>> LogMel(8000, num_mel_bins=20).of_sound(np.zeros(8000, "float32")).shape
        (101, 20)
        """
        from scipy import fft  # type: ignore[import-untyped]  # it has no types

        # A window shorter than the transform lies in its middle.
        window = np.zeros(self.fft_length, np.float32)
        begin = (self.fft_length - self.sequence_length) // 2
        window[begin : begin + self.sequence_length] = self._window
        padded = np.pad(samples.astype(np.float32), self.fft_length // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.fft_length)
        frames = frames[:: self.sequence_stride]
        decibels = np.empty((len(frames), self.num_mel_bins), np.float32)
        for start in range(0, len(frames), _BLOCK):
            rows = slice(start, start + _BLOCK)
            spectrum = fft.rfft(frames[rows] * window)
            energy = (np.square(spectrum.real) + np.square(spectrum.imag)) @ self._filters
            decibels[rows] = 10 * np.log10(np.maximum(energy, _LEAST_POWER))
        if self.top_db is None:
            return decibels
        return np.maximum(decibels, decibels.max() - self.top_db)

    def compute_mask(self, samples: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """(batch, frames) booleans: whether the centre of a frame is not beyond the end."""
        if mask is None:
            return None
        stride = self.sequence_stride
        return ops.concatenate([mask[:, :1], mask[:, stride - 1 :: stride]], axis=1)

    def compute_output_shape(self, samples_shape: Any) -> Any:
        """(batch, frames, num_mel_bins)."""
        batch, samples = samples_shape
        frames = None if samples is None else 1 + samples // self.sequence_stride
        return batch, frames, self.num_mel_bins

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        names = (
            *("sampling_rate", "num_mel_bins", "sequence_length", "sequence_stride"),
            *("fft_length", "min_freq", "max_freq", "top_db"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("kerasseq")
class MFCC(LogMel):
    """Mel-frequency cepstral coefficients: the cosine transform of a log-mel spectrogram.

    The values equal `librosa.feature.mfcc` (Davis and Mermelstein 1980,
    doi:10.1109/TASSP.1980.1163420). It has no weights.

    Args:
        sampling_rate: Samples of a second.
        num_coefficients: Number of coefficients of a frame, at most `num_mel_bins`.
        num_mel_bins: Number of bands of the spectrogram.
        **kwargs: Arguments of `LogMel`.

    Call arguments:
        samples: (batch, samples), between -1 and 1.
        mask: (batch, samples) booleans, True up to the end of each sound.

    Output shape:
        (batch, 1 + samples // `sequence_stride`, num_coefficients), masked like `LogMel`.

    Raises:
        ValueError: As `LogMel`, or if there are more coefficients than bands.

    Example:

    >>> import numpy as np
    >>> MFCC(8000, 13)(np.zeros((1, 8000), "float32")).shape == (1, 101, 13)
    True
    """

    def __init__(
        self,
        sampling_rate: int,
        num_coefficients: int = 20,
        num_mel_bins: int = 40,
        **kwargs: Any,
    ) -> None:
        super().__init__(sampling_rate, num_mel_bins, **kwargs)
        self.num_coefficients = positive_int("num_coefficients", num_coefficients)
        if num_coefficients > num_mel_bins:
            raise ValueError(
                "`num_coefficients` must be at most `num_mel_bins`. Received: "
                f"num_coefficients={num_coefficients}, num_mel_bins={num_mel_bins}"
            )
        self._transform = _cosines(num_mel_bins)[:, :num_coefficients]

    def _decibels(self, samples: Tensor, mask: Tensor | None, frames: Tensor | None) -> Tensor:
        """Coefficients, float32 (batch, frames, coefficients)."""
        decibels = super()._decibels(samples, mask, frames)
        return ops.matmul(decibels, ops.convert_to_tensor(self._transform, "float32"))

    def of_sound(self, samples: np.ndarray) -> np.ndarray:
        """The coefficients of one sound, computed by NumPy; see `LogMel.of_sound`.

        Args:
            samples: float32 (samples,), between -1 and 1.

        Returns:
            float32 (1 + samples // `sequence_stride`, num_coefficients), the values of the layer.
        """
        return super().of_sound(samples) @ self._transform

    def compute_output_shape(self, samples_shape: Any) -> Any:
        """(batch, frames, num_coefficients)."""
        return *super().compute_output_shape(samples_shape)[:2], self.num_coefficients

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "num_coefficients": self.num_coefficients}


def mel_filters(
    rate: int, fft_length: int, bands: int, lowest: float = 0.0, highest: float | None = None
) -> np.ndarray:
    """Triangular filters of equal area, evenly spaced on the mel scale of Slaney.

    Args:
        rate: Samples of a second.
        fft_length: Length of the Fourier transform.
        bands: Number of filters.
        lowest: Lower end of the first filter, in Hz.
        highest: Upper end of the last filter, in Hz; half of the rate by default.

    Returns:
        Weights, float32 (fft_length // 2 + 1, bands).

    Raises:
        ValueError: If the range is empty or beyond half of the rate, or a filter has no weight.

    Example:
        >>> mel_filters(8000, 256, 20).shape
        (129, 20)
    """
    highest = rate / 2 if highest is None else highest
    if not 0 <= lowest < highest <= rate / 2:
        raise ValueError(
            f"`min_freq` and `max_freq` must rise between 0 and {rate / 2:g} Hz, half of the "
            f"sampling rate. Received: min_freq={lowest!r}, max_freq={highest!r}"
        )
    ends = _hertz(np.linspace(_mel(lowest), _mel(highest), bands + 2))
    frequencies = np.fft.rfftfreq(fft_length, 1 / rate)[:, None]
    rising = (frequencies - ends[:-2]) / (ends[1:-1] - ends[:-2])
    falling = (ends[2:] - frequencies) / (ends[2:] - ends[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling)) * 2 / (ends[2:] - ends[:-2])
    empty = int((weights.max(axis=0) == 0).sum())
    if empty:
        raise ValueError(
            f"{empty} of {bands} bands are narrower than the resolution of the Fourier transform, "
            f"{rate / fft_length:g} Hz. Lower `num_mel_bins`, or raise `fft_length`. Received: "
            f"num_mel_bins={bands}, fft_length={fft_length}"
        )
    return weights.astype(np.float32)


def _mel(hertz: float) -> float:
    if hertz < _CORNER:
        return hertz / _LINEAR
    return float(_CORNER / _LINEAR + np.log(hertz / _CORNER) / _LOG_STEP)


def _hertz(mel: np.ndarray) -> np.ndarray:
    corner = _CORNER / _LINEAR
    above = _CORNER * np.exp(_LOG_STEP * (np.maximum(mel, corner) - corner))
    return np.where(mel < corner, _LINEAR * mel, above)


def _cosines(size: int) -> np.ndarray:
    """The orthonormal cosine transform of type II, (size, size), by column."""
    steps = np.arange(size)
    table = np.cos(np.pi / size * (steps[:, None] + 0.5) * steps) * np.sqrt(2 / size)
    table[:, 0] /= np.sqrt(2)
    return table.astype(np.float32)
