"""Vectors of words, computed from their characters."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.pooling import SequencePooling
from kerasseq.params.spec import positive_int

__all__ = ["CharacterEncoder"]

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class CharacterEncoder(keras.layers.Layer):
    """Compute a vector for each word from its characters, all words of a batch at once.

    Words and sentences are merged into one axis of rows, so that the encoder sees (rows,
    characters, embedding), whatever the length of the sentences.

    Args:
        encoder: A recurrent layer that returns its last output, or a `keras.layers.Conv1D`, whose
            outputs are pooled by their maximum over the characters of a word.
        characters: Number of characters; 0 is padding.
        embedding: Width of the character embedding.
        dropout: Dropout rate on the embedded characters.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch, words, characters), padded on the right with 0.
        training: Whether dropout is active.

    Output shape:
        (batch, words, width of the encoder's outputs).

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import kerasseq, numpy as np
        >>> encoder = kerasseq.lstm(4, bidirectional=True)
        >>> characters = CharacterEncoder(encoder, characters=30, embedding=3)
        >>> characters(np.ones((2, 5, 7), "int32")).shape == (2, 5, 8)
        True

    Reference: Lample et al. (2016), arXiv 1603.01360, for a recurrent encoder; Ma & Hovy (2016),
    arXiv 1603.01354, for a convolution.
    """

    def __init__(
        self,
        encoder: Any,
        *,
        characters: int,
        embedding: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        self.characters = positive_int("characters", characters)
        self.width = positive_int("embedding", embedding)
        self.embedding = keras.layers.Embedding(
            characters, embedding, name="embedding", dtype=self.dtype_policy
        )
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.pooling = None
        if isinstance(encoder, keras.layers.Conv1D):
            self.pooling = SequencePooling("max", name="pooling", dtype=self.dtype_policy)

    def build(self, ids_shape: Any) -> None:
        """Build the embedding and the encoder."""
        self.embedding.build((None, ids_shape[-1]))
        if not self.encoder.built:  # a layer from a file is built
            self.encoder.build((None, ids_shape[-1], self.width))
        self.built = True

    def call(self, ids: Tensor, training: bool = False) -> Tensor:
        """Encode (batch, words, characters); see the class."""
        batch, words, characters = ops.shape(ids)
        encoded = self.encode(ops.reshape(ids, (-1, characters)), training)
        return ops.reshape(encoded, (batch, words, encoded.shape[-1]))

    def encode(self, rows: Tensor, training: bool = False) -> Tensor:
        """Encode words side by side: (rows, characters) to (rows, width)."""
        mask = ops.not_equal(rows, 0)
        embedded = self.dropout(self.embedding(rows), training=training)
        # A convolution at the last character of a word reads zeros, however wide the padding is.
        embedded = embedded * ops.cast(ops.expand_dims(mask, -1), embedded.dtype)
        if self.pooling is None:
            return self.encoder(embedded, mask=mask, training=training)
        return self.pooling(self.encoder(embedded), mask=mask)

    def compute_output_shape(self, ids_shape: Any) -> Any:
        """(batch, words, width)."""
        encoded = self.encoder.compute_output_shape((None, ids_shape[-1], self.width))
        return (*ids_shape[:-1], encoded[-1])

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument; the encoder as its config."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "characters": self.characters,
            "embedding": self.width,
            "dropout": self.dropout.rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CharacterEncoder:
        """Make a layer from a config."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
