"""Formats of exported runs: how a model is written, and what predict.py runs it by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasseq.interop.formats import SUFFIXES, check_format, check_installed

__all__ = ["Converted", "Format"]

_SESSION = "litert_session.py"
# predict.py is written for onnxruntime; a module beside it has the same methods for LiteRT.
_FOR_LITERT = {
    "import onnxruntime\n": "import litert_session as onnxruntime  # the same methods\n",
    "onnxruntime, and the files": "ai-edge-litert, and the files",
    ".onnx": ".tflite",
}


@dataclass(frozen=True)
class Converted:
    """A model in a format.

    Args:
        content: the file.
        inputs: names of its inputs.
        outputs: names of its outputs.
    """

    content: bytes
    inputs: list[str]
    outputs: list[str]


@dataclass(frozen=True)
class Format:
    """A format of exported runs.

    Args:
        name: "onnx" or "litert".
        quantize: type of the weights in LiteRT; None for float32.

    Raises:
        ValueError: if there is no such format, or it has no weights of this type.
        ModuleNotFoundError: if a package that writes it is not installed.

    Example:

    >>> Format("onnx").runtime
    'onnxruntime'
    """

    name: str
    quantize: str | None = None

    def __post_init__(self) -> None:
        check_format(self.name, self.quantize)
        check_installed(self.name)

    @property
    def runtime(self) -> str:
        """The package that runs the model."""
        return {"onnx": "onnxruntime", "litert": "ai-edge-litert"}[self.name]

    def file(self, name: str) -> str:
        """The name of the file of a model, from its name in ONNX."""
        return str(Path(name).with_suffix(SUFFIXES[self.name]))

    def convert(self, model: Any) -> Converted:
        """Write a Keras model."""
        if self.name == "litert":
            from kerasseq.interop.litert.names import input_names, output_names
            from kerasseq.interop.litert.process import to_litert

            content = to_litert(model, quantize=self.quantize)
            return Converted(content, input_names(model), output_names(model))
        from kerasseq.interop.onnx.converting import to_onnx

        written = to_onnx(model)
        graph = written.graph
        names = ([each.name for each in part] for part in (graph.input, graph.output))
        return Converted(written.SerializeToString(), *names)

    def modules(self, predict: str) -> dict[str, str]:
        """The modules of the folder by the names of their files, beside predict.py.

        Args:
            predict: source of the module that becomes predict.py.
        """
        if self.name == "onnx":
            return {"predict.py": predict}
        from kerasseq.interop import litert

        for text, other in _FOR_LITERT.items():
            predict = predict.replace(text, other)
        session = Path(litert.__file__).with_name("session.py")
        return {"predict.py": predict, _SESSION: session.read_text(encoding="utf-8")}
