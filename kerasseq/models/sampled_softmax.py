"""The loss of a softmax over many classes, from a sample of them in training."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

__all__ = ["SampledSoftmax"]

Tensor = Any


class SampledSoftmax(keras.layers.Layer):
    """Negative log-likelihoods of targets among many classes, in nats.

    In training each target is compared with a sample of the classes, which all rows share (Jean et
    al. 2015, arXiv 1412.2007). Classes are drawn log-uniformly, which suits words that are numbered
    by falling frequency. The logit of each is lowered by the logarithm of the expected number of
    times that it is drawn, so that the expected sum over the sample is the sum over all classes
    (importance sampling). Outside of training, and for few classes, all are compared.

    The most frequent classes may always be compared, and the sample be drawn from the rest: the sum
    has less variance then, since most of it is exact.

    Args:
        samples: number of classes to compare with; if there are no more, all are compared.
        frequent: how many of them are always the same, the first classes; the others are drawn.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (rows, width).
        targets: int (rows,), number of the class of each row.
        matrix: (classes, width), weights of the logits.
        bias: (classes,).
        training: whether to draw a sample.

    Output shape:
        (rows,).

    Example:

    >>> import numpy as np
    >>> inputs, targets = np.ones((2, 3), "float32"), np.array([4, 0])
    >>> matrix, bias = np.zeros((5, 3), "float32"), np.zeros(5, "float32")
    >>> nats = SampledSoftmax(samples=2)(inputs, targets, matrix, bias)
    >>> bool(np.allclose(nats, np.log(5)))
    True
    """

    def __init__(self, samples: int, frequent: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.samples, self.frequent = samples, frequent
        self._generator = keras.random.SeedGenerator()
        self.built = True

    def call(
        self, inputs: Tensor, targets: Tensor, matrix: Tensor, bias: Tensor, training: bool = False
    ) -> Tensor:
        """Nats of each target; see the class."""
        classes = matrix.shape[0]
        if not training or classes <= self.samples:
            logits = ops.matmul(inputs, ops.transpose(matrix)) + bias
            return ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        compared, expected = self._sample(classes)
        others = ops.matmul(inputs, ops.transpose(ops.take(matrix, compared, axis=0)))
        others = others + ops.take(bias, compared) - expected
        # A target that is in the sample, too, is compared once.
        same = ops.equal(targets[:, None], compared[None, :])
        others = ops.where(same, -1e9, others)
        weights = ops.take(matrix, targets, axis=0)
        target = ops.sum(inputs * weights, axis=-1) + ops.take(bias, targets)
        logits = ops.concatenate([target[:, None], others], axis=-1)
        return ops.logsumexp(logits, axis=-1) - target

    def _sample(self, classes: int) -> tuple[Tensor, Tensor]:
        """The classes to compare with, and the logarithm of how often each is expected."""
        count, first = self.samples - self.frequent, math.log(self.frequent + 1)
        span = math.log(classes + 1) - first
        draws = keras.random.uniform((count,), seed=self._generator)
        drawn = ops.cast(ops.exp(first + draws * span), "int32") - 1
        drawn = ops.clip(drawn, self.frequent, classes - 1)
        numbers = ops.cast(drawn, "float32")
        expected = ops.log(count * ops.log((numbers + 2) / (numbers + 1)) / span)
        if not self.frequent:
            return drawn, expected
        always = ops.arange(self.frequent, dtype="int32")
        return (
            ops.concatenate([always, drawn]),
            ops.concatenate([ops.zeros((self.frequent,)), expected]),
        )

    def compute_output_shape(self, inputs_shape: Any, *shapes: Any) -> Any:
        """One number per row."""
        return inputs_shape[:-1]
