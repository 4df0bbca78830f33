"""Convolutions in groups of channels, which `keras.ops.conv` refuses symbolically."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from kerasseq.interop.onnx.graph import Graph, NotExportable
from kerasseq.interop.tracing import Call, Trace, open_layer

__all__ = ["GroupedConvolution", "convolution"]


class GroupedConvolution(keras.Operation):
    """`keras.ops.conv` by a kernel that has the channels of one group.

    Args:
        **options: Of `keras.ops.conv`.

    Call arguments:
        inputs: (batch, sizes, channels).
        kernel: (sizes, channels of a group, outputs).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.strides, self.padding = options["strides"], options["padding"]
        self.data_format, self.dilation_rate = options["data_format"], options["dilation_rate"]

    def call(self, inputs: Any, kernel: Any) -> Any:
        """Convolve."""
        return ops.conv(inputs, kernel, **self.options)

    def compute_output_spec(self, inputs: Any, kernel: Any) -> Any:
        """The shape that the channels of one group would have, too."""
        shape = (*inputs.shape[:-1], kernel.shape[-2])
        return ops.conv(keras.KerasTensor(shape, inputs.dtype), kernel, **self.options)


class _Grouped:
    """The `call` of a convolution for symbolic tensors."""

    def __init__(self, layer: Any) -> None:
        self._layer, self.activation = layer, layer.activation

    def call(self, inputs: Any) -> Any:
        layer, padding = self._layer, self._layer.padding
        if padding == "causal":
            before = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
            inputs, padding = ops.pad(inputs, [(0, 0), (before, 0), (0, 0)]), "valid"
        outputs = GroupedConvolution(
            strides=list(layer.strides),
            padding=padding,
            data_format=layer.data_format,
            dilation_rate=layer.dilation_rate,
        )(inputs, layer.kernel)
        if layer.use_bias:
            outputs = outputs + ops.reshape(layer.bias, [-1])
        return outputs if self.activation is None else self.activation(outputs)


def convolution(
    graph: Graph, call: Call, convert: Callable[[Trace, Graph], list[str]]
) -> list[str]:
    """`Conv1D`, `Conv2D` and `Conv3D`, of any number of groups."""
    if call.operation.groups > 1:
        if call.operation.data_format != "channels_last":
            raise NotExportable("its channels are not the last axis")
        call = replace(call, operation=_Grouped(call.operation))
    traced, tensors = open_layer(call)
    for inside, outside in zip(traced.inputs, tensors, strict=True):
        graph.bind(inside, graph.name(outside))
    return convert(traced, graph)
