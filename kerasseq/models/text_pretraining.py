"""Pretraining of a text classifier: its layers predict the neighbours of each token."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.models.sampled_softmax import SampledSoftmax
from kerasseq.models.transfer import directions

__all__ = ["NeighbourLoss", "pretraining_model"]

Tensor = Any
_SAMPLES = 1024  # classes of the sampled softmax; a batch of long texts has some 10,000 targets


def pretraining_model(model: keras.Model, inputs: int) -> keras.Model:
    """A model with the layers of a text classifier that predicts the neighbours of each token.

    Layers that read forward predict the next token, layers that read backward the one before
    (Peters et al. 2018, arXiv 1802.05365). They share the embedding, and the softmax is tied to it.
    In a deep bidirectional stack each direction reads zeros in place of the other one, which has
    seen the token to predict; zeros also stand for the log-count ratios of n-grams, which come from
    the labels.

    Args:
        model: model of a `Classifier`.
        inputs: width of the inputs of its first recurrent layer.

    Model input:
        `tokens`, int (batch, timesteps); token 0 is padding.

    Model output:
        (batch, timesteps - 1, directions), nats of the next and of the previous token, for each
        pair of neighbours; see `NeighbourLoss`.

    Example:

    >>> from kerasseq.models import Classifier
    >>> model = Classifier(vocabulary=9, classes=2, units=4, embedding=3).build()
    >>> pretraining_model(model, inputs=3).output_shape
    (None, None, 2)
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    return keras.Model({"tokens": tokens}, _Neighbours(model, inputs)(tokens))


class _Neighbours(keras.layers.Layer):
    """Nats of the neighbours of each token, by the layers of a classifier."""

    def __init__(self, model: keras.Model, inputs: int) -> None:
        super().__init__(name="neighbours")
        layers = {layer.name: layer for layer in model.layers}
        self.embedding, self.recurrent = layers["embedding"], layers["recurrent"]
        self.noise = [layers.get(name) for name in ("token_dropout", "embedding_dropout")]
        self.softmax = SampledSoftmax(_SAMPLES, name="softmax")
        self._inputs = inputs

    def build(self, tokens_shape: Any) -> None:
        width = self.embedding.output_dim
        self.bias = self.add_weight(
            shape=(self.embedding.input_dim,), name="bias", initializer="zeros"
        )
        self.projections = []
        for number, levels in enumerate(directions(self.recurrent)):
            shape = levels[-1].compute_output_shape((None, None, 1))
            name = f"projection_{number}"
            projection = keras.layers.Dense(width, use_bias=False, name=name)
            projection.build(shape)
            self.projections.append(projection)
        self.built = True

    def call(self, tokens: Tensor, training: bool = False) -> Tensor:
        token_dropout, embedding_dropout = self.noise
        read = tokens if token_dropout is None else token_dropout(tokens, training=training)
        embedded = self.embedding(read)
        if embedding_dropout is not None:
            embedded = embedding_dropout(embedded, training=training)
        added = self._inputs - self.embedding.output_dim
        embedded = ops.pad(embedded, [[0, 0], [0, 0], [0, added]])
        shape = ops.shape(tokens[:, 1:])
        nats = []
        for place, levels in enumerate(directions(self.recurrent)):
            states = self._read(levels, place == 1, embedded, tokens != 0, training)
            states, targets = (
                (states[:, 1:], tokens[:, :-1]) if place else (states[:, :-1], tokens[:, 1:])
            )
            logits_of = self.projections[place](states)
            flat = self.softmax(
                ops.reshape(logits_of, (-1, self.embedding.output_dim)),
                ops.reshape(targets, (-1,)),
                ops.convert_to_tensor(self.embedding.embeddings),
                ops.convert_to_tensor(self.bias),
                training=training,
            )
            nats.append(ops.reshape(flat, shape))
        return ops.stack(nats, axis=-1)

    def _read(
        self, levels: list[Any], backward: bool, sequence: Tensor, mask: Tensor, training: bool
    ) -> Tensor:
        """Outputs of the layers of one direction, with zeros in place of those of the other."""
        bidirectional = len(self.projections) == 2
        for level, layer in enumerate(levels):
            if level and bidirectional:
                other = [sequence.shape[-1], 0] if backward else [0, sequence.shape[-1]]
                sequence = ops.pad(sequence, [[0, 0], [0, 0], other])
            sequence = layer(sequence, mask=mask, training=training)
            if backward:  # Keras gives the outputs in the order in which they are read
                sequence = ops.flip(sequence, axis=1)
        return sequence

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        rows, steps = tokens_shape
        return (rows, None if steps is None else steps - 1, len(directions(self.recurrent)))


class NeighbourLoss(keras.losses.Loss):
    """Mean of the nats of `pretraining_model`, without padding.

    Args:
        **kwargs: arguments of `keras.losses.Loss`.

    Example:

    >>> import numpy as np
    >>> tokens, nats = np.array([[5, 6, 0]]), np.array([[[2.0], [9.0]]], "float32")
    >>> float(NeighbourLoss()(tokens, nats))
    2.0
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"name": "neighbour_loss", **kwargs})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Losses of all pairs, weighted so that their mean is the mean without padding."""
        real = ops.cast(ops.cast(y_true[:, 1:], "int32") != 0, y_pred.dtype)[..., None]
        return y_pred * real / ops.maximum(ops.mean(real), keras.config.epsilon())
