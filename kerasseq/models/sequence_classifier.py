"""A classifier, or a regression, of sequences of numbers or of frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasseq import layers
from kerasseq.layers.augment import ChannelScaling, TimeCrop, TimeWarp
from kerasseq.layers.convolution import SequenceConvolution
from kerasseq.layers.frame_encoder import FrameEncoder, frame_encoder_cost
from kerasseq.layers.pooling import MODES
from kerasseq.layers.sequence_mask import SequenceMask
from kerasseq.models.pooled_head import pooled_head, pooled_head_cost
from kerasseq.params import count
from kerasseq.params.cost import Cost, dense, over_time
from kerasseq.params.spec import positive_int

__all__ = ["SequenceClassifierConfig"]

_SIZES = (
    *("channels", "targets", "units", "depth", "filters", "kernel_size", "stride"),
    "frame_features",
)
#: Strengths of augmentation, in the order in which it is applied, and the layer of each.
_AUGMENTATIONS: Mapping[str, Any] = {
    "cropping": TimeCrop,
    "time_warp": TimeWarp,
    "scaling": ChannelScaling,
    "jitter": keras.layers.GaussianNoise,
    "channel_dropout": keras.layers.SpatialDropout1D,
}
_SHARES = ("cropping", "channel_dropout", "dropout")


@dataclass(frozen=True)
class SequenceClassifierConfig:
    """Config of a classifier or a regression of sequences, from which it is counted and built.

    Sequences may pass strided convolutions, which shorten them; a recurrent stack reads them, its
    outputs are pooled over time, and a dense layer gives the logits of the classes, or numbers.
    Timesteps that are images are encoded by a small convolutional network first, which is trained
    with the rest. Padding never changes an output.

    Args:
        channels: numbers of a timestep, or of a pixel if timesteps are images.
        classes: number of classes; 0 for a regression. Two classes have one logit.
        targets: number of values to predict, if it is a regression.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: number of stacked recurrent layers.
        bidirectional: whether each layer runs in both directions.
        pooling: "last", "mean", "max" or "attention", or several joined by "+" and concatenated.
        convolutions: number of convolutions before the recurrent stack.
        filters: width of each convolution.
        kernel_size: timesteps that an output of a convolution reads.
        stride: timesteps between two outputs of a convolution.
        causal: whether a convolution reads no later timestep; then the model can be stepped through
            a stream, see `SequenceStream`.
        frame: height and width of the images in pixels; None if timesteps are vectors.
        frame_features: number of features of each image.
        jitter: standard deviation of the noise that is added to all values in training.
        scaling: standard deviation of the factors of channels in training; see `ChannelScaling`.
        time_warp: strength of the warping of time in training; see `TimeWarp`.
        cropping: largest share of a sequence that is cropped in training; see `TimeCrop`.
        channel_dropout: share of the channels that are set to zero in training, in all timesteps.
        dropout: dropout rate before the output layer.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs:
        `sequences`, float (batch, timesteps, channels), or (batch, timesteps, height, width,
        channels) if timesteps are images, padded on the right; and `lengths`, int (batch,), the
        number of timesteps of each sequence, at least 1.

    Model output:
        Logits, (batch, 1) of the second class if there are two, else (batch, classes); or numbers,
        (batch, targets).

    Raises:
        ValueError: if a value is out of range, or values are incompatible.

    Example:

    >>> sizes = SequenceClassifierConfig(channels=9, classes=5, units=8, convolutions=1)
    >>> sizes.count() == sizes.build().count_params()
    True
    """

    channels: int
    classes: int = 0
    targets: int = 1
    cell: str = "gru"
    units: int = 64
    depth: int = 1
    bidirectional: bool = True
    pooling: str = "max+mean"
    convolutions: int = 0
    filters: int = 64
    kernel_size: int = 5
    stride: int = 2
    causal: bool = False
    frame: tuple[int, int] | None = None
    frame_features: int = 64
    jitter: float = 0.0
    scaling: float = 0.0
    time_warp: float = 0.0
    cropping: float = 0.0
    channel_dropout: float = 0.0
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _SIZES:
            positive_int(name, getattr(self, name))
        if self.classes == 1 or self.classes < 0:
            raise ValueError(
                "`classes` must be at least 2, or 0 for a regression. "
                f"Received: classes={self.classes!r}"
            )
        if self.convolutions < 0:
            raise ValueError(
                f"`convolutions` must not be negative. Received: convolutions={self.convolutions!r}"
            )
        unknown = [mode for mode in self.pooling.split("+") if mode not in MODES]
        if unknown or len({*self.pooling.split("+")}) < len(self.pooling.split("+")):
            raise ValueError(
                f"`pooling` must be one of {', '.join(MODES)}, or several different ones joined by "
                f"'+'. Received: pooling={self.pooling!r}"
            )
        for name in (*_AUGMENTATIONS, "dropout"):
            value = getattr(self, name)
            if value < 0 or (name in _SHARES and value >= 1):
                most = " and below 1" if name in _SHARES else ""
                raise ValueError(f"`{name}` must be at least 0{most}. Received: {name}={value!r}")
        if self.causal and self.bidirectional:
            raise ValueError(
                "`causal` excludes `bidirectional`, which reads later timesteps first. Received: "
                "causal=True, bidirectional=True"
            )
        augmented = [name for name in _AUGMENTATIONS if getattr(self, name)]
        if self.frame is not None:
            for name, size in zip(("height", "width"), self.frame, strict=True):
                positive_int(f"{name} of frame", size)
            if augmented:
                raise ValueError(
                    f"Images are not augmented: leave out {', '.join(augmented)}, or `frame`. "
                    f"Received: frame={self.frame!r}"
                )

    @property
    def outputs(self) -> int:
        """Number of outputs of the model for each sequence."""
        if not self.classes:
            return self.targets
        return 1 if self.classes == 2 else self.classes

    @property
    def logits(self) -> int:
        """Number of logits for each sequence; of a regression, the number of values."""
        return self.outputs

    @property
    def streamable(self) -> bool:
        """Whether the model reads no later timestep, so that it can be stepped through a stream."""
        return not self.bidirectional and (self.causal or not self.convolutions)

    @property
    def features(self) -> int:
        """Numbers of a timestep, after the frames are encoded."""
        return self.channels if self.frame is None else self.frame_features

    def steps(self, timesteps: int) -> int:
        """Number of timesteps that the recurrent stack reads of a sequence of `timesteps`.

        >>> SequenceClassifierConfig(channels=9, convolutions=2).steps(10)
        3
        """
        for _ in range(self.convolutions):
            timesteps = -(-timesteps // self.stride)
        return timesteps

    def count(self) -> int:
        """Number of parameters of the model, with the statistics of its normalisations."""
        return self._cost(1).params

    def macs(self, timesteps: int) -> int:
        """Multiply-accumulates with a weight, for one sequence of `timesteps`.

        >>> SequenceClassifierConfig(channels=3, cell="mingru", units=4, pooling="last").macs(10)
        488
        """
        return self._cost(timesteps).macs

    def _cost(self, timesteps: int) -> Cost:
        """Parameters and MACs of the model, for a sequence of `timesteps`."""
        cost = Cost()
        if self.frame is not None:
            cost += frame_encoder_cost(*self.frame, self.channels, self.frame_features, timesteps)
        width = self.features
        for _ in range(self.convolutions):
            timesteps = -(-timesteps // self.stride)
            cost += dense(self.kernel_size * width, self.filters, timesteps, bias=False)
            # Gain, offset, mean and variance of batch normalisation.
            cost += Cost(4 * self.filters)
            width = self.filters
        recurrent = count(
            self.cell,
            width,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            **self.options,
        )
        cost += over_time(recurrent, timesteps)
        width = recurrent.levels[-1].output
        return cost + pooled_head_cost(width, self.pooling, self.outputs, timesteps)

    def build(self) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names."""
        shape = (None, *(self.frame or ()), self.channels)
        inputs = {
            "sequences": keras.Input(shape, name="sequences"),
            "lengths": keras.Input((), dtype="int32", name="lengths"),
        }
        sequence = SequenceMask(name="mask")([inputs["sequences"], inputs["lengths"]])
        if self.frame is not None:
            sequence = FrameEncoder(self.frame_features, name="frames")(sequence)
        for name, layer in _AUGMENTATIONS.items():
            if getattr(self, name):
                sequence = layer(getattr(self, name), name=name)(sequence)
        for number in range(1, self.convolutions + 1):
            sequence = SequenceConvolution(
                self.filters,
                self.kernel_size,
                self.stride,
                self.causal,
                name=f"convolution_{number}",
            )(sequence)
        sequence = self.recurrent()(sequence)
        outputs = pooled_head(
            sequence, self.pooling, self.outputs, name="logits", dropout=self.dropout
        )
        return keras.Model(inputs, outputs, name="sequence_classifier")

    def recurrent(self, **arguments: Any) -> Any:
        """The recurrent stack, not built.

        Args:
            **arguments: further arguments of `kerasseq.rnn`, such as `return_state`.
        """
        return layers.rnn(
            self.cell,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            return_sequences=True,
            name="recurrent",
            **self.options,
            **arguments,
        )
