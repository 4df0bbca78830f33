"""Layers and operations that compute each timestep alone, and the reasons why others do not.

A layer of a class that is not named here is opened, and the operations in its `call` decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from kerasseq import layers as ours
from kerasseq.interop.tracing import Call, Unsupported, is_symbolic
from kerasseq.layers.recurrent.bidirectional import Bidirectional

__all__ = ["TIME", "check_timewise", "is_judged"]

#: The axis of time.
TIME = 1

_K = keras.layers
_MERGES = (_K.Add, _K.Subtract, _K.Multiply, _K.Average, _K.Maximum, _K.Minimum)
_ELEMENTWISE = (
    *(_K.ReLU, _K.LeakyReLU, _K.ELU, _K.Identity, _K.Rescaling, _K.Embedding),
    *(_K.Dropout, _K.SpatialDropout1D, _K.GaussianDropout, _K.GaussianNoise, _K.AlphaDropout),
    *(_K.ActivityRegularization, _K.TimeDistributed),
    *(ours.TokenDropout, ours.TimeCrop, ours.TimeWarp, ours.ChannelScaling),
    *(ours.FrameEncoder, ours.CharacterEncoder),
)
#: Layers that work along `axis`, or the last axis.
_ALONG_AXIS = (
    *(_K.Softmax, _K.Concatenate, _K.LayerNormalization, _K.RMSNormalization, _K.Dense),
    *(_K.BatchNormalization, _K.UnitNormalization, _K.Normalization, _K.Masking),
)

_LATER = "it reads later timesteps"
_POOLS = "it pools over time: give the recurrent layer before it return_sequences=False"
_RESIZES = "it changes the number of timesteps"
_MOVES = "it moves the timesteps to other places"
_ATTENDS = "every timestep attends to the others"
#: By exact class.
_REASONS: dict[type, str] = {
    **dict.fromkeys(
        (_K.Bidirectional, Bidirectional), "its second direction begins at the last timestep"
    ),
    **dict.fromkeys(
        (_K.GlobalAveragePooling1D, _K.GlobalMaxPooling1D, ours.SequencePooling), _POOLS
    ),
    **dict.fromkeys(
        (_K.MaxPooling1D, _K.AveragePooling1D, _K.UpSampling1D),
        "it changes the number of timesteps",
    ),
    **dict.fromkeys((_K.SeparableConv1D, _K.DepthwiseConv1D, _K.Conv1DTranspose), _LATER),
    ours.SequenceConvolution: f"{_LATER}, or leaves timesteps out",
    **dict.fromkeys((_K.Attention, _K.AdditiveAttention, _K.MultiHeadAttention), _ATTENDS),
    **dict.fromkeys((_K.Flatten, _K.Reshape, _K.Permute, _K.RepeatVector), _MOVES),
    **dict.fromkeys((_K.ZeroPadding1D, _K.Cropping1D), _MOVES),
    _K.GroupNormalization: "it normalises over time",
}

_ELEMENTWISE_OPERATIONS = frozenset(
    (
        *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Power", "Maximum", "Minimum"),
        *("Absolute", "Negative", "Exp", "Log", "Sqrt", "Square", "Rsqrt", "Sin", "Cos", "Tanh"),
        *("Sigmoid", "Relu", "Relu6", "ReLU", "LeakyRelu", "Elu", "Selu", "Silu", "Gelu"),
        *("Celu", "TanhShrink", "HardShrink", "SoftShrink", "Squareplus", "HardSilu"),
        *("HardSigmoid", "HardTanh", "Softplus", "Softsign", "LogSigmoid", "Clip", "Identity"),
        *("Cast", "ConvertToTensor", "Where", "OnesLike", "ZerosLike", "LogicalNot"),
        *("LogicalAnd", "LogicalOr", "Equal", "NotEqual", "Less", "LessEqual", "Greater"),
        "GreaterEqual",
    )
)
_OPERATIONS_ALONG_AXIS = frozenset(
    ("Softmax", "LogSoftmax", "Concatenate", "Sum", "Mean", "Max", "Min", "Any", "All", "LayerNorm")
)


def is_judged(layer: Any) -> bool:
    """Whether the class of a layer says what it does with timesteps; else it is opened."""
    kind = type(layer)
    judged = (*_MERGES, *_ELEMENTWISE, *_ALONG_AXIS, _K.PReLU)
    return kind in judged or kind in _REASONS


def check_timewise(call: Call, steps: Iterable[Any], changing: Iterable[Any]) -> None:
    """Check that a call computes each timestep of its inputs alone.

    Args:
        call: A call of a layer or an operation.
        steps: The tensors in its arguments that have timesteps.
        changing: Those that have none, and change with further timesteps.

    Raises:
        Unsupported: If it does not.
    """
    operation, steps = call.operation, list(steps)
    if type(operation) in _REASONS:
        raise Unsupported(_REASONS[type(operation)])
    if any(True for _ in changing):
        raise Unsupported(
            "it combines timesteps with what was computed from all of them, which later ones change"
        )
    _check_operands(call, steps)
    if isinstance(operation, keras.layers.Layer):
        _check_layer(operation, steps)
    elif len({len(tensor.shape) for tensor in steps}) > 1:
        raise Unsupported("it combines timesteps along different axes")
    else:
        _check_operation(call, steps)


def _check_layer(layer: Any, steps: list[Any]) -> None:
    kind = type(layer)
    if kind in _ALONG_AXIS:
        _check_axis(getattr(layer, "axis", -1), steps)
    elif kind is _K.PReLU:
        if TIME not in (layer.shared_axes or ()):
            raise Unsupported("it has slopes for each timestep: pass shared_axes=[1]")
    elif kind not in (*_MERGES, *_ELEMENTWISE):
        raise Unsupported(f"{kind.__name__} may mix timesteps")


def _check_operation(call: Call, steps: list[Any]) -> None:
    operation, name = call.operation, type(call.operation).__name__
    if type(operation).__module__.partition(".")[0] != "keras":
        raise Unsupported(f"the operation {name} may mix timesteps")
    if name in _ELEMENTWISE_OPERATIONS:
        return
    if name in _OPERATIONS_ALONG_AXIS:
        _check_axis(operation.axis, steps)
    elif name in ("ExpandDims", "Squeeze"):
        rank = len(call.output.shape if name == "ExpandDims" else steps[0].shape)
        _check_axis(operation.axis, [np.empty([1] * rank)])
    elif name == "Matmul":
        x, matrix = call.argument("x1", 0), call.argument("x2", 1)
        if is_symbolic(matrix) or len(x.shape) < 3 or len(matrix.shape) != 2:
            raise Unsupported("its matrix product may mix timesteps")
    elif name == "GetItem":
        _check_part(call.argument("key", 1), len(steps[0].shape))
    else:
        raise Unsupported(f"the operation {name} may mix timesteps")


def _check_axis(axis: Any, steps: list[Any]) -> None:
    """Refuse to work along the batch, or along time; None is every axis."""
    if axis is None:
        raise Unsupported("it works along time: name another axis")
    rank = max(len(tensor.shape) for tensor in steps)
    if any(int(each) % rank <= TIME for each in np.atleast_1d(axis)):
        raise Unsupported(f"it works along time: axis={axis}")


def _check_part(key: Any, rank: int) -> None:
    parts = list(key) if isinstance(key, tuple | list) else [key]
    if any(part is Ellipsis for part in parts):
        is_kept = parts[0] is Ellipsis and len(parts) - 1 <= rank - 2 and None not in parts
    else:
        is_kept = all(part == slice(None) for part in parts[: TIME + 1])
    if not is_kept:
        raise Unsupported("it takes a part of the timesteps")


def _check_operands(call: Call, steps: list[Any]) -> None:
    """Refuse a value beside timesteps that has a value of its own for each of them."""
    rank = max(len(tensor.shape) for tensor in steps)
    timed = {id(tensor) for tensor in steps}
    for value in keras.tree.flatten((call.args, call.kwargs)):
        if id(value) in timed or not hasattr(value, "shape") or _is_matrix(call, value):
            continue
        place = len(value.shape) - rank + TIME  # of time, as axes are matched from the last
        if place < 0 or (value.shape[place] == 1 and (place == TIME or not is_symbolic(value))):
            continue
        raise Unsupported("it combines timesteps with an array that differs from one to the next")


def _is_matrix(call: Call, value: Any) -> bool:
    return type(call.operation).__name__ == "Matmul" and value is call.argument("x2", 1)
