"""A Keras model in the format of LiteRT, by the converter of TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # the converter is part of it

from kerasseq import kernels
from kerasseq.interop.copying import ModelCopy
from kerasseq.interop.counterparts import to_kerasseq
from kerasseq.interop.inside import child_layers
from kerasseq.interop.litert.names import input_names, output_names
from kerasseq.interop.litert.quiet import quiet
from kerasseq.interop.litert.session import InferenceSession
from kerasseq.interop.litert.timesteps import with_timesteps_side_by_side
from kerasseq.kernels import litert

__all__ = ["to_litert"]

_TIMESTEPS = 12  # of random sequences; most models can read as many

# In the converter's error, the operations of TensorFlow that the format does not have.
_MISSING = re.compile(r"^(?:TF Select|Custom) ops: (.+)$", re.MULTILINE)


def to_litert(model: Any, *, batch: int | None = 1, quantize: str | None = None) -> bytes:
    """Give a file of LiteRT with the outputs of a Keras model in inference.

    Args:
        model: A built Sequential or functional model, on the backend TensorFlow. It does not
            change.
        batch: Number of rows of every input and output; None for any number.
        quantize: `"float16"` or `"int8"`, of the weights; None for float32.

    Raises:
        ValueError: If a layer cannot be written; it says which, or which operations are missing.

    Example:

    >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)])
    >>> to_litert(model)[4:8]
    b'TFL3'
    """
    _check(model)
    with quiet():
        copy = with_timesteps_side_by_side(ModelCopy(model, to_kerasseq).result)
        try:
            converter = _converter(copy, model, batch)
            content = bytes(converter.convert())
            _check_outputs(content, model, batch)
            if quantize is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.target_spec.supported_types = [tf.float16] * (quantize == "float16")
                content = bytes(converter.convert())
            return content
        except Exception as error:  # the converter, and layers of others, raise errors of any kind
            raise ValueError(
                f"`model`: '{model.name}' cannot be exported to LiteRT: {_reason(error, batch)}"
            ) from error


def _check(model: Any) -> None:
    if not (isinstance(model, keras.Sequential) or hasattr(model, "operations")) or not model.built:
        raise ValueError(
            "`model` must be a Sequential or functional model that is built. Received: the "
            f"{type(model).__name__} '{model.name}'. Build it with a keras.Input; wrap a model of "
            "another class: keras.Model(inputs, model.call(inputs)), with symbolic inputs."
        )
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


def _converter(copy: Any, model: Any, batch: int | None) -> Any:
    """TensorFlow's converter, with a copy of a model traced for it."""
    names = input_names(model)
    nest = copy.inputs[0] if isinstance(copy, keras.Sequential) else copy.input

    @tf.function(autograph=False)
    def predict(**inputs: Any) -> dict[str, Any]:
        given = keras.tree.pack_sequence_as(nest, [inputs[name] for name in names])
        with kernels.run_by(litert.run):
            outputs = keras.tree.flatten(copy(given, training=False))
        # An output that is an input, or another output too, needs a tensor of its own.
        return {name: tf.identity(x) for name, x in zip(output_names(model), outputs, strict=True)}

    signature = {
        name: tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype)
        for name, tensor in zip(names, copy.inputs, strict=True)
    }
    owner = tf.Module()  # the converter asks for one that has the variables
    owner.weights = [variable.value for variable in copy.variables]
    concrete = predict.get_concrete_function(**signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter


def _check_outputs(content: bytes, model: Any, batch: int | None) -> None:
    """Compare the file with the model, on random numbers: a converter may be wrong silently."""
    rng = np.random.default_rng(0)
    inputs = []
    for tensor in model.inputs:
        shape = [batch or 2, *(size or _TIMESTEPS for size in tensor.shape[1:])]
        is_float = tensor.dtype.startswith("float")
        # Numbers of tokens are 0 and 1, which every vocabulary has; 0 is masked.
        values = rng.normal(size=shape) if is_float else rng.integers(0, 2, shape)
        inputs.append(values.astype(tensor.dtype))
    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    expected = model(keras.tree.pack_sequence_as(nest, inputs), training=False)
    session = InferenceSession(content)
    outputs = session.run(output_names(model), dict(zip(input_names(model), inputs)))
    for a, b in zip(outputs, keras.tree.flatten(expected), strict=True):
        if not np.allclose(a, keras.ops.convert_to_numpy(b), 1e-3, 1e-4, equal_nan=True):
            raise ValueError("LiteRT's converter gives a file with other outputs than the model")


def _reason(error: Exception, batch: int | None) -> str:
    """One line of the converter's pages."""
    text = str(error)
    missing = dict.fromkeys(name for found in _MISSING.findall(text) for name in found.split(", "))
    if missing:
        reason = f"the format has no operation for {', '.join(missing)} of TensorFlow"
    else:
        reason = " ".join(text.split())[:200] or type(error).__name__
    hint = "" if batch else " With batch=1 more models can be written."
    return f"{reason.rstrip('.')}.{hint}"
