"""What the fused recurrences of the frameworks and their libraries (cuDNN, oneDNN) compute."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import CallContext


def why_not(cell: Any, context: CallContext, kinds: tuple[str, ...]) -> str | None:
    """What about a cell no fused recurrence of those kinds computes, with the remedy.

    Args:
        cell: Any cell.
        context: Whether noise is drawn, and whether the loop is to be unrolled.
        kinds: The recurrences there are, of `lstm`, `gru` and `simple_rnn`.
    """
    kind = kind_of(cell)
    if kind not in kinds:
        step = f"the step of {type(cell).__name__}"
        return f"{step} is none of the fused ones ({', '.join(kinds)}); take one of these cells"
    if context.unroll:
        return "unroll=True asks for a loop; leave it out"
    if not getattr(cell, "reset_after", True):
        return "reset_after=False is not what it computes; use reset_after=True"
    for name, wanted in (("activation", ("tanh",)), ("recurrent_activation", ("sigmoid",))):
        allowed = ("tanh", "relu") if kind == "simple_rnn" else wanted
        if hasattr(cell, name) and activation(getattr(cell, name)) not in allowed:
            used = getattr(getattr(cell, name), "__name__", "one of your own")
            return f"{name}={used!r} is not what it computes; use {' or '.join(map(repr, allowed))}"
    if kind == "lstm" and cell.projection is not None:
        remedy = "put a Dense layer behind it instead"
        return f"projection={cell.projection} changes the state inside the loop; {remedy}"
    if any(cell.zoneout_rates):
        return f"zoneout={cell.zoneout} acts inside the loop; use weight_drop, which acts before it"
    if context.training and cell.recurrent_dropout:
        rate = f"recurrent_dropout={cell.recurrent_dropout}"
        return f"{rate} acts inside the loop while training; use weight_drop, which acts before it"
    return None


def kind_of(cell: Any) -> str | None:
    """The hand-written recurrence that computes a cell's step, if its own class names one."""
    return vars(type(cell)).get("fused")


def activation(function: Any) -> str | None:
    """`tanh`, `sigmoid` or `relu` if a function is that."""
    for name in ("tanh", "sigmoid", "relu"):
        if function in (getattr(keras.activations, name), getattr(ops, name)):
            return name
    return None
