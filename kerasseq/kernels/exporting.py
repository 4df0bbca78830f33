"""Whether a function is being traced in order to be written to a file."""

from __future__ import annotations

import inspect

import keras

__all__ = ["is_exporting"]

_WRITERS = ("keras", "tensorflow", "jax")
_PARTS = {"export", "saved_model"}


def is_exporting() -> bool:
    """Whether a writer of files is tracing the caller.

    It is `model.export` of Keras, TensorFlow's writer of SavedModels, `jax.export`,
    `torch.export`, `torch.jit.trace` or `torch.onnx`. Such a file has to run where kerasseq is not
    installed.

    PyTorch says what it traces for. TensorFlow and JAX do not, so the modules that are calling are
    looked up by name; on TensorFlow this is not done outside of a trace.

    Example:
        >>> is_exporting()
        False
    """
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        traced_for = (torch.compiler.is_exporting, torch.jit.is_tracing)
        return any(is_tracing() for is_tracing in (*traced_for, torch.onnx.is_in_onnx_export))
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.inside_function():
            return False
    frame = inspect.currentframe()
    while frame is not None:
        root, *parts = str(frame.f_globals.get("__name__", "")).split(".")
        if root in _WRITERS and not _PARTS.isdisjoint(parts):
            return True
        frame = frame.f_back
    return False
