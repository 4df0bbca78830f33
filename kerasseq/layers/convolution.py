"""A convolution over padded sequences, which can shorten them and go on from sample to sample."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.sequence_mask import zero_masked
from kerasseq.params.spec import positive_int

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class SequenceConvolution(keras.layers.Layer):
    """A strided convolution over time, batch normalisation and ReLU, unaffected by padding.

    Output j stands at timestep j * stride, whatever the length of the batch, and masked timesteps
    are zeros: `keras.layers.Conv1D` with padding "same" places its windows by the padded length, so
    that more padding changes its outputs. Masked timesteps are no part of the statistics of batch
    normalisation either (Ioffe and Szegedy 2015, arXiv 1502.03167).

    Args:
        filters: Width of the outputs.
        kernel_size: Timesteps that an output reads.
        stride: Timesteps between two outputs.
        causal: Whether the window of an output ends at the timestep where the output stands; else
            that timestep is in the middle of the window.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, channels).
        mask: (batch, timesteps) booleans, True up to the end of each sequence.
        training: Whether batch normalisation uses the statistics of the batch.

    Output shape:
        (batch, ceil(timesteps / stride), filters), with the mask of every `stride`-th timestep.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> SequenceConvolution(4, stride=2)(np.ones((2, 5, 3), "float32")).shape == (2, 3, 4)
    True
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 5,
        stride: int = 1,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive_int("filters", filters)
        self.kernel_size = positive_int("kernel_size", kernel_size)
        self.stride = positive_int("stride", stride)
        self.causal = bool(causal)
        self.supports_masking = True
        self.convolution = keras.layers.Conv1D(
            filters,
            kernel_size,
            stride,
            use_bias=False,
            kernel_initializer="he_normal",
            name="convolution",
            dtype=self.dtype_policy,
        )
        self.norm = keras.layers.BatchNormalization(
            momentum=0.9, name="norm", dtype=self.dtype_policy
        )

    def build(self, sequences_shape: Any) -> None:
        """Create the kernel and the weights of batch normalisation."""
        self.convolution.build((None, None, sequences_shape[-1]))
        self.norm.build((None, None, self.filters))
        self.built = True

    def call(self, sequences: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Convolve (batch, timesteps, channels); see the class."""
        before = self.kernel_size - 1 if self.causal else (self.kernel_size - 1) // 2
        padding = [[0, 0], [before, self.kernel_size - 1 - before], [0, 0]]
        outputs = self.convolution(ops.pad(zero_masked(sequences, mask), padding))
        mask = self.compute_mask(sequences, mask)
        outputs = ops.relu(self.norm(outputs, training=training, mask=mask))
        return zero_masked(outputs, mask)

    def start(self, rows: int) -> Tensor:
        """The inputs that a stream has read before its first sample: zeros."""
        channels = self.convolution.kernel.shape[1]
        return ops.zeros((rows, self.kernel_size - 1, channels), self.compute_dtype)

    def step(self, samples: Tensor, before: Tensor, read: int) -> tuple[Tensor, Tensor]:
        """Outputs for the next samples of a stream, as `call` gives them for the whole.

        Args:
            samples: (batch, n, channels).
            before: the last `kernel_size` - 1 samples before them; see `start`.
            read: number of samples before them, which says where the next output stands.

        Returns:
            Outputs, (batch, m, filters), of which there may be none, and the new `before`.
        """
        inputs = ops.concatenate([before, ops.cast(samples, self.compute_dtype)], axis=1)
        first = -read % self.stride  # sample at which the next output stands
        before = inputs[:, inputs.shape[1] - self.kernel_size + 1 :]
        if first >= samples.shape[1]:
            return ops.zeros((samples.shape[0], 0, self.filters), self.compute_dtype), before
        outputs = self.convolution(inputs[:, first:])
        return ops.relu(self.norm(outputs, training=False)), before

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """The mask of every `stride`-th timestep."""
        return None if mask is None else mask[:, :: self.stride]

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        """(batch, ceil(timesteps / stride), filters)."""
        batch, timesteps, _ = sequences_shape
        return batch, None if timesteps is None else -(-timesteps // self.stride), self.filters

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "causal": self.causal,
        }
        return {**super().get_config(), **config}
