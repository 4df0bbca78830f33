"""Keras's own loop over the cell, step by step: takes any cell."""

from __future__ import annotations

from typing import Any

from kerasseq.kernels.passes import Pass, Result, Situation

NAME = "keras"


def why_not(cell: Any, situation: Situation) -> str | None:
    """None: every Keras cell can be called."""
    return None


def run(cell: Any, sequence: Pass) -> Result:
    """Hand the pass to Keras; input dropout and noise stay the cell's own affair."""
    return sequence.fallback()
