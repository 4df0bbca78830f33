"""Runs a model of LiteRT by the methods of onnxruntime that predict.py calls.

It needs NumPy and ai-edge-litert alone, and goes into the folder of an exported run.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

__all__ = ["InferenceSession"]


class InferenceSession:
    """A model of LiteRT.

    Args:
        model: Path or content of a .tflite file that kerasseq has written.
        providers: Not used.
        threads: Number of threads.
    """

    def __init__(
        self, model: str | Path | bytes, providers: Any = None, threads: int | None = None
    ) -> None:
        content = model if isinstance(model, bytes) else Path(model).read_bytes()
        with _quiet():
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._predict = self._interpreter.get_signature_runner()
        self._inputs = self._predict.get_input_details()
        ordered = [] if isinstance(model, bytes) else _output_names(Path(model))
        self._outputs = ordered or [*self._predict.get_output_details()]
        (self._batch,) = {int(x["shape_signature"][0]) for x in self._inputs.values()}

    def get_inputs(self) -> list[Any]:
        """The inputs, each with its name."""
        return [SimpleNamespace(name=name) for name in self._inputs]

    def get_outputs(self) -> list[Any]:
        """The outputs, each with its name, in the order in which `run` gives them."""
        return [SimpleNamespace(name=name) for name in self._outputs]

    def run(
        self, names: Sequence[str] | None, inputs: Mapping[str, np.ndarray]
    ) -> list[np.ndarray]:
        """The outputs for rows of inputs.

        Args:
            names: Names of the outputs; None for all of them.
            inputs: An array for each input by its name, with the rows as first axis.
        """
        arrays = {name: np.asarray(inputs[name], x["dtype"]) for name, x in self._inputs.items()}
        rows = len(next(iter(arrays.values())))
        size = rows if self._batch < 0 else self._batch
        parts = []
        for start in range(0, rows, size):
            part = {name: array[start : start + size] for name, array in arrays.items()}
            missing = start + size - rows
            if missing > 0:  # of a file for a fixed number of rows: the last one again
                part = {name: np.concatenate([x, *[x[-1:]] * missing]) for name, x in part.items()}
            # The states of a fused LSTM stay from one call to the next otherwise.
            self._interpreter.reset_all_variables()
            parts.append(self._predict(**part))
        return [
            np.concatenate([part[name] for part in parts])[:rows] for name in names or self._outputs
        ]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context that hides messages of compiled code on standard error; Python errors are raised."""
    try:
        standard_error = os.dup(2)
    except OSError:  # the process has no standard error
        yield
        return
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


def _output_names(model: Path) -> list[str]:
    """The outputs in their order, which the manifest beside the model has."""
    manifest = model.with_name("manifest.json")
    if not manifest.is_file():
        return []
    models = json.loads(manifest.read_text(encoding="utf-8"))["models"]
    return list(models.get(model.name, {}).get("outputs", []))
