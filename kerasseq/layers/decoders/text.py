"""Decoder of a language model: from the words so far to the next word."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.decoders.words import State, Step, Tensor, WordDecoder
from kerasseq.layers.token_dropout import TokenDropout

__all__ = ["TextDecoder"]


@keras.saving.register_keras_serializable("kerasseq")
class TextDecoder(WordDecoder):
    """Decoder of a language model, whose state can be carried from one piece of text to the next.

    Dropout is locked: one mask per sequence, the same for all its timesteps (Gal & Ghahramani 2016,
    arXiv 1512.05287). Where the matrix of the last layer is tied to the embedding and the outputs
    of the recurrent layer have another width, a linear projection makes them equally wide.

    Args:
        recurrent: A recurrent layer that returns sequences and states; not bidirectional.
        words: Size of the vocabulary; word 0 is padding.
        embedding: Width of the embedding.
        tie_embeddings: Whether the last layer shares its matrix with the embedding.
        dropout: Dropout rate before the last layer.
        embedding_dropout: Dropout rate of the embedded words.
        word_dropout: Share of the words that are replaced by the unknown word in training.
        activation_penalty: Factor of the mean square of the last layer's inputs, which is added to
            the loss in training.
        temporal_penalty: Factor of the mean square of the difference between neighbouring outputs
            of the recurrent layer, likewise (both: Merity et al. 2017, arXiv 1708.01009).
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        tokens: int (batch, timesteps).
        training: Whether to apply dropout.

    Output shape:
        (batch, timesteps, words), logits of the word after each token.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import kerasseq, numpy as np
    >>> recurrent = kerasseq.lstm(4, return_sequences=True, return_state=True)
    >>> decoder = TextDecoder(recurrent, words=9, embedding=3, tie_embeddings=True)
    >>> decoder(np.ones((2, 7), "int32")).shape == (2, 7, 9)
    True
    """

    def __init__(
        self,
        recurrent: Any,
        *,
        words: int,
        embedding: int,
        tie_embeddings: bool = False,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        activation_penalty: float = 0.0,
        temporal_penalty: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            recurrent,
            words=words,
            embedding=embedding,
            tie_embeddings=tie_embeddings,
            # Embedded words of length 1; with Keras's smaller ones, tied logits begin near zero,
            # and the first epochs are lost.
            embedding_deviation=embedding**-0.5,
            **kwargs,
        )
        # Drops whole features, the same ones at all timesteps: locked dropout.
        self.dropout = keras.layers.SpatialDropout1D(dropout, name="dropout")
        self.embedding_dropout = keras.layers.SpatialDropout1D(
            embedding_dropout, name="embedding_dropout"
        )
        self.word_dropout = TokenDropout(word_dropout, name="word_dropout")
        self.activation_penalty = activation_penalty
        self.temporal_penalty = temporal_penalty
        self.projection: Any = None

    def build(self, tokens_shape: Any) -> None:
        """Build all layers."""
        joint = self.build_recurrent(tokens_shape)
        if self.tie_embeddings and joint != self.width:
            self.projection = keras.layers.Dense(
                self.width, use_bias=False, name="projection", dtype=self.dtype_policy
            )
            self.projection.build((None, None, joint))
            joint = self.width
        self.build_logits(joint)
        self.built = True

    def call(self, tokens: Tensor, training: bool = False) -> Tensor:
        """Logits of the word after each token, from the initial state."""
        state = {"states": self.first_states_of(tokens)}
        return self.read(tokens, state, training=training)[0]

    def start(self, context: State) -> State:
        """The state before the first word of a generated text: the one after a prompt.

        Args:
            context: State that `read` has returned.
        """
        return {"states": [ops.cast(each, self.compute_dtype) for each in context["states"]]}

    def read(
        self, tokens: Tensor, state: State, training: bool = False, mask: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read (batch, timesteps) tokens: logits after each of them, and the state after all.

        Args:
            tokens: int (batch, timesteps).
            state: State before the first of them.
            training: Whether to apply dropout.
            mask: bool (batch, timesteps); the state skips tokens that it excludes.
        """
        features, state = self.features(tokens, state, training, mask)
        return self.logits(features), state

    def features(
        self, tokens: Tensor, state: State, training: bool = False, mask: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """As `read`, with the inputs of the last layer, (batch, timesteps, width), for logits."""
        embedded = self.embedding(self.word_dropout(tokens, training=training))
        embedded = self.embedding_dropout(embedded, training=training)
        output, states = self.run(embedded, state["states"], training, mask)
        joint = self.dropout(output, training=training)
        if training:
            self._penalise(output, joint, tokens)
        return self._project(joint), {"states": states}

    def _penalise(self, output: Tensor, joint: Tensor, tokens: Tensor) -> None:
        """Add the penalties to the losses, as means over the timesteps that are no padding."""
        real = tokens != 0
        if self.activation_penalty:
            self.add_loss(self.activation_penalty * _mean_square(joint, real))
        if self.temporal_penalty and output.shape[1] != 1:
            steps = output[:, 1:] - output[:, :-1]
            self.add_loss(self.temporal_penalty * _mean_square(steps, real[:, 1:]))

    def _project(self, output: Tensor) -> Tensor:
        """The inputs of the last layer from recurrent outputs."""
        return output if self.projection is None else self.projection(output)

    def stepper(self, tokens: int) -> Step:
        """A function like `step`, for a loop; it projects each word of the vocabulary only once.

        Args:
            tokens: Number of tokens that the loop reads. If the vocabulary has more words, or a
                cell is not of kerasseq, it is `step` itself.
        """
        levels = getattr(self.recurrent, "levels", [self.recurrent])
        cells: list[Any] = [getattr(level, "cell", None) for level in levels]
        plain = all(hasattr(cell, "call_projected") for cell in cells)
        if tokens < self.words or not plain or getattr(self.recurrent, "skip", None):
            return self.step
        table = cells[0].project(ops.cast(self.embedding.embeddings, self.compute_dtype))

        def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
            states, output = list(state["states"]), None
            after: list[Tensor] = []
            for cell in cells:
                # The first cell reads a row of the table.
                projected = (
                    ops.take(table, tokens, axis=0) if output is None else cell.project(output)
                )
                count = len(cell.state_size)
                output, new = cell.call_projected(projected, states[:count])
                states, after = states[count:], after + new
            return self.logits(self._project(output)), {"states": after}

        return step

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        """Shape of the logits, (batch, timesteps, words)."""
        return (*tokens_shape, self.words)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument; layers as configs."""
        return {
            **super().get_config(),
            "dropout": self.dropout.rate,
            "embedding_dropout": self.embedding_dropout.rate,
            "word_dropout": self.word_dropout.rate,
            "activation_penalty": self.activation_penalty,
            "temporal_penalty": self.temporal_penalty,
        }


def _mean_square(values: Tensor, real: Tensor) -> Tensor:
    """Mean square of (batch, timesteps, width) values where `real`, in float32."""
    squares = ops.mean(ops.square(ops.cast(values, "float32")), axis=-1)
    weights = ops.cast(real, "float32")
    return ops.sum(squares * weights) / ops.maximum(ops.sum(weights), 1.0)
