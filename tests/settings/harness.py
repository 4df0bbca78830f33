"""Settings of two classes, one of which extends the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from kerasseq.settings import Choice, Int, doc, setting


@dataclass(frozen=True, kw_only=True)
class Shared:
    units: int = setting(64, "width of the cell", least=1, range=Int(1, 8))
    rate: float | None = setting(0.1, "share", stage="prepare", least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class Own(Shared):
    """Do something.

    Returns:
        Nothing.
    """

    data: str = field(default="demo", kw_only=False, metadata=doc("text"))
    mode: Literal["fast", "slow", 3] = setting("fast", "speed", range=Choice(("fast", "slow")))
    levels: Sequence[float] = setting((0.5,), "levels", above=0, below=1)
    wide: bool = setting(True, "whether wide")
    clipnorm: float | None = setting(1.0, "largest norm", above=0)
    units: int = 8
