"""Layers for n-gram classifiers: log-count ratios of n-grams, and their weighted sum."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"`{name}` must be positive. Received: {name}={value!r}")
    return value


@keras.saving.register_keras_serializable("kerasseq")
class NgramRatios(keras.layers.Layer):
    """Look up log-count ratios of n-grams for the classes, fitted beforehand and not trained.

    The ratios were counted with the labels of the training texts, so they leak a training text's
    label. `corrections` subtract the text's part of the counts again; without them, the model
    would learn to trust the ratios too much.

    Args:
        ngrams: Number of n-grams, including number 0 (none).
        logits: 1 for two classes, else the number of classes.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch, ...); 0 stands for no n-gram.
        corrections: (batch, ..., logits) or a shape that broadcasts to it, added to the ratios;
            None to add nothing.

    Output shape:
        (batch, ..., logits).

    Raises:
        ValueError: If a size is not positive.

    Example:

    >>> import numpy as np
    >>> ratios = NgramRatios(ngrams=3)
    >>> ratios.build((None, 2))
    >>> ratios.set_weights([np.array([[0.0], [1.5], [-2.0]])])
    >>> np.asarray(ratios(np.array([[1, 2], [2, 0]])))[..., 0].tolist()
    [[1.5, -2.0], [-2.0, 0.0]]
    """

    def __init__(self, ngrams: int, logits: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ngrams = _positive("ngrams", ngrams)
        self.logits = _positive("logits", logits)

    def build(self, ids_shape: Any, corrections_shape: Any = None) -> None:
        """Create the table of ratios, one row per n-gram."""
        self.ratios = self.add_weight(
            shape=(self.ngrams, self.logits), name="ratios", initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, ids: Tensor, corrections: Tensor | None = None) -> Tensor:
        """Look up the ratios of (batch, ...) n-grams; see the class."""
        ratios = ops.take(self.ratios, ids, axis=0)
        if corrections is None:
            return ratios
        is_ngram = ops.expand_dims(ops.cast(ops.not_equal(ids, 0), ratios.dtype), -1)
        return ratios + is_ngram * ops.cast(corrections, ratios.dtype)

    def compute_output_shape(self, ids_shape: Any, corrections_shape: Any = None) -> Any:
        """(batch, ..., logits)."""
        return (*ids_shape, self.logits)

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "ngrams": self.ngrams, "logits": self.logits}


@keras.saving.register_keras_serializable("kerasseq")
class NgramVotes(keras.layers.Layer):
    """Sum the log-count ratios of the n-grams of a text, each times a learned gain.

    logits = bias + sum over n-grams of gain[n-gram] * ratios[n-gram]

    With log-count ratios this is NBSVM (Wang & Manning 2012, https://aclanthology.org/P12-2018). A
    gain for each class lets an n-gram weigh more for one class than for another.

    Args:
        ngrams: Number of n-grams, including number 0 (padding).
        dropout: Share of the n-grams that are dropped in training.
        per_class: Whether an n-gram has a gain for each logit, not one for all of them.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch, n); 0 is padding and does not vote.
        ratios: (batch, n, logits).
        training: Whether n-grams are dropped.

    Output shape:
        (batch, logits).

    Raises:
        ValueError: If `ngrams` is not positive.

    Example:

    >>> import numpy as np
    >>> votes = NgramVotes(ngrams=5)
    >>> ids, ratios = np.array([[1, 2, 0], [4, 0, 0]]), np.array([[1.0, 2, 9], [-2, 9, 9]])
    >>> np.asarray(votes(ids, ratios[..., None])).tolist()
    [[3.0], [-2.0]]
    """

    def __init__(
        self, ngrams: int, dropout: float = 0.0, per_class: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ngrams, self.dropout = _positive("ngrams", ngrams), dropout
        self.per_class = per_class
        self._drop = keras.layers.Dropout(dropout)

    def build(self, ids_shape: Any, ratios_shape: Any) -> None:
        """Create the gains of the n-grams, and a bias."""
        shape = (self.ngrams, ratios_shape[-1]) if self.per_class else (self.ngrams,)
        self.gain = self.add_weight(shape=shape, name="gain", initializer="ones")
        self.bias = self.add_weight(shape=(ratios_shape[-1],), name="bias", initializer="zeros")
        self.built = True

    def call(self, ids: Tensor, ratios: Tensor, training: bool = False) -> Tensor:
        """Sum over the n-grams of a text; see the class."""
        is_ngram = self._drop(ops.cast(ops.not_equal(ids, 0), ratios.dtype), training=training)
        gain = ops.take(self.gain, ids, axis=0)
        gain = gain if self.per_class else ops.expand_dims(gain, -1)
        return ops.sum(gain * ops.expand_dims(is_ngram, -1) * ratios, axis=1) + self.bias

    def compute_output_shape(self, ids_shape: Any, ratios_shape: Any) -> Any:
        """(batch, logits)."""
        return (ids_shape[0], ratios_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        settings = {name: getattr(self, name) for name in ("ngrams", "dropout", "per_class")}
        return {**super().get_config(), **settings}
