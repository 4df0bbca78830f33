"""A run as a folder that needs no kerasseq: models as ONNX, its preprocessing, and a module."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.io import atomic
from kerasseq.io.state import write_json
from kerasseq.runs.folder import check_free, holds, open_folder, versions
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    from kerasseq.runs.run import Run

__all__ = ["Standalone", "export_run"]

FORMAT = 1
MANIFEST, MODEL, PREPROCESSING, MODULE = (
    "manifest.json",
    "model.onnx",
    "preprocessing.json",
    "predict.py",
)


@dataclass(frozen=True)
class Standalone:
    """What a run's predictions need.

    Args:
        module: the source file that becomes predict.py; it imports the standard library, NumPy,
            onnxruntime and `requires` alone.
        preprocessing: JSON values that it reads.
        requires: further packages that it imports.
        models: Keras models by the names of their files; None for the model of the run as
            model.onnx.
    """

    module: Path
    preprocessing: Mapping[str, Any]
    requires: tuple[str, ...] = ()
    models: Mapping[str, Any] | None = None


def export_run(
    run: Run, folder: str | os.PathLike[str], format: str = "onnx", *, overwrite: bool = False
) -> Path:
    """Write a run as a folder; see `Run.export`."""
    from kerasseq.interop.export import check_installed

    require_bool(overwrite=overwrite)
    if format != "onnx":
        raise ValueError(f"`format` must be 'onnx'. Received: format={format!r}")
    check_installed()
    target = open_folder(folder)
    if not holds(target, MANIFEST):
        check_free(target)
    elif not overwrite:
        raise ValueError(f"{target} holds an exported run already: pass overwrite=True.")
    standalone = run.task.standalone(run.model, run.state, run.resolved)
    from kerasseq.interop.onnx.converting import to_onnx

    models = standalone.models or {MODEL: run.model}
    converted = {name: to_onnx(model) for name, model in models.items()}
    target.mkdir(parents=True, exist_ok=True)
    with atomic.replacing_together(target) as temporary:
        for name, model in converted.items():
            (temporary / name).write_bytes(model.SerializeToString())
        write_json(temporary / PREPROCESSING, dict(standalone.preprocessing))
        source = standalone.module.read_text(encoding="utf-8")
        atomic.write_text(temporary / MODULE, source)
        manifest = {
            "format": FORMAT,
            "recipe": run.recipe,
            "requires": ["numpy", "onnxruntime", *standalone.requires],
            "models": {
                name: {
                    "inputs": [each.name for each in model.graph.input],
                    "outputs": [each.name for each in model.graph.output],
                }
                for name, model in converted.items()
            },
            "test": run.metrics["test"],
            "versions": versions(),
            "files": {
                name: hashlib.sha256((temporary / name).read_bytes()).hexdigest()
                for name in (*converted, PREPROCESSING, MODULE)
            },
        }
        write_json(temporary / MANIFEST, manifest, indent=2)
    return target
