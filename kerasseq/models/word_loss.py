"""Cross-entropy over words, without padding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["WordLoss"]

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class WordLoss(keras.losses.Loss):
    """Mean cross-entropy from logits, in nats per word; padding, word 0, does not count.

    Args:
        smoothing: label smoothing: share of the target probability that is spread evenly over all
            words (Szegedy et al. 2016, arXiv 1512.00567).
        **kwargs: further arguments of `keras.losses.Loss`.

    Raises:
        ValueError: if `smoothing` is not at least 0 and below 1.

    Example:

    >>> import numpy as np
    >>> logits = np.zeros((1, 3, 5), "float32")
    >>> round(float(WordLoss()(np.array([[4, 2, 0]]), logits)), 4) == round(float(np.log(5)), 4)
    True
    """

    def __init__(self, smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**{"name": "word_loss", **kwargs})
        if not 0 <= smoothing < 1:
            raise ValueError(f"`smoothing` must be in [0, 1). Received: smoothing={smoothing!r}")
        self.smoothing = smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Losses of all words, weighted so that their mean is the mean without padding."""
        words = ops.cast(y_true, "int32")
        losses = ops.sparse_categorical_crossentropy(words, y_pred, from_logits=True)
        if self.smoothing:
            # A word's loss is logsumexp(logits) minus its logit, so that smoothing replaces a share
            # of the target's logit by the mean logit.
            chosen = ops.take_along_axis(y_pred, words[..., None], axis=-1)[..., 0]
            losses = losses + self.smoothing * (chosen - ops.mean(y_pred, axis=-1))
        real = ops.cast(words != 0, losses.dtype)
        return losses * real / ops.maximum(ops.mean(real), keras.config.epsilon())

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "smoothing": self.smoothing}
