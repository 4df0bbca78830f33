"""Reads a built Keras model or layer, by its public attributes alone."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from math import prod
from typing import Any

from kerasseq.params.contents import Contents, Entry

# Numbers of bits in the names of dtypes, for what a weight takes.
_BITS = {"bool": 8, "float8_e4m3fn": 8, "float8_e5m2": 8}


def read(model: Any) -> Contents:
    """The layers of a built Keras model or layer.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is not built, so that it has no weights yet.
    """
    keras = sys.modules.get("keras")  # what is no Keras layer needs no Keras to say so
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
    """One pass over a model, which remembers what it has seen."""

    def __init__(self, keras: Any, trainable: set[int]) -> None:
        self.keras = keras
        self.trainable = trainable
        self.layers: dict[int, str] = {}
        self.weights: dict[int, str] = {}

    def root(self, model: Any) -> Iterator[Entry]:
        """The layers of a model, whose own name leads no path."""
        if not isinstance(model, self.keras.Model):
            yield from self.visit(model, "", [])
            return
        children = self.children(model, [])
        own = self.entry(model, model.name, children)
        if own.params or own.shared:
            yield own
        for child in children:
            yield from self.visit(child, "", [model])

    def visit(self, layer: Any, parent: str, around: list[Any]) -> Iterator[Entry]:
        """A layer and those inside it."""
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
        """What the layer itself owns: its weights less those of the layers inside it."""
        inside = {id(weight) for child in children for weight in child.weights}
        own = [weight for weight in layer.weights if id(weight) not in inside]
        new = [weight for weight in own if id(weight) not in self.weights]
        owners = [self.weights[id(weight)] for weight in own if id(weight) in self.weights]
        self.weights.update((id(weight), path) for weight in new)
        sizes = [prod(weight.shape) for weight in new]
        return Entry(
            layer=path,
            class_name=type(layer).__name__,
            output=_output(layer),
            weights=tuple(tuple(int(n) for n in weight.shape) for weight in new),
            params=sum(sizes),
            trainable=sum(n for n, w in zip(sizes, new) if id(w) in self.trainable),
            bytes=sum(n * _bits(str(w.dtype)) // 8 for n, w in zip(sizes, new)),
            shared=", ".join(dict.fromkeys(owners)),
        )

    def children(self, layer: Any, around: list[Any]) -> list[Any]:
        """The layers directly inside, in the order in which their weights were made.

        A layer may lead to those that are `around` it, too, and does not own them.
        """
        if isinstance(layer, self.keras.Model):
            return list(layer.layers)
        outer = [*around, layer]
        held = [child for child in self._held(layer) if all(child is not one for one in outer)]
        deeper = {id(below) for child in held for below in self._below(child, outer)}
        return [child for child in held if id(child) not in deeper]

    def _held(self, layer: Any) -> list[Any]:
        """The layers that public attributes lead to and that have no weights but its own."""
        order = {id(weight): place for place, weight in enumerate(layer.weights)}
        held: dict[int, tuple[int, Any]] = {}
        for value in self._public(layer):
            for child in self._layers_in(value):
                places = [order.get(id(weight), -1) for weight in child.weights]
                if min(places, default=0) >= 0:
                    held[id(child)] = (min(places, default=len(order)), child)
        return [child for _, child in sorted(held.values(), key=lambda pair: pair[0])]

    def _below(self, layer: Any, around: list[Any]) -> Iterator[Any]:
        """Every layer inside that has weights."""
        for child in self.children(layer, around) if layer.weights else []:
            if child.weights:
                yield child
                yield from self._below(child, [*around, layer])

    def _public(self, layer: Any) -> Iterator[Any]:
        """The values of the public attributes that its class adds to those of every layer."""
        base = self.keras.layers.Layer
        for name in dir(layer):
            if name.startswith("_") or hasattr(base, name):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of attributes that are on their way out
                try:
                    yield getattr(layer, name)
                except Exception:  # a property may refuse, in any way it likes
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
    """The shape of the output, where the layer was called once and symbolically."""
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
    return int("".join(sign for sign in dtype if sign.isdigit()) or 32)
