"""Dropout of tokens, before they are embedded."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class TokenDropout(keras.layers.Layer):
    """Replace a share of the tokens by the unknown token in training.

    So the model does not depend on single words (Iyyer et al. 2015,
    https://aclanthology.org/P15-1162). It also trains the embedding of the unknown token, which is
    rare in the texts that the vocabulary was fitted on.

    Args:
        rate: Share of the tokens that become unknown.
        unknown: Number of the unknown token; 0 is padding, and is not replaced.
        seed: Seed of the draws.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch, timesteps).
        replacements: int (batch, timesteps), what replaces each token, in place of `unknown`.
        training: Whether tokens are dropped.

    Output shape:
        The shape of `ids`.

    Raises:
        ValueError: If `rate` is not at least 0 and below 1.

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

    def call(
        self, ids: Tensor, replacements: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Replace a share of (batch, timesteps) token numbers; see the class."""
        if not training or self.rate == 0:
            return ids
        draws = keras.random.uniform(ops.shape(ids), seed=self._generator)
        dropped = ops.logical_and(draws < self.rate, ops.not_equal(ids, 0))
        replaced = self.unknown if replacements is None else replacements
        return ops.where(dropped, ops.cast(replaced, ids.dtype), ids)

    def compute_output_shape(self, ids_shape: Any, replacements_shape: Any = None) -> Any:
        """The shape of `ids`."""
        return ids_shape

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        config = {"rate": self.rate, "unknown": self.unknown, "seed": self.seed}
        return {**super().get_config(), **config}
