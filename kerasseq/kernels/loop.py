"""The kernel for any cell: the loop of `keras.layers.RNN`, step by step."""

from __future__ import annotations

from typing import Any

from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall

NAME = "keras"


def why_not(cell: Any, context: CallContext) -> str | None:
    """None: this kernel runs every Keras cell."""
    return None


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run the loop of Keras; the cell draws its dropout and noise itself."""
    return sequence.fallback()
