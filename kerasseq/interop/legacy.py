"""Translates whole models in the HDF5 format of Keras 2 into a form that Keras 3 loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from kerasseq.layers.activations import keras2_hard_sigmoid
from kerasseq.params import legacy

__all__ = ["is_hdf5", "translate"]

# Layers of cuDNN: the class that computes the same, and its number of gates.
_CUDNN = {"CuDNNLSTM": ("LSTM", 4), "CuDNNGRU": ("GRU", 3)}
_CUDNN_OPTIONS = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM2D", *_CUDNN)
# Options that Keras 3 does not have, with the value at which leaving them out changes nothing.
_DROPPED = {"time_major": (False, None), "input_length": None}


def is_hdf5(path: Path) -> bool:
    """Whether a file is in the HDF5 format."""
    return bool(h5py.is_hdf5(path))


def translate(path: Path, folder: Path) -> tuple[Path, list[str]]:
    """Write a copy of an old file that Keras 3 loads.

    Args:
        path: A whole model in HDF5, which does not change.
        folder: The folder for the copy.

    Returns:
        The path of the copy, and one remark for each kind of change.

    Raises:
        ValueError: If the file is damaged, holds weights alone, was written by Keras 1, or has an
            option that cannot be translated.
    """
    copy = folder / "model.h5"
    changes: dict[str, list[str]] = {}
    try:
        with h5py.File(path, "r") as file:
            config = legacy.config(file) if legacy.is_legacy(file) else None
            if config is None:
                raise ValueError(
                    "it holds weights alone, and not the layers of a model: build the model and "
                    "call its load_weights"
                )
            is_old = not legacy.version(file).startswith("3")  # Keras 3 writes this format too
            for _ in legacy.weight_groups(file, path.stat().st_size):
                pass  # raises for a damaged file
        _translate_model(config, changes, is_old)
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
            if is_old and "training_config" in file.attrs:
                training = json.loads(file.attrs["training_config"])
                file.attrs["training_config"] = json.dumps(_translate_training(training))
            _translate_weights(file, _cudnn_layers(changes), path.stat().st_size)
    except (ValueError, KeyError, TypeError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).strip("'\"").split()).rstrip(".")
        raise ValueError(f"'{path}' cannot be read as a model of Keras 2: {reason}.") from error
    return copy, [f"{change}: {', '.join(layers)}" for change, layers in changes.items()]


# Configs


def _translate_model(model: dict[str, Any], changes: dict[str, list[str]], is_old: bool) -> None:
    if isinstance(model["config"], list):  # a Sequential up to Keras 2.2
        model["config"] = {"name": model.get("name", "sequential"), "layers": model["config"]}
    layers = legacy.layers_of(model)
    if is_old and model["class_name"] == "Sequential":
        layers[:0] = _first_input(layers[0])
    names = {layer.get("name") for layer in layers}
    if is_old:
        _count_calls(model, layers, names)
    for layer in layers:
        _translate_layer(layer, changes, is_old)
        nodes = layer.get("inbound_nodes") or []
        layer["inbound_nodes"] = [_translate_call(layer, node, names) for node in nodes]


def _first_input(first: dict[str, Any]) -> list[dict[str, Any]]:
    """The input of a Sequential, if only the config of its first layer has its shape."""
    settings = first["config"]
    if first["class_name"] == "InputLayer" or not isinstance(settings, dict):
        return []
    shape = settings.pop("batch_input_shape", None)
    if shape is None:
        return []
    options = {"batch_shape": shape, "dtype": "float32", "name": f"{settings.get('name')}_input"}
    return [{"class_name": "InputLayer", "config": options}]


def _count_calls(model: dict[str, Any], layers: list[Any], names: set[Any]) -> None:
    """Count the calls of inner models from 0, as Keras 3 does: in Keras 2 the first is call 1."""
    inner = {layer["name"]: layer["class_name"] for layer in layers if legacy.layers_of(layer)}
    used = [item for layer in layers for item in _tensors(layer.get("inbound_nodes"), names)]
    outputs = _tensors(model["config"].get("output_layers"), names)
    first: dict[str, int] = {}
    for name, call, *_ in [*used, *outputs]:
        first[name] = min(first.get(name, call), call)
    for item in used:
        item[1] -= first[item[0]] if item[0] in inner else 0
    for item in outputs:
        if item[0] in inner:  # Keras 3 subtracts one from an output of a functional model itself
            item[1] -= first[item[0]] - (inner[item[0]] != "Sequential")


def _tensors(value: Any, names: set[Any]) -> list[list[Any]]:
    """All outputs of layers that are named in a nest of lists and dicts."""
    if _is_tensor(value, names):
        return [value, *(_tensors(value[3], names) if len(value) > 3 else [])]
    parts = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(parts, list):
        return []
    return [item for part in parts for item in _tensors(part, names)]


def _translate_call(layer: dict[str, Any], node: Any, names: set[Any]) -> Any:
    """The call of a layer in a graph; Keras 2 lists initial states beside the sequences."""
    if not isinstance(node, list) or not all(_is_tensor(item, names) for item in node):
        return node
    options = node[0][3] if node and len(node[0]) > 3 else {}
    tensors = [_tensor(item) for item in node]
    is_recurrent = layer["class_name"] in (*_RECURRENT, "Bidirectional")
    if is_recurrent and len(tensors) > 1:
        kwargs = {**options, "initial_state": tensors[1:]}
        tensors = tensors[:1]
    elif any(_is_tensor(item, names) for value in options.values() for item in _items(value)):
        kwargs = dict(options)
    else:
        return node
    for option, value in kwargs.items():
        if _is_tensor(value, names):
            kwargs[option] = _tensor(value)
        elif isinstance(value, list):
            kwargs[option] = [_tensor(item) if _is_tensor(item, names) else item for item in value]
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": kwargs}


def _items(value: Any) -> list[Any]:
    return [value, *value] if isinstance(value, list) else [value]


def _is_tensor(value: Any, names: set[Any]) -> bool:
    """Whether a value names an output: layer, place of the call, place of the output."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in names
    )


def _tensor(value: list[Any]) -> dict[str, Any]:
    """An output of a layer as Keras 3 writes it; the shape is not read."""
    options = {"shape": [None], "dtype": "float32", "keras_history": value[:3]}
    return {"class_name": "__keras_tensor__", "config": options}


def _translate_layer(node: dict[str, Any], changes: dict[str, list[str]], is_old: bool) -> None:
    """Translate the config of a layer and of the layers inside it, in place."""
    if legacy.layers_of(node):
        _translate_model(node, changes, is_old)
        return
    settings, kind = node["config"], node["class_name"]
    name = str(settings.get("name", kind))

    def told(change: str) -> None:
        changes.setdefault(change, []).append(name)

    if kind in _RECURRENT and "output_dim" in settings:
        raise ValueError(f"its layer {name} was written by Keras 1: save it with Keras 2 first")
    if kind in _CUDNN:
        node["class_name"] = _CUDNN[kind][0]
        settings |= _CUDNN_OPTIONS | ({"reset_after": True} if kind == "CuDNNGRU" else {})
        told(f"{kind} became {node['class_name']}")
    if kind in ("GRU", "GRUCell") and "reset_after" not in settings:
        settings["reset_after"] = False  # the only form that there was
    for option, harmless in _DROPPED.items():
        if option in settings:
            value = settings.pop(option)
            if harmless is not None and value not in harmless:
                raise ValueError(
                    f"its layer {name} has {option}={value!r}, which Keras 3 has no more: load it "
                    "with Keras 2 and swap the axes of batch and time"
                )
            if value is not None:
                told(f"{option}={value!r} was dropped, which Keras 3 does not have")
    for option in ("activation", "recurrent_activation"):
        if is_old and settings.get(option) == "hard_sigmoid":
            settings[option] = keras.saving.serialize_keras_object(keras2_hard_sigmoid)
            told(f"{option}='hard_sigmoid' is that of Keras 2, by a function of kerasseq")
    for inner in _inner_nodes(settings):
        _translate_layer(inner, changes, is_old)


def _inner_nodes(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the configs of the layers and cells in the settings of a wrapper or of an RNN."""
    values = [settings.get(key) for key in ("layer", "backward_layer", "cell")]
    cells = settings.get("cells")
    for value in [*values, *(cells if isinstance(cells, list) else [])]:
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            yield value


def _translate_training(value: Any) -> Any:
    """The settings of `compile`, with metrics of a function named by this function."""
    if isinstance(value, list):
        return [_translate_training(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "MeanMetricWrapper":
        settings = value["config"]
        is_accuracy = settings.get("name") in ("accuracy", "acc")
        return "accuracy" if is_accuracy else settings["fn"]
    return {key: _translate_training(item) for key, item in value.items()}


# Weights of cuDNN


def _cudnn_layers(changes: dict[str, list[str]]) -> dict[str, int]:
    """The number of gates of each layer of cuDNN, by its name."""
    return {
        name: gates
        for kind, (target, gates) in _CUDNN.items()
        for name in changes.get(f"{kind} became {target}", [])
    }


def _translate_weights(file: Any, gates: dict[str, int], stored: int) -> None:
    """Give the weights of cuDNN the layout of LSTM and GRU, in place."""
    if not gates:
        return
    for _, group, arrays in legacy.weight_groups(file, stored):
        for name, array in arrays:
            parts = [p.removeprefix("forward_").removeprefix("backward_") for p in name.split("/")]
            count = next((gates[part] for part in parts if part in gates), None)
            if count is not None:
                value = _from_cudnn(parts[-1].partition(":")[0], array[()], count)
                del group[name]
                group[name] = value


def _from_cudnn(role: str, value: np.ndarray, gates: int) -> np.ndarray:
    """A weight in the layout of cuDNN as Keras lays it out; each gate is transposed there."""
    if role == "bias":  # of the inputs, then of the state
        halves = value.reshape(2, -1)
        return halves.sum(axis=0) if gates == 4 else halves
    parts = np.split(value, gates, axis=1)
    if role == "recurrent_kernel":
        return np.concatenate([part.T for part in parts], axis=1)
    return np.concatenate([part.T.reshape(part.shape, order="F") for part in parts], axis=1)
