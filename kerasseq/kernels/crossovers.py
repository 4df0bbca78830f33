"""A committed table of measurements: where another kernel or gradient is the faster one.

A row of crossovers.json names the `fastest` kernel for a `cell` on a `backend` and `device`, and
how many times as fast it is as the kernel that the order would choose (`ratio`, a geometric mean
over shapes). `when` limits the row: `training` and `masked` by true or false; `batch`, `timesteps`,
`inputs` and `units` by [low, high], where null is no limit. The first row that matches counts. A
row with a limit on a size that is unknown does not match. `gradients` has rows of the same form for
the scan kernel: where the gradient of the backend is faster than that of the kernel.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from kerasseq.kernels.sequence_call import CallContext

_FILE = "crossovers.json"


@dataclass(frozen=True)
class Measurement:
    """The kernel that was measured to be fastest, and how many times as fast as the next."""

    kernel: str
    ratio: float

    def __str__(self) -> str:
        return f"measured faster: {self.kernel}, {self.ratio:g} times"


@cache
def table() -> dict[str, Any]:
    """The content of crossovers.json: `processor`, `command`, `rows` and `gradients`."""
    text = resources.files("kerasseq.kernels").joinpath(_FILE).read_text(encoding="utf-8")
    return dict(json.loads(text))


def fastest(cell: Any, context: CallContext) -> Measurement | None:
    """The measurement for a cell in a context; None if no row of the table matches."""
    return _first("rows", cell, context)


def is_gradient_left_to_backend(cell: Any, context: CallContext) -> bool:
    """Whether the backend's gradient of a scan was measured to be faster than the kernel's."""
    return _first("gradients", cell, context) is not None


def _first(part: str, cell: Any, context: CallContext) -> Measurement | None:
    """The first row of a part of the table that matches a cell in a context."""
    values = {
        "backend": context.backend,
        "device": context.device,
        "cell": vars(type(cell)).get("kind"),
        "training": context.training,
        "masked": context.masked,
        "batch": context.batch,
        "timesteps": context.timesteps,
        "inputs": context.inputs,
        "units": getattr(cell, "units", None),
    }
    for row in table()[part]:
        bounds = {name: row[name] for name in ("backend", "device", "cell")} | row.get("when", {})
        if all(_matches(values[name], bound) for name, bound in bounds.items()):
            return Measurement(row["fastest"], row["ratio"])
    return None


def _matches(value: Any, bound: Any) -> bool:
    if not isinstance(bound, list):
        return bool(value == bound)
    low, high = bound
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
