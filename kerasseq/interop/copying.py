"""Copies a model with every recurrent layer replaced by its counterpart.

A model that Keras knows as a graph or a list of layers is cloned by Keras. A layer or a model of a
class of its own is created from its config, and the layers in its attributes are replaced there.
Then the state of every layer goes over, as if it had been saved and loaded.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from kerasseq.interop import inside
from kerasseq.interop.counterparts import Unconvertible, copied, is_of_kerasseq

__all__ = ["ModelCopy"]

_LATE = "it is made in `build`, where it cannot be replaced: make it in the constructor"


class ModelCopy:
    """One copy of a model; a layer that is shared in the model is shared in the copy.

    Args:
        model: A Keras model or layer.
        counterpart: Creates the counterpart of a recurrent layer, or raises `Unconvertible`.

    Attributes:
        result: The copy, with weights.
        replaced: Path, layer and counterpart of each recurrent layer.
        kept: Path, layer and reason of each recurrent layer that has no counterpart.
        notes: Remarks on other layers and on the compile state.

    Raises:
        Unconvertible: If the model is of a class that cannot be created anew.

    Example:
        >>> from kerasseq.interop.counterparts import to_kerasseq
        >>> copy = ModelCopy(keras.layers.GRU(4, name="reader"), to_kerasseq)
        >>> type(copy.result).__module__, copy.kept
        ('kerasseq.layers.recurrent.rnn', [])
    """

    def __init__(self, model: Any, counterpart: Callable[[Any], Any]) -> None:
        self.replaced: list[tuple[str, Any, Any]] = []
        self.kept: list[tuple[str, Any, str]] = []
        self.notes: list[str] = []
        self._counterpart = counterpart
        self._copies: dict[int, Any] = {}
        self._pairs: list[tuple[Any, Any, Callable[[Any, Any], None]]] = []
        self._attributes: list[tuple[Any, Any, str, bool]] = []
        self._root = model
        self.result = self._copy(model, "")
        self._build()
        for old, new, hand_over in self._pairs:
            if old.built:
                hand_over(old, new)
        if isinstance(model, keras.Model) and not model.trainable:
            self.result.trainable = False
        self._compile()

    # Layers

    def _copy(self, old: Any, parent: str) -> Any:
        """The copy of a layer or an operation; a shared layer has one copy."""
        if id(old) not in self._copies:
            is_root = old is self._root and isinstance(old, keras.Model)
            path = "" if is_root else f"{parent}/{old.name}".lstrip("/")
            self._copies[id(old)] = self._create(old, path)
        return self._copies[id(old)]

    def _create(self, old: Any, path: str) -> Any:
        if not isinstance(old, keras.layers.Layer):  # an operation between layers, without state
            with contextlib.suppress(Unconvertible):
                return copied(old)
            return old
        if isinstance(old, keras.Sequential) or hasattr(old, "operations"):
            return self._clone(old, path)
        if not any(True for _ in inside.recurrent_layers(old)):
            return self._same(old, path)
        is_recurrent = isinstance(old, keras.layers.RNN | keras.layers.Bidirectional)
        if is_recurrent or is_of_kerasseq(old):
            return self._replace(old, path)
        return self._renew(old, path)

    def _replace(self, old: Any, path: str) -> Any:
        try:
            new = self._counterpart(old)
        except Unconvertible as reason:
            self.kept.append((path, old, str(reason)))
            return self._same(old, path)
        self._pairs.append((old, new, _hand_over_weights))
        self.replaced.append((path, old, new))
        return new

    def _same(self, old: Any, path: str) -> Any:
        """A layer of the same class; the same object if its class cannot be created anew."""
        try:
            new = copied(old)
        except Unconvertible as reason:
            if old is self._root:
                raise
            if old.weights:
                self.notes.append(f"{path} is shared with the model that was converted: {reason}")
            return old
        self._pairs.append((old, new, _hand_over_all))
        return new

    def _clone(self, old: Any, path: str) -> Any:
        """A model of layers that Keras knows as a list or a graph."""
        place = len(self._pairs)
        inputs = None if isinstance(old, keras.Sequential) else _inputs(old)
        with _uncompiled(old):
            new = keras.models.clone_model(
                old, input_tensors=inputs, clone_function=lambda layer: self._copy(layer, path)
            )
        if type(new) is not type(old):
            self.notes.append(
                f"{path or old.name} is a plain {type(new).__name__} now, without the methods of "
                f"{type(old).__name__}"
            )
        self._pairs.insert(place, (old, new, _hand_over_own))
        return new

    def _renew(self, old: Any, path: str) -> Any:
        """A layer or model of a class of its own, with the layers in its attributes replaced."""
        try:
            new = copied(old)
        except Unconvertible as reason:
            if old is self._root:
                raise
            for layer, place in inside.recurrent_layers(old, path):
                self.kept.append((place, layer, f"it is inside {path}, and {reason}"))
            self.notes.append(f"{path} is shared with the model that was converted: {reason}")
            return old
        self._copies[id(old)] = new  # it may be an attribute of a layer inside it
        self._pairs.append((old, new, _hand_over_own))
        for name, value in _attributes_with_layers(old).items():
            fresh = _layers_in(getattr(new, name, None))
            self._attributes.append((old, new, name, bool(fresh)))
            if fresh:
                _forget(new, fresh)
                setattr(new, name, self._copy_nest(value, path))
                continue
            for inner in _layers_in(value):
                for layer, place in inside.recurrent_layers(inner, f"{path}/{inner.name}"):
                    self.kept.append((place, layer, _LATE))
        return new

    def _copy_nest(self, value: Any, path: str) -> Any:
        """A list, tuple or dict with the layers in it copied."""
        if isinstance(value, keras.layers.Layer):
            return self._copy(value, path)
        if isinstance(value, dict):
            return {key: self._copy_nest(item, path) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copy_nest(item, path) for item in value]
        if type(value) is tuple:
            return tuple(self._copy_nest(item, path) for item in value)
        return value

    # State

    def _build(self) -> None:
        """Build the parts that are built in the original: a model at once, or each layer."""
        for old, new, _ in self._pairs:
            if old.built and not new.built:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of a model that is built by its layers next
                    new.build_from_config(old.get_build_config())
        for old, new, name, is_replaced in self._attributes:
            olds, news = (_layers_in(getattr(layer, name, None)) for layer in (old, new))
            if not is_replaced and len(olds) == len(news):
                self._pairs += [(a, b, _hand_over_all) for a, b in zip(olds, news) if b.built]
            elif [self._copies.get(id(layer)) for layer in olds] != news:
                raise Unconvertible(
                    f"{type(old).__name__} makes `{name}` anew when it is built, so that its "
                    "layers cannot be replaced; make them in the constructor alone"
                )

    def _compile(self) -> None:
        """Compile the copy as the model is compiled, with the state of the optimizer."""
        old, new = self._root, self.result
        if not getattr(old, "compiled", False):
            return
        config = old.get_compile_config() or {}
        if config.get("jit_compile") and keras.backend.backend() == "tensorflow":
            config["jit_compile"] = "auto"  # XLA cannot compile the native kernel
        try:
            with keras.saving.custom_object_scope(_functions(old)):
                new.compile_from_config(config)
            if not new.compiled:
                raise ValueError("its `compile` is a method of its own")
        except Exception as error:  # an optimizer, loss or metric of somebody else
            reason = " ".join(str(error).split())[:200]
            self.notes.append(f"The compile state was not kept ({reason}); call `compile` again")
            return
        if old.optimizer is not None and old.optimizer.built:
            new.optimizer.build(new.trainable_variables)
            shapes = [[v.shape for v in m.optimizer.variables] for m in (old, new)]
            if shapes[0] == shapes[1]:
                _assign(old.optimizer.variables, new.optimizer.variables)
            else:  # Keras 3 does not load the state in an .h5 file
                self.notes.append("The state of the optimizer was not kept, only its settings")


def _inputs(model: Any) -> Any:
    """New inputs like those of a model; Keras would name them after tensors, not after layers."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)]
    by_tensor = {id(tensor): layer for layer in layers for tensor in [layer.output]}

    def like(tensor: Any) -> Any:
        layer = by_tensor.get(id(tensor))
        return keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype,
            sparse=tensor.sparse,
            name=tensor.name if layer is None else layer.name,
            optional=layer is not None and layer.optional,
        )

    return keras.tree.map_structure(like, model.input)


@contextlib.contextmanager
def _uncompiled(model: Any) -> Iterator[None]:
    """A context in which Keras clones a model without compiling the clone."""
    compiled, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = compiled


def _attributes_with_layers(layer: Any) -> dict[str, Any]:
    """The attributes of a layer that have layers in them, in the order of their weights.

    Keras tracks layers in the order in which attributes are set, and lists weights in that order.
    """
    probes = (keras.layers.Layer(), keras.Model())
    for probe in probes:
        probe.inner = keras.layers.Layer()  # backends add attributes of their own with the first
    of_every_layer = {name for probe in probes for name in vars(probe)} - {"inner"}
    # On PyTorch a layer is a module, which keeps the modules in its attributes apart.
    attributes = {**vars(layer), **vars(layer).get("_modules", {})}
    places = {id(weight): place for place, weight in enumerate(layer.weights)}

    def first(name: str) -> int:
        weights = (weight for inner in _layers_in(attributes[name]) for weight in inner.weights)
        return min((places.get(id(weight), 0) for weight in weights), default=0)

    names = [name for name in attributes if name not in of_every_layer]
    names = sorted((name for name in names if _layers_in(attributes[name])), key=first)
    return {name: attributes[name] for name in names}


def _layers_in(value: Any) -> list[Any]:
    """The layers in a value or in the lists, tuples and dicts of it."""
    if isinstance(value, keras.layers.Layer):
        return [value]
    if isinstance(value, dict):
        return [layer for item in value.values() for layer in _layers_in(item)]
    if isinstance(value, list | tuple):
        return [layer for item in value for layer in _layers_in(item)]
    return []


def _forget(owner: Any, layers: list[Any]) -> None:
    """Make a layer forget layers that it tracks, so that their weights are not counted."""
    if layers:
        owner.replaced_layers = layers  # Keras wraps the list, and no longer tracks what leaves it
        owner.replaced_layers.clear()
        del owner.replaced_layers


def _hand_over_weights(old: Any, new: Any) -> None:
    """Copy the weights of a recurrent layer to its counterpart, and the states it carries."""
    new.set_weights([_values(weight) for weight in old.weights])
    for a, b in zip(_stateful(old), _stateful(new), strict=True):
        _assign(keras.tree.flatten(a.states), keras.tree.flatten(b.states))


def _stateful(layer: Any) -> list[Any]:
    layers = [inner for inner, _ in inside.recurrent_layers(layer)]
    states = [inner for inner in layers if inner.stateful and inner.states is not None]
    return states


def _hand_over_own(old: Any, new: Any) -> None:
    """Copy the variables and files of a layer, without those of the layers inside it."""
    store: dict[str, Any] = {}
    old.save_own_variables(store)
    new.load_own_variables({name: _values(variable) for name, variable in store.items()})
    if hasattr(old, "save_assets") and hasattr(new, "load_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)


def _hand_over_all(old: Any, new: Any) -> None:
    """Copy all weights of a layer, and let the layers inside it finish their state."""
    # A layer that Keras quantizes after it was built, in float8 say, has its weights in another
    # order than a layer that is built anew: its weights are copied by name, layer by layer.
    if [weight.shape for weight in old.weights] == [weight.shape for weight in new.weights]:
        new.set_weights([_values(weight) for weight in old.weights])
    _hand_over_own(old, new)
    for a, b in zip(inside.child_layers(old), inside.child_layers(new)):
        if a.built and b.built:
            _hand_over_all(a, b)


def _assign(values: Any, variables: Any) -> None:
    for value, variable in zip(values, variables, strict=True):
        variable.assign(_values(value))


def _values(variable: Any) -> np.ndarray:
    """A copy of the values; JAX would hand the memory of one model over to the other."""
    return np.array(keras.ops.convert_to_numpy(variable))


def _functions(model: Any) -> dict[str, Any]:
    """The functions and classes that a model is compiled with, by name, as Keras looks them up."""
    objects = [*keras.tree.flatten(model.loss), model.optimizer, *model.metrics]
    named = {getattr(item, "__name__", type(item).__name__): item for item in objects}
    return {
        name: item if callable(item) and hasattr(item, "__name__") else type(item)
        for name, item in named.items()
        if item is not None and not isinstance(item, str)
    }
