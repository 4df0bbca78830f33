"""Models in other formats, for places where there is no kerasseq."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kerasseq.interop.files import load
from kerasseq.interop.formats import SUFFIXES, check_format, check_installed
from kerasseq.interop.tracing import check_graph
from kerasseq.io import atomic, paths

__all__ = ["export"]


def export(
    model: Any,
    path: str | os.PathLike[str],
    format: str = "onnx",
    *,
    stream: bool = False,
    overwrite: bool = False,
    batch: int | None = 1,
    quantize: str | None = None,
) -> Path:
    """Write a model as ONNX or LiteRT, which run without kerasseq, Keras and a backend.

    In ONNX, recurrent layers over LSTM, GRU and simple cells are nodes, of both directions where
    there are two; other cells are a Scan. Layers of other classes, also of your own, are written as
    the operations of `keras.ops` in their `call`.

    In LiteRT, an LSTM is one fused operation and other cells are While loops, of the operations
    that every LiteRT runtime has. A fused LSTM keeps its states for the next call of the file: call
    `reset_all_variables()` of the interpreter before each sequence.

    The batch in ONNX, and the time, may have any size in the file if they have in the model. Masks
    are exact, wherever the masked timesteps are.

    Args:
        model: A built Sequential or functional model of Keras or kerasseq, in float32; or the path
            of a saved one. It does not change.
        path: The .onnx or .tflite file to write.
        format: `"onnx"` or `"litert"`. A SavedModel is written by Keras: `model.export(folder)`.
        stream: Write the model of one or more further timesteps in ONNX (see `kerasseq.stream`):
            the parts of the state are inputs, and the new ones outputs, `next_NAME`.
        overwrite: Whether the file may be replaced.
        batch: Number of rows of a call in LiteRT; None for any number, and loops in place of fused
            operations. In ONNX the batch may have any size.
        quantize: In LiteRT, the type of the weights: `"float16"`, `"int8"` (activations stay
            float32, or are quantized while the file runs), or None for float32.

    Returns:
        The path.

    Raises:
        TypeError: If `model` is no model.
        ValueError: If layers cannot be exported, or not go on from step to step, which are listed
            with the reasons, or the file is there already. Nothing is written.
        ModuleNotFoundError: If the package onnx, or ai-edge-litert, is not installed.

    Example:

    >>> import keras, kerasseq
    >>> layers = [kerasseq.lstm(8, bidirectional=True), keras.layers.Dense(1)]
    >>> model = keras.Sequential([keras.Input((None, 3)), *layers])
    >>> export(model, "model.onnx").name
    'model.onnx'
    """
    check_format(format, quantize)
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise ValueError(f"`batch` must be at least 1, or None. Received: batch={batch!r}")
    if stream and format != "onnx":
        raise ValueError(f"`stream` is an option of format='onnx'. Received: format={format!r}")
    target = paths.output_file(path, "path")
    if target.suffix != SUFFIXES[format]:
        raise ValueError(f"`path` must be a {SUFFIXES[format]} file. Received: path={target}")
    if target.exists() and not overwrite:
        raise ValueError(f"`path` is there already: {target}. Pass overwrite=True.")
    check_installed(format)
    if isinstance(model, str | os.PathLike):
        model, _ = load(model, "model")
    check_graph(model)
    if format == "litert":
        content = _litert(model, batch, quantize)
    else:
        content = _onnx(model, stream)
    with atomic.replacing(target) as temporary:
        temporary.write_bytes(content)
    return target


def _litert(model: Any, batch: int | None, quantize: str | None) -> bytes:
    from kerasseq.interop.litert.process import to_litert

    return to_litert(model, batch=batch, quantize=quantize)


def _onnx(model: Any, stream: bool) -> bytes:
    from kerasseq.interop.onnx.converting import step_to_onnx, to_onnx

    return bytes((step_to_onnx if stream else to_onnx)(model).SerializeToString())
