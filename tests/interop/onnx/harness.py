"""A model beside its ONNX file, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime

from kerasseq.interop.onnx.converting import to_onnx
from tests.layers.harness import array, randomize

#: Token numbers with padding at both ends and inside, a row of padding alone, and a full one.
TOKENS = np.array(
    [[3, 4, 0, 5, 0, 0], [0, 0, 7, 8, 9, 2], [0, 0, 0, 0, 0, 0], [5, 6, 7, 8, 9, 3]], np.int32
)


def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of an ONNX model."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(inputs)))


def check(model: Any, inputs: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """Check that a model with random weights has the same outputs in ONNX, and give that."""
    randomize(model)
    for weight in model.weights:
        if "variance" in weight.name:
            weight.assign(keras.ops.abs(weight) + 0.5)
    exported = to_onnx(model)
    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    given = keras.tree.map_structure(lambda tensor: inputs[tensor.name], nest)
    expected = model(given, training=False)
    for a, b in zip(run(exported, inputs), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(a, array(b), rtol=0, atol=1e-5)
    return exported


def kinds(model: onnx.ModelProto) -> list[str]:
    """The recurrent nodes of an ONNX model for few rows, in their order."""
    recurrent = ("LSTM", "GRU", "RNN", "Scan")
    names = []
    for node in model.graph.node:
        branches = [part.g.node for part in node.attribute if part.name == "else_branch"]
        nodes = [node, *(inner for branch in branches for inner in branch)]
        names += [each.op_type for each in nodes if each.op_type in recurrent]
    return names
