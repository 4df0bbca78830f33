"""Attention over the timesteps of a sequence (Vaswani et al. 2017, arxiv.org/abs/1706.03762)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.interop.onnx.graph import Graph, NotExportable, onnx_dtype
from kerasseq.interop.tracing import Call, Trace, open_layer

__all__ = ["attention", "dot_product_attention", "softmax"]

Convert = Callable[[Trace, Graph], list[str]]

# In place of the scores of timesteps that are masked, as in Keras.
_MASKED, _MASKED_BY_SOFTMAX = -0.7 * float(np.finfo(np.float32).max), -1e9


def dot_product_attention(graph: Graph, call: Call) -> str:
    """`keras.ops.dot_product_attention`, of tensors (batch, timesteps, heads, features)."""
    names = ("query", "key", "value", "bias", "mask", "scale")
    query, key, value, bias, mask, scale = (call.argument(name, n) for n, name in enumerate(names))
    if call.operation.attn_logits_soft_cap is not None:
        raise NotExportable("its attention limits the scores")
    if query.shape[2] != key.shape[2]:
        raise NotExportable("its attention has fewer heads of keys than of queries")
    dtype = call.output.dtype
    query, key, value = (graph.name(each, dtype) for each in (query, key, value))
    scores = graph.node("Einsum", [query, key], equation="btnh,bsnh->bnts")
    scale = call.argument("query", 0).shape[-1] ** -0.5 if scale is None else scale
    scores = graph.node("Mul", [scores, graph.name(scale, dtype)])
    if bias is not None:
        scores = graph.node("Add", [scores, graph.name(bias, dtype)])
    if mask is not None:
        scores = graph.node("Where", [graph.name(mask, "bool"), scores, np.float32(_MASKED)])
    if call.operation.is_causal:
        scores = graph.node("Where", [_past(graph, scores), scores, np.float32(_MASKED)])
    weights = graph.node("Softmax", [scores], axis=-1)
    return graph.node("Einsum", [weights, value], equation="bnts,bsnh->btnh")


def _past(graph: Graph, scores: str) -> str:
    """Which of the scores (..., timesteps, timesteps) are of the same timestep or earlier ones."""
    ones = graph.node("Expand", [np.int64(1), graph.node("Shape", [scores])])
    return graph.node("Cast", [graph.node("Trilu", [ones], upper=0)], to=onnx_dtype("bool"))


def attention(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """`MultiHeadAttention` and `Attention`, whose masks are joined before `call` is traced."""
    if getattr(call.operation, "score_mode", "dot") != "dot":
        raise NotExportable(
            f"its score_mode={call.operation.score_mode!r} cannot be traced symbolically, as "
            "score_mode='dot' can"
        )
    many = isinstance(call.operation, keras.layers.MultiHeadAttention)
    operation = (_ManyHeads if many else _OneHead)(call.operation)
    traced, tensors = open_layer(replace(call, operation=operation))
    for inside, outside in zip(traced.inputs, tensors, strict=True):
        graph.bind(inside, graph.name(outside))
    return convert(traced, graph)


class _ManyHeads:
    """The `call` of a `MultiHeadAttention` for symbolic tensors.

    Keras looks for the mask of the query in the tensor, where a symbolic one has none; and it makes
    the mask of the past from the number of timesteps, which is known only when the file runs.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
        training: bool = False,
        **options: Any,
    ) -> Any:
        masks = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        if query_mask is not None:
            masks.append(ops.expand_dims(query_mask, -1))
        if use_causal_mask and len(query.shape) == len(value.shape) == 3:
            masks.append(_no_later(query, value))
            use_causal_mask = False
        return self._layer.call(
            query, value, key, attention_mask=_all(masks), use_causal_mask=use_causal_mask,
            training=training, **options,
        )  # fmt: skip


class _OneHead:
    """The `call` of an `Attention` for symbolic tensors, with the mask of the past as above."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def call(
        self, inputs: Any, mask: Any = None, use_causal_mask: bool = False, **options: Any
    ) -> Any:
        if use_causal_mask:
            of_query, of_value = mask[:2] if mask else (None, None)
            masks = [] if of_value is None else [ops.expand_dims(of_value, -2)]
            mask = [of_query, _all([*masks, _no_later(inputs[0], inputs[1])])]
        return self._layer.call(inputs, mask=mask, **options)


def _no_later(query: Any, value: Any) -> Any:
    """Which timesteps of `value` are not after one of `query`, (batch, timesteps, timesteps)."""
    rows, columns = (ops.cumsum(ops.ones_like(x[:, :, 0]), axis=1) for x in (query, value))
    return ops.expand_dims(rows, -1) >= ops.expand_dims(columns, -2)


def _all(masks: list[Any]) -> Any:
    """Masks joined by a logical and; None for none."""
    return functools.reduce(ops.logical_and, masks) if masks else None


def softmax(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """The layer `Softmax`, of which a mask leaves out elements."""
    axes = keras.tree.flatten(call.operation.axis)
    if len(axes) > 1:
        raise NotExportable("its softmax is over several axes")
    x, mask = call.argument("inputs", 0), call.argument("mask", 1)
    if mask is None:
        return [graph.node("Softmax", [x], axis=axes[0])]
    if mask.dtype == "bool":
        kept = graph.name(mask)
    else:
        kept = graph.node("Greater", [graph.name(mask, "float32"), 0.5])
    masked = graph.node("Where", [kept, x, np.float32(_MASKED_BY_SOFTMAX)])
    weights = graph.node("Softmax", [masked], axis=axes[0])
    return [graph.node("Where", [kept, weights, 0.0])]
