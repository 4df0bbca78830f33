"""Models in other formats, for places where there is no kerasseq."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from kerasseq.interop.files import load
from kerasseq.interop.tracing import check_graph
from kerasseq.io import atomic, paths

__all__ = ["check_installed", "export"]


def export(
    model: Any,
    path: str | os.PathLike[str],
    format: str = "onnx",
    *,
    stream: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a model as ONNX, which onnxruntime runs without kerasseq, Keras and a backend.

    Recurrent layers over LSTM, GRU and simple cells are nodes of ONNX, of both directions where
    there are two; other cells are a Scan. The batch, and the time, may have any size in the file if
    they have in the model. Masks are exact, wherever the masked timesteps are. Layers of other
    classes, also of your own, are written as the operations of `keras.ops` in their `call`.

    Args:
        model: A built Sequential or functional model of Keras or kerasseq, in float32; or the path
            of a saved one. It does not change.
        path: The .onnx file to write.
        format: `"onnx"`. A SavedModel is written by Keras: `model.export(folder)`.
        stream: Write the model of one or more further timesteps (see `kerasseq.stream`): the parts
            of the state are inputs, and the new ones outputs, `next_NAME`.
        overwrite: Whether the file may be replaced.

    Returns:
        The path.

    Raises:
        TypeError: If `model` is no model.
        ValueError: If layers cannot be exported, or not go on from step to step, which are listed
            with the reasons, or the file is there already. Nothing is written.
        ModuleNotFoundError: If the package onnx is not installed.

    Example:

    >>> import keras, kerasseq
    >>> layers = [kerasseq.lstm(8, bidirectional=True), keras.layers.Dense(1)]
    >>> model = keras.Sequential([keras.Input((None, 3)), *layers])
    >>> export(model, "model.onnx").name
    'model.onnx'
    """
    if format != "onnx":
        raise ValueError(
            f"`format` must be 'onnx'. Received: format={format!r}. A SavedModel is written by "
            "Keras: model.export(folder)."
        )
    target = paths.output_file(path, "path")
    if target.suffix != ".onnx":
        raise ValueError(f"`path` must be a .onnx file. Received: path={target}")
    if target.exists() and not overwrite:
        raise ValueError(f"`path` is there already: {target}. Pass overwrite=True.")
    check_installed()
    if isinstance(model, str | os.PathLike):
        model, _ = load(model, "model")
    check_graph(model)
    from kerasseq.interop.onnx.converting import step_to_onnx, to_onnx

    content = (step_to_onnx if stream else to_onnx)(model).SerializeToString()
    with atomic.replacing(target) as temporary:
        temporary.write_bytes(content)
    return target


def check_installed() -> None:
    """Raise a ModuleNotFoundError if the package onnx is missing."""
    if importlib.util.find_spec("onnx") is None:
        raise ModuleNotFoundError(
            "ONNX files need the package onnx: python -m pip install 'kerasseq[onnx]'."
        )
