"""Report on the installation: versions, hardware, available kernels, and remedies."""

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

Row = tuple[str, str, str]  # part, finding, remedy


def examine() -> Table:
    """Examine what decides the speed of recurrent layers on this machine; changes nothing.

    A missing part, even the backend itself, is a row with its remedy.

    Example:
        >>> findings = {part: finding for part, finding, _ in examine().rows}
        >>> findings["Python"] == platform.python_version()
        True
    """
    rows = [*_machine(), *_packages(), *_compiler()]
    try:
        keras = importlib.import_module("keras")
    except Exception as error:  # backends fail to start with errors of any kind
        name = os.environ.get("KERAS_BACKEND", "tensorflow")
        reason = " ".join(str(error).split()) or type(error).__name__
        remedy = f"install it (pip install {name}), or set KERAS_BACKEND to one that is there"
        rows.append(("backend", f"{name} does not start: {reason}", remedy))
    else:
        rows += _backend(keras)
    return Table(("part", "found", "what to do"), tuple(rows))


def _machine() -> Iterator[Row]:
    yield "Python", platform.python_version(), ""
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}", ""
    cpu_info = Path("/proc/cpuinfo")
    text = cpu_info.read_text(encoding="utf-8", errors="replace") if cpu_info.exists() else ""
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    yield "processor", names[0] if names else platform.processor() or "unknown", ""
    flags = re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    supported = [name for name in _VECTORS if flags and name in flags[0].split()]
    yield "vector instructions", ", ".join(supported) or "the system does not tell", ""
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
    compiler = next(filter(None, map(shutil.which, names)), None)
    remedy = "" if compiler else "install GCC or Clang (apt install g++, or xcode-select --install)"
    yield "C++ compiler", compiler or "none", remedy


def _backend(keras: Any) -> Iterator[Row]:
    """Rows about the backend, which need Keras to be imported."""
    name = keras.backend.backend()
    yield "backend", name, ""
    sequence_call = importlib.import_module("kerasseq.kernels.sequence_call")
    yield "device", sequence_call.device(), ""
    yield "threads of the backend", _threads(name), ""
    native = importlib.import_module("kerasseq.kernels.native")
    missing = native.status()
    if missing:
        finding, _, remedy = missing.partition("; ")
        yield "extension", finding, remedy
    else:
        yield "extension", f"works ({native.instructions()})", ""
    yield from _extension(name, missing)
    yield from _kernels()


def _threads(backend: str) -> str:
    if backend == "torch":
        return str(importlib.import_module("torch").get_num_threads())
    if backend == "tensorflow":
        threading = importlib.import_module("tensorflow").config.threading
        set_to = threading.get_intra_op_parallelism_threads()
        return str(set_to) if set_to else f"as many as processors ({_cores()})"
    return "decided by the backend"


def _extension(backend: str, missing: str | None) -> Iterator[Row]:
    """Rows that say for each framework whether the extension agrees with the scan kernel."""
    for name in BACKENDS:
        part = f"extension under {name}"
        if name != backend:
            yield part, "not tried", f"KERAS_BACKEND={name} kerasseq doctor tries it"
        elif missing:
            yield part, "no extension", "see above"
        else:
            problem = _compare_extension()
            remedy = "kernel='scan' goes without it; please report this" if problem else ""
            yield part, problem or "works", remedy


def _compare_extension() -> str:
    """Run the extension and the scan kernel on the same input; "" if they agree, else a message."""
    ops = importlib.import_module("keras").ops
    layers = importlib.import_module("kerasseq.layers")
    cell = importlib.import_module("kerasseq.cells").get("lstm")(5)
    sequences = ops.reshape(ops.arange(24, dtype="float32") / 24, (2, 4, 3))
    try:
        results = [layers.RNN(cell, kernel=kernel)(sequences) for kernel in ("native", "scan")]
    except Exception as error:  # frameworks raise errors of any kind
        return f"fails: {' '.join(str(error).split())}"
    native, portable = map(ops.convert_to_numpy, results)
    difference = float(abs(native - portable).max())
    if difference < 1e-5:
        return ""
    return f"computes something else: {difference:g} away from the scan kernel"


def _kernels() -> Iterator[Row]:
    """Rows with the kernels that run the most common cells."""
    kernels = importlib.import_module("kerasseq.kernels")
    cells = importlib.import_module("kerasseq.cells")
    sequence_call = importlib.import_module("kerasseq.kernels.sequence_call")
    for kind in ("lstm", "gru", "mingru"):
        context = kernels.CallContext(
            sequence_call.backend(), 1, device=sequence_call.device(), training=True
        )
        yield f"kernel of {kind}", kernels.choose(cells.get(kind)(1), context).name, ""
