"""Translates configs of Keras 2 into those of Keras 3, in place."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import keras

from kerasseq.layers.activations import keras2_hard_sigmoid
from kerasseq.params import legacy

__all__ = ["CUDNN", "Changes", "translate"]

#: Names of the layers that a change is about, by the change in words.
Changes = dict[str, list[str]]

#: Layers of cuDNN: the class that computes the same, and its number of gates.
CUDNN = {"CuDNNLSTM": ("LSTM", 4), "CuDNNGRU": ("GRU", 3)}
_CUDNN_OPTIONS = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", *CUDNN)
_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
_MODELS = ("Sequential", "Functional", "Model")
# Arguments that every layer takes as a keyword.
_COMMON = {
    *("name", "trainable", "dtype", "activity_regularizer", "autocast", "input_shape"),
    "batch_shape",
}
# Options that Keras 3 does not have, whose values change nothing.
_WITHOUT_EFFECT = ("input_length", "batch_input_shape", "trainable")
# Those that are not worth a remark.
_SILENT = ("batch_input_shape", "trainable")


def translate(model: dict[str, Any], is_old: bool = True) -> Changes:
    """Translate the config of a model, and of everything inside it, in place.

    Args:
        model: The config.
        is_old: Whether Keras 2 wrote it; Keras 3 writes the same format, with other meanings.

    Raises:
        ValueError: If it cannot be translated.

    Example:
        >>> layer = {"class_name": "GRU", "config": {"name": "a", "units": 4, "time_major": False}}
        >>> translate({"class_name": "Sequential", "config": {"layers": [layer]}})
        {'time_major=False was dropped, which Keras 3 does not have': ['a']}
        >>> layer["config"]
        {'name': 'a', 'units': 4, 'reset_after': False}
    """
    changes: Changes = {}
    _translate_model(model, changes, is_old)
    return changes


def _translate_model(model: dict[str, Any], changes: Changes, is_old: bool) -> None:
    if isinstance(model["config"], list):  # a Sequential up to Keras 2.2
        model["config"] = {"name": model.get("name", "sequential"), "layers": model["config"]}
    if model.get("module") and model["class_name"] in _MODELS:  # Keras 3 lacks it
        model["module"], model["registered_name"] = "keras", None
        if model["class_name"] == "Functional":  # a class that Keras 3 does not export
            model["class_name"] = "Model"
    layers = legacy.layers_of(model)
    is_sequential = model["class_name"] == "Sequential"
    if is_old and is_sequential:
        layers[:0] = _first_input(layers[0])
    names = {layer.get("name") for layer in layers}
    if is_old and not is_sequential:
        _count_calls(model, layers, names)
    for layer in layers:
        _translate_layer(layer, changes, is_old)
        nodes = layer.get("inbound_nodes") or []
        if nodes:  # the graph builds it
            layer.pop("build_config", None)
        layer["inbound_nodes"] = [_translate_call(layer, node, names) for node in nodes]


def _first_input(first: dict[str, Any]) -> list[dict[str, Any]]:
    """The input of a Sequential, if only the config of its first layer has its shape."""
    settings = first["config"]
    if first["class_name"] == "InputLayer" or not isinstance(settings, dict):
        return []
    shape = settings.pop("batch_input_shape", None)
    if shape is None or legacy.layers_of(first):
        return []
    options = {"batch_shape": shape, "dtype": "float32", "name": f"{settings.get('name')}_input"}
    module = {"module": first["module"]} if "module" in first else {}
    return [{**module, "class_name": "InputLayer", "config": options}]


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
        used = {option: value for option, value in options.items() if value is not None}
        kwargs = {**used, "initial_state": tensors[1:]}
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


def _translate_layer(node: dict[str, Any], changes: Changes, is_old: bool) -> None:
    """Translate the config of a layer and of the layers inside it, in place."""
    if legacy.layers_of(node):
        _translate_model(node, changes, is_old)
        return
    settings, kind = node["config"], node["class_name"]
    name = str(settings.get("name", kind))

    def told(change: str) -> None:
        changes.setdefault(change, []).append(name)

    if kind in _FUNCTIONS:
        raise ValueError(
            f"its layer {name} is a function of TensorFlow that was called between layers "
            f"({kind}), which no layer of Keras 3 stands for: write it as a layer, in Keras 2"
        )
    if kind == "Lambda" and settings.get("function_type") == "lambda":
        raise ValueError(
            f"its layer {name} is a Lambda with Python code, which is not run from a file: load "
            "it with Keras 2, and write the function as a layer"
        )
    if kind in _RECURRENT and "output_dim" in settings:
        raise ValueError(f"its layer {name} was written by Keras 1: save it with Keras 2 first")
    if settings.get("time_major"):
        raise ValueError(
            f"its layer {name} has time_major=True, which Keras 3 has no more: load it with Keras "
            "2 and swap the axes of batch and time"
        )
    if kind == "InputLayer" and "batch_input_shape" in settings:
        settings["batch_shape"] = settings.pop("batch_input_shape")
    axis = settings.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        settings["axis"] = axis[0]
    if kind in CUDNN:
        node["class_name"] = CUDNN[kind][0]
        settings |= _CUDNN_OPTIONS | ({"reset_after": True} if kind == "CuDNNGRU" else {})
        told(f"{kind} became {node['class_name']}")
    if is_old and kind in ("GRU", "GRUCell") and "reset_after" not in settings:
        settings["reset_after"] = False  # the only form that there was
    if settings.get("score_mode") == "dot":
        del settings["score_mode"]  # the default, which Keras takes for its function of that name
    for option in _unknown(node["class_name"], settings):
        value = settings.pop(option)
        if value is not None and option not in _SILENT:
            told(f"{option}={value!r} was dropped, which Keras 3 does not have")
    for option in ("activation", "recurrent_activation"):
        if is_old and settings.get(option) == "hard_sigmoid":
            settings[option] = keras.saving.serialize_keras_object(keras2_hard_sigmoid)
            told(f"{option}='hard_sigmoid' is that of Keras 2, by a function of kerasseq")
    for inner in _inner_nodes(settings):
        _translate_layer(inner, changes, is_old)


def _unknown(kind: str, settings: dict[str, Any]) -> list[str]:
    """Options that a layer of Keras 3 does not take, and that change nothing: they are off."""
    layer = getattr(keras.layers, kind, None)
    if layer is None:
        return []
    known: set[str] = set()
    for base in inspect.getmro(layer):
        parameters = inspect.signature(base).parameters
        known |= {*parameters}
        hands_on = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        if not hands_on:
            break
        if base is keras.layers.Layer:
            known |= _COMMON
            break
    off = [option for option, value in settings.items() if value is None or value is False]
    candidates = [*off, *(option for option in _WITHOUT_EFFECT if option in settings)]
    return [option for option in dict.fromkeys(candidates) if option not in known]


def _inner_nodes(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the configs of the layers and cells in the settings of a wrapper or of an RNN."""
    values = [settings.get(key) for key in ("layer", "backward_layer", "cell")]
    cells = settings.get("cells")
    for value in [*values, *(cells if isinstance(cells, list) else [])]:
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            yield value
