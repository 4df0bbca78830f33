"""Takes the clipping out of fused LSTMs.

TensorFlow's converter lets every fused LSTM clip its cell state at 10, which no LSTM of Keras does:
one that counts, say, reaches further.
"""

from __future__ import annotations

from ai_edge_litert.tools import flatbuffer_utils

__all__ = ["without_clipping"]


def without_clipping(content: bytes) -> bytes:
    """The same file, whose LSTMs do not clip.

    Args:
        content: A .tflite file.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    options = [each.builtinOptions for graph in model.subgraphs for each in graph.operators]
    clipping = [each for each in options if getattr(each, "cellClip", 0)]
    for each in clipping:
        each.cellClip = 0.0
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if clipping else content
