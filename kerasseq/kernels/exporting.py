"""Whether a function is being traced in order to be written to a file."""

from __future__ import annotations

import inspect

import keras

__all__ = ["is_exporting"]

_WRITERS = ("keras", "tensorflow")
_PARTS = {"export", "saved_model"}


def is_exporting() -> bool:
    """Whether `model.export`, or the writer of SavedModels, is tracing the caller.

    Such a file has to run where kerasseq is not installed. Neither library tells a layer what it is
    traced for, so the modules that are calling are looked up by name; outside of a trace on
    TensorFlow, which is every call that is not compiled, this is not done.

    Example:
        >>> is_exporting()
        False
    """
    if keras.backend.backend() == "tensorflow":
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
