"""The type of the weights in a file of LiteRT."""

from __future__ import annotations

import warnings

from ai_edge_litert.tools import flatbuffer_utils

__all__ = ["UNCHANGED", "is_quantized", "warn_if_unchanged"]

#: Why a file has no quantized weights although it was asked for.
UNCHANGED = (
    "none of its matrices has the 1,024 numbers from which on the weights of an operation are "
    "quantized"
)


def warn_if_unchanged(content: bytes, name: str, quantize: str | None) -> None:
    """Warn if a file has no quantized weights although it was asked for.

    LiteRT's converter leaves small matrices as they are in int8.

    Args:
        content: A .tflite file.
        name: Name of its model.
        quantize: `"float16"` or `"int8"`; None for float32.
    """
    if quantize is not None and not is_quantized(content, quantize):
        warnings.warn(
            f"quantize={quantize!r} leaves '{name}' in float32: {UNCHANGED}.", stacklevel=3
        )


def is_quantized(content: bytes, quantize: str) -> bool:
    """Whether a .tflite file has weights of the type `quantize`."""
    return quantize.upper() in _types(content)


def _types(content: bytes) -> set[str]:
    """The types of the constants in a file."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    return {
        flatbuffer_utils.type_to_name(tensor.type)
        for tensor in tensors
        if model.buffers[tensor.buffer].data is not None
    }
