"""Base class of caption decoders: from an image and the previous words to the next word."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.decoders.words import State, Tensor, WordDecoder


class CaptionDecoder(WordDecoder):
    """Base class of caption decoders; subclasses differ in where the image enters the network.

    Known captions are read in one call (teacher forcing), generated ones word by word, by the same
    code: `start` makes the state from images, and `read` advances it over any number of words.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        words: Size of the vocabulary; word 0 is padding.
        embedding: Width of the embedding.
        encoder: A Keras model from pixels to features; without one, `image` holds features.
        tie_embeddings: Whether the last layer shares its matrix with the embedding.
        dropout: Dropout rate before the last layer.
        embedding_dropout: Dropout rate of the embedded words.
        image_dropout: Dropout rate of the features of the image.
        scheduled_sampling: Share of the words that are replaced by the decoder's predictions in
            training (Bengio et al. 2015, arXiv 1506.03099, in two passes as Mihaylova & Martins
            2019, arXiv 1906.07651).
        seed: Seed of the choice of these words.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        image: (batch, features), (batch, regions, features), or inputs of the encoder.
        tokens: int (batch, timesteps), the start token and the words, padded on the right.
        training: Whether to apply dropout and scheduled sampling.

    Output shape:
        (batch, timesteps, words), logits of the word after each token.

    Raises:
        ValueError: If a size is not a positive integer, or `scheduled_sampling` is not in [0, 1].
    """

    def __init__(
        self,
        recurrent: Any,
        *,
        words: int,
        embedding: int,
        encoder: Any = None,
        tie_embeddings: bool = False,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        image_dropout: float = 0.0,
        scheduled_sampling: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            recurrent, words=words, embedding=embedding, tie_embeddings=tie_embeddings, **kwargs
        )
        if not 0 <= scheduled_sampling <= 1:
            raise ValueError(
                "`scheduled_sampling` must be a share from 0 to 1. "
                f"Received: scheduled_sampling={scheduled_sampling!r}"
            )
        self.encoder, self.scheduled_sampling, self.seed = encoder, scheduled_sampling, seed
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.embedding_dropout = keras.layers.Dropout(embedding_dropout, name="embedding_dropout")
        self.image_dropout = keras.layers.Dropout(image_dropout, name="image_dropout")
        self.seed_generator = keras.random.SeedGenerator(seed=seed)

    def build(self, image_shape: Any, tokens_shape: Any) -> None:
        """Build the layers for features of the given shape."""
        if self.encoder is not None:
            image_shape = self.encoder.compute_output_shape(image_shape)
        output = self.build_recurrent(tokens_shape)
        self.build_logits(self.build_image(image_shape[-1], output))
        self.built = True

    def build_image(self, features: int, output: int) -> int:
        """Build the layers that connect the image to the recurrent layer and to the logits.

        Args:
            features: Width of the features of the image, or of each region.
            output: Width of the outputs of the recurrent layer.

        Returns:
            The width of the tensor that `join` returns.
        """
        raise NotImplementedError

    def initial_state(self, image: Tensor, training: bool) -> State:
        """The state before the first word, from (batch[, regions], features)."""
        raise NotImplementedError

    def inputs(self, embedded: Tensor, state: State) -> Tensor:
        """Inputs of the recurrent layer, from embedded words (batch, timesteps, width)."""
        return embedded

    def join(self, output: Tensor, state: State) -> Tensor:
        """Inputs of the last layer, from recurrent outputs (batch, timesteps, width)."""
        return output

    def call(self, image: Tensor, tokens: Tensor, training: bool = False) -> Tensor:
        """Logits of the next word after each token, (batch, timesteps, words)."""
        state = self.start(image, training=training)
        if training and self.scheduled_sampling:
            # Scheduled sampling in two passes: predict all words from the true ones, replace a
            # random share of the inputs by these predictions, then compute the logits.
            predicted = ops.argmax(self.read(tokens, state, training=True)[0][:, :-1], axis=-1)
            uniform = keras.random.uniform(ops.shape(predicted), seed=self.seed_generator)
            replaced = ops.logical_and(uniform < self.scheduled_sampling, tokens[:, 1:] != 0)
            following = ops.where(replaced, ops.cast(predicted, tokens.dtype), tokens[:, 1:])
            tokens = ops.concatenate([tokens[:, :1], following], axis=1)
        return self.read(tokens, state, training=training)[0]

    def start(self, image: Tensor, training: bool = False) -> State:
        """The state before the first word: nested tensors, (batch, ...) each.

        Args:
            image: As in `call`.
            training: Whether to apply dropout.
        """
        if self.encoder is not None:
            image = self.encoder(image, training=training)
        image = ops.cast(image, self.compute_dtype)
        if len(image.shape) == 4:  # rows and columns of regions
            image = ops.reshape(image, (-1, image.shape[1] * image.shape[2], image.shape[3]))
        return self.initial_state(self.image_dropout(image, training=training), training)

    def read(self, tokens: Tensor, state: State, training: bool = False) -> tuple[Tensor, State]:
        """Read (batch, timesteps) tokens: logits after each of them, and the state after all.

        Parts of the state that do not change are returned as the same tensor, so that beam search
        need not reorder them.
        """
        embedded = self.embedding_dropout(self.embedding(tokens), training=training)
        output, states = self.run(self.inputs(embedded, state), state["states"], training)
        joint = self.dropout(self.join(output, state), training=training)
        return self.logits(joint), {**state, "states": states}

    def compute_output_shape(self, image_shape: Any, tokens_shape: Any) -> Any:
        """Shape of the logits, (batch, timesteps, words)."""
        return (*tokens_shape, self.words)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument; layers as configs."""
        encoder = self.encoder
        return {
            **super().get_config(),
            "encoder": None if encoder is None else keras.saving.serialize_keras_object(encoder),
            "dropout": self.dropout.rate,
            "embedding_dropout": self.embedding_dropout.rate,
            "image_dropout": self.image_dropout.rate,
            "scheduled_sampling": self.scheduled_sampling,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CaptionDecoder:
        """Make a decoder from a config."""
        if config["encoder"] is not None:
            encoder = keras.saving.deserialize_keras_object(config["encoder"])
            config = {**config, "encoder": encoder}
        decoder: CaptionDecoder = super().from_config(config)
        return decoder


def mean_features(image: Tensor) -> Tensor:
    """One feature vector per image, (batch, features): the mean over regions, if any."""
    return ops.mean(image, axis=1) if len(image.shape) == 3 else image
