"""Converts a model in another process, whose backend is TensorFlow.

LiteRT's converter reads functions of TensorFlow. Where Keras runs on JAX or PyTorch, the model is
saved, and loaded by `python -m kerasseq.interop.litert.process FOLDER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras

import kerasseq
from kerasseq.interop.litert.checks import check
from kerasseq.interop.litert.weights import warn_if_unchanged

__all__ = ["to_litert"]

_MODEL, _OPTIONS, _RESULT, _ERROR = "model.keras", "options.json", "model.tflite", "error.txt"


def to_litert(model: Any, **options: Any) -> bytes:
    """Give a file of LiteRT, from any backend; see `converting.to_litert`.

    A warning says if `quantize` leaves all weights as they are.
    """
    content = _converted(model, **options)
    warn_if_unchanged(content, model.name, options.get("quantize"))
    return content


def _converted(model: Any, **options: Any) -> bytes:
    if keras.backend.backend() == "tensorflow":
        from kerasseq.interop.litert.converting import to_litert

        return to_litert(model, **options)
    check(model)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model.save(place / _MODEL)
        (place / _OPTIONS).write_text(json.dumps(options))
        packages = [str(Path(kerasseq.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        result = subprocess.run(
            [sys.executable, "-m", __name__, folder],
            env={
                **os.environ,
                "KERAS_BACKEND": "tensorflow",
                "PYTHONPATH": os.pathsep.join(filter(None, packages)),
            },
            capture_output=True,
            text=True,
        )
        if (place / _RESULT).is_file():
            return (place / _RESULT).read_bytes()
        if (place / _ERROR).is_file():
            raise ValueError((place / _ERROR).read_text(encoding="utf-8"))
        raise RuntimeError(
            "LiteRT's converter ended without a result, in a process on TensorFlow: "
            f"{' '.join(result.stderr.split())[-300:]}"
        )


def _main(folder: Path) -> None:
    from kerasseq.interop.files import load
    from kerasseq.interop.litert.converting import to_litert

    options = json.loads((folder / _OPTIONS).read_text())
    try:
        model, _ = load(folder / _MODEL, "model")
        content = to_litert(model, **options)
    except ValueError as error:
        (folder / _ERROR).write_text(str(error), encoding="utf-8")
    else:
        (folder / _RESULT).write_bytes(content)


if __name__ == "__main__":
    import kerasseq.layers  # registers its classes

    _main(Path(sys.argv[1]))
