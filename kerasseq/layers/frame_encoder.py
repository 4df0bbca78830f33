"""A small convolutional network that reads each frame of a video."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.cost import Cost, dense
from kerasseq.params.spec import positive_int

Tensor = Any
_WIDTHS = (16, 32, 64)  # of the convolutions, each of which halves height and width


@keras.saving.register_keras_serializable("kerasseq")
class FrameEncoder(keras.layers.Layer):
    """Features of each frame of a video, by a small convolutional network.

    Three convolutions of 3 x 3 pixels and stride 2, each with layer normalisation over its filters
    (which, unlike batch normalisation, does not mix frames with padding) and ReLU, and a dense
    layer.

    Args:
        features: Number of features of a frame.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        frames: (batch, timesteps, height, width, channels).

    Output shape:
        (batch, timesteps, features), with the mask of the frames.

    Raises:
        ValueError: If `features` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> FrameEncoder(5)(np.ones((2, 3, 8, 8, 1), "float32")).shape == (2, 3, 5)
    True
    """

    def __init__(self, features: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = positive_int("features", features)
        self.supports_masking = True
        shared = {"dtype": self.dtype_policy}
        self.convolutions = [
            keras.layers.Conv2D(
                width, 3, 2, "same", use_bias=False, name=f"conv_{number}", **shared
            )
            for number, width in enumerate(_WIDTHS, 1)
        ]
        self.norms = [
            keras.layers.LayerNormalization(name=f"norm_{number}", **shared)
            for number in range(1, len(_WIDTHS) + 1)
        ]
        self.dense = keras.layers.Dense(features, name="dense", **shared)

    def build(self, frames_shape: Any) -> None:
        """Create the weights of the network."""
        shape = (None, *frames_shape[2:])
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build(shape)
            shape = tuple(convolution.compute_output_shape(shape))
            norm.build(shape)
        self.dense.build((None, shape[1] * shape[2] * shape[3]))
        self.built = True

    def call(self, frames: Tensor) -> Tensor:
        """Encode (batch, timesteps, height, width, channels); see the class."""
        batch, timesteps = ops.shape(frames)[:2]
        # All frames side by side: `keras.layers.TimeDistributed` may keep the length of a trace.
        encoded = self.encode(ops.reshape(frames, (-1, *frames.shape[2:])))
        return ops.reshape(encoded, (batch, timesteps, self.features))

    def encode(self, images: Tensor) -> Tensor:
        """Encode frames side by side: (frames, height, width, channels) to (frames, features)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            images = ops.relu(norm(convolution(images)))
        return self.dense(ops.reshape(images, (-1, self.dense.kernel.shape[0])))

    def compute_mask(self, frames: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """The mask of the frames."""
        return mask

    def compute_output_shape(self, frames_shape: Any) -> Any:
        """(batch, timesteps, features)."""
        return *frames_shape[:2], self.features

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "features": self.features}


def frame_encoder_cost(
    height: int, width: int, channels: int, features: int, timesteps: int
) -> Cost:
    """Parameters and multiply-accumulates of `FrameEncoder`, for a sequence of `timesteps`.

    >>> frame_encoder_cost(8, 8, 1, features=5, timesteps=1)
    Cost(params=23733, macs=39488)
    """
    cost = Cost()
    for filters in _WIDTHS:
        height, width = -(-height // 2), -(-width // 2)
        cost += dense(9 * channels, filters, timesteps * height * width, bias=False)
        cost += Cost(2 * filters)  # gain and offset of the normalisation
        channels = filters
    return cost + dense(height * width * channels, features, timesteps)
