"""Activation functions as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasseq.interop.onnx.graph import Graph, NotExportable
from kerasseq.interop.tracing import Call

__all__ = ["ACTIVATIONS"]


def _silu(graph: Graph, call: Call) -> str:
    x = call.argument("x", 0)
    return graph.node("Mul", [x, graph.node("Sigmoid", [x])])


def _gelu(graph: Graph, call: Call) -> str:
    x = call.argument("x", 0)
    if call.operation.approximate:
        cube = graph.node("Mul", [graph.node("Mul", [x, x]), x])
        inner = graph.node("Add", [x, graph.node("Mul", [cube, 0.044715])])
        gate = graph.node("Tanh", [graph.node("Mul", [inner, float(np.sqrt(2 / np.pi))])])
    else:
        gate = graph.node("Erf", [graph.node("Mul", [x, float(np.sqrt(0.5))])])
    half = graph.node("Mul", [x, 0.5])
    return graph.node("Mul", [half, graph.node("Add", [gate, 1.0])])


def _elu(graph: Graph, call: Call) -> str:
    return graph.node("Elu", [call.argument("x", 0)], alpha=float(call.operation.alpha))


def _selu(graph: Graph, call: Call) -> str:
    return graph.node("Selu", [call.argument("x", 0)])


def _leaky_relu(graph: Graph, call: Call) -> str:
    slope = float(call.operation.negative_slope)
    return graph.node("LeakyRelu", [call.argument("x", 0)], alpha=slope)


def _celu(graph: Graph, call: Call) -> str:
    return graph.node("Celu", [call.argument("x", 0)], alpha=float(call.operation.alpha))


def _hard_tanh(graph: Graph, call: Call) -> str:
    return graph.node("Clip", [call.argument("x", 0), -1.0, 1.0])


def _tanh_shrink(graph: Graph, call: Call) -> str:
    x = call.argument("x", 0)
    return graph.node("Sub", [x, graph.node("Tanh", [x])])


def _shrink(graph: Graph, call: Call) -> str:
    threshold = float(call.operation.threshold)
    bias = threshold if type(call.operation).__name__ == "SoftShrink" else 0.0
    return graph.node("Shrink", [call.argument("x", 0)], lambd=threshold, bias=bias)


def _squareplus(graph: Graph, call: Call) -> str:
    x = call.argument("x", 0)
    square = graph.node("Add", [graph.node("Mul", [x, x]), float(call.operation.b)])
    both = graph.node("Add", [x, graph.node("Sqrt", [square])])
    return graph.node("Mul", [both, 0.5])


def _hard_sigmoid(graph: Graph, call: Call) -> str:
    return graph.node("HardSigmoid", [call.argument("x", 0)], alpha=1 / 6, beta=0.5)


def _hard_silu(graph: Graph, call: Call) -> str:
    return graph.node("HardSwish", [call.argument("x", 0)])


def _relu6(graph: Graph, call: Call) -> str:
    return graph.node("Clip", [call.argument("x", 0), 0.0, 6.0])


def _limited_relu(graph: Graph, call: Call) -> str:
    """`keras.activations.relu`, with its options."""
    x, operation = call.argument("x", 0), call.operation
    if operation.threshold:
        raise NotExportable("its ReLU has a threshold")
    if operation.negative_slope:
        x = graph.node("LeakyRelu", [x], alpha=float(operation.negative_slope))
    else:
        x = graph.node("Relu", [x])
    if operation.max_value is None:
        return graph.name(x)
    return graph.node("Min", [x, float(operation.max_value)])


def _log_sigmoid(graph: Graph, call: Call) -> str:
    softplus = graph.node("Softplus", [graph.node("Neg", [call.argument("x", 0)])])
    return graph.node("Neg", [softplus])


#: By the name of the class of an operation in Keras: adds its nodes, and gives the name of the
#: output.
ACTIVATIONS: dict[str, Callable[[Graph, Call], str]] = {
    "Silu": _silu,
    "Gelu": _gelu,
    "Elu": _elu,
    "Selu": _selu,
    "LeakyRelu": _leaky_relu,
    "Celu": _celu,
    "HardTanh": _hard_tanh,
    "TanhShrink": _tanh_shrink,
    "HardShrink": _shrink,
    "SoftShrink": _shrink,
    "Squareplus": _squareplus,
    "HardSigmoid": _hard_sigmoid,
    "HardSilu": _hard_silu,
    "Relu6": _relu6,
    "ReLU": _limited_relu,
    "LogSigmoid": _log_sigmoid,
}
