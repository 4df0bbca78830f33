"""What decoders of captions share: from an image and the words so far to the word that follows."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
State = dict[str, Any]


class CaptionDecoder(keras.layers.Layer):
    """Base of the decoders, which differ in how the image comes in.

    It runs over all words of known captions in one go, or from word to word, by the same code:
    `start` makes a state of images, and `read` takes that over any number of words.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        words: How many words there are; 0 is padding.
        embedding: Width of embedded words.
        encoder: A Keras model that makes features of pixels; without one, an image is features.
        tie_embeddings: Whether the last layer shares its matrix with the embedding.
        dropout: Dropout before the last layer.
        embedding_dropout: Dropout on embedded words.
        image_dropout: Dropout on the features of the image.
        scheduled_sampling: Share of the words that are replaced by the decoder's predictions in
            training (Bengio et al. 2015, arXiv 1506.03099, in two passes as Mihaylova & Martins
            2019, arXiv 1906.07651).
        seed: Of the choice of these.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        image: (batch, features), (batch, regions, features), or what the encoder takes.
        tokens: int (batch, timesteps), the start and the words of captions, padded on the right.
        training: Whether dropout is drawn and guesses are mixed in.

    Output shape:
        (batch, timesteps, words), logits of the word after each token.

    Raises:
        ValueError: If a size is not a positive integer, or `scheduled_sampling` is no share.
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
        super().__init__(**kwargs)
        if not 0 <= scheduled_sampling <= 1:
            raise ValueError(
                "`scheduled_sampling` must be a share from 0 to 1. "
                f"Received: scheduled_sampling={scheduled_sampling!r}"
            )
        self.recurrent, self.encoder = recurrent, encoder
        self.words, self.width = positive_int("words", words), positive_int("embedding", embedding)
        self.tie_embeddings, self.scheduled_sampling, self.seed = (
            tie_embeddings,
            scheduled_sampling,
            seed,
        )
        self.embedding = keras.layers.Embedding(
            words, embedding, name="embedding", dtype=self.dtype_policy
        )
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.embedding_dropout = keras.layers.Dropout(embedding_dropout, name="embedding_dropout")
        self.image_dropout = keras.layers.Dropout(image_dropout, name="image_dropout")
        self.seed_generator = keras.random.SeedGenerator(seed=seed)

    def build(self, image_shape: Any, tokens_shape: Any) -> None:
        """Sized by the features of an image."""
        if self.encoder is not None:
            image_shape = self.encoder.compute_output_shape(image_shape)
        self.embedding.build(tokens_shape)
        recurrent = (None, None, self.recurrent_inputs())
        if not self.recurrent.built:  # one that comes from a file is
            self.recurrent.build(recurrent)
        output, *states = self.recurrent.compute_output_shape(recurrent)
        self.state_widths = [shape[-1] for shape in states]
        joint = self.build_image(image_shape[-1], output[-1])
        if not self.tie_embeddings:
            self.kernel = self.add_weight(
                shape=(joint, self.words), name="kernel", initializer="glorot_uniform"
            )
        elif joint != self.width:
            raise ValueError(
                "`tie_embeddings` needs outputs as wide as the embedding, "
                f"{self.width}. Received: {joint}"
            )
        self.bias = self.add_weight(shape=(self.words,), name="bias", initializer="zeros")
        self.built = True

    def recurrent_inputs(self) -> int:
        """What the recurrent layer sees of each word."""
        return self.width

    def build_image(self, features: int, output: int) -> int:
        """Builds what brings the image in; gives the width of what `join` gives."""
        raise NotImplementedError

    def bring(self, image: Tensor, training: bool) -> State:
        """The state before the first word, from features."""
        raise NotImplementedError

    def inputs(self, embedded: Tensor, state: State) -> Tensor:
        """What the recurrent layer sees, from (batch, timesteps, width) embedded words."""
        return embedded

    def join(self, output: Tensor, state: State) -> Tensor:
        """What the last layer sees, from (batch, timesteps, width) outputs."""
        return output

    def call(self, image: Tensor, tokens: Tensor, training: bool = False) -> Tensor:
        """Logits after each token of known captions."""
        state = self.start(image, training=training)
        if training and self.scheduled_sampling:
            guessed = ops.argmax(self.read(tokens, state, training=True)[0][:, :-1], axis=-1)
            drawn = keras.random.uniform(ops.shape(guessed), seed=self.seed_generator)
            mixed = ops.logical_and(drawn < self.scheduled_sampling, tokens[:, 1:] != 0)
            after = ops.where(mixed, ops.cast(guessed, tokens.dtype), tokens[:, 1:])
            tokens = ops.concatenate([tokens[:, :1], after], axis=1)
        return self.read(tokens, state, training=training)[0]

    def start(self, image: Tensor, training: bool = False) -> State:
        """The state before the first word, a nest of tensors with the batch first.

        Args:
            image: See the class.
            training: Whether dropout is drawn.
        """
        if self.encoder is not None:
            image = self.encoder(image, training=training)
        image = ops.cast(image, self.compute_dtype)
        if len(image.shape) == 4:  # rows and columns of regions
            image = ops.reshape(image, (-1, image.shape[1] * image.shape[2], image.shape[3]))
        return self.bring(self.image_dropout(image, training=training), training)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits of the next word, (batch, words), and the state after one more token.

        Args:
            tokens: int (batch,), those that follow where the state is.
            state: What `start` or the last step gave.
        """
        logits, state = self.read(tokens[:, None], state)
        return logits[:, 0], state

    def read(self, tokens: Tensor, state: State, training: bool = False) -> tuple[Tensor, State]:
        """Logits after each of (batch, timesteps) tokens, and the state after all of them.

        What does not change is handed on as it is, the same tensor, so that a search need not put
        it in order.
        """
        embedded = self.embedding_dropout(self.embedding(tokens), training=training)
        output, *states = self.recurrent(
            self.inputs(embedded, state), initial_state=state["states"], training=training
        )
        # One form whatever comes first: loops carry it.
        states = [
            ops.cast(new, old.dtype) for new, old in zip(states, state["states"], strict=True)
        ]
        joint = self.dropout(self.join(output, state), training=training)
        matrix = ops.transpose(self.embedding.embeddings) if self.tie_embeddings else self.kernel
        logits = ops.matmul(joint, ops.cast(matrix, joint.dtype)) + ops.cast(self.bias, joint.dtype)
        return ops.cast(logits, "float32"), {**state, "states": states}

    def first_states(self, image: Tensor) -> list[Tensor]:
        """The initial states of the recurrent layer, for each row of an image."""
        nothing = ops.zeros((ops.shape(image)[0], 0, self.recurrent_inputs()), image.dtype)
        _, *states = self.recurrent(nothing)
        return states

    def compute_output_shape(self, image_shape: Any, tokens_shape: Any) -> Any:
        """(batch, timesteps, words)."""
        return (*tokens_shape, self.words)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument, layers as their own configs."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "recurrent": serialize(self.recurrent),
            "encoder": None if self.encoder is None else serialize(self.encoder),
            "words": self.words,
            "embedding": self.width,
            "tie_embeddings": self.tie_embeddings,
            "dropout": self.dropout.rate,
            "embedding_dropout": self.embedding_dropout.rate,
            "image_dropout": self.image_dropout.rate,
            "scheduled_sampling": self.scheduled_sampling,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CaptionDecoder:
        """The decoder of a config."""
        given = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("recurrent", "encoder")
            if config[name] is not None
        }
        return cls(**{**config, **given})


def pooled(image: Tensor) -> Tensor:
    """One vector of each image, (batch, features): the mean of its regions where it has any."""
    return ops.mean(image, axis=1) if len(image.shape) == 3 else image
