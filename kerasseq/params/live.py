"""Reads the layers of a built Keras model or layer, by its public attributes alone."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from math import prod
from typing import Any

from kerasseq.params.contents import Contents, Entry

# Bits per element of the dtypes whose name does not end with that number.
_BITS = {"bool": 8, "float8_e4m3fn": 8, "float8_e5m2": 8}


def read(model: Any) -> Contents:
    """Read the layers of a built Keras model or layer.

    Raises:
        TypeError: If it is neither a model nor a layer.
        ValueError: If it is not built, so that it has no weights yet.
    """
    keras = sys.modules.get("keras")  # without Keras loaded, there is no Keras layer
    if keras is None or not isinstance(model, keras.layers.Layer):
        raise TypeError(
            "`report` takes a built Keras model or layer, or the path of a .keras or "
            f".weights.h5 file. Received: {model!r} of type {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"The {'model' if isinstance(model, keras.Model) else 'layer'} '{model.name}' is not "
            "built, so it has no weights yet. Call it on data, or call its `build(input_shape)`."
        )
    walk = _Walk(keras, {id(weight) for weight in model.trainable_weights})
    optimizer = getattr(model, "optimizer", None)
    slots = [] if optimizer is None else optimizer.variables
    return Contents(
        name=f"{model.name} ({type(model).__name__})",
        entries=tuple(walk.root(model)),
        optimizer=sum(prod(variable.shape) for variable in slots),
    )


class _Walk:
    """Walks the layers of a model once, and remembers layers and weights that it has visited."""

    def __init__(self, keras: Any, trainable: set[int]) -> None:
        self.keras = keras
        self.trainable = trainable
        self.layers: dict[int, str] = {}
        self.weights: dict[int, str] = {}

    def root(self, model: Any) -> Iterator[Entry]:
        """Yield the entries of a model or layer; the name of a model is not part of the paths."""
        if not isinstance(model, self.keras.Model):
            yield from self.visit(model, "", [])
            return
        children = self.children(model, [])
        entry = self.entry(model, model.name, children)
        if entry.params or entry.shared:
            yield entry
        for child in children:
            yield from self.visit(child, "", [model])

    def visit(self, layer: Any, parent: str, around: list[Any]) -> Iterator[Entry]:
        """Yield the entry of a layer, then the entries of the layers inside it."""
        path = f"{parent}{layer.name}"
        if id(layer) in self.layers:
            if layer.weights:
                yield Entry(path, type(layer).__name__, shared=self.layers[id(layer)])
            return
        self.layers[id(layer)] = path
        children = self.children(layer, around)
        yield self.entry(layer, path, children)
        for child in children:
            yield from self.visit(child, f"{path}/", [*around, layer])

    def entry(self, layer: Any, path: str, children: list[Any]) -> Entry:
        """The entry of one layer, with its weights except those of the layers inside it."""
        inside = {id(weight) for child in children for weight in child.weights}
        weights = [weight for weight in layer.weights if id(weight) not in inside]
        uncounted = [weight for weight in weights if id(weight) not in self.weights]
        owners = [self.weights[id(weight)] for weight in weights if id(weight) in self.weights]
        self.weights.update((id(weight), path) for weight in uncounted)
        sizes = [prod(weight.shape) for weight in uncounted]
        return Entry(
            layer=path,
            class_name=type(layer).__name__,
            output=_output(layer),
            weights=tuple(tuple(int(n) for n in weight.shape) for weight in uncounted),
            params=sum(sizes),
            trainable=sum(n for n, w in zip(sizes, uncounted) if id(w) in self.trainable),
            bytes=sum(n * _bits(str(w.dtype)) // 8 for n, w in zip(sizes, uncounted)),
            shared=", ".join(dict.fromkeys(owners)),
        )

    def children(self, layer: Any, around: list[Any]) -> list[Any]:
        """The layers directly inside a layer, in the order in which their weights were created.

        Args:
            layer: A layer.
            around: The layers around it; an attribute may refer to one of them, which is no child.
        """
        if isinstance(layer, self.keras.Model):
            return list(layer.layers)
        outer = [*around, layer]
        candidates = [
            child
            for child in self._layers_of(layer)
            if all(child is not parent for parent in outer)
        ]
        deeper = {id(below) for child in candidates for below in self._below(child, outer)}
        return [child for child in candidates if id(child) not in deeper]

    def _layers_of(self, layer: Any) -> list[Any]:
        """The layers in public attributes all of whose weights belong to the layer."""
        order = {id(weight): place for place, weight in enumerate(layer.weights)}
        children: dict[int, tuple[int, Any]] = {}
        for value in self._attributes(layer):
            for child in self._layers_in(value):
                places = [order.get(id(weight), -1) for weight in child.weights]
                if min(places, default=0) >= 0:
                    children[id(child)] = (min(places, default=len(order)), child)
        return [child for _, child in sorted(children.values(), key=lambda pair: pair[0])]

    def _below(self, layer: Any, around: list[Any]) -> Iterator[Any]:
        """Yield every layer inside a layer, at any depth, that has weights."""
        for child in self.children(layer, around) if layer.weights else []:
            if child.weights:
                yield child
                yield from self._below(child, [*around, layer])

    def _attributes(self, layer: Any) -> Iterator[Any]:
        """Yield the values of the public attributes that `keras.layers.Layer` does not have."""
        base = self.keras.layers.Layer
        for name in dir(layer):
            if name.startswith("_") or hasattr(base, name):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # reading deprecated attributes warns
                try:
                    yield getattr(layer, name)
                except Exception:  # a property may raise any error
                    continue

    def _layers_in(self, value: Any) -> Iterator[Any]:
        if isinstance(value, self.keras.layers.Layer):
            yield value
        elif isinstance(value, dict):
            for item in value.values():
                yield from self._layers_in(item)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from self._layers_in(item)


def _output(layer: Any) -> Any:
    """The shape of the output; None unless the layer was called exactly once, symbolically."""
    try:
        outputs = layer.output
    except (AttributeError, ValueError):
        return None
    if isinstance(outputs, list | tuple):
        return tuple(tuple(output.shape) for output in outputs)
    return tuple(outputs.shape) if hasattr(outputs, "shape") else None


def _bits(dtype: str) -> int:
    if dtype in _BITS:
        return _BITS[dtype]
    return int("".join(character for character in dtype if character.isdigit()) or 32)
