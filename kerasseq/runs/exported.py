"""A run as a folder that needs no kerasseq: models, its preprocessing, and a module."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.io import atomic
from kerasseq.io.state import write_json
from kerasseq.runs.folder import check_free, holds, open_folder, versions
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    from kerasseq.runs.formats import Converted
    from kerasseq.runs.run import Run

__all__ = ["Standalone", "export_run"]

FORMAT = 1
MANIFEST, MODEL, PREPROCESSING = "manifest.json", "model.onnx", "preprocessing.json"


@dataclass(frozen=True)
class Standalone:
    """Module, preprocessing and models of an exported run.

    Args:
        module: the source file that becomes predict.py; it imports the standard library, NumPy,
            onnxruntime and `requires` alone.
        preprocessing: JSON values that it reads.
        requires: further packages that it imports.
        models: Keras models by the names of their files; None for the model of the run as
            model.onnx.
        quantized: makes the model of the run, as far as it predicts, from model.tflite, so that
            quantized weights are scored; None if there is no such way. Not needed without `models`.
        kind: which runs of the recipe have several models, if not all do: "with ...".
    """

    module: Path
    preprocessing: Mapping[str, Any]
    requires: tuple[str, ...] = ()
    models: Mapping[str, Any] | None = None
    quantized: Callable[[bytes], Any] | None = None
    kind: str = ""


def export_run(
    run: Run,
    folder: str | os.PathLike[str],
    format: str = "onnx",
    *,
    overwrite: bool = False,
    quantize: str | None = None,
    data: Any = None,
) -> Path:
    """Write a run as a folder; see `Run.export`."""
    from kerasseq.runs import quantized
    from kerasseq.runs.formats import Format

    require_bool(overwrite=overwrite)
    target_format = Format(format, quantize)
    if data is not None and quantize is None:
        raise ValueError("`data` has the rows on which `quantize` is scored: pass both.")
    target = open_folder(folder)
    if not holds(target, MANIFEST):
        check_free(target)
    elif not overwrite:
        raise ValueError(f"{target} holds an exported run already: pass overwrite=True.")
    standalone = run.task.standalone(run.model, run.state, run.resolved)
    models = standalone.models or {MODEL: run.model}
    converted = {
        target_format.file(name): target_format.convert(model) for name, model in models.items()
    }
    loss: dict[str, Any] = {}
    if quantize is not None and _is_unchanged(converted, quantize):
        loss = {"quantization": quantized.unchanged(quantize)}  # a warning has said so
    elif quantize is not None:
        model = _quantized(standalone, run, converted, target_format.file(MODEL))
        loss = {"quantization": quantized.measure(run, model, quantize, data, standalone.kind)}
    modules = target_format.modules(standalone.module.read_text(encoding="utf-8"))
    target.mkdir(parents=True, exist_ok=True)
    with atomic.replacing_together(target) as temporary:
        for name, model in converted.items():
            (temporary / name).write_bytes(model.content)
        write_json(temporary / PREPROCESSING, dict(standalone.preprocessing))
        for name, source in modules.items():
            atomic.write_text(temporary / name, source)
        manifest = {
            "format": FORMAT,
            "recipe": run.recipe,
            "requires": ["numpy", target_format.runtime, *standalone.requires],
            "models": {
                name: {"inputs": model.inputs, "outputs": model.outputs}
                for name, model in converted.items()
            },
            "test": run.metrics["test"],
            **loss,
            "versions": versions(),
            "files": {
                name: hashlib.sha256((temporary / name).read_bytes()).hexdigest()
                for name in (*converted, PREPROCESSING, *modules)
            },
        }
        write_json(temporary / MANIFEST, manifest, indent=2)
    if loss and loss["quantization"]["weights"] == quantize:
        print(quantized.describe(loss["quantization"], run.task.headline), file=sys.stderr)
    return target


def _is_unchanged(converted: Mapping[str, Converted], quantize: str) -> bool:
    from kerasseq.interop.litert.weights import is_quantized

    return not any(is_quantized(each.content, quantize) for each in converted.values())


def _quantized(
    standalone: Standalone, run: Run, converted: Mapping[str, Converted], file: str
) -> Any:
    """What predicts in place of the run's model, with quantized weights; None for nothing."""
    from kerasseq.interop.litert.model import LiteRTModel

    if standalone.quantized is not None:
        return standalone.quantized(converted[file].content)
    return None if standalone.models else LiteRTModel(converted[file].content, run.model)
