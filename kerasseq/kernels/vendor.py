"""The limits of the fused recurrences of cuDNN, oneDNN and PyTorch: which cells they compute."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import CallContext


def why_not(cell: Any, context: CallContext, kinds: tuple[str, ...]) -> str | None:
    """Why no fused recurrence computes a cell, with the remedy; None if one does.

    Args:
        cell: Any cell.
        context: The call; `training` and `unroll` are read.
        kinds: The recurrences that the library has, of `lstm`, `gru` and `simple_rnn`.
    """
    kind = kind_of(cell)
    if kind not in kinds:
        step = f"the step of {type(cell).__name__}"
        return f"{step} is none of the fused ones ({', '.join(kinds)}); use one of these cells"
    if context.unroll:
        return "unroll=True asks for a loop; leave it out"
    if not getattr(cell, "reset_after", True):
        return "it does not compute reset_after=False; use reset_after=True"
    for name, functions in (("activation", ("tanh",)), ("recurrent_activation", ("sigmoid",))):
        allowed = ("tanh", "relu") if kind == "simple_rnn" else functions
        if hasattr(cell, name) and activation(getattr(cell, name)) not in allowed:
            used = getattr(getattr(cell, name), "__name__", "custom function")
            return f"it does not compute {name}={used!r}; use {' or '.join(map(repr, allowed))}"
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
    """The name of the fused recurrence that computes the step of a cell; None if there is none.

    Only an attribute of the cell's class itself counts, not of a parent: a subclass may have
    another step.
    """
    return vars(type(cell)).get("fused")


def activation(function: Any) -> str | None:
    """The name of an activation function if it is `tanh`, `sigmoid` or `relu`, else None."""
    for name in ("tanh", "sigmoid", "relu"):
        if function in (getattr(keras.activations, name), getattr(ops, name)):
            return name
    return None
