"""A captioner: from a picture to a sentence, word by word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasseq import layers
from kerasseq.params import count
from kerasseq.params.spec import positive

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
    """The sizes of a captioner, from which it is counted and built.

    Args:
        words: how many words there are; 0 is padding.
        features: how many numbers there are of a picture, or of each of its regions.
        decoder: where the picture comes in: "merge" (after the recurrent layer), "init" (as its
            first states), "pre" (as its first word), "par" (beside each word) or "attention" (some
            regions of it, after the recurrent layer); see `kerasseq.layers`.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: levels of the recurrent layer.
        embedding: width of embedded words, and of the layer in which picture and words meet.
        regions: whether a picture comes as regions, whose mean is taken unless the decoder is
            "attention"; of no meaning where there is an encoder.
        tied: whether the last layer shares its matrix with the embedding.
        dropout: dropout before the last layer.
        embedding_dropout: dropout on embedded words.
        picture_dropout: dropout on the features of the picture.
        scheduled: share of the words that are the model's own guesses in training.
        encoder: a Keras model from pixels to features, (features,) or (rows, columns, features); it
            becomes part of the captioner, and is trained as far as it is trainable.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs:
        `picture`, (batch, features), (batch, regions, features), or what the encoder takes;
        `tokens`, int (batch, timesteps), the start and the words of a caption, padded on the right
        with 0.

    Model output:
        (batch, timesteps, words), logits of the word after each token; see `WordLoss`.

    The layer "decoder" of the model has `start(picture) -> state` and
    `step(tokens, state) -> (logits, state)`, for `kerasseq.decoding`.

    Raises:
        ValueError: if a size is out of range, or sizes exclude each other.

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
    tied: bool = False
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    picture_dropout: float = 0.0
    scheduled: float = 0.0
    encoder: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("words", "features", "units", "depth", "embedding"):
            positive(name, getattr(self, name))
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
        shape = self._encoded
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
        if self.tied and self._counted[2] != self.embedding:
            raise ValueError(
                f"`tied` needs outputs as wide as the embedding. Received: "
                f"embedding={self.embedding}, and outputs that are {self._counted[2]} wide. "
                "Make `embedding` and `units` equal."
            )

    def count(self) -> int:
        """The parameters of the model, those of the encoder among them."""
        picture, recurrent, joint = self._counted
        head = self.words + (0 if self.tied else joint * self.words)
        encoder = 0 if self.encoder is None else self.encoder.count_params()
        return self.words * self.embedding + picture + recurrent + head + encoder

    def build(self) -> keras.Model:
        """The model, untrained and not compiled; its layers have fixed names."""
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
            tied=self.tied,
            dropout=self.dropout,
            embedding_dropout=self.embedding_dropout,
            picture_dropout=self.picture_dropout,
            scheduled=self.scheduled,
            name="decoder",
        )
        shape = self._encoded if self.encoder is None else self.encoder.input_shape[1:]
        inputs = {
            "picture": keras.Input(shape, name="picture"),
            "tokens": keras.Input((None,), dtype="int32", name="tokens"),
        }
        return keras.Model(inputs, decoder(inputs["picture"], inputs["tokens"]), name="captioner")

    @property
    def _encoded(self) -> tuple[int | None, ...]:
        """The shape of the features of a picture."""
        if self.encoder is not None:
            return tuple(self.encoder.output_shape[1:])
        return (None, self.features) if self.regions else (self.features,)

    @property
    def _counted(self) -> tuple[int, int, int]:
        """Parameters that bring the picture in, those of the recurrent layer, and the width of
        what the last layer sees."""
        width = self.embedding
        inputs = 2 * width if self.decoder == "par" else width
        found = count(self.cell, inputs, self.units, depth=self.depth, **self.options)
        output = found.levels[-1].output
        features = self.features + 1  # and a bias
        to_states = features * sum(sum(level.states) for level in found.levels)
        meet = features * width + (output + 1) * width
        look = (output + width + 2) * width + (
            width + 1
        ) * width  # with bias and scorer; what is seen
        picture = {
            "merge": meet,
            "init": to_states,
            "pre": features * width,
            "par": features * width,
            "attention": to_states + meet + look,
        }
        joint = width if self.decoder in ("merge", "attention") else output
        return picture[self.decoder], found.total, joint
