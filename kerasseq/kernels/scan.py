"""Inputs projected once for the whole sequence, then a loop that only meets the state."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.passes import Pass, Result, Situation, finish, prepare
from kerasseq.kernels.projection import project

NAME = "scan"


def why_not(cell: Any, situation: Situation) -> str | None:
    """A cell of another library shows only its `call`."""
    if hasattr(cell, "advance"):
        return None
    return f"{type(cell).__name__} is not a kerasseq cell: of its step only `call` is known"


def run(cell: Any, sequence: Pass) -> Result:
    """Run a cell of any form, step by step."""
    sequence = prepare(cell, sequence)
    frame = cell.begin(sequence.sequences, sequence.training)
    projected = project(cell, sequence.sequences)
    steps: dict[str, Any] = {"projected": _time_first(projected), **frame.noise}
    if sequence.mask is not None:
        steps["mask"] = _time_first(sequence.mask)[..., None]

    def step(states: list[Any], now: dict[str, Any]) -> list[Any]:
        inputs = ops.cast(now["projected"], cell.state_dtype)
        # Keras computes some products of float64 in float32 on JAX; a loop carries one dtype.
        new = [ops.cast(n, cell.state_dtype) for n in cell.advance(inputs, states, frame, now)]
        if "mask" in now:
            new = [ops.where(now["mask"], n, s) for n, s in zip(new, states, strict=True)]
        return new

    keep = cell.emits_from if sequence.return_sequences else 0
    final, trail = timeloop.run(step, sequence.states, steps, keep, sequence.unroll)
    shown = [_time_first(states) for states in trail] if keep else None
    return finish(cell, sequence, projected, shown, final)


def _time_first(tensor: Any) -> Any:
    """Swap batch and time."""
    return ops.transpose(tensor, (1, 0, *range(2, len(tensor.shape))))
