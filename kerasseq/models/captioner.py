"""A captioner: from an image to a sentence, word by word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasseq import layers
from kerasseq.models.image_encoder import image_macs
from kerasseq.params import Count, count
from kerasseq.params.cost import Cost, dense, over_time, table
from kerasseq.params.spec import positive_int

__all__ = ["Captioner"]

DECODERS = {
    "merge": layers.MergeDecoder,
    "init": layers.InitInjectDecoder,
    "pre": layers.PreInjectDecoder,
    "par": layers.ParInjectDecoder,
    "attention": layers.AttentionDecoder,
}


@dataclass(frozen=True)
class Captioner:
    """Config of a captioner, from which it is counted and built.

    Args:
        words: size of the vocabulary; word 0 is padding.
        features: how many numbers there are of an image, or of each of its regions.
        decoder: where the image comes in: "merge" (after the recurrent layer), "init" (as its
            first states), "pre" (as its first word), "par" (beside each word) or "attention" (some
            regions of it, after the recurrent layer); see `kerasseq.layers`.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: number of stacked recurrent layers.
        embedding: width of embedded words, and of the layer in which image and words meet.
        regions: whether an image comes as regions, whose mean is taken unless the decoder is
            "attention"; of no meaning where there is an encoder.
        tie_embeddings: whether the output layer shares its matrix with the embedding.
        dropout: dropout rate before the output layer.
        embedding_dropout: dropout rate on embedded words.
        image_dropout: dropout on the features of the image.
        scheduled_sampling: share of the input words that are the model's predictions in training.
        encoder: a Keras model from pixels to features, (features,) or (rows, columns, features); it
            becomes part of the captioner, and its trainable weights are trained.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs:
        `image`, (batch, features), (batch, regions, features), or what the encoder takes;
        `tokens`, int (batch, timesteps), the start and the words of a caption, padded on the right
        with 0.

    Model output:
        (batch, timesteps, words), logits of the next word after each token; see `WordLoss`.

    The layer "decoder" of the model has `start(image) -> state` and
    `step(tokens, state) -> (logits, state)`, for `kerasseq.generation`.

    Raises:
        ValueError: if a value is out of range, or values are incompatible.

    Example:

    >>> sizes = Captioner(words=50, features=16, units=4, embedding=8)
    >>> sizes.count() == sizes.build().count_params()
    True
    """

    words: int
    features: int
    decoder: str = "merge"
    cell: str = "gru"
    units: int = 256
    depth: int = 1
    embedding: int = 256
    regions: bool = False
    tie_embeddings: bool = False
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    image_dropout: float = 0.0
    scheduled_sampling: float = 0.0
    encoder: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("words", "features", "units", "depth", "embedding"):
            positive_int(name, getattr(self, name))
        if self.decoder not in DECODERS:
            raise ValueError(
                f"`decoder` must be one of {', '.join(DECODERS)}. "
                f"Received: decoder={self.decoder!r}"
            )
        if self.options.get("bidirectional"):
            raise ValueError(
                "A captioner cannot be bidirectional: it does not know the words that follow. "
                "Leave `bidirectional` out."
            )
        shape = self._feature_shape
        if shape[-1] != self.features:
            raise ValueError(
                f"`features` must be what the encoder gives, {shape[-1]}. "
                f"Received: features={self.features}"
            )
        if self.decoder == "attention" and len(shape) == 1:
            raise ValueError(
                "decoder='attention' needs regions to look at: features with regions=True, or an "
                "encoder that gives (rows, columns, features)."
            )
        joint = self._output_input_width(self._recurrent)
        if self.tie_embeddings and joint != self.embedding:
            raise ValueError(
                f"`tie_embeddings` needs outputs as wide as the embedding. Received: "
                f"embedding={self.embedding}, and outputs that are {joint} wide. "
                "Make `embedding` and `units` equal, or pass tie_embeddings=False."
            )

    def count(self) -> int:
        """Number of parameters of the model, including its encoder."""
        encoder = 0 if self.encoder is None else self.encoder.count_params()
        return self._cost(1, 1).params + encoder

    def macs(self, timesteps: int, regions: int | None = None) -> int:
        """Multiply-accumulates with a weight, for one image and one caption.

        Args:
            timesteps: tokens of the caption, including the start token.
            regions: how many there are of an image, where the decoder is "attention" and there is
                no encoder.

        >>> Captioner(words=50, features=16, decoder="pre", units=4, embedding=8).macs(5)
        1992
        """
        if self.encoder is not None:
            regions = math.prod(self.encoder.output_shape[1:-1])
        elif regions is None and self.decoder == "attention":
            raise ValueError("`regions` must be given where the decoder looks at them.")
        encoder = 0 if self.encoder is None else image_macs(self.encoder)
        return self._cost(timesteps, regions or 1).macs + encoder

    def build(self) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names."""
        recurrent = layers.rnn(
            self.cell,
            self.units,
            depth=self.depth,
            return_sequences=True,
            return_state=True,
            name="recurrent",
            **self.options,
        )
        decoder = DECODERS[self.decoder](
            recurrent,
            words=self.words,
            embedding=self.embedding,
            encoder=self.encoder,
            tie_embeddings=self.tie_embeddings,
            dropout=self.dropout,
            embedding_dropout=self.embedding_dropout,
            image_dropout=self.image_dropout,
            scheduled_sampling=self.scheduled_sampling,
            name="decoder",
        )
        shape = self._feature_shape if self.encoder is None else self.encoder.input_shape[1:]
        inputs = {
            "image": keras.Input(shape, name="image"),
            "tokens": keras.Input((None,), dtype="int32", name="tokens"),
        }
        return keras.Model(inputs, decoder(inputs["image"], inputs["tokens"]), name="captioner")

    @property
    def _feature_shape(self) -> tuple[int | None, ...]:
        """The shape of the features of an image."""
        if self.encoder is not None:
            return tuple(self.encoder.output_shape[1:])
        return (None, self.features) if self.regions else (self.features,)

    @property
    def _recurrent(self) -> Count:
        """The count of the recurrent layer."""
        inputs = 2 * self.embedding if self.decoder == "par" else self.embedding
        return count(self.cell, inputs, self.units, depth=self.depth, **self.options)

    def _output_input_width(self, recurrent: Count) -> int:
        """Width of the input of the output layer."""
        has_joint_layer = self.decoder in ("merge", "attention")
        return self.embedding if has_joint_layer else recurrent.levels[-1].output

    def _cost(self, timesteps: int, regions: int) -> Cost:
        """Parameters and MACs without the encoder, for a caption of `timesteps` tokens."""
        recurrent, width = self._recurrent, self.embedding
        words = timesteps + (self.decoder == "pre")  # of which the image is the first one
        cost = over_time(recurrent, words)
        cost += dense(self._output_input_width(recurrent), self.words, timesteps)
        if not self.tie_embeddings:  # tied, the embedding is the matrix of the output layer
            cost += table(self.words, width)
        return cost + self._image_cost(recurrent, timesteps, regions)

    def _image_cost(self, recurrent: Count, timesteps: int, regions: int) -> Cost:
        """What brings the image in."""
        width, output = self.embedding, recurrent.levels[-1].output
        to_states, to_width = dense(self.features, recurrent.states), dense(self.features, width)
        word_projection = dense(output, width, timesteps)
        if self.decoder == "init":
            return to_states
        if self.decoder == "merge":
            return to_width + word_projection
        if self.decoder != "attention":
            return to_width
        attention = (
            dense(output, width, timesteps, bias=False)  # queries
            + dense(width, width, regions)  # keys
            + dense(width, 1, timesteps * regions, bias=False)  # scores
        )
        context_projection = dense(width, width, timesteps)
        joint = dense(self.features, width, regions) + word_projection + context_projection
        return to_states + joint + attention
