"""A model beside its file of LiteRT, run by LiteRT's interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from kerasseq.interop.litert.converting import to_litert
from kerasseq.interop.litert.names import input_names, output_names
from kerasseq.interop.litert.session import InferenceSession
from tests.layers.harness import array, randomize

FUSED, LOOP = "UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE"


def outputs(model: Any, content: bytes, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of a file, in the order of those of the model."""
    given = dict(zip(input_names(model), (inputs[x.name] for x in model.inputs), strict=True))
    return InferenceSession(content).run(output_names(model), given)


def expected(model: Any, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of a model."""
    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    given = keras.tree.map_structure(lambda tensor: inputs[tensor.name], nest)
    return [array(each) for each in keras.tree.flatten(model(given, training=False))]


def check(model: Any, inputs: Mapping[str, np.ndarray], batch: int | None = 1) -> bytes:
    """Check that a model with random weights has the same outputs in LiteRT, and give that."""
    randomize(model)
    content = to_litert(model, batch=batch)
    for a, b in zip(outputs(model, content, inputs), expected(model, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    operations(content)
    return content


def operations(content: bytes) -> list[str]:
    """The operations of a file, all of which every LiteRT runtime has."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    used = [each.opcodeIndex for graph in model.subgraphs for each in graph.operators]
    names = [str(flatbuffer_utils.opcode_to_name(model, each)) for each in used]
    assert "CUSTOM" not in names  # an operation of TensorFlow is one
    return names


def kinds(content: bytes) -> list[str]:
    """The recurrences of a file."""
    return [name for name in operations(content) if name in (FUSED, LOOP)]
