"""A language model: from the tokens of a text so far to the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import ops

from kerasseq import cells, layers
from kerasseq.models.softmax_loss import SoftmaxLoss
from kerasseq.params import Count, count
from kerasseq.params.cost import Cost, dense, over_time, table
from kerasseq.params.spec import positive_int

__all__ = ["LanguageModelConfig", "TokenScorer"]

Tensor = Any


@dataclass(frozen=True)
class LanguageModelConfig:
    """Config of a recurrent language model, from which it is counted and built.

    Args:
        words: size of the vocabulary; token 0 is padding, 1 unknown.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: number of stacked recurrent layers.
        embedding: width of the embedded tokens; None for the width of the recurrent outputs.
        tied: whether the last layer shares its matrix with the embedding.
        dropout: dropout rate before the last layer; all dropouts are locked over time.
        layer_dropout: dropout rate between recurrent layers.
        embedding_dropout: dropout rate of the embedded tokens.
        word_dropout: share of the tokens that are replaced by the unknown token in training.
        activation_penalty: factor of the mean square of the last layer's inputs in the loss.
        temporal_penalty: factor of the mean square of the change of the outputs from one timestep
            to the next in the loss; both as in Merity et al. (2017, arXiv 1708.01009).
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, weight_drop, ...

    Model input:
        `tokens`, int (batch, timesteps).

    Model output:
        (batch, timesteps, words), logits of the token after each one; see `WordLoss`.

    The layer "decoder" of the model has `start`, `step` and `read`, for `kerasseq.generation`.

    Raises:
        ValueError: if a value is out of range, or values are incompatible.

    Example:

    >>> sizes = LanguageModelConfig(words=50, units=4, embedding=8)
    >>> sizes.count() == sizes.build().count_params()
    True
    """

    words: int
    cell: str = "lstm"
    units: int = 256
    depth: int = 1
    embedding: int | None = None
    tied: bool = True
    dropout: float = 0.0
    layer_dropout: float = 0.0
    embedding_dropout: float = 0.0
    word_dropout: float = 0.0
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("words", "units", "depth"):
            positive_int(name, getattr(self, name))
        if self.embedding is not None:
            positive_int("embedding", self.embedding)
        if self.options.get("bidirectional"):
            raise ValueError(
                "A language model cannot be bidirectional: it would see the tokens that it has to "
                "predict. Leave `bidirectional` out."
            )
        _ = self._recurrent  # raises for an unknown cell or option

    @property
    def width(self) -> int:
        """Width of the embedded tokens."""
        if self.embedding is not None:
            return self.embedding
        return count(self.cell, 1, self.units, **self.options).levels[-1].output

    @property
    def _recurrent(self) -> Count:
        """The count of the recurrent layers."""
        return count(self.cell, self.width, self.units, depth=self.depth, **self.options)

    def count(self) -> int:
        """Number of parameters of the model."""
        return self._cost(1).params

    def macs(self, timesteps: int = 1) -> int:
        """Multiply-accumulates with a weight, for a number of tokens of one text.

        >>> LanguageModelConfig(words=50, units=4, embedding=4).macs(2)
        656
        """
        return self._cost(timesteps).macs

    def _cost(self, timesteps: int) -> Cost:
        output = self._recurrent.levels[-1].output
        cost = over_time(self._recurrent, timesteps)
        if self.tied and output != self.width:
            cost += dense(output, self.width, timesteps, bias=False)
        if not self.tied:  # tied, the embedding is the matrix of the last layer
            cost += table(self.words, self.width)
        return cost + dense(self.width if self.tied else output, self.words, timesteps)

    def build(self) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names."""
        create = cells.get(self.cell)
        rates = [0.0, *[self.layer_dropout] * (self.depth - 1)]
        recurrent = layers.rnn(
            [create(self.units, dropout=rate, **self.options) for rate in rates],
            return_sequences=True,
            return_state=True,
            name="recurrent",
        )
        decoder = layers.TextDecoder(
            recurrent,
            words=self.words,
            embedding=self.width,
            tie_embeddings=self.tied,
            dropout=self.dropout,
            embedding_dropout=self.embedding_dropout,
            word_dropout=self.word_dropout,
            activation_penalty=self.activation_penalty,
            temporal_penalty=self.temporal_penalty,
            name="decoder",
        )
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        return keras.Model({"tokens": tokens}, decoder(tokens), name="language_model")

    def training_model(
        self,
        model: keras.Model,
        streams: int | None = None,
        validation_streams: int = 1,
        samples: int | None = None,
    ) -> keras.Model:
        """A model with the same layers that computes its loss, to be compiled with `BatchLoss`.

        The words to predict are a further input, `following`, int (batch, timesteps). The output,
        (batch,), is the mean of their nats, the same number for all rows.

        With `streams` it carries its state from batch to batch, and a further input, `first`,
        int (batch,), is 1 where a row starts anew. The gradient ends at the beginning of a batch:
        truncated backpropagation through time.

        Args:
            model: the model.
            streams: rows of a batch in training; None to read each batch from the initial state.
            validation_streams: rows of a batch outside of training.
            samples: number of words that the softmax is sampled over in training; None for all.
        """
        decoder = model.get_layer("decoder")
        loss = SoftmaxLoss(decoder, samples)
        names = ("tokens", "following") if streams is None else ("tokens", "following", "first")
        inputs = {
            name: keras.Input(() if name == "first" else (None,), dtype="int32", name=name)
            for name in names
        }
        layer = (
            _SeparateLines(decoder, loss)
            if streams is None
            else _CarriedStates(decoder, loss, streams, validation_streams)
        )
        return keras.Model(inputs, layer(*inputs.values()))


class _Loss(keras.layers.Layer):
    """Base class of layers that read tokens with a decoder, and compute the loss of a batch."""

    def __init__(self, decoder: Any, loss: SoftmaxLoss, name: str) -> None:
        super().__init__(name=name)
        self.decoder, self.loss = decoder, loss

    def _row_losses(
        self, tokens: Tensor, following: Tensor, states: list[Tensor], training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """The loss of the batch as (batch,) equal numbers, and the states after it."""
        features, state = self.decoder.features(tokens, {"states": states}, training=training)
        loss = self.loss(features, following, training=training)
        return ops.broadcast_to(loss, ops.shape(tokens)[:1]), state["states"]


class _SeparateLines(_Loss):
    """Reads each row from the initial state."""

    def __init__(self, decoder: Any, loss: SoftmaxLoss) -> None:
        super().__init__(decoder, loss, name="separate_lines")
        self.built = True

    def call(self, tokens: Tensor, following: Tensor, training: bool = False) -> Tensor:
        states = self.decoder.first_states_of(tokens)
        return self._row_losses(tokens, following, states, training)[0]

    def compute_output_shape(self, tokens_shape: Any, following_shape: Any) -> Any:
        return tokens_shape[:1]


class _CarriedStates(_Loss):
    """Reads batch after batch, the state carried over; training and validation have one each.

    The states are weights that are not trained, so that every backend keeps them in `fit`.
    """

    def __init__(
        self, decoder: Any, loss: SoftmaxLoss, streams: int, validation_streams: int
    ) -> None:
        super().__init__(decoder, loss, name="carried_states")
        self._rows = {"train": streams, "validation": validation_streams}

    def build(self, tokens_shape: Any, following_shape: Any, first_shape: Any) -> None:
        self._carried = {
            part: [
                self.add_weight(
                    shape=(rows, width),
                    initializer="zeros",
                    trainable=False,
                    name=f"{part}_{number}",
                )
                for number, width in enumerate(self.decoder.state_widths)
            ]
            for part, rows in self._rows.items()
        }
        self.built = True

    def call(
        self, tokens: Tensor, following: Tensor, first: Tensor, training: bool = False
    ) -> Tensor:
        part = "train" if training else "validation"
        carried = self._carried[part]
        initial = self.decoder.first_states(ops.shape(tokens)[0])
        if tokens.shape[0] not in (None, self._rows[part]):  # Keras tries the model before `fit`
            return self._row_losses(tokens, following, initial, training)[0]
        anew = ops.cast(first[:, None], "bool")
        # A copy, since the variables change before the gradient is computed.
        states = [
            ops.where(anew, new, ops.cast(ops.copy(variable), new.dtype))
            for variable, new in zip(carried, initial, strict=True)
        ]
        losses, after = self._row_losses(tokens, following, states, training)
        for variable, new in zip(carried, after, strict=True):
            variable.assign(ops.stop_gradient(ops.cast(new, variable.dtype)))
        return losses

    def compute_output_shape(
        self, tokens_shape: Any, following_shape: Any, first_shape: Any
    ) -> Any:
        return tokens_shape[:1]


class TokenScorer(keras.Model):
    """Negative log-likelihoods of known tokens, and the state after them.

    Call it by `predict_on_batch`, with a dict of `tokens` and `following`, int (batch, timesteps),
    and `states`, as `TextDecoder.read` takes them. Padding, token 0, does not change the state.

    Args:
        decoder: a `TextDecoder`.

    Example:

    >>> import numpy as np
    >>> model = LanguageModelConfig(words=9, units=4).build()
    >>> tokens, states = np.ones((2, 5), "int32"), [np.zeros((2, 4), "float32")] * 2
    >>> scorer = TokenScorer(model.get_layer("decoder"))
    >>> inputs = {"tokens": tokens, "following": tokens, "states": states}
    >>> scorer.predict_on_batch(inputs)["nats"].shape
    (2, 5)
    """

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder
        self.built = True

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Nats of each token, (batch, timesteps), and the states after the last one."""
        tokens = inputs["tokens"]
        states = {"states": inputs["states"]}
        logits, state = self.decoder.read(tokens, states, mask=tokens != 0)
        nats = ops.sparse_categorical_crossentropy(inputs["following"], logits, from_logits=True)
        return {"nats": nats, "states": state["states"]}
