"""Layers and loops that are converted as a whole; of other layers, the operations are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerasseq import layers as ours
from kerasseq.interop.onnx.attention import attention, softmax
from kerasseq.interop.onnx.graph import Graph, NotExportable
from kerasseq.interop.onnx.grouped import GroupedConvolution, convolution
from kerasseq.interop.onnx.operations import OPERATIONS
from kerasseq.interop.onnx.recurrent import bidirectional, recurrent
from kerasseq.interop.onnx.scan import run_loop
from kerasseq.interop.streaming.each_timestep import EachTimestep
from kerasseq.interop.tracing import Call, Trace, trace
from kerasseq.kernels.timeloop import TimeLoop
from kerasseq.layers.recurrent.bidirectional import Bidirectional

__all__ = ["LAYERS"]

Convert = Callable[[Trace, Graph], list[str]]

_INACTIVE = (
    *(keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise),
    *(keras.layers.AlphaDropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D),
    keras.layers.ActivityRegularization,
    *(ours.TokenDropout, ours.TimeCrop, ours.TimeWarp, ours.ChannelScaling),
)
_RECURRENT = (
    *(keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN),
    *(ours.LSTM, ours.GRU, ours.SimpleRNN, ours.RNN),
)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_PER_TIMESTEP = (
    *(keras.layers.TimeDistributed, EachTimestep),
    *(ours.FrameEncoder, ours.CharacterEncoder),
)


def _inactive(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """A layer that changes its inputs in training alone."""
    return [graph.name(call.args[0] if call.args else next(iter(call.kwargs.values())))]


def _reshaped(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """`Reshape` and `Flatten`, which keep the batch."""
    shape = [-1 if size is None else size for size in call.output.shape[1:]]
    if shape.count(-1) > 1:
        raise NotExportable("it reshapes to several sizes that are known only when it runs")
    return [graph.node("Reshape", [call.argument("inputs", 0), graph.integers(0, *shape)])]


def _rescaled(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """`Rescaling`, of pixels say."""
    layer = call.operation
    scale, offset = (np.asarray(value, np.float32) for value in (layer.scale, layer.offset))
    x = graph.name(call.args[0], call.output.dtype)
    return [graph.node("Add", [graph.node("Mul", [x, scale]), offset])]


def _normalised(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """`Normalization` by known means and variances."""
    layer = call.operation
    if layer.invert:
        raise NotExportable("it inverts a normalization")
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(value), np.float32)
        for value in (layer.mean, layer.variance)
    )
    deviation = np.maximum(np.sqrt(variance), np.float32(keras.config.epsilon()))
    x = graph.name(call.args[0], call.output.dtype)
    return [graph.node("Div", [graph.node("Sub", [x, mean]), deviation])]


def _per_timestep(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """A layer that reads each timestep alone: all timesteps of all rows side by side."""
    layer, x = call.operation, call.args[0]
    if isinstance(layer, keras.layers.TimeDistributed):
        if call.argument("mask") is not None and _takes_masks(layer.layer):
            raise NotExportable("it gives a mask to the layer inside, one timestep after the other")
        encode = layer.layer
    else:
        encode = layer.encode
    rest = x.shape[2:]
    flat = keras.Input(batch_shape=(None, *rest), dtype=x.dtype)
    traced = trace([flat], [encode(flat)])
    sizes = graph.joined(
        [
            graph.integers(-1),
            *(
                graph.sizes(x, axis) if size is None else graph.integers(size)
                for axis, size in enumerate(rest, 2)
            ),
        ]
    )
    graph.bind(traced.inputs[0], graph.node("Reshape", [x, sizes]))
    (result,) = convert(traced, graph)
    shape = traced.outputs[0].shape[1:]
    if None in shape:
        raise NotExportable("the size of its outputs is known only when it runs")
    sizes = graph.joined([graph.sizes(x, 0, 1), graph.integers(*shape)])
    return [graph.node("Reshape", [result, sizes])]


def _grouped(graph: Graph, call: Call, convert: Convert) -> list[str]:
    return [OPERATIONS["Conv"](graph, call)]


def _takes_masks(layer: Any) -> bool:
    return isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional | keras.Model)


#: By exact class, since a subclass may compute anything.
LAYERS: dict[type, Callable[[Graph, Call, Convert], list[str]]] = {
    **dict.fromkeys(_INACTIVE, _inactive),
    **dict.fromkeys(_RECURRENT, recurrent),
    keras.layers.Bidirectional: bidirectional,
    Bidirectional: bidirectional,
    keras.layers.Reshape: _reshaped,
    keras.layers.Flatten: _reshaped,
    keras.layers.Rescaling: _rescaled,
    keras.layers.Normalization: _normalised,
    keras.layers.MultiHeadAttention: attention,
    keras.layers.Attention: attention,
    keras.layers.Softmax: softmax,
    **dict.fromkeys(_CONVOLUTIONS, convolution),
    GroupedConvolution: _grouped,
    **dict.fromkeys(_PER_TIMESTEP, _per_timestep),
    TimeLoop: run_loop,
}
