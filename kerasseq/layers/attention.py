"""Attention of queries over the timesteps of a sequence, additive and by dot product."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.softmax import softmax
from kerasseq.params.spec import positive_int

Tensor = Any


class _Attention(keras.layers.Layer):
    """Base class of both attentions: scores, a masked softmax, a weighted sum."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.supports_masking = True

    def build(self, query_shape: Any, values_shape: Any) -> None:
        """Project queries and values to a common width."""
        for name, shape in (("query_kernel", query_shape), ("value_kernel", values_shape)):
            weight = self.add_weight(
                shape=(shape[-1], self.units), name=name, initializer="glorot_uniform"
            )
            setattr(self, name, weight)
        self.built = True

    def call(
        self,
        query: Tensor,
        values: Tensor,
        values_mask: Tensor | None = None,
        return_weights: bool = False,
        keys: Tensor | None = None,
    ) -> Any:
        """Attend from (batch, [queries,] width) to (batch, timesteps, width); see the subclass."""
        single = len(query.shape) == 2
        queries = query[:, None] if single else query
        keys = self.keys(values) if keys is None else keys
        scores = ops.cast(self.scores(ops.matmul(queries, self.query_kernel), keys), "float32")
        if values_mask is not None:
            scores = ops.where(ops.cast(values_mask, "bool")[:, None], scores, -1e9)
        weights = ops.cast(softmax(scores, axis=-1), values.dtype)
        if values_mask is not None:  # a row without values gives zeros, not their mean
            weights = weights * ops.cast(values_mask, values.dtype)[:, None]
        context = ops.matmul(weights, values)
        if single:
            context, weights = context[:, 0], weights[:, 0]
        return (context, weights) if return_weights else context

    def keys(self, values: Tensor) -> Tensor:
        """Project values, (batch, timesteps, width), to keys, (batch, timesteps, units)."""
        return ops.matmul(values, self.value_kernel)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Scores, (batch, queries, timesteps), of queries and keys of the same width."""
        raise NotImplementedError

    def compute_output_shape(self, query_shape: Any, values_shape: Any) -> Any:
        """(batch, [queries,] width of values)."""
        return (*query_shape[:-1], values_shape[-1])

    def compute_output_spec(
        self,
        query: Tensor,
        values: Tensor,
        values_mask: Tensor | None = None,
        return_weights: bool = False,
        keys: Tensor | None = None,
    ) -> Any:
        """The context, and with `return_weights` the weights, as `KerasTensor`."""
        context = self.compute_output_shape(query.shape, values.shape)
        shapes = [context, (*query.shape[:-1], values.shape[1])]
        symbols = [keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes]
        return tuple(symbols) if return_weights else symbols[0]

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: a context belongs to a query, and the mask to the values."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("kerasseq")
class AdditiveAttention(_Attention):
    """Additive attention of queries over the timesteps of a sequence.

    The context is the mean of the values, weighted by the softmax over the unmasked timesteps of
    score = v . tanh(query W + value U + b). With all timesteps masked it is zero.

    Args:
        units: Width of the tanh layer.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        query: (batch, width) or (batch, queries, width).
        values: (batch, timesteps, width).
        values_mask: (batch, timesteps) booleans.
        return_weights: Return (batch, [queries,] timesteps) weights beside the context.
        keys: The result of `keys(values)`, to compute it once for several calls on the same values.

    Output shape:
        (batch, width of values) or (batch, queries, width of values).

    Raises:
        ValueError: If `units` is not a positive integer.

    Example:
        >>> import numpy as np
        >>> attention = AdditiveAttention(8)
        >>> attention(np.ones((2, 4), "float32"), np.ones((2, 5, 3), "float32")).shape == (2, 3)
        True

    Reference: Bahdanau, Cho & Bengio (2014), arXiv 1409.0473.
    """

    def build(self, query_shape: Any, values_shape: Any) -> None:
        """Two projections, a bias and a scoring vector."""
        super().build(query_shape, values_shape)
        self.bias = self.add_weight(shape=(self.units,), name="bias", initializer="zeros")
        self.scorer = self.add_weight(
            shape=(self.units, 1), name="scorer", initializer="glorot_uniform"
        )

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Scores, (batch, queries, timesteps), of queries and keys of the same width."""
        both = ops.tanh(queries[:, :, None] + keys[:, None] + self.bias)
        return ops.matmul(both, self.scorer)[..., 0]


@keras.saving.register_keras_serializable("kerasseq")
class DotProductAttention(_Attention):
    """Scaled dot-product attention of queries over the timesteps of a sequence.

    The context is the mean of the values, weighted by the softmax over the unmasked timesteps of
    score = (query W) . (value U) / sqrt(units). With all timesteps masked it is zero.

    Args:
        units: Width that queries and values are projected to.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        query: (batch, width) or (batch, queries, width).
        values: (batch, timesteps, width).
        values_mask: (batch, timesteps) booleans.
        return_weights: Return (batch, [queries,] timesteps) weights beside the context.
        keys: The result of `keys(values)`, to compute it once for several calls on the same values.

    Output shape:
        (batch, width of values) or (batch, queries, width of values).

    Raises:
        ValueError: If `units` is not a positive integer.

    Example:
        >>> import numpy as np
        >>> attention = DotProductAttention(8)
        >>> attention(np.ones((2, 4), "float32"), np.ones((2, 5, 3), "float32")).shape == (2, 3)
        True

    Reference: Luong, Pham & Manning (2015), arXiv 1508.04025; the scaling of Vaswani et al.
    (2017), arXiv 1706.03762.
    """

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Scores, (batch, queries, timesteps), of queries and keys of the same width."""
        product = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        return product / float(self.units) ** 0.5
