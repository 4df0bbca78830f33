"""Augmentation of sequences in training: channels scaled, time warped, a part cropped.

Jitter and dropout of channels are `keras.layers.GaussianNoise` and `SpatialDropout1D`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.sequence_mask import zero_masked

Tensor = Any
_SEGMENTS = 4  # of a time warp


class _Augmentation(keras.layers.Layer):
    """A layer that changes sequences in training by random draws, and keeps their mask."""

    limit = float("inf")  # of `strength`

    def __init__(self, strength: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= strength < self.limit:
            most = f" and below {self.limit:g}" if self.limit < float("inf") else ""
            raise ValueError(
                f"`strength` must be at least 0{most}. Received: strength={strength!r}"
            )
        self.strength, self.seed = strength, seed
        self._generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, sequences: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Change (batch, timesteps, channels) in training; see the class."""
        if not training or self.strength == 0:
            return sequences
        return zero_masked(self._augment(sequences, mask), mask)

    def _augment(self, sequences: Tensor, mask: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _normal(self, shape: Any, dtype: Any) -> Tensor:
        return keras.random.normal(shape, dtype=dtype, seed=self._generator)

    def _uniform(self, shape: Any) -> Tensor:
        return keras.random.uniform(shape, dtype="float32", seed=self._generator)

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        """The shape of `sequences`."""
        return sequences_shape

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "strength": self.strength, "seed": self.seed}


@keras.saving.register_keras_serializable("kerasseq")
class ChannelScaling(_Augmentation):
    """Multiply each channel of each sequence by a factor around 1 in training.

    So a sensor with another gain, or a stronger movement, stays the same class (Um et al. 2017,
    arXiv 1706.00527).

    Args:
        strength: Standard deviation of the factors.
        seed: Seed of the draws.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, channels).
        mask: (batch, timesteps) booleans.
        training: Whether sequences are changed.

    Output shape:
        The shape of `sequences`.

    Raises:
        ValueError: If `strength` is negative.

    Example:

    >>> import numpy as np
    >>> sequences = np.ones((1, 2, 3), "float32")
    >>> first, last = np.asarray(ChannelScaling(0.1, seed=0)(sequences, training=True))[0]
    >>> bool((first == last).all() and (first != 1).all())
    True
    """

    def _augment(self, sequences: Tensor, mask: Tensor | None) -> Tensor:
        shape = (ops.shape(sequences)[0], 1, sequences.shape[-1])
        return sequences * (1 + self.strength * self._normal(shape, sequences.dtype))


@keras.saving.register_keras_serializable("kerasseq")
class TimeWarp(_Augmentation):
    """Let time run faster and slower within each sequence in training.

    Each of four segments of the sequence runs at a random speed; the first and the last timestep,
    and the length, stay as they are (after Um et al. 2017, arXiv 1706.00527).
    Values between timesteps are interpolated linearly.

    Args:
        strength: Standard deviation of the logarithms of the speeds.
        seed: Seed of the draws.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, channels).
        mask: (batch, timesteps) booleans, True up to the end of each sequence.
        training: Whether sequences are changed.

    Output shape:
        The shape of `sequences`.

    Raises:
        ValueError: If `strength` is negative.

    Example:

    >>> import numpy as np
    >>> ramp = np.arange(9, dtype="float32")[None, :, None]
    >>> warped = np.asarray(TimeWarp(0.5, seed=0)(ramp, training=True))[0, :, 0]
    >>> bool((np.diff(warped) > 0).all()), round(float(warped[0])), round(float(warped[-1]))
    (True, 0, 8)
    """

    def _augment(self, sequences: Tensor, mask: Tensor | None) -> Tensor:
        place, last = _places(sequences, mask)
        draws = self._normal((ops.shape(place)[0], _SEGMENTS), "float32")
        widths = ops.exp(self.strength * draws)
        widths = widths / ops.sum(widths, axis=1, keepdims=True)
        segments = ops.arange(_SEGMENTS, dtype="float32")
        # A monotonous line from (0, 0) to (1, 1), of one piece per segment.
        share = ops.clip(place[..., None] * _SEGMENTS - segments, 0.0, 1.0)
        return _interpolate(sequences, ops.sum(share * widths[:, None], axis=-1) * last)


@keras.saving.register_keras_serializable("kerasseq")
class TimeCrop(_Augmentation):
    """Cut off a random part at both ends of each sequence in training.

    The rest is stretched to the length of the sequence, by linear interpolation (window slicing:
    Le Guennec et al. 2016, halshs-01357973).

    Args:
        strength: Largest share of a sequence that is cut off.
        seed: Seed of the draws.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, channels).
        mask: (batch, timesteps) booleans, True up to the end of each sequence.
        training: Whether sequences are changed.

    Output shape:
        The shape of `sequences`.

    Raises:
        ValueError: If `strength` is not at least 0 and below 1.

    Example:

    >>> import numpy as np
    >>> ramp = np.arange(9, dtype="float32")[None, :, None]
    >>> cropped = np.asarray(TimeCrop(0.5, seed=0)(ramp, training=True))[0, :, 0]
    >>> bool(cropped[0] >= 0 and cropped[-1] <= 8 and cropped[-1] - cropped[0] >= 4)
    True
    """

    limit = 1.0

    def _augment(self, sequences: Tensor, mask: Tensor | None) -> Tensor:
        place, last = _places(sequences, mask)
        rows = (ops.shape(place)[0], 1)
        cut = self.strength * self._uniform(rows)
        return _interpolate(sequences, (cut * self._uniform(rows) + (1 - cut) * place) * last)


def _places(sequences: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Place of each timestep in its sequence from 0 to 1, (batch, timesteps); its last timestep."""
    batch, timesteps = ops.shape(sequences)[:2]
    counted = ops.ones((batch, timesteps), "float32") if mask is None else ops.cast(mask, "float32")
    last = ops.maximum(ops.sum(counted, axis=1, keepdims=True) - 1, 0.0)
    steps = ops.arange(timesteps, dtype="float32")[None]
    return ops.clip(steps / ops.maximum(last, 1.0), 0.0, 1.0), last


def _interpolate(sequences: Tensor, times: Tensor) -> Tensor:
    """Values of sequences at times between their timesteps, (batch, timesteps)."""
    batch, timesteps, channels = ops.shape(sequences)
    before = ops.floor(times)
    share = ops.cast((times - before)[..., None], sequences.dtype)
    first = ops.cast(before, "int32")
    second = ops.minimum(first + 1, timesteps - 1)
    # Whole timesteps are gathered, which is faster than single values along an axis.
    rows = ops.reshape(sequences, (-1, channels))
    begin = timesteps * ops.arange(batch, dtype="int32")[:, None]
    values, following = (ops.take(rows, begin + index, axis=0) for index in (first, second))
    return values + share * (following - values)
