"""The wide branch of a classifier: each n-gram votes for the classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class NgramVotes(keras.layers.Layer):
    """Sums what the n-grams of a text say, each its ratio times a learned gain.

    logits = bias + sum over n-grams of gain[n-gram] * (ratios[n-gram] + correction)

    With log-count ratios that is NBSVM (Wang & Manning 2012, https://aclanthology.org/P12-2018),
    trained together with whatever its logits are added to. The ratios are fitted beforehand and
    frozen. A training text has had a part in them: `corrections` take that part out again, since
    a branch that has seen the answers leaves the others nothing to learn.

    Args:
        ngrams: how many n-grams there are, number 0 (padding) among them.
        logits: 1 for two classes, else the number of classes.
        dropout: share of the n-grams that is left out in training.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch, n); 0 is padding and does not vote.
        corrections: (batch, n or 1, logits), added to the ratios; None for none.
        training: whether n-grams are left out.

    Output shape:
        (batch, logits).

    Raises:
        ValueError: if a size is not positive, or `dropout` not at least 0 and below 1.

    Example:

    >>> import numpy as np
    >>> votes = NgramVotes(ngrams=5, logits=1)
    >>> votes.build((None, 3))
    >>> votes.ratios.assign([[0.0], [1.0], [2.0], [-1.0], [-2.0]]) is None
    False
    >>> np.asarray(votes(np.array([[1, 2, 0], [4, 0, 0]]))).tolist()
    [[3.0], [-2.0]]
    """

    def __init__(self, ngrams: int, logits: int = 1, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("ngrams", ngrams), ("logits", logits)):
            if value < 1:
                raise ValueError(f"`{name}` must be positive. Received: {name}={value!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout!r}")
        self.ngrams, self.logits, self.dropout = ngrams, logits, dropout
        self._drop = keras.layers.Dropout(dropout)

    def build(self, ids_shape: Any, corrections_shape: Any = None) -> None:
        """Ratios and gains, one row per n-gram, and a bias."""
        self.ratios = self.add_weight(
            shape=(self.ngrams, self.logits), name="ratios", initializer="zeros", trainable=False
        )
        self.gain = self.add_weight(shape=(self.ngrams,), name="gain", initializer="ones")
        self.bias = self.add_weight(shape=(self.logits,), name="bias", initializer="zeros")
        self.built = True

    def call(self, ids: Tensor, corrections: Tensor | None = None, training: bool = False) -> Tensor:
        """Votes summed over (batch, n) n-grams."""
        ratios = ops.take(self.ratios, ids, axis=0)
        if corrections is not None:
            ratios = ratios + ops.cast(corrections, ratios.dtype)
        gain = ops.take(self.gain, ids, axis=0) * ops.cast(ops.not_equal(ids, 0), ratios.dtype)
        gain = self._drop(gain, training=training)
        return ops.sum(ratios * gain[..., None], axis=1) + self.bias

    def compute_output_shape(self, ids_shape: Any, corrections_shape: Any = None) -> Any:
        """(batch, logits)."""
        return (ids_shape[0], self.logits)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        config = {"ngrams": self.ngrams, "logits": self.logits, "dropout": self.dropout}
        return {**super().get_config(), **config}
