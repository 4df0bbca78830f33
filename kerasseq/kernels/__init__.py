"""Kernels, the ways to run a cell over time: one per file; `choose` picks one and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from kerasseq.kernels import (
    associative,
    crossovers,
    cudnn,
    exporting,
    fused,
    loop,
    native,
    scan,
)
from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall

__all__ = [
    "KernelChoice",
    "SequenceCall",
    "CallContext",
    "choose",
    "is_portable",
    "names",
    "portable",
    "run",
    "run_by",
]


# Fastest first; the last takes any cell.
_KERNELS: dict[str, ModuleType] = {
    module.NAME: module for module in (cudnn, fused, native, associative, scan, loop)
}
# Kernels that call compiled code, so that a traced graph depends on the library with that code.
_COMPILED = frozenset({"cudnn", "fused", "native"})

Run = Callable[[Any, SequenceCall], Result]

_portable: ContextVar[bool] = ContextVar("portable", default=False)
_run_by: ContextVar[Run | None] = ContextVar("run_by", default=None)


@dataclass(frozen=True)
class KernelChoice:
    """The kernel that runs a layer, and for each faster kernel the reason why it cannot.

    Args:
        name: Name of the kernel, one of `names()`.
        reasons: The reason in words, by the name of each faster kernel.

    Example:
        >>> print(KernelChoice("scan", {"associative": "lstm is not a linear cell"}))
        scan
          not associative: lstm is not a linear cell
    """

    name: str
    reasons: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"  not {name}: {reason}" for name, reason in self.reasons.items()]
        return "\n".join([self.name, *lines])


def names() -> list[str]:
    """Names of all kernels, fastest first."""
    return list(_KERNELS)


@contextmanager
def portable() -> Iterator[None]:
    """Run every layer on `keras.ops` alone inside this context, even a layer with a fixed kernel.

    A function that is traced inside it runs without kerasseq's extension and without the GPU
    libraries; `model.export` does so by itself. The kernel is chosen while tracing, so a function
    that was traced before keeps its kernel.

    Example:
        >>> import kerasseq
        >>> layer = kerasseq.lstm(4)
        >>> with portable():
        ...     print(layer.kernel.name)
        scan
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


@contextmanager
def run_by(kernel: Run) -> Iterator[None]:
    """Run every layer by one function inside this context, and on `keras.ops` whatever else.

    A file format that has recurrences of its own is written so. The function has the semantics of
    a kernel: (cell, sequence call) -> last output, all outputs, final states.

    Example:
        >>> import numpy as np, kerasseq
        >>> def traced(cell, sequence):
        ...     print(cell.kind, sequence.sequences.shape[1])
        ...     return scan.run(cell, sequence)
        >>> layer, x = kerasseq.gru(4), np.ones((2, 5, 3), "float32")
        >>> with run_by(traced):
        ...     output = layer(x)
        gru 5
    """
    token = _run_by.set(kernel)
    try:
        with portable():
            yield
    finally:
        _run_by.reset(token)


def is_portable() -> bool:
    """Whether kernels of compiled code are ruled out: by `portable()`, or in an export."""
    return _portable.get() or exporting.is_exporting()


def _is_ruled_out_by_portable(name: str) -> bool:
    return name in _COMPILED and is_portable()


def why_not(name: str, cell: Any, context: CallContext) -> str | None:
    """The reason why a kernel cannot run a cell, or None if it can.

    Args:
        name: Name of the kernel, one of `names()`.
        cell: A cell of kerasseq or any other Keras cell.
        context: The backend, the device and the sizes of the call.

    Returns:
        The reason in words, with a remedy where there is one.
    """
    if _is_ruled_out_by_portable(name):
        return "kernels.portable() is active" if _portable.get() else "the model is being exported"
    return _KERNELS[name].why_not(cell, context)


def choose(
    cell: Any, context: CallContext, kernel: str = "auto", *, strict: bool = True
) -> KernelChoice:
    """Choose the kernel for a cell in a context.

    It is the first of `names()` that can run the cell, unless the measurements in kerasseq say that
    a later one is faster.

    Args:
        cell: A cell of kerasseq or any other Keras cell.
        context: The backend, the device and the sizes of the call.
        kernel: `"auto"`, or the name of the one kernel that may run the cell.
        strict: If the named kernel cannot run the cell, raise an error; otherwise choose as for
            `"auto"` and put the reason into `reasons`.

    Raises:
        ValueError: If `kernel` is unknown, or if it cannot run the cell and `strict` is true.
    """
    reasons: dict[str, str] = {}
    if kernel != "auto":
        if kernel not in _KERNELS:
            raise ValueError(
                f"`kernel` must be 'auto' or one of {', '.join(_KERNELS)}. "
                f"Received: kernel={kernel!r}"
            )
        reason = why_not(kernel, cell, context)
        if reason is None:
            return KernelChoice(kernel)
        if strict and not _is_ruled_out_by_portable(kernel):
            raise ValueError(f"kernel={kernel!r} cannot run this layer: {reason}. Use 'auto'.")
        reasons[kernel] = reason
    measured = crossovers.fastest(cell, context)
    if measured is not None and why_not(measured.kernel, cell, context) is not None:
        measured = None
    for name in _KERNELS:
        reason = why_not(name, cell, context)
        if reason is None and measured is not None and measured.kernel != name:
            reason = str(measured)
        if reason is None:
            return KernelChoice(name, reasons)
        reasons[name] = reason
    raise AssertionError("the last kernel takes any cell")


def run(choice: KernelChoice, cell: Any, sequence: SequenceCall) -> Result:
    """Run a cell over a batch of sequences with the chosen kernel.

    Args:
        choice: The kernel.
        cell: The cell.
        sequence: The sequences, initial states, mask and options of the call.

    Returns:
        The last output, (batch, width); all outputs, (batch, time, width), or the last output
        alone if the sequence call does not return sequences; and the final states.
    """
    run = _run_by.get() or _KERNELS[choice.name].run
    return run(cell, sequence)


def compiles_with_xla(choice: KernelChoice, backend: str) -> bool:
    """Whether XLA can compile a kernel.

    On TensorFlow it cannot compile the kernels that are operations of a compiled library.
    """
    return backend != "tensorflow" or choice.name not in _COMPILED
