"""A learned vector for each series."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class SeriesEmbedding(keras.layers.Layer):
    """Look up the vector of a series; a series that was not in training gets the mean of all.

    Args:
        series: Number of series.
        width: Width of the vectors.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: int (batch,), from 0; negative for a series that was not in training.

    Output shape:
        (batch, width).

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import numpy as np
        >>> layer = SeriesEmbedding(2, 1)
        >>> layer.build((None,))
        >>> layer.set_weights([np.array([[1.0], [3.0]])])
        >>> np.asarray(layer(np.array([1, 0, -1]))).ravel().tolist()
        [3.0, 1.0, 2.0]
    """

    def __init__(self, series: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.series, self.width = positive_int("series", series), positive_int("width", width)

    def build(self, ids_shape: Any) -> None:
        """Create the table, one row per series."""
        self.table = self.add_weight(
            shape=(self.series, self.width), name="table", initializer="uniform"
        )
        self.built = True

    def call(self, ids: Tensor) -> Tensor:
        """Look up the vectors of (batch,) series."""
        vectors = ops.take(self.table, ops.maximum(ids, 0), axis=0)
        mean = ops.mean(self.table, axis=0, keepdims=True)
        return ops.where(ids[:, None] < 0, mean, vectors)

    def compute_output_shape(self, ids_shape: Any) -> Any:
        """(batch, width)."""
        return (ids_shape[0], self.width)

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "series": self.series, "width": self.width}
