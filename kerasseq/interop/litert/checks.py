"""Models that cannot be written for LiteRT, told before the converter is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from kerasseq.interop.inside import child_layers
from kerasseq.interop.tracing import check_graph

__all__ = ["check"]


def check(model: Any) -> None:
    """Raise an error for a model that is not built, and for layers that cannot be written.

    Args:
        model: A Keras model.

    Example:

    >>> check(keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4)]))
    """
    check_graph(model)
    faults = dict(_faults(model, "", set()))
    if faults:
        count = len(faults)
        listed = "; ".join(f"{path} ({reason})" for path, reason in faults.items())
        raise ValueError(
            f"`model`: {count} {'layer' if count == 1 else 'layers'} of '{model.name}' cannot be "
            f"exported to LiteRT: {listed}."
        )


def _faults(layer: Any, path: str, visited: set[int]) -> Iterator[tuple[str, str]]:
    """Path and reason of each layer inside a layer that the format cannot hold."""
    for child in layer.layers if isinstance(layer, keras.Model) else child_layers(layer):
        if id(child) in visited:
            continue
        visited.add(id(child))
        place = f"{path}/{child.name}".lstrip("/")
        if child.compute_dtype not in ("float32", "int32", "int64", "bool"):
            yield (
                place,
                f"it computes in {child.compute_dtype}, and models are exported in float32: create "
                "it with dtype='float32' (its weights stay as they are)",
            )
        elif getattr(child, "stateful", False):
            yield (
                place,
                "it is stateful: give it `initial_state` as an input of the model, and "
                "return_state=True",
            )
        else:
            yield from _faults(child, place, visited)
