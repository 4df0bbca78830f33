"""Loads saved models: .keras files, and whole models that Keras 2 saved."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kerasseq.interop import legacy_files
from kerasseq.interop.legacy_compile import compile_as
from kerasseq.io import atomic, lfs, paths

__all__ = ["load"]

_LONG = 400  # characters of an error message
# What Keras says of such a file, somewhere in a message that has whole configs of layers.
_UNKNOWN = re.compile(r"Could not locate (class|function) '([^']+)'")
_LAMBDA = "Requested the deserialization of a `Lambda` layer"
_CAUSE = "Exception encountered: "
_CONFIG = re.compile(r"\s*Full object config: .*|\s*config=\{.*")


def load(path: str | os.PathLike[str], name: str, *, compile: bool = True) -> tuple[Any, list[str]]:
    """Load the model in a file, with one line for whatever may be wrong with it.

    Args:
        path: A .keras file, a folder with a model.keras, or a whole model of Keras 2 in HDF5.
        name: Name of the argument, for errors.
        compile: Whether to compile the model as it was when it was saved, if that works.

    Returns:
        The model, and remarks: what Keras 3 does not know, and how it was translated.

    Raises:
        ValueError: If the file is damaged or of another kind.
        FileNotFoundError: If there is no such file.

    Example:
        >>> keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save("model.keras")
        >>> model, notes = load("model.keras", "path")
        >>> model.output_shape, notes
        ((None, 2), [])
    """
    place = paths.user_path(path, name)
    atomic.finish(place)
    file = paths.model_file(place)
    lfs.check_no_pointer(file)
    if file.suffix == ".keras":
        if not zipfile.is_zipfile(file):
            raise ValueError(f"'{file}' is no Keras model, or damaged: restore it from a copy.")
        if not legacy_files.is_old_archive(file):
            return _load(file, file, compile)
        return _load_old(legacy_files.translate_archive, file, compile)
    if legacy_files.is_hdf5(file):
        return _load_old(legacy_files.translate_hdf5, file, compile)
    raise ValueError(
        f"'{file}' is no .keras file, and no .h5 file of Keras 2 with a whole model: only these "
        "hold the layers of a model."
    )


def _load_old(
    translate: Callable[[Path, Path], legacy_files.Translated], file: Path, compile: bool
) -> tuple[Any, list[str]]:
    """Load a file of Keras 2 from a translated copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy, notes, settings = translate(file, Path(folder))
        model, _ = _load(copy, file, False)
    if not (compile and settings):
        return model, notes
    try:
        compile_as(model, settings)
    except Exception as error:  # a loss or metric of somebody else
        return model, [*notes, f"The compile state was not kept ({_line(error)}); call `compile`"]
    return model, [*notes, "The state of the optimizer was not kept, only its settings"]


def _load(file: Path, shown: Path, compile: bool) -> tuple[Any, list[str]]:
    """Load a file by Keras; without its compile state if only that fails."""
    try:
        return _loaded(file, compile), []
    except Exception as error:  # Keras and its backends raise errors of any kind for such a file
        if compile:
            try:
                model = _loaded(file, False)
            except Exception:
                pass  # the first error says more
            else:
                return model, [f"The compile state was not kept ({_line(error)}); call `compile`"]
        raise ValueError(f"'{shown}' cannot be loaded: {_line(error)}") from error


def _loaded(file: Path, compile: bool) -> Any:
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of arguments and states that are old, which is known
            return keras.saving.load_model(file, compile=compile)
    finally:
        log.setLevel(level)


def _line(error: Exception) -> str:
    """The fault of a file and its remedy, without the configs that Keras prints in a message."""
    message = " ".join(str(error).split())
    if _LAMBDA in message:
        return (
            "it has a Lambda layer, whose Python code may do anything and is not run from a file: "
            "save the model with a layer of your own class in its place"
        )
    if unknown := _UNKNOWN.search(message):
        kind, name = unknown.groups()
        registered = re.search(rf"'registered_name': '([^']*>{re.escape(name)})'", message)
        key = registered[1] if registered else name  # with the package that it was registered in
        return (
            f"it has the {kind} '{name}', which Keras does not know here: in Python, import the "
            f"module that registers it, or set keras.saving.get_custom_objects()['{key}'] = "
            f"{name}, and call kerasseq after that"
        )
    cause = message.rpartition(_CAUSE)[2]
    reason = _CONFIG.sub("", cause) or cause or type(error).__name__
    if len(reason) > _LONG:  # the cause is at its start or end
        reason = f"{reason[: _LONG // 2]} ... {reason[-_LONG // 2 :]}"
    return reason
