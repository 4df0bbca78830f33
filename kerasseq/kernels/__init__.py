"""How a cell is run through time: one strategy per file; `choose` says which, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from kerasseq.kernels import associative, loop, scan
from kerasseq.kernels.passes import Pass, Situation

__all__ = ["Choice", "Pass", "Situation", "choose", "names", "run"]

# Fastest first; the last takes any cell.
_KERNELS: dict[str, ModuleType] = {module.NAME: module for module in (associative, scan, loop)}


@dataclass(frozen=True)
class Choice:
    """Which kernel runs, and for each faster one, in words, why it does not.

    Example:
        >>> print(Choice("scan", {"associative": "lstm is not a linear cell"}))
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


def choose(cell: Any, situation: Situation, wanted: str = "auto") -> Choice:
    """The kernel for a cell in a situation.

    Args:
        cell: A cell of ours or any other Keras cell.
        situation: Backend and what is known of the sequence.
        wanted: `"auto"`, or the name of a kernel to be used and no other.

    Raises:
        ValueError: If `wanted` is unknown or cannot run the cell.
    """
    if wanted != "auto":
        if wanted not in _KERNELS:
            raise ValueError(
                f"`kernel` must be 'auto' or one of {', '.join(_KERNELS)}. "
                f"Received: kernel={wanted!r}"
            )
        reason = _KERNELS[wanted].why_not(cell, situation)
        if reason:
            raise ValueError(f"kernel={wanted!r} cannot run this layer: {reason}. Use 'auto'.")
        return Choice(wanted)
    reasons: dict[str, str] = {}
    for name, kernel in _KERNELS.items():
        reason = kernel.why_not(cell, situation)
        if reason is None:
            return Choice(name, reasons)
        reasons[name] = reason
    raise AssertionError("the last kernel takes any cell")


def run(choice: Choice, cell: Any, sequence: Pass) -> tuple[Any, Any, list[Any]]:
    """Last output, all outputs (the last alone unless asked for) and final states."""
    return _KERNELS[choice.name].run(cell, sequence)
