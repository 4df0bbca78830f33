"""Operations of `keras.ops` as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kerasseq.interop.onnx.activations import ACTIVATIONS
from kerasseq.interop.onnx.attention import dot_product_attention
from kerasseq.interop.onnx.graph import Graph, NotExportable, onnx_dtype
from kerasseq.interop.tracing import Call, is_symbolic

__all__ = ["OPERATIONS"]

Convert = Callable[[Graph, Call], Any]

#: By the name of the class of an operation in Keras: adds its nodes, and gives the names of the
#: outputs.
OPERATIONS: dict[str, Convert] = {**ACTIVATIONS}

_UNARY = {
    **{name: name for name in ("Tanh", "Sigmoid", "Relu", "Exp", "Log", "Sqrt", "Softplus")},
    **{name: name for name in ("Softsign", "Sin", "Cos", "Identity")},
    "Absolute": "Abs",
    "Negative": "Neg",
    "LogicalNot": "Not",
}
_BINARY = {
    "Add": "Add",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Divide": "Div",
    "TrueDivide": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Power": "Pow",
    "Matmul": "MatMul",
    "LogicalAnd": "And",
    "LogicalOr": "Or",
}
_COMPARISONS = {
    "Equal": "Equal",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
}
_REDUCTIONS = {"Sum": "ReduceSum", "Mean": "ReduceMean", "Max": "ReduceMax", "Min": "ReduceMin"}
_TO_THE_END = int(np.iinfo(np.int64).max)


def _converts(*names: str) -> Callable[[Convert], Convert]:
    def register(convert: Convert) -> Convert:
        OPERATIONS.update(dict.fromkeys(names, convert))
        return convert

    return register


# Element by element


@_converts(*_UNARY)
def _unary(graph: Graph, call: Call) -> str:
    return graph.node(_UNARY[_name(call)], [graph.name(call.argument("x", 0), call.output.dtype)])


@_converts(*_BINARY)
def _binary(graph: Graph, call: Call) -> str:
    operands = [graph.name(call.argument(name, n), call.output.dtype) for n, name in _TWO]
    return graph.node(_BINARY[_name(call)], operands)


@_converts(*_COMPARISONS, "NotEqual")
def _comparison(graph: Graph, call: Call) -> str:
    pair = [call.argument(name, n) for n, name in _TWO]
    dtype = _common_dtype(pair)
    operands = [graph.name(value, dtype) for value in pair]
    if _name(call) == "NotEqual":
        return graph.node("Not", [graph.node("Equal", operands)])
    return graph.node(_COMPARISONS[_name(call)], operands)


@_converts("Square")
def _square(graph: Graph, call: Call) -> str:
    return graph.node("Mul", [call.argument("x", 0)] * 2)


@_converts("Rsqrt")
def _rsqrt(graph: Graph, call: Call) -> str:
    return graph.node("Reciprocal", [graph.node("Sqrt", [call.argument("x", 0)])])


@_converts("Clip")
def _clip(graph: Graph, call: Call) -> str:
    dtype, operation = call.output.dtype, call.operation
    limits = [graph.constant(limit, dtype) for limit in (operation.x_min, operation.x_max)]
    return graph.node("Clip", [graph.name(call.argument("x", 0), dtype), *limits])


@_converts("Cast", "ConvertToTensor")
def _cast(graph: Graph, call: Call) -> str:
    return graph.name(call.args[0], call.output.dtype)


@_converts("Where")
def _where(graph: Graph, call: Call) -> str:
    condition, *values = (
        call.argument(name, n) for n, name in enumerate(("condition", "x1", "x2"))
    )
    dtype = call.output.dtype
    return graph.node(
        "Where", [graph.name(condition, "bool"), *(graph.name(value, dtype) for value in values)]
    )


@_converts("OnesLike", "ZerosLike")
def _filled(graph: Graph, call: Call) -> str:
    value = graph.constant(float(_name(call) == "OnesLike"), call.output.dtype)
    return graph.node("Expand", [value, graph.node("Shape", [call.argument("x", 0)])])


@_converts("Einsum")
def _einsum(graph: Graph, call: Call) -> str:
    operands = [graph.name(operand, call.output.dtype) for operand in call.args]
    return graph.node("Einsum", operands, equation=call.operation.subscripts)


# Along axes


@_converts(*_REDUCTIONS)
def _reduction(graph: Graph, call: Call) -> str:
    kind, dtype = _REDUCTIONS[_name(call)], call.output.dtype
    reduced = _reduce(graph, call, kind, graph.name(call.argument("x", 0), dtype))
    initial = getattr(call.operation, "initial", None)
    if initial is None:
        return reduced
    return graph.node(_name(call), [reduced, graph.constant(initial, dtype)])


@_converts("Any", "All")
def _logical_reduction(graph: Graph, call: Call) -> str:
    kind = "ReduceMax" if _name(call) == "Any" else "ReduceMin"
    is_true = graph.node(
        "Cast", [graph.name(call.argument("x", 0), "bool")], to=onnx_dtype("int32")
    )
    return graph.node("Cast", [_reduce(graph, call, kind, is_true)], to=onnx_dtype("bool"))


def _reduce(graph: Graph, call: Call, kind: str, x: str) -> str:
    axis = call.operation.axis
    axes = [] if axis is None else [graph.integers(*([axis] if isinstance(axis, int) else axis))]
    return graph.node(kind, [x, *axes], keepdims=int(call.operation.keepdims))


@_converts("Argmax")
def _argmax(graph: Graph, call: Call) -> str:
    operation = call.operation
    if operation.axis is None:
        raise NotExportable("it takes argmax over all axes")
    place = graph.node(
        "ArgMax", [call.argument("x", 0)], axis=operation.axis, keepdims=int(operation.keepdims)
    )
    return graph.node("Cast", [place], to=onnx_dtype(call.output.dtype))


@_converts("Cumsum")
def _cumsum(graph: Graph, call: Call) -> str:
    if call.operation.axis is None:
        raise NotExportable("it sums over all axes cumulatively")
    x = graph.name(call.argument("x", 0), call.output.dtype)
    return graph.node("CumSum", [x, graph.constant(np.int64(call.operation.axis))])


@_converts("Softmax", "LogSoftmax")
def _softmax(graph: Graph, call: Call) -> str:
    if not isinstance(call.operation.axis, int):
        raise NotExportable("its softmax is over several axes")
    return graph.node(_name(call), [call.argument("x", 0)], axis=call.operation.axis)


@_converts("Concatenate")
def _concatenate(graph: Graph, call: Call) -> str:
    parts = [graph.name(part, call.output.dtype) for part in call.argument("xs", 0)]
    return graph.node("Concat", parts, axis=call.operation.axis)


@_converts("Stack")
def _stack(graph: Graph, call: Call) -> str:
    axis = graph.integers(call.operation.axis)
    parts = call.argument("x", 0) if call.args else call.argument("xs")
    wide = [graph.node("Unsqueeze", [graph.name(part, call.output.dtype), axis]) for part in parts]
    return graph.node("Concat", wide, axis=call.operation.axis)


@_converts("Split")
def _split(graph: Graph, call: Call) -> list[str]:
    axis = call.operation.axis
    sizes = [tensor.shape[axis] for tensor in call.outputs]
    if None in sizes:
        raise NotExportable("it splits an axis whose size is known only when it runs")
    x = call.argument("x", 0)
    return graph.nodes_of("Split", [x, graph.integers(*sizes)], len(sizes), axis=axis)


@_converts("Flip")
def _flip(graph: Graph, call: Call) -> str:
    axis, x = call.operation.axis, call.argument("x", 0)
    if axis is None:
        axes = [*range(len(x.shape))]
    else:
        axes = [axis] if isinstance(axis, int) else [*axis]
    count = len(axes)
    bounds = [[-1] * count, [-_TO_THE_END] * count, axes, [-1] * count]
    return graph.node("Slice", [x, *(graph.integers(*values) for values in bounds)])


@_converts("Take")
def _take(graph: Graph, call: Call) -> str:
    axis = call.operation.axis
    if axis is None:
        raise NotExportable("it takes elements by their place in all axes")
    table, places = call.argument("x", 0), call.argument("indices", 1)
    places = graph.name(places, "int32" if is_symbolic(places) else "int64")
    return graph.node("Gather", [graph.name(table), places], axis=axis)


@_converts("TakeAlongAxis")
def _take_along_axis(graph: Graph, call: Call) -> str:
    """Elements by their places; ONNX does not broadcast the other axes, which Keras does."""
    x, places = call.argument("x", 0), call.argument("indices", 1)
    axis = call.operation.axis
    if axis is None:
        raise NotExportable("it takes elements by their place in all axes")
    rank = len(x.shape)
    axis %= rank
    shape = [graph.sizes(places if other == axis else x, other) for other in range(rank)]
    wide = graph.node("Expand", [graph.name(places, "int64"), graph.joined(shape)])
    return graph.node("GatherElements", [x, wide], axis=axis)


# Shapes


@_converts("ExpandDims")
def _expand_dims(graph: Graph, call: Call) -> str:
    axis = call.operation.axis
    axes = [axis] if isinstance(axis, int) else axis
    return graph.node("Unsqueeze", [call.argument("x", 0), graph.integers(*axes)])


@_converts("Squeeze")
def _squeeze(graph: Graph, call: Call) -> str:
    axis, x = call.operation.axis, call.argument("x", 0)
    if axis is None:
        axis = [place for place, size in enumerate(x.shape) if size == 1]
    axes = [axis] if isinstance(axis, int) else axis
    return graph.node("Squeeze", [x, graph.integers(*axes)])


@_converts("Transpose")
def _transpose(graph: Graph, call: Call) -> str:
    axes = call.operation.axes
    x = call.argument("x", 0)
    return graph.node("Transpose", [x], perm=axes or [*range(len(x.shape))][::-1])


@_converts("Swapaxes")
def _swapaxes(graph: Graph, call: Call) -> str:
    x, operation = call.argument("x", 0), call.operation
    order = [*range(len(x.shape))]
    a, b = operation.axis1, operation.axis2
    order[a], order[b] = order[b], order[a]
    return graph.node("Transpose", [x], perm=order)


@_converts("Reshape")
def _reshape(graph: Graph, call: Call) -> str:
    shape = [-1 if size is None else size for size in call.operation.newshape]
    if shape.count(-1) > 1:
        raise NotExportable("it reshapes to several sizes that are known only when it runs")
    return graph.node("Reshape", [call.argument("x", 0), graph.integers(*shape)])


@_converts("Repeat")
def _repeat(graph: Graph, call: Call) -> str:
    """Repeated elements: copies along a new axis, which is joined with that of the elements."""
    x, axis, count = call.argument("x", 0), call.operation.axis, call.operation.repeats
    if axis is None or not isinstance(count, int):
        raise NotExportable("it repeats elements of all axes, or each another number of times")
    rank = len(x.shape)
    axis %= rank
    wide = graph.node("Unsqueeze", [x, graph.integers(axis + 1)])
    copies = [1] * (rank + 1)
    copies[axis + 1] = count
    sizes = [graph.integers(-1) if n == axis else graph.sizes(x, n) for n in range(rank)]
    tiled = graph.node("Tile", [wide, graph.integers(*copies)])
    return graph.node("Reshape", [tiled, graph.joined(sizes)])


@_converts("Tile")
def _tile(graph: Graph, call: Call) -> str:
    x, repeats = call.argument("x", 0), call.operation.repeats
    repeats = [repeats] if isinstance(repeats, int) else [*repeats]
    if len(repeats) > len(x.shape) or not all(isinstance(count, int) for count in repeats):
        raise NotExportable("it repeats a tensor along new axes, or a computed number of times")
    counts = [1] * (len(x.shape) - len(repeats)) + repeats
    return graph.node("Tile", [x, graph.integers(*counts)])


@_converts("Pad")
def _pad(graph: Graph, call: Call) -> str:
    if call.operation.mode != "constant":
        raise NotExportable(f"it pads in the mode {call.operation.mode!r}")
    widths = np.asarray(call.operation.pad_width)
    value = call.argument("constant_values", 1)
    fill = graph.constant(0 if value is None else value, call.output.dtype)
    return graph.node(
        "Pad", [call.argument("x", 0), graph.integers(*widths[:, 0], *widths[:, 1]), fill]
    )


@_converts("GetItem")
def _get_item(graph: Graph, call: Call) -> str:
    """A part of a tensor: slices first, then single entries, then new axes."""
    x, key = call.argument("x", 0), call.argument("key", 1)
    # A tuple of the key comes back from a file as a list.
    parts = list(key) if isinstance(key, tuple | list) else [key]
    if Ellipsis in [part for part in parts if not is_symbolic(part)]:
        place = parts.index(Ellipsis)
        missing = len(x.shape) - sum(part is not None for part in parts) + 1
        parts[place : place + 1] = [slice(None)] * missing
    if any(part is not None and not isinstance(part, int | np.integer | slice) for part in parts):
        raise NotExportable("it takes the elements of a tensor by computed places")
    slices: list[tuple[int, int, int, int]] = []
    single: list[int] = []
    new, axis = [], 0
    for place, part in enumerate(parts):
        if part is None:
            new.append(place - len(single))
            continue
        if isinstance(part, slice):
            slices += _bounds(part, axis)
        else:
            slices.append((int(part), int(part) + 1 if part != -1 else _TO_THE_END, axis, 1))
            single.append(axis)
        axis += 1
    name = graph.name(x)
    if slices:
        name = graph.node("Slice", [name, *(graph.integers(*each) for each in zip(*slices))])
    if single:
        name = graph.node("Squeeze", [name, graph.integers(*single)])
    if new:
        # A single entry before a new axis leaves no axis behind.
        name = graph.node("Unsqueeze", [name, graph.integers(*new)])
    if len(x.shape) - len(single) + len(new) != len(call.output.shape):
        raise NotExportable("it takes the elements of a tensor by a list of places")
    return name


def _bounds(part: slice, axis: int) -> list[tuple[int, int, int, int]]:
    """Start, stop, axis and step of a slice; nothing if it is the whole axis."""
    if any(is_symbolic(bound) for bound in (part.start, part.stop, part.step)):
        raise NotExportable("it takes a slice with computed bounds")
    step = 1 if part.step is None else part.step
    if (part.start, part.stop, step) == (None, None, 1):
        return []
    start = part.start if part.start is not None else (0 if step > 0 else _TO_THE_END)
    end = _TO_THE_END if step > 0 else -_TO_THE_END
    return [(start, part.stop if part.stop is not None else end, axis, step)]


# Layers of networks


@_converts("LayerNorm")
def _layer_norm(graph: Graph, call: Call) -> str:
    x, gamma, beta = (call.argument(name, n) for n, name in enumerate(("x", "gamma", "beta")))
    operation = call.operation
    axes = [operation.axis] if isinstance(operation.axis, int) else list(operation.axis)
    if operation.rms_scaling or axes not in ([-1], [len(x.shape) - 1]):
        raise NotExportable("it normalises over other axes than the last, or scales by the RMS")
    epsilon = keras.config.epsilon() if operation.epsilon is None else operation.epsilon
    gain = np.ones(x.shape[-1], np.float32) if gamma is None else gamma
    offset = [] if beta is None else [beta]
    return graph.node("LayerNormalization", [x, gain, *offset], epsilon=float(epsilon))


@_converts("Normalize")
def _normalize(graph: Graph, call: Call) -> str:
    """Vectors of the length 1."""
    x, operation = call.argument("x", 0), call.operation
    if operation.order != 2 or operation.axis is None:
        raise NotExportable("it normalises by another norm than the Euclidean, or over all axes")
    epsilon = keras.config.epsilon() if operation.epsilon is None else operation.epsilon
    axes = graph.integers(*keras.tree.flatten(operation.axis))
    length = graph.node("Sqrt", [graph.node("ReduceSum", [graph.node("Mul", [x, x]), axes])])
    factor = graph.node("Min", [graph.node("Reciprocal", [length]), 1 / epsilon])
    return graph.node("Mul", [x, factor])


_converts("DotProductAttention")(dot_product_attention)


@_converts("BatchNorm")
def _batch_norm(graph: Graph, call: Call) -> str:
    names = ("x", "mean", "variance", "offset", "scale")
    x, *statistics = (call.argument(name, n) for n, name in enumerate(names))
    mean, variance, offset, scale = map(_array, statistics)
    if mean is None or variance is None:
        raise NotExportable("it normalises by the statistics of the batch")
    factor = 1 / np.sqrt(variance + call.operation.epsilon)
    factor = factor if scale is None else factor * scale
    shift = -mean * factor if offset is None else offset - mean * factor
    shape = [1] * len(x.shape)
    shape[call.operation.axis] = -1
    parts = (part.reshape(shape).astype(np.float32) for part in (factor, shift))
    product = graph.node("Mul", [x, next(parts)])
    return graph.node("Add", [product, next(parts)])


@_converts("Conv")
def _conv(graph: Graph, call: Call) -> str:
    """A convolution of any number of axes, channels last."""
    x, weights = call.argument("inputs", 0), _array(call.argument("kernel", 1))
    return _convolved(graph, call, x, weights, x.shape[-1], call.operation.strides)


@_converts("DepthwiseConv")
def _depthwise_conv(graph: Graph, call: Call) -> str:
    """A convolution of each channel by itself."""
    x, weights = call.argument("inputs", 0), _array(call.argument("kernel", 1))
    return _convolved(graph, call, x, _by_channel(weights), x.shape[-1], call.operation.strides)


@_converts("SeparableConv")
def _separable_conv(graph: Graph, call: Call) -> str:
    """A convolution of each channel by itself, then one over all channels of a place."""
    names = ("inputs", "depthwise_kernel", "pointwise_kernel")
    x, depthwise, pointwise = (call.argument(name, n) for n, name in enumerate(names))
    depthwise, pointwise = _by_channel(_array(depthwise)), _array(pointwise)
    inner = _convolved(graph, call, x, depthwise, x.shape[-1], call.operation.strides)
    return _convolved(graph, call, inner, pointwise, depthwise.shape[-1], 1)


def _by_channel(weights: np.ndarray | None) -> Any:
    """The kernel of a convolution in as many groups as there are channels."""
    if weights is None:
        return None
    return weights.reshape(*weights.shape[:-2], 1, weights.shape[-2] * weights.shape[-1])


def _convolved(
    graph: Graph, call: Call, x: Any, weights: np.ndarray | None, channels: int, strides: Any
) -> str:
    """A convolution by a kernel, (sizes, channels of a group, outputs)."""
    operation = call.operation
    if (operation.data_format or keras.config.image_data_format()) != "channels_last":
        raise NotExportable("its channels are not the last axis")
    if weights is None:
        raise NotExportable("its kernel is computed")
    axes = weights.ndim - 2
    weights = weights.transpose(axes + 1, axes, *range(axes))
    padding = {"valid": "VALID", "same": "SAME_UPPER"}.get(operation.padding)
    strides, dilations = (_each(v, axes) for v in (strides, operation.dilation_rate))
    if padding is None or (padding == "SAME_UPPER" and dilations != [1] * axes):
        raise NotExportable(f"its padding is {operation.padding!r} with dilation {dilations}")
    result = graph.node(
        "Conv",
        [_channels_first(graph, x, axes), weights],
        auto_pad=padding,
        strides=strides,
        dilations=dilations,
        group=channels // weights.shape[1],
    )
    return _channels_last(graph, result, axes)


@_converts("MaxPool", "AveragePool")
def _pool(graph: Graph, call: Call) -> str:
    operation, x = call.operation, call.argument("inputs", 0)
    if (operation.data_format or keras.config.image_data_format()) != "channels_last":
        raise NotExportable("its channels are not the last axis")
    axes = len(x.shape) - 2
    size = _each(operation.pool_size, axes)
    result = graph.node(
        _name(call),
        [_channels_first(graph, x, axes)],
        kernel_shape=size,
        strides=size if operation.strides is None else _each(operation.strides, axes),
        auto_pad={"valid": "VALID", "same": "SAME_UPPER"}[operation.padding],
    )
    return _channels_last(graph, result, axes)


def _channels_first(graph: Graph, x: Any, axes: int) -> str:
    return graph.node("Transpose", [x], perm=[0, axes + 1, *range(1, axes + 1)])


def _channels_last(graph: Graph, x: str, axes: int) -> str:
    return graph.node("Transpose", [x], perm=[0, *range(2, axes + 2), 1])


# Helpers

_TWO = ((0, "x1"), (1, "x2"))


def _name(call: Call) -> str:
    return type(call.operation).__name__


def _each(value: int | Sequence[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else [*value]


def _array(value: Any) -> np.ndarray | None:
    """The values of a weight; None for no weight, or for a symbolic tensor."""
    if value is None or is_symbolic(value):
        return None
    return np.asarray(keras.ops.convert_to_numpy(value), np.float32)


def _common_dtype(values: Sequence[Any]) -> str:
    """The dtype in which two values are compared; a number of Python takes that of the other."""
    dtypes = [
        type(value)
        if isinstance(value, bool | int | float)
        else keras.backend.standardize_dtype(value.dtype)
        for value in values
    ]
    return str(keras.backend.result_type(*dtypes))
