"""Dropout on token numbers, before they are embedded."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class TokenDropout(keras.layers.Layer):
    """Makes some tokens unknown in training, so that no text hangs on one word.

    It also teaches what an unknown token is worth, which the training texts of a vocabulary fitted
    on them hardly do (Iyyer et al. 2015, https://aclanthology.org/P15-1162).

    Args:
        rate: share of the tokens that becomes unknown.
        unknown: the number of the unknown token; 0 is padding, and stays.
        seed: of the draws.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch, timesteps).
        training: whether tokens are dropped.

    Output shape:
        That of `ids`.

    Raises:
        ValueError: if `rate` is not at least 0 and below 1.

    Example:

    >>> import numpy as np
    >>> drop = TokenDropout(0.5, seed=0)
    >>> ids = np.full((1, 1000), 7)
    >>> bool((np.asarray(drop(ids)) == 7).all())
    True
    >>> 400 < int((np.asarray(drop(ids, training=True)) == 1).sum()) < 600
    True
    """

    def __init__(
        self, rate: float, unknown: int = 1, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1). Received: rate={rate!r}")
        self.rate, self.unknown, self.seed = rate, unknown, seed
        self._generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, ids: Tensor, training: bool = False) -> Tensor:
        """Replaces some of (batch, timesteps) token numbers."""
        if not training or self.rate == 0:
            return ids
        drawn = keras.random.uniform(ops.shape(ids), seed=self._generator)
        dropped = ops.logical_and(drawn < self.rate, ops.not_equal(ids, 0))
        return ops.where(dropped, ops.cast(self.unknown, ids.dtype), ids)

    def compute_output_shape(self, ids_shape: Any) -> Any:
        """That of the ids."""
        return ids_shape

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        config = {"rate": self.rate, "unknown": self.unknown, "seed": self.seed}
        return {**super().get_config(), **config}
