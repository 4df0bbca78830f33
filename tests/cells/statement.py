"""What a cell over a sequence is to compute, stated in NumPy one row and one step at a time.

This is the meaning of masks, projections, dropout and zoneout; every kernel must agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.cells import references
from tests.cells.references import Array, Weights

# Here the projected output is what the recurrence sees (Sak et al. 2014).
FEEDS_PROJECTION = ("lstm", "peephole_lstm", "coupled_lstm", "layernorm_lstm")


@dataclass(frozen=True)
class Noise:
    """What was drawn for one pass over (batch, time): all of it off unless given.

    Args:
        recurrent_kernel: The recurrent kernel after weight drop.
        recurrent: (time, batch, width), multiplies the state where it meets the recurrent kernel.
        zoneout: For each state the share of the old value that stays, (time, batch, width).
    """

    recurrent_kernel: Array | None = None
    recurrent: Array | None = None
    zoneout: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """Outputs of every step in the order of the run, and the final states."""

    outputs: Array
    states: list[Array]

    @property
    def last(self) -> Array:
        return self.outputs[:, -1]


def weights_of(cell: Any) -> Weights:
    """A cell's weights as float64 arrays, by name."""
    return Weights(
        {
            sized.name: np.asarray(value, "float64")
            for sized, value in zip(_sized(cell), cell.get_weights(), strict=True)
        }
    )


def _sized(cell: Any) -> Any:
    return cell.spec.sized(1, cell.units, **cell.options)  # names; the widths do not matter here


def run(
    cell: Any,
    x: Array,
    *,
    mask: Array | None = None,
    states: list[Array] | None = None,
    noise: Noise | None = None,
    weights: Weights | None = None,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
) -> Outcome:
    """Run over (batch, time, inputs).

    Args:
        cell: Any cell of ours: its kind, options and weights count, its code does not.
        x: Inputs, after input dropout.
        mask: (batch, time); a masked step holds the states and repeats the previous output.
        states: The first states; zeros (or the trained ones) by default.
        noise: What was drawn, in running order.
        weights: Others than the cell's own.
        go_backwards: Run from the last step.
        zero_output_for_mask: Masked steps give zeros.
    """
    noise = noise or Noise(zoneout=_expected_zoneout(cell, x))
    weights = weights_of(cell) if weights is None else weights
    if noise.recurrent_kernel is not None:
        weights = Weights(weights, recurrent_kernel=noise.recurrent_kernel)
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    if go_backwards:
        x, mask = x[:, ::-1], mask[:, ::-1]
    states = first_states(cell, len(x), weights) if states is None else [s.copy() for s in states]
    config = cell.get_config()
    width = cell.units if cell.projection is None else cell.projection
    outputs = np.zeros((*x.shape[:2], width))
    for t in range(x.shape[1]):
        new = _recur(cell.kind, x[:, t], states, weights, config, noise.recurrent, t)
        if cell.projection is not None and cell.kind in FEEDS_PROJECTION:
            new[0] = new[0] @ weights["projection_kernel"]
        for index, kept in enumerate(noise.zoneout):
            new[index] = kept[t] * states[index] + (1 - kept[t]) * new[index]
        counts = mask[:, t, None]
        states = [np.where(counts, n, s) for n, s in zip(new, states, strict=True)]
        output = _output(cell, x[:, t], new, weights)
        before = outputs[:, t - 1] if t else np.zeros_like(output)
        outputs[:, t] = np.where(counts, output, 0 if zero_output_for_mask else before)
    return Outcome(outputs, states)


def first_states(cell: Any, batch: int, weights: Weights) -> list[Array]:
    """Zeros, or the trained ones."""
    return [
        np.zeros((batch, size)) + weights[f"initial_{state.name}"]
        for state, size in zip(cell.spec.states, cell.state_size, strict=True)
    ]


def _expected_zoneout(cell: Any, x: Array) -> list[Array]:
    shape = (x.shape[1], len(x), 1)
    return [np.full(shape, rate) for rate in cell.zoneout_rates]


def _recur(
    kind: str,
    x: Array,
    states: list[Array],
    weights: Weights,
    config: dict[str, Any],
    dropped: Array | None,
    t: int,
) -> list[Array]:
    step = getattr(references, kind)
    if dropped is None:
        return step(x, states, weights, config)
    rows = []
    for b, scale in enumerate(dropped[t]):
        # Scaling the state that meets the recurrent kernel is scaling the kernel's rows; in a
        # linear cell the state meets nothing but its own coefficient.
        own, w = [state[b : b + 1] for state in states], weights
        if "recurrent_kernel" in w:
            scaled = (w["recurrent_kernel"].T * scale).T
            w = Weights(w, recurrent_kernel=scaled)
        else:
            own = [state * scale for state in own]
        rows.append(step(x[b : b + 1], own, w, config))
    return [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def _output(cell: Any, x: Array, states: list[Array], weights: Weights) -> Array:
    emit = getattr(references, f"{cell.kind}_output", None)
    output = states[0] if emit is None else emit(x, states, weights)
    if cell.projection is not None and cell.kind not in FEEDS_PROJECTION:
        output = output @ weights["projection_kernel"]
    return output
