"""Base class of decoders of words: an embedding, a recurrent layer, and logits of the next word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
State = dict[str, Any]
Step = Callable[[Tensor, State], tuple[Tensor, State]]


class WordDecoder(keras.layers.Layer):
    """Base class of decoders, which compute logits of the next word from the words so far.

    A subclass implements `read`, which advances the state over any number of words.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        words: Size of the vocabulary; word 0 is padding.
        embedding: Width of the embedding.
        tie_embeddings: Whether the last layer shares its matrix with the embedding (Press & Wolf
            2017, arXiv 1608.05859).
        embedding_deviation: Standard deviation of the initial embedding; None for Keras's.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(
        self,
        recurrent: Any,
        *,
        words: int,
        embedding: int,
        tie_embeddings: bool = False,
        embedding_deviation: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        initializer: Any = "uniform"
        if embedding_deviation is not None:
            initializer = keras.initializers.RandomNormal(stddev=embedding_deviation)
        self.recurrent, self.tie_embeddings = recurrent, tie_embeddings
        self.words, self.width = positive_int("words", words), positive_int("embedding", embedding)
        self.embedding = keras.layers.Embedding(
            words,
            embedding,
            embeddings_initializer=initializer,
            name="embedding",
            dtype=self.dtype_policy,
        )

    def build_recurrent(self, tokens_shape: Any) -> int:
        """Build the embedding and the recurrent layer; returns the width of the outputs."""
        self.embedding.build(tokens_shape)
        shape = (None, None, self.recurrent_inputs())
        if not self.recurrent.built:  # a layer from a file is built
            self.recurrent.build(shape)
        output, *states = self.recurrent.compute_output_shape(shape)
        self.state_widths = [state[-1] for state in states]
        width: int = output[-1]
        return width

    def build_logits(self, joint: int) -> None:
        """Build the last layer, for inputs of the given width."""
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

    def recurrent_inputs(self) -> int:
        """Width of the inputs of the recurrent layer."""
        return self.width

    def first_states(self, rows: Tensor) -> list[Tensor]:
        """The initial states of the recurrent layer for a number of rows, a scalar tensor."""
        no_words = ops.zeros((rows, 0, self.recurrent_inputs()), self.compute_dtype)
        _, *states = self.recurrent(no_words)
        return states

    def first_states_of(self, rows: Tensor) -> list[Tensor]:
        """The initial states of the recurrent layer for each row of a tensor, (rows, width).

        As `first_states`, of which no size needs to be known, so that it can be exported.
        """
        zeros = ops.sum(ops.zeros_like(rows, dtype=self.compute_dtype), axis=1, keepdims=True)
        return [zeros + state for state in self.first_states(1)]

    def run(
        self, inputs: Tensor, states: list[Tensor], training: bool, mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs of the recurrent layer, and its states, which keep their dtypes for loops."""
        output, *new = self.recurrent(inputs, initial_state=states, mask=mask, training=training)
        return output, [ops.cast(a, b.dtype) for a, b in zip(new, states, strict=True)]

    @property
    def last_weights(self) -> tuple[Any, Any]:
        """Matrix and bias of the last layer; a tied matrix is (words, width)."""
        return self.embedding.embeddings if self.tie_embeddings else self.kernel, self.bias

    def logits(self, joint: Tensor) -> Tensor:
        """Logits, float32, (batch, timesteps, words), from the inputs of the last layer."""
        matrix, bias = self.last_weights
        matrix = ops.transpose(matrix) if self.tie_embeddings else matrix
        logits = ops.matmul(joint, ops.cast(matrix, joint.dtype)) + ops.cast(bias, joint.dtype)
        return ops.cast(logits, "float32")

    def read(self, tokens: Tensor, state: State, training: bool = False) -> tuple[Tensor, State]:
        """Read (batch, timesteps) tokens: logits after each of them, and the state after all."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token: logits of the next word, (batch, words), and the new state.

        Args:
            tokens: int (batch,), the token after those that the state has read.
            state: State from `start` or the last `step`.
        """
        logits, state = self.read(tokens[:, None], state)
        return logits[:, 0], state

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument; layers as configs."""
        return {
            **super().get_config(),
            "recurrent": keras.saving.serialize_keras_object(self.recurrent),
            "words": self.words,
            "embedding": self.width,
            "tie_embeddings": self.tie_embeddings,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WordDecoder:
        """Make a decoder from a config."""
        recurrent = keras.saving.deserialize_keras_object(config["recurrent"])
        return cls(**{**config, "recurrent": recurrent})
