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
            _translate_weights(file, _cudnn_layers(changes), path.stat().st_size)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).strip("'\"").split()).rstrip(".")
        raise ValueError(f"'{path}' cannot be read as a model of Keras 2: {reason}.") from error
    return copy, [f"{change}: {', '.join(layers)}" for change, layers in changes.items()]


# Configs


def _translate_model(model: dict[str, Any], changes: dict[str, list[str]], is_old: bool) -> None:
    if isinstance(model["config"], list):  # a Sequential up to Keras 2.2
        model["config"] = {"name": model.get("name", "sequential"), "layers": model["config"]}
    for layer in legacy.layers_of(model):
        _translate_layer(layer, changes, is_old)


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
