"""Keras's own loop over the cell, step by step: takes any cell."""

from __future__ import annotations

from typing import Any

from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall

NAME = "keras"


def why_not(cell: Any, context: CallContext) -> str | None:
    """None: every Keras cell can be called."""
    return None


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Hand the call to Keras; input dropout and noise stay the cell's own affair."""
    return sequence.fallback()
