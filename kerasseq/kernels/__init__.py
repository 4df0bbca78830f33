"""How a cell is run through time: one strategy per file; `choose` says which, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from kerasseq.kernels import associative, crossovers, cudnn, fused, loop, native, scan
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
]


# Fastest first; the last takes any cell.
_KERNELS: dict[str, ModuleType] = {
    module.NAME: module for module in (cudnn, fused, native, associative, scan, loop)
}
# What calls compiled code of its own, so that a graph with it needs what it needs.
_COMPILED = frozenset({"cudnn", "fused", "native"})

_portable: ContextVar[bool] = ContextVar("portable", default=False)


@dataclass(frozen=True)
class KernelChoice:
    """Which kernel runs, and for each faster one, in words, why it does not.

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
    """The kernels there are, fastest first."""
    return list(_KERNELS)


@contextmanager
def portable() -> Iterator[None]:
    """While it lasts, every layer runs on `keras.ops` alone, also one that asks for a kernel.

    What is traced in it, such as an export, then runs where kerasseq's extension and the GPU
    libraries are missing. Choices are made while tracing: what was traced before stays as it is.

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


def is_portable() -> bool:
    """Whether `portable` is active."""
    return _portable.get()


def _gives_way(name: str) -> bool:
    return name in _COMPILED and is_portable()


def why_not(name: str, cell: Any, context: CallContext) -> str | None:
    """Why a kernel cannot run a cell in a context, with the remedy; None if it can."""
    if _gives_way(name):
        return "kernels.portable() is active"
    return _KERNELS[name].why_not(cell, context)


def choose(
    cell: Any, context: CallContext, wanted: str = "auto", *, strict: bool = True
) -> KernelChoice:
    """The kernel for a cell in a context: the first in order, unless another was measured faster.

    Args:
        cell: A cell of ours or any other Keras cell.
        context: Backend and what is known of the sequence.
        wanted: `"auto"`, or the name of a kernel to be used and no other.
        strict: Whether a wanted kernel that cannot run raises, or is one that `reasons` tells of.

    Raises:
        ValueError: If `wanted` is unknown, or cannot run the cell and `strict` is true.
    """
    reasons: dict[str, str] = {}
    if wanted != "auto":
        if wanted not in _KERNELS:
            raise ValueError(
                f"`kernel` must be 'auto' or one of {', '.join(_KERNELS)}. "
                f"Received: kernel={wanted!r}"
            )
        reason = why_not(wanted, cell, context)
        if reason is None:
            return KernelChoice(wanted)
        if strict and not _gives_way(wanted):
            raise ValueError(f"kernel={wanted!r} cannot run this layer: {reason}. Use 'auto'.")
        reasons[wanted] = reason
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
    """Last output, all outputs (the last alone unless asked for) and final states."""
    return _KERNELS[choice.name].run(cell, sequence)


def compiles_with_xla(choice: KernelChoice, backend: str) -> bool:
    """Whether XLA can compile what a kernel runs: on TensorFlow not an operation of its own."""
    return backend != "tensorflow" or choice.name not in _COMPILED
