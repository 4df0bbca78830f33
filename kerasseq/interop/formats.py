"""Names, endings and packages of the formats that models are exported in."""

from __future__ import annotations

import importlib.util

__all__ = ["SUFFIXES", "check_format", "check_installed"]

#: Endings of files, by format.
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
#: Types of the weights in files of LiteRT that are not float32.
_QUANTIZATIONS = ("float16", "int8")
# By format: the name of the format, and the packages that it needs, as modules and as packages.
_NAMES = {"onnx": "ONNX", "litert": "LiteRT"}
_NEEDS = {
    "onnx": {"onnx": "onnx"},
    "litert": {"ai_edge_litert": "ai-edge-litert", "tensorflow": "tensorflow"},
}


def check_format(format: str, quantize: str | None = None) -> None:
    """Raise a ValueError for an unknown format, or weights that it does not have."""
    if format not in SUFFIXES:
        raise ValueError(
            f"`format` must be 'onnx' or 'litert'. Received: format={format!r}. A SavedModel is "
            "written by Keras: model.export(folder)."
        )
    if quantize is None:
        return
    if format != "litert":
        raise ValueError(f"`quantize` is an option of format='litert'. Received: format={format!r}")
    if quantize not in _QUANTIZATIONS:
        raise ValueError(
            f"`quantize` must be 'float16', 'int8' or None. Received: quantize={quantize!r}"
        )


def check_installed(format: str = "onnx") -> None:
    """Raise a ModuleNotFoundError if a package that a format needs is missing."""
    missing = [
        package
        for module, package in _NEEDS[format].items()
        if not importlib.util.find_spec(module)
    ]
    if missing:
        raise ModuleNotFoundError(
            f"{_NAMES[format]} files need the package {missing[0]}: "
            f"python -m pip install 'kerasseq[{format}]'."
        )
