"""A Keras model in the format of LiteRT, by the converter of TensorFlow."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # the converter is part of it

from kerasseq import kernels
from kerasseq.interop.copying import ModelCopy
from kerasseq.interop.counterparts import to_kerasseq
from kerasseq.interop.litert.checks import check
from kerasseq.interop.litert.clipping import without_clipping
from kerasseq.interop.litert.names import input_names, output_names
from kerasseq.interop.litert.quiet import quiet
from kerasseq.interop.litert.session import InferenceSession
from kerasseq.interop.litert.timesteps import with_timesteps_side_by_side
from kerasseq.kernels import litert

__all__ = ["to_litert"]

# Timesteps, and sizes of further axes, with which a file is tried; the first that the model reads.
_SIZES = ((12, 12), (12, 1), (100, 100), (1, 1))

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
    check(model)
    with quiet():
        copy = with_timesteps_side_by_side(ModelCopy(model, to_kerasseq).result)
        try:
            traced = _trace(copy, model, batch)
            content = _convert(*traced)
            _check_outputs(content, model, batch)
            return content if quantize is None else _convert(*traced, quantize)
        except Exception as error:  # the converter, and layers of others, raise errors of any kind
            raise ValueError(
                f"`model`: '{model.name}' cannot be exported to LiteRT: {_reason(error, batch)}"
            ) from None  # pages of a compiler


def _trace(copy: Any, model: Any, batch: int | None) -> tuple[Any, Any]:
    """A function with the outputs of a model, traced for LiteRT, and the owner of its variables."""
    names = input_names(model)
    nest = copy.inputs[0] if isinstance(copy, keras.Sequential) else copy.input

    @tf.function(autograph=False)
    def predict(**inputs: Any) -> dict[str, Any]:
        arguments = keras.tree.pack_sequence_as(nest, [inputs[name] for name in names])
        with kernels.run_by(litert.run):
            outputs = keras.tree.flatten(copy(arguments, training=False))
        # An output that is an input, or another output too, needs another tensor.
        return {name: tf.identity(x) for name, x in zip(output_names(model), outputs, strict=True)}

    signature = {
        name: tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype)
        for name, tensor in zip(names, copy.inputs, strict=True)
    }
    concrete = predict.get_concrete_function(**signature)
    owner = tf.Module()  # the converter asks for one that has the variables
    # Those of the function, as an operation between the layers may read a weight of a layer that
    # is not in the model.
    owner.weights = concrete.variables
    return concrete, owner


def _convert(concrete: Any, owner: Any, quantize: str | None = None) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return without_clipping(bytes(converter.convert()))


def _check_outputs(content: bytes, model: Any, batch: int | None) -> None:
    """Compare the file with the model on random numbers, since a converter may be wrong silently.

    It is not done for a model that reads none of these inputs.
    """
    nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    for sizes in _SIZES:
        inputs = [_drawn(tensor, batch or 2, sizes) for tensor in model.inputs]
        try:
            expected = model(keras.tree.pack_sequence_as(nest, inputs), training=False)
        except Exception:  # inputs whose sizes depend on each other: errors of any kind
            continue
        outputs = InferenceSession(content).run(
            output_names(model), dict(zip(input_names(model), inputs, strict=True))
        )
        for a, b in zip(outputs, keras.tree.flatten(expected), strict=True):
            if not np.allclose(a, keras.ops.convert_to_numpy(b), 1e-3, 1e-4, equal_nan=True):
                raise ValueError("its converter gives a file with other outputs than the model")
        return


def _drawn(tensor: Any, batch: int, sizes: tuple[int, int]) -> np.ndarray:
    """Random numbers for an input.

    Args:
        tensor: The symbolic input.
        batch: Number of rows.
        sizes: Of its first axis of unknown size, and of further ones.
    """
    unknown = iter([sizes[0], *[sizes[1]] * len(tensor.shape)])
    shape = [batch, *(next(unknown) if size is None else size for size in tensor.shape[1:])]
    rng = np.random.default_rng(len(shape))
    if tensor.dtype.startswith("float"):
        return rng.normal(size=shape).astype(tensor.dtype)
    # Every vocabulary has the tokens 0 and 1; 0 is masked.
    return rng.integers(0, 2, shape).astype(tensor.dtype)


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
