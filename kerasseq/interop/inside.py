"""The layers inside a layer: in its attributes, and in lists, tuples and dicts there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras

__all__ = ["child_layers", "layers_with", "recurrent_layers"]


def recurrent_layers(layer: Any, path: str = "") -> Iterator[tuple[Any, str]]:
    """Yield every recurrent layer inside a layer, once, with its path without the model's name.

    Args:
        layer: A Keras model or layer; a recurrent layer yields itself.
        path: Path of the layer; "" for the name of a layer, and for no name of a model.

    Example:
        >>> import keras
        >>> both = keras.layers.Bidirectional(keras.layers.GRU(4, name="gru"), name="both")
        >>> model = keras.Sequential([both])
        >>> [path for _, path in recurrent_layers(model)]
        ['both/forward_gru', 'both/backward_gru']
    """
    yield from _recurrent_layers(layer, path, set())


def _recurrent_layers(layer: Any, path: str, visited: set[int]) -> Iterator[tuple[Any, str]]:
    if id(layer) in visited:
        return
    visited.add(id(layer))
    if isinstance(layer, keras.layers.RNN):
        yield layer, path or layer.name
        return
    if isinstance(layer, keras.Model):
        inside = layer.layers
    else:
        path = path or layer.name
        inside = child_layers(layer)
    for child in inside:
        yield from _recurrent_layers(child, f"{path}/{child.name}".lstrip("/"), visited)


def layers_with(layer: Any, reason: Callable[[Any], str | None]) -> dict[str, str]:
    """Layers inside a layer for which there is a reason, by path; not the layers inside them.

    Args:
        layer: A Keras model or layer.
        reason: A function that gives the reason of one layer, or None.

    Example:
        >>> model = keras.Sequential([keras.layers.GRU(4, stateful=True, name="reader")])
        >>> layers_with(model, lambda layer: "it is stateful" if layer.stateful else None)
        {'reader': 'it is stateful'}
    """
    return dict(_layers_with(layer, reason, "", set()))


def _layers_with(
    layer: Any, reason: Callable[[Any], str | None], path: str, visited: set[int]
) -> Iterator[tuple[str, str]]:
    for child in layer.layers if isinstance(layer, keras.Model) else child_layers(layer):
        if id(child) in visited:
            continue
        visited.add(id(child))
        place = f"{path}/{child.name}".lstrip("/")
        because = reason(child)
        if because is not None:
            yield place, because
        else:
            yield from _layers_with(child, reason, place, visited)


def child_layers(layer: Any) -> list[Any]:
    """The layers in the attributes of a layer, in the order in which they were built."""
    layers = []
    public = {name for name in dir(layer) if not name.startswith("_")}
    # In the order of assignment: the order of a set of names differs between processes.
    for name in dict.fromkeys([*vars(layer), *sorted(public)]):
        if hasattr(keras.layers.Layer, name):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated attributes warn
            try:
                values = keras.tree.flatten(getattr(layer, name))
            except Exception:  # properties may raise errors of any kind
                continue
        layers += [value for value in values if isinstance(value, keras.layers.Layer)]
    places = {id(weight): place for place, weight in enumerate(layer.weights)}
    return sorted(
        layers, key=lambda child: min((places.get(id(w), 0) for w in child.weights), default=0)
    )
