"""Reads whole models and weights in the HDF5 format of Keras 2, without a backend.

A file of a whole model has its config, as JSON, in the attribute `model_config`, and the weights of
each layer in a group below `model_weights`. A group lists its weights in order, under names such as
`reader/forward_lstm/lstm_cell/kernel:0`; the group of a model inside a model has those of all its
layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from kerasseq.io.limits import check_size, parse_json
from kerasseq.params.contents import Contents, Entry, trained_weights

__all__ = ["config", "contents", "is_legacy", "layers_of", "version", "weight_groups"]

Node = Mapping[str, Any]  # a layer in the config: `class_name` and `config`
Arrays = list[tuple[str, Any]]  # the name of each weight, and its dataset

_BARE = (
    "A file of weights alone holds shapes and totals only: which weights are trained stands in the "
    "file of a whole model."
)


def is_legacy(file: Any) -> bool:
    """Whether an open HDF5 file is of a model or of weights that Keras 2 saved."""
    return "model_weights" in file or "model_config" in file.attrs or _has_names(file)


def config(file: Any) -> dict[str, Any] | None:
    """The config of the model in an open file; None for a file of weights alone.

    Raises:
        ValueError: If it describes no model.
    """
    text = file.attrs.get("model_config")
    if text is None:
        return None
    value = parse_json(text.decode("utf-8") if isinstance(text, bytes) else str(text))
    if not isinstance(value, dict) or not layers_of(value):
        raise ValueError("its model_config describes no model")
    return value


def layers_of(node: Any) -> list[Any]:
    """The layers of a model in a config, in order; none for other layers.

    Example:
        >>> layers_of({"class_name": "Sequential", "config": [{"class_name": "GRU", "config": {}}]})
        [{'class_name': 'GRU', 'config': {}}]
    """
    settings = node.get("config") if isinstance(node, dict) else None
    layers = settings.get("layers") if isinstance(settings, dict) else settings
    if not isinstance(layers, list):
        return []
    are_layers = (
        isinstance(layer, dict) and isinstance(layer.get("config"), dict | list) for layer in layers
    )
    return layers if all(are_layers) else []


def weight_groups(file: Any, stored: int) -> Iterator[tuple[str, Any, Arrays]]:
    """Yield name, group and weights of each layer.

    Args:
        file: The open file.
        stored: Its size in bytes.

    Raises:
        ValueError: If a weight is not there, is a link, is null or lies in another file, or if the
            weights are far larger than the file.
    """
    root = file.get("model_weights", file)
    total = 0
    for name in _names(root, "layer_names"):
        group = _inside(root, name)
        arrays = [(weight, _inside(group, weight)) for weight in _names(group, "weight_names")]
        for weight, array in arrays:
            if getattr(array, "shape", None) is None or not hasattr(array, "dtype"):
                raise ValueError(f"its weight {name}/{weight} is no array")
            if array.is_virtual or array.external:
                raise ValueError(f"its weight {name}/{weight} lies in other files")
            total += prod(array.shape) * array.dtype.itemsize
        if total > stored:
            check_size(total, "its weights", stored)
        yield name, group, arrays


def contents(file: Any, name: str, stored: int) -> Contents:
    """Read the layers of an open file.

    Args:
        file: The open file.
        name: Its name.
        stored: Its size in bytes.

    Raises:
        ValueError: If it is damaged.
    """
    model = config(file)
    groups = {layer: arrays for layer, _, arrays in weight_groups(file, stored)}
    if model is None and not groups:
        raise ValueError("it is an HDF5 file, but has no weights of a Keras model")
    if model is None:
        entries = [_entry(layer, "", {}, arrays, None) for layer, arrays in groups.items()]
        return Contents(name, tuple(entries), notes=(_BARE,))
    nodes = {_name(node): node for node in layers_of(model)}
    entries = []
    for layer, arrays in groups.items():
        node = nodes.get(layer, {"class_name": "", "config": {}})
        if node["class_name"] != "InputLayer" and (layer in nodes or arrays):
            entries += _entries(layer, node, arrays, True)
    optimizer = file.get("optimizer_weights")
    slots = [] if optimizer is None else _names(optimizer, "weight_names")
    return Contents(
        f"{name} ({model['class_name']}, Keras {version(file)})",
        tuple(entries),
        optimizer=sum(prod(_inside(optimizer, slot).shape) for slot in slots),
    )


def _entries(path: str, node: Node, arrays: Arrays, trained: bool) -> Iterator[Entry]:
    """Yield the entry of a layer, then those of the layers inside it."""
    settings = node["config"] if isinstance(node["config"], dict) else {}
    trained = trained and bool(settings.get("trainable", True))
    remaining = list(arrays)
    inner: list[tuple[str, Node, Arrays]] = []
    for name, child in _inside_layer(node):
        weights = [pair for pair in remaining if _belongs(pair[0], name, child)]
        if node["class_name"] in ("TimeDistributed", "Wrapper"):
            weights = remaining  # Keras 2 names its weights after the wrapper alone
        remaining = [pair for pair in remaining if pair not in weights]
        if child["class_name"] != "InputLayer":
            inner.append((name, child, weights))
    yield _entry(path, str(node["class_name"]), settings, remaining, trained)
    for name, child, weights in inner:
        yield from _entries(f"{path}/{name}", child, weights, trained)


def _entry(
    path: str, class_name: str, settings: Node, arrays: Arrays, trained: bool | None
) -> Entry:
    values = [array for _, array in arrays]
    fixed = None if trained is None else 0
    return Entry(
        layer=path,
        class_name=class_name,
        weights=tuple(tuple(array.shape) for array in values),
        params=sum(prod(array.shape) for array in values),
        trainable=sum(prod(a.shape) for a in trained_weights(class_name, settings, values))
        if trained
        else fixed,
        bytes=sum(prod(array.shape) * array.dtype.itemsize for array in values),
    )


def _inside_layer(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield name and config of each layer inside a model or a wrapper."""
    for layer in layers_of(node):
        yield _name(layer), layer
    settings = node["config"] if isinstance(node["config"], dict) else {}
    inner = settings.get("layer")
    if not isinstance(inner, dict) or not isinstance(inner.get("config"), dict):
        return
    name = _name(inner)
    if node["class_name"] == "Bidirectional":
        name = name.removeprefix("forward_")
        yield f"forward_{name}", inner
        yield f"backward_{name}", settings.get("backward_layer") or inner
    else:
        yield name, inner


def _belongs(weight: str, name: str, node: Node) -> bool:
    """Whether a weight belongs to a layer, or to a layer inside it, by the parts of its name."""
    parts = weight.split("/")
    return name in parts or any(_belongs(weight, *inner) for inner in _inside_layer(node))


def _name(node: Node) -> str:
    settings = node["config"]
    return str(settings.get("name", "") if isinstance(settings, dict) else node.get("name", ""))


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names in an attribute, which Keras splits if it is long."""
    values = list(group.attrs.get(attribute, []))
    part = 0
    while f"{attribute}{part}" in group.attrs:
        values += list(group.attrs[f"{attribute}{part}"])
        part += 1
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _has_names(file: Any) -> bool:
    return "layer_names" in file.attrs or "layer_names0" in file.attrs


def _inside(group: Any, path: str) -> Any:
    """The HDF5 object at a path in a group; links to other places are not followed."""
    import h5py

    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(
            group.get(part, getlink=True), h5py.HardLink
        ):
            raise ValueError(f"it has no {path}, which it lists")
        group = group[part]
    return group


def version(file: Any) -> str:
    """The version of Keras that wrote an open file."""
    version = file.attrs.get("keras_version", "2")
    return version.decode("utf-8") if isinstance(version, bytes) else str(version)
