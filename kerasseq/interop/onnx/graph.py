"""An ONNX graph that is built node by node, with the names of the values in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import onnx
from keras import ops
from onnx import helper, numpy_helper

from kerasseq.interop.tracing import Unsupported

__all__ = ["OPSET", "Graph", "NotExportable", "onnx_dtype"]

#: Version of the operators: the first in which all reductions take their axes as an input.
OPSET = 18
_IR_VERSION = 8  # of the file format, for runtimes as old as this version of the operators
_LARGE = 1024  # numbers of a matrix that is worth a node that transposes it
_DTYPES = ("bool", "int32", "int64", "float32")


class NotExportable(Unsupported):
    """A layer or an operation without a counterpart in ONNX; the message says why."""


def onnx_dtype(dtype: str) -> int:
    """Number of a dtype in ONNX.

    Raises:
        NotExportable: If it is none of bool, int32, int64 and float32.

    >>> onnx_dtype("float32")
    1
    """
    if dtype not in _DTYPES:
        raise NotExportable(
            f"it computes in {dtype}, and models are exported in float32: create it with "
            "dtype='float32' (its weights stay as they are)"
        )
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


class Graph:
    """Nodes and constants of an ONNX graph, and the name of the value of each symbolic tensor.

    Args:
        parent: The graph around it, whose values it reads; None for the graph of a model.

    Example:

    >>> graph, x = Graph(), keras.Input((3,))
    >>> graph.bind(x, "x")
    >>> graph.node("Mul", [x, 2.0])
    'mul/2'
    """

    def __init__(self, parent: Graph | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._parent = parent
        self._root: Graph = self if parent is None else parent._root
        self._names: dict[int, str] = {}
        self._dtypes: dict[str, str] = {}
        # Tensors are kept: another one could get the same id.
        self._tensors: list[Any] = []
        self._constants: dict[Any, str] = {}
        self._initializers: list[onnx.TensorProto] = []
        self._memo: dict[Any, Any] = {}
        self._count = 0

    # Names

    def bind(self, tensor: Any, name: str) -> None:
        """Say which value of the graph a symbolic tensor stands for."""
        self._names[id(tensor)] = name
        self._tensors.append(tensor)
        # The first one knows: Keras says of some layers that integers which they give are floats.
        self._root._dtypes.setdefault(name, tensor.dtype)

    def dtype(self, name: str) -> str:
        """The dtype of a value that a tensor is bound to."""
        return self._root._dtypes[name]

    def name(self, value: Any, dtype: str | None = None) -> str:
        """Name of a value: of a symbolic tensor, or of an array, a weight or a number.

        Args:
            value: A symbolic tensor that is bound, the name of a value, or what becomes a constant.
            dtype: The dtype in which it is needed; by default its own.
        """
        if isinstance(value, str):
            return value
        if not isinstance(value, keras.KerasTensor):
            return self.constant(value, dtype)
        graph: Graph | None = self
        while graph is not None and id(value) not in graph._names:
            graph = graph._parent
        if graph is None:
            raise NotExportable("it reads a tensor that is no output of a layer of the model")
        name = graph._names[id(value)]
        if dtype is None or dtype == self.dtype(name):
            return name
        return self.node("Cast", [name], to=onnx_dtype(dtype))

    def constant(self, value: Any, dtype: str | None = None) -> str:
        """Name of a constant; equal ones, and a matrix and its transpose, are stored once."""
        root = self._root
        if isinstance(value, keras.Variable) or ops.is_tensor(value):
            array = np.asarray(ops.convert_to_numpy(value))
        else:
            array = np.asarray(value)
        array = array.astype(dtype or _default_dtype(array))
        onnx_dtype(str(array.dtype))
        key = _content(array)
        if key not in root._constants:
            # With tied embeddings, the output matrix is the transposed embedding matrix.
            is_large = array.ndim == 2 and array.size >= _LARGE
            other = root._constants.get(_content(array.T)) if is_large else None
            if other is not None:
                return self.memo(
                    ("transposed", other), lambda: self.node("Transpose", [other], perm=[1, 0])
                )
            name = root.fresh("weight" if array.ndim else "number")
            root._constants[key] = name
            root._initializers.append(
                numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            )
        return root._constants[key]

    def fresh(self, kind: str) -> str:
        """A name that no other value has: names of Keras have no slash."""
        self._root._count += 1
        return f"{kind.lower()}/{self._root._count}"

    def memo(self, key: Any, make: Callable[[], Any]) -> Any:
        """A value that is made once for a key in this graph."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    # Nodes

    def node(self, kind: str, inputs: Sequence[Any], **attributes: Any) -> str:
        """Add a node with one output, and give its name; an input may be "", which means none."""
        return self.nodes_of(kind, inputs, 1, **attributes)[0]

    def nodes_of(
        self,
        kind: str,
        inputs: Sequence[Any],
        outputs: int,
        unused: Sequence[int] = (),
        **attributes: Any,
    ) -> list[str]:
        """Add a node with several outputs, and give their names; "" for those that are unused."""
        names = [self.name(value) for value in inputs]
        results = ["" if place in unused else self.fresh(kind) for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, results, **attributes))
        return results

    def integers(self, *values: int) -> str:
        """Name of a constant vector of int64, as shapes and axes are given."""
        return self.constant(np.array(values, np.int64))

    def sizes(self, value: Any, *axes: int) -> str:
        """The sizes of axes of a value, an int64 vector."""
        return self.node("Gather", [self.node("Shape", [value]), self.integers(*axes)], axis=0)

    def joined(self, parts: Sequence[Any], axis: int = 0) -> str:
        """Values joined along an axis."""
        return self.node("Concat", parts, axis=axis) if parts[1:] else self.name(parts[0])

    def body(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> onnx.GraphProto:
        """This graph as the body of a node of its parent.

        Args:
            name: Name of the body.
            inputs: Symbolic tensors that are bound.
            outputs: Name, dtype and shape of each output.
        """
        made = [
            _declared(self.name(tensor), tensor.dtype, [None] * len(tensor.shape))
            for tensor in inputs
        ]
        return helper.make_graph(self.nodes, name, made, [_declared(*each) for each in outputs])

    def model(
        self, name: str, inputs: Sequence[Any], outputs: Sequence[tuple[str, str, Sequence[Any]]]
    ) -> onnx.ModelProto:
        """The graph as a model.

        Args:
            name: Name of the model.
            inputs: Name, dtype and shape of each input; None in a shape is any size.
            outputs: The same of the outputs.
        """
        nodes, read = _needed(self.nodes, {output for output, _, _ in outputs})
        graph = helper.make_graph(
            nodes,
            name,
            [_declared(*each) for each in inputs],
            [_declared(*each) for each in outputs],
            [constant for constant in self._initializers if constant.name in read],
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="kerasseq",
        )


def _needed(
    nodes: Sequence[onnx.NodeProto], outputs: set[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that outputs depend on, and the names of all values that these read."""
    read, kept = {*outputs}, []
    for node in reversed(nodes):
        if read & {*node.output}:
            kept.append(node)
            read |= _read_by(node)
    return kept[::-1], read


def _read_by(node: onnx.NodeProto) -> set[str]:
    """The names of the values that a node reads, also in its body."""
    inside = [inner for attribute in node.attribute for inner in attribute.g.node]
    return {*node.input}.union(*map(_read_by, inside))


def _declared(name: str, dtype: str, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    sizes = [f"{name}_{axis}" if size is None else size for axis, size in enumerate(shape)]
    if sizes and shape[0] is None:
        sizes[0] = "batch"
    return helper.make_tensor_value_info(name, onnx_dtype(dtype), sizes)


def _content(array: np.ndarray) -> Any:
    """A key of the shape, the dtype and the values of an array."""
    values = hashlib.blake2b(array.tobytes(), digest_size=16).digest()
    return array.shape, str(array.dtype), values


def _default_dtype(array: np.ndarray) -> str:
    """Numbers of Python are of 64 bits in NumPy, and of 32 bits in Keras."""
    names = {"float64": "float32", "uint8": "int32", "int8": "int32", "uint32": "int64"}
    return names.get(str(array.dtype), str(array.dtype))
