"""The loss of the last layer of a model of words, without ever holding all of its logits."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.gradient import with_gradient
from kerasseq.models.sampled_softmax import SampledSoftmax

__all__ = ["BatchLoss", "SoftmaxLoss", "mean_nats"]

Tensor = Any
_LOGITS = 2**22  # numbers, at most, that are in memory at once


class SoftmaxLoss(keras.layers.Layer):
    """Mean negative log-likelihood of known words, from the inputs of a decoder's last layer.

    Args:
        decoder: a `TextDecoder`.
        samples: number of words of the softmax in training, half of them the most frequent ones,
            see `SampledSoftmax`; None for all words. Outside of training it is always over all.

    Call arguments:
        features: (batch, timesteps, width), inputs of the last layer.
        words: int (batch, timesteps), the words to predict; padding, word 0, does not count.
        training: whether to draw a sample.

    Output shape:
        (), nats.

    Example:

    >>> import numpy as np
    >>> from kerasseq.models import LanguageModelConfig
    >>> decoder = LanguageModelConfig(words=9, units=4).build().get_layer("decoder")
    >>> loss = SoftmaxLoss(decoder)(np.zeros((2, 5, 4), "float32"), np.ones((2, 5), "int32"))
    >>> bool(np.isclose(loss, np.log(9)))
    True
    """

    def __init__(self, decoder: Any, samples: int | None = None) -> None:
        super().__init__(name="softmax_loss")
        self.decoder = decoder
        self.sampled = None
        if samples is not None:
            self.sampled = SampledSoftmax(samples, samples // 2, name="sampled_softmax")
        self.built = True

    def call(self, features: Tensor, words: Tensor, training: bool = False) -> Tensor:
        """Mean nats; see the class."""
        features = ops.reshape(features, (-1, features.shape[-1]))
        words = ops.reshape(ops.cast(words, "int32"), (-1,))
        matrix, bias = map(ops.convert_to_tensor, self.decoder.last_weights)
        by_word = self.decoder.tie_embeddings
        if self.sampled is None or not training:
            return mean_nats(features, words, matrix, bias, by_word=by_word, training=training)
        nats = self.sampled(
            ops.cast(features, "float32"),
            words,
            matrix if by_word else ops.transpose(matrix),
            bias,
            training=True,
        )
        return ops.sum(nats * _shares(words))

    def compute_output_shape(self, features_shape: Any, words_shape: Any) -> Any:
        """A number."""
        return ()


class BatchLoss(keras.losses.Loss):
    """The loss that a model has computed itself, (batch,), whose targets are among its inputs.

    Args:
        **kwargs: arguments of `keras.losses.Loss`.

    Example:

    >>> import numpy as np
    >>> float(BatchLoss()(np.zeros((2, 5)), np.array([2.0, 4.0], "float32")))
    3.0
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"name": "batch_loss", **kwargs})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The losses."""
        return y_pred


def mean_nats(
    features: Tensor,
    words: Tensor,
    matrix: Tensor,
    bias: Tensor,
    *,
    by_word: bool,
    training: bool = False,
) -> Tensor:
    """Mean cross-entropy of a softmax over a linear layer, in nats; word 0 does not count.

    Rows are processed in pieces. In training, the gradient of a piece is computed with its loss, so
    that the logits of no other piece are in memory, and none are computed twice. This is possible
    since all that the loss can be multiplied by later is a number.

    Args:
        features: (rows, width).
        words: int (rows,), word of each row.
        matrix: (words, width) if `by_word`, else (width, words).
        bias: (words,).
        by_word: whether the matrix has a row for each word.
        training: whether a gradient will be asked for.
    """
    inputs = [features, words, _shares(words), matrix, bias]

    def forward(inputs: Any) -> Any:
        return _loss_and_gradients(*inputs, by_word=by_word)

    def backward(gradients: Any, upstream: Any) -> Any:
        scale = upstream[0]
        of_features, of_matrix, of_bias = (g * ops.cast(scale, g.dtype) for g in gradients)
        return [of_features, None, None, of_matrix, of_bias]

    if training:
        return with_gradient(forward, lambda _, outputs: outputs[1:], backward, inputs)[0]

    def step(states: list[Tensor], rows: Any) -> list[Tensor]:
        features, words, shares = rows
        logits = _logits(features, matrix, bias, by_word)
        nats = ops.logsumexp(logits, axis=-1) - _of(words, logits)[:, 0]
        return [states[0] + ops.sum(nats * shares)]

    pieces = _pieces(inputs[:3], bias.shape[0])
    return timeloop.run(step, [ops.zeros(())], pieces, 0, unroll=False)[0][0]


def _loss_and_gradients(
    features: Tensor, words: Tensor, shares: Tensor, matrix: Tensor, bias: Tensor, *, by_word: bool
) -> list[Tensor]:
    """The loss, and its gradients for the features, the matrix and the bias."""

    def step(states: list[Tensor], rows: Any) -> list[Tensor]:
        _, loss, of_matrix, of_bias = states
        features, words, shares = rows
        logits = _logits(features, matrix, bias, by_word)
        highest = ops.max(logits, axis=-1, keepdims=True)
        exponentials = ops.exp(logits - highest)
        total = ops.sum(exponentials, axis=-1, keepdims=True)
        nats = (ops.log(total) + highest - _of(words, logits))[:, 0]
        # The gradient of a row's logits is its softmax, less 1 at its word.
        places = ops.stack([ops.arange(ops.shape(words)[0], dtype="int32"), words], axis=1)
        slopes = ops.scatter_update(
            exponentials * (shares[:, None] / total), places, shares * ops.expm1(-nats)
        )
        of_bias = of_bias + ops.sum(slopes, axis=0)
        slopes = ops.cast(slopes, features.dtype)
        weight = ops.cast(matrix, features.dtype)
        if by_word:
            of_features = ops.matmul(slopes, weight)
            added = ops.matmul(ops.transpose(slopes), features)
        else:
            of_features = ops.matmul(slopes, ops.transpose(weight))
            added = ops.matmul(ops.transpose(features), slopes)
        of_matrix = of_matrix + ops.cast(added, matrix.dtype)
        return [of_features, loss + ops.sum(nats * shares), of_matrix, of_bias]

    pieces = _pieces([features, words, shares], bias.shape[0])
    first = [ops.zeros_like(pieces[0][0]), ops.zeros(()), *map(ops.zeros_like, (matrix, bias))]
    (_, loss, of_matrix, of_bias), (of_features,) = timeloop.run(
        step, first, pieces, 1, unroll=False
    )
    rows, width = ops.shape(features)[0], features.shape[-1]
    return [loss, ops.reshape(of_features, (-1, width))[:rows], of_matrix, of_bias]


def _logits(features: Tensor, matrix: Tensor, bias: Tensor, by_word: bool) -> Tensor:
    weight = ops.cast(ops.transpose(matrix) if by_word else matrix, features.dtype)
    return ops.cast(ops.matmul(features, weight), "float32") + ops.cast(bias, "float32")


def _of(words: Tensor, values: Tensor) -> Tensor:
    """The value of each row's word, (rows, 1)."""
    return ops.take_along_axis(values, words[:, None], axis=-1)


def _shares(words: Tensor) -> Tensor:
    """Share of each row in the mean over the rows that are no padding, (rows,)."""
    real = ops.cast(words != 0, "float32")
    return real / ops.maximum(ops.sum(real), 1.0)


def _pieces(rows: list[Tensor], words: int) -> list[Tensor]:
    """Rows as (pieces, rows of a piece, ...), filled up with zeros, which have no share."""
    count = ops.shape(rows[0])[0]
    most = max(1, _LOGITS // words)
    pieces = (count + most - 1) // most
    size = (count + pieces - 1) // pieces
    filled = [
        ops.pad(values, [[0, pieces * size - count], *[[0, 0]] * (len(values.shape) - 1)])
        for values in rows
    ]
    return [ops.reshape(values, (pieces, size, *values.shape[1:])) for values in filled]
