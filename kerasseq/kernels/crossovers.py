"""Where a kernel further down the order was measured to be the faster one: a committed table.

A row of crossovers.json names the `fastest` kernel for a `cell` on a `backend` and `device`, and
how many times as fast it was as the one that runs else (`ratio`, a geometric mean over shapes).
`when` bounds it: `training` and `masked` by a truth value; `batch`, `timesteps`, `inputs` and
`units` by [low, high], where null is no bound. The first row that fits counts, and none does that
bounds what is unknown.
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
class Measured:
    """The kernel that was fastest, and by how much."""

    kernel: str
    ratio: float

    def __str__(self) -> str:
        return f"measured faster: {self.kernel}, {self.ratio:g} times"


@cache
def table() -> dict[str, Any]:
    """What the file holds: `processor`, `command` and `rows`."""
    text = resources.files("kerasseq.kernels").joinpath(_FILE).read_text(encoding="utf-8")
    return dict(json.loads(text))


def fastest(cell: Any, context: CallContext) -> Measured | None:
    """What the table says of a cell in a context, if it says anything."""
    known = {
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
    for row in table()["rows"]:
        wanted = {name: row[name] for name in ("backend", "device", "cell")} | row.get("when", {})
        if all(_fits(known[name], bound) for name, bound in wanted.items()):
            return Measured(row["fastest"], row["ratio"])
    return None


def _fits(value: Any, bound: Any) -> bool:
    if not isinstance(bound, list):
        return bool(value == bound)
    low, high = bound
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
