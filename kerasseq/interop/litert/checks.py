"""Models that cannot be written for LiteRT, told before the converter is asked."""

from __future__ import annotations

from typing import Any

from kerasseq.interop.inside import layers_with
from kerasseq.interop.tracing import check_graph

__all__ = ["check"]


def check(model: Any) -> None:
    """Raise an error for a model that is not built, and for layers that cannot be written.

    Args:
        model: A Keras model.

    Example:

    >>> import keras
    >>> check(keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4)]))
    """
    check_graph(model)
    faults = layers_with(model, _fault)
    if faults:
        count = len(faults)
        listed = "; ".join(f"{path} ({reason})" for path, reason in faults.items())
        raise ValueError(
            f"`model`: {count} {'layer' if count == 1 else 'layers'} of '{model.name}' cannot be "
            f"exported to LiteRT: {listed}."
        )


def _fault(layer: Any) -> str | None:
    """Why the format cannot hold a layer."""
    if layer.compute_dtype not in ("float32", "int32", "int64", "bool"):
        return (
            f"it computes in {layer.compute_dtype}, and models are exported in float32: create "
            "it with dtype='float32' (its weights stay as they are)"
        )
    if getattr(layer, "stateful", False):
        return (
            "it is stateful: give it `initial_state` as an input of the model, and "
            "return_state=True"
        )
    return None
