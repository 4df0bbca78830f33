"""A Keras model as a model of ONNX."""

from __future__ import annotations

import json
from typing import Any

import keras
import onnx

from kerasseq.interop.copying import ModelCopy
from kerasseq.interop.counterparts import copied
from kerasseq.interop.distinct import distinct
from kerasseq.interop.onnx.graph import Graph, NotExportable, onnx_dtype
from kerasseq.interop.onnx.layers import LAYERS
from kerasseq.interop.onnx.operations import OPERATIONS
from kerasseq.interop.streaming.step_model import step_model
from kerasseq.interop.tracing import (
    Call,
    Trace,
    Unsupported,
    check_graph,
    open_layer,
    trace,
)

__all__ = ["step_to_onnx", "to_onnx"]

#: Entry of the metadata with the state before the first step.
FIRST_STATE = "kerasseq.first_state"


def to_onnx(model: Any) -> onnx.ModelProto:
    """Give a model of ONNX with the outputs of a Keras model in inference.

    Args:
        model: A built Sequential or functional model. It does not change.

    Raises:
        ValueError: If a layer has no counterpart; it lists all of them with the reasons.

    Example:

    >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)])
    >>> [node.op_type for node in to_onnx(model).graph.node]
    ['Transpose', 'LSTM', 'Gather', 'Identity']
    """
    check_graph(model)
    copy = ModelCopy(model, copied).result  # tracing calls each layer once more
    traced = trace(copy.inputs, copy.outputs)
    names = distinct([tensor.name for tensor in model.inputs])
    made_by = {
        id(tensor): call.operation.name
        for call in traced.calls
        for tensor in keras.tree.flatten(call.outputs)
    }
    output_names = [made_by.get(id(tensor), tensor.name) for tensor in traced.outputs]
    output_names = distinct([*names, *output_names])[len(names) :]
    graph = Graph()
    for tensor, name in zip(traced.inputs, names, strict=True):
        graph.bind(tensor, name)
    converter = _Converter()
    results = converter.run(traced, graph)
    if converter.faults:
        faults = "; ".join(f"{path} ({reason})" for path, reason in converter.faults.items())
        count = len(converter.faults)
        raise ValueError(
            f"`model`: {count} {'layer' if count == 1 else 'layers'} of '{model.name}' cannot be "
            f"exported to ONNX: {faults}."
        )
    for result, name in zip(results, output_names, strict=True):
        graph.nodes.append(onnx.helper.make_node("Identity", [result], [name]))
    return graph.model(
        model.name,
        [(name, x.dtype, x.shape) for name, x in zip(names, copy.inputs)],
        [
            (name, graph.dtype(result), x.shape)
            for name, result, x in zip(output_names, results, copy.outputs)
        ],
    )


def step_to_onnx(model: Any) -> onnx.ModelProto:
    """Give a model of ONNX that reads further timesteps, with the state before and after them.

    The metadata says where the state begins, `kerasseq.first_state`: JSON of the values of one row
    by the names of the inputs, or 0 for a part that is zero.

    Args:
        model: A built Sequential or functional model. It does not change.

    Raises:
        ValueError: If layers cannot go on from step to step, or have no counterpart.

    Example:

    >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4, name="reader")])
    >>> made = step_to_onnx(model)
    >>> [value.name for value in made.graph.output], made.metadata_props[0].value
    (['reader', 'next_reader_state_0'], '{"reader_state_0": 0}')
    """
    step = step_model(model)
    made = to_onnx(step.model)
    first = {name: part[0].tolist() if part.any() else 0 for name, part in step.first.items()}
    onnx.helper.set_model_props(made, {FIRST_STATE: json.dumps(first)})
    return made


class _Converter:
    """Converts traces, and collects the layers that cannot be converted.

    Attributes:
        faults: The reason of each of these layers, by its path in the model.
    """

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}
        self._path: list[str] = []

    def run(self, traced: Trace, graph: Graph) -> list[str]:
        """Add the nodes of a trace whose inputs are bound; give the names of its outputs."""
        for call in traced.calls:
            outputs = keras.tree.flatten(call.outputs)
            for tensor, name in zip(outputs, self._names(graph, call, outputs), strict=True):
                graph.bind(tensor, name)
        return [graph.name(tensor) for tensor in traced.outputs]

    def _names(self, graph: Graph, call: Call, outputs: list[Any]) -> list[str]:
        """Names of the outputs of a call; of no meaning if it cannot be converted."""
        self._path.append(call.operation.name)
        try:
            return self._convert(graph, call, outputs)
        except Unsupported as reason:
            # Inside a layer that is opened, the layer itself is named.
            if len(self._path) > 1 and not _is_layer(call.operation):
                raise
            self.faults["/".join(self._path)] = str(reason)
            return [graph.fresh("unknown") for _ in outputs]
        finally:
            self._path.pop()

    def _convert(self, graph: Graph, call: Call, outputs: list[Any]) -> list[str]:
        operation = call.operation
        for tensor in outputs:
            onnx_dtype(tensor.dtype)
        if type(operation) in LAYERS:
            return LAYERS[type(operation)](graph, call, self.run)
        if not _is_layer(operation):
            kind = type(operation).__name__
            if kind not in OPERATIONS or type(operation).__module__.partition(".")[0] != "keras":
                raise NotExportable(f"the operation {kind} has no counterpart")
            names = OPERATIONS[kind](graph, call)
            return [names] if isinstance(names, str) else names
        return self._open(graph, call)

    def _open(self, graph: Graph, call: Call) -> list[str]:
        """Convert what the `call` method of a layer does."""
        traced, tensors = open_layer(call)
        for inside, outside in zip(traced.inputs, tensors, strict=True):
            graph.bind(inside, graph.name(outside))
        return self.run(traced, graph)


def _is_layer(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Layer)
