"""Layers that Keras has quantized, whose weights are numbers of another scale than float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from kerasseq.interop.inside import child_layers

__all__ = ["check_not_quantized"]


def check_not_quantized(model: Any) -> None:
    """Raise a ValueError that names all layers with quantized weights.

    Args:
        model: A Keras model.

    Example:

    >>> layers = [keras.Input((None, 3)), keras.layers.Dense(4, name="tags")]
    >>> model = keras.Sequential(layers, name="tagger")
    >>> check_not_quantized(model)
    >>> model.quantize("int8", filters="tags")
    >>> check_not_quantized(model)
    Traceback (most recent call last):
        ...
    ValueError: `model`: 1 layer of 'tagger' is quantized: tags (int8). Pass the model as it was ...
    """
    modes = dict(_modes(model, "", set()))
    if modes:
        count = len(modes)
        listed = ", ".join(f"{path} ({mode})" for path, mode in modes.items())
        raise ValueError(
            f"`model`: {count} {'layer' if count == 1 else 'layers'} of '{model.name}' "
            f"{'is' if count == 1 else 'are'} quantized: {listed}. Pass the model as it was before "
            "`quantize`; kerasseq.export(..., format='litert', quantize='int8') quantizes the file."
        )


def _modes(layer: Any, path: str, visited: set[int]) -> Iterator[tuple[str, str]]:
    """Path and type of the weights of each quantized layer inside a layer."""
    for child in layer.layers if isinstance(layer, keras.Model) else child_layers(layer):
        if id(child) in visited:
            continue
        visited.add(id(child))
        place = f"{path}/{child.name}".lstrip("/")
        mode = getattr(child.dtype_policy, "quantization_mode", None)
        if mode is not None:
            yield place, mode
        else:
            yield from _modes(child, place, visited)
