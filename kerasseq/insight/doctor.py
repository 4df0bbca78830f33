"""What is installed, what the kernels can use of it, and what to do about what is missing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasseq.formatting.table import Table

BACKENDS = ("tensorflow", "torch", "jax")
_PACKAGES = ("kerasseq", "keras", *BACKENDS, "numpy")
_VECTORS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve")
_COMPILERS = ("c++", "g++", "clang++")

Row = tuple[str, str, str]  # a part, what was found, and what to do where that is not enough


def examine() -> Table:
    """Everything that decides how fast recurrent layers run here; nothing is changed.

    A part that is missing, be it the backend itself, is a row with its remedy.

    Example:
        >>> found = {part: what for part, what, _ in examine().rows}
        >>> found["Python"] == platform.python_version()
        True
    """
    rows = [*_machine(), *_packages(), *_compiler()]
    try:
        keras = importlib.import_module("keras")
    except Exception as error:  # of whatever kind a backend fails to start with
        wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
        told = " ".join(str(error).split()) or type(error).__name__
        remedy = f"install it (pip install {wanted}), or set KERAS_BACKEND to one that is there"
        rows.append(("backend", f"{wanted} does not start: {told}", remedy))
    else:
        rows += _backend(keras)
    return Table(("part", "found", "what to do"), tuple(rows))


def _machine() -> Iterator[Row]:
    yield "Python", platform.python_version(), ""
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}", ""
    told = Path("/proc/cpuinfo")
    text = told.read_text(encoding="utf-8", errors="replace") if told.exists() else ""
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    yield "processor", names[0] if names else platform.processor() or "unknown", ""
    flags = re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    known = [name for name in _VECTORS if flags and name in flags[0].split()]
    yield "vector instructions", ", ".join(known) or "the system does not tell", ""
    yield "processors to use", str(_cores()), ""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _packages() -> Iterator[Row]:
    for name in _PACKAGES:
        version = _version(name)
        needed = name not in BACKENDS or name == "tensorflow"
        if version:
            yield name, version, ""
        elif name == "kerasseq":
            yield name, "a checkout that is not installed", "pip install -e . builds its extension"
        else:
            remedy = f"pip install {name}" if needed else f"pip install {name} to use that backend"
            yield name, "not installed", remedy


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        # TensorFlow comes under several names (tensorflow-cpu, ...), but as one module.
        if importlib.util.find_spec(name) is None or name == "kerasseq":
            return ""
        return "installed under another name"


def _compiler() -> Iterator[Row]:
    names = [os.environ["CXX"].split()[0]] if os.environ.get("CXX") else list(_COMPILERS)
    found = next(filter(None, map(shutil.which, names)), None)
    remedy = "" if found else "install GCC or Clang (apt install g++, or xcode-select --install)"
    yield "C++ compiler", found or "none", remedy


def _backend(keras: Any) -> Iterator[Row]:
    """What needs Keras to have started."""
    name = keras.backend.backend()
    yield "backend", name, ""
    sequence_call = importlib.import_module("kerasseq.kernels.sequence_call")
    yield "device", sequence_call.device(), ""
    yield "threads of the backend", _threads(name), ""
    native = importlib.import_module("kerasseq.kernels.native")
    missing = native.status()
    if missing:
        found, _, remedy = missing.partition("; ")
        yield "extension", found, remedy
    else:
        yield "extension", f"works ({native.instructions()})", ""
    yield from _entries(name, missing)
    yield from _kernels()


def _threads(backend: str) -> str:
    if backend == "torch":
        return str(importlib.import_module("torch").get_num_threads())
    if backend == "tensorflow":
        threading = importlib.import_module("tensorflow").config.threading
        set_to = threading.get_intra_op_parallelism_threads()
        return str(set_to) if set_to else f"as many as processors ({_cores()})"
    return "its own affair"


def _entries(backend: str, missing: str | None) -> Iterator[Row]:
    """Whether the extension computes, under each framework, what the portable kernel computes."""
    for name in BACKENDS:
        part = f"extension under {name}"
        if name != backend:
            yield part, "not tried", f"KERAS_BACKEND={name} kerasseq doctor tries it"
        elif missing:
            yield part, "no extension", "see above"
        else:
            problem = _tried()
            remedy = "kernel='scan' goes without it; please report this" if problem else ""
            yield part, problem or "works", remedy


def _tried() -> str:
    """What is wrong with the extension, or nothing."""
    ops = importlib.import_module("keras").ops
    layers = importlib.import_module("kerasseq.layers")
    cell = importlib.import_module("kerasseq.cells").get("lstm")(5)
    sequences = ops.reshape(ops.arange(24, dtype="float32") / 24, (2, 4, 3))
    try:
        results = [layers.RNN(cell, kernel=kernel)(sequences) for kernel in ("native", "scan")]
    except Exception as error:  # whatever a framework makes of it
        return f"fails: {' '.join(str(error).split())}"
    ours, portable = map(ops.convert_to_numpy, results)
    apart = float(abs(ours - portable).max())
    return "" if apart < 1e-5 else f"computes something else: {apart:g} away from the scan kernel"


def _kernels() -> Iterator[Row]:
    """What runs the usual cells."""
    kernels = importlib.import_module("kerasseq.kernels")
    cells = importlib.import_module("kerasseq.cells")
    sequence_call = importlib.import_module("kerasseq.kernels.sequence_call")
    for kind in ("lstm", "gru", "mingru"):
        context = kernels.CallContext(
            sequence_call.backend(), 1, device=sequence_call.device(), training=True
        )
        yield f"kernel of {kind}", kernels.choose(cells.get(kind)(1), context).name, ""
