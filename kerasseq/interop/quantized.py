"""Layers that Keras has quantized, whose weights are numbers of another scale than float32."""

from __future__ import annotations

from typing import Any

from kerasseq.interop.inside import layers_with

__all__ = ["check_not_quantized"]


def check_not_quantized(model: Any) -> None:
    """Raise a ValueError that names all layers with quantized weights.

    Args:
        model: A Keras model.

    Example:

    >>> import keras
    >>> layers = [keras.Input((None, 3)), keras.layers.Dense(4, name="tags")]
    >>> model = keras.Sequential(layers, name="tagger")
    >>> check_not_quantized(model)
    >>> model.quantize("int8", filters="tags")
    >>> check_not_quantized(model)
    Traceback (most recent call last):
        ...
    ValueError: `model`: 1 layer of 'tagger' is quantized: tags (int8). Pass the model as it was ...
    """
    modes = layers_with(model, _mode)
    if modes:
        count = len(modes)
        listed = ", ".join(f"{path} ({mode})" for path, mode in modes.items())
        raise ValueError(
            f"`model`: {count} {'layer' if count == 1 else 'layers'} of '{model.name}' "
            f"{'is' if count == 1 else 'are'} quantized: {listed}. Pass the model as it was before "
            "`quantize`; kerasseq.export(..., format='litert', quantize='int8') quantizes the file."
        )


def _mode(layer: Any) -> str | None:
    """The type of the weights of a quantized layer."""
    mode: str | None = getattr(layer.dtype_policy, "quantization_mode", None)
    return mode
