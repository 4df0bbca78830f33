"""LSTM, GRU and RNN nodes of ONNX: cells that they can say, and their weights in this layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasseq import cells
from kerasseq.interop.counterparts import KINDS
from kerasseq.interop.onnx.graph import Graph
from kerasseq.interop.onnx.wide_gru import run_either
from kerasseq.layers.activations import keras2_hard_sigmoid

__all__ = ["NativeCell", "native_cell", "run_native"]

_NODES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}
# Where ONNX has each gate of Keras: it begins an LSTM with the input and the output gate.
_ORDER = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "simple_rnn": (0,)}
# Activation functions of such nodes, with alpha and beta.
_ACTIVATIONS: dict[Any, tuple[str, tuple[float, ...]]] = {
    keras.activations.tanh: ("Tanh", ()),
    keras.activations.sigmoid: ("Sigmoid", ()),
    keras.activations.relu: ("Relu", ()),
    keras.activations.hard_sigmoid: ("HardSigmoid", (1 / 6, 0.5)),
    keras2_hard_sigmoid: ("HardSigmoid", (0.2, 0.5)),
    keras.activations.linear: ("Affine", (1.0, 0.0)),
}


@dataclass(frozen=True)
class NativeCell:
    """A cell in the layout of ONNX.

    Args:
        kind: `lstm`, `gru` or `simple_rnn`.
        units: Its width.
        resets_after: Whether the reset gate of a GRU acts after the recurrent product.
        activations: Its activation functions, in the order of ONNX, with alpha and beta.
        weights: Input and recurrent weights, (gates * units, inputs) and (gates * units, units),
            and both biases, (2 * gates * units,).
    """

    kind: str
    units: int
    resets_after: bool
    activations: tuple[tuple[str, tuple[float, ...]], ...]
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]

    def goes_with(self, other: NativeCell) -> bool:
        """Whether one node can have this cell in one direction, and the other in the second."""
        mine, others = ((x.kind, x.units, x.resets_after) for x in (self, other))
        return mine == others


def native_cell(cell: Any) -> NativeCell | None:
    """The cell in the layout of ONNX; None if a node of ONNX cannot say it.

    Args:
        cell: A built cell of Keras or of kerasseq.

    Example:

    >>> cell = keras.layers.GRUCell(4)
    >>> cell.build((None, 3))
    >>> [weight.shape for weight in native_cell(cell).weights]
    [(12, 3), (12, 4), (24,)]
    >>> native_cell(cells.get("mgu")(4)) is None
    True
    """
    kind = _kind(cell)
    if kind is None:
        return None
    functions = [cell.activation]
    if kind != "simple_rnn":
        functions.insert(0, cell.recurrent_activation)
    if kind == "lstm":
        functions.append(cell.activation)
    if any(function not in _ACTIVATIONS for function in functions):
        return None
    kernel, recurrent = (_gates(kind, w) for w in (cell.kernel, cell.recurrent_kernel))
    columns = kernel.shape[-1]
    bias = np.zeros((2, columns), np.float32)
    if cell.use_bias:
        values = _gates(kind, cell.bias)
        bias[: len(values) if values.ndim == 2 else 1] = values
    return NativeCell(
        kind,
        cell.units,
        bool(getattr(cell, "reset_after", False)),
        tuple(_ACTIVATIONS[function] for function in functions),
        (kernel.T, recurrent.T, bias.reshape(-1)),
    )


def run_native(
    graph: Graph,
    directions: Sequence[tuple[NativeCell, bool]],
    sequences: str,
    lengths: str,
    states: Sequence[str],
    with_sequences: bool,
) -> tuple[str, list[str]]:
    """Add one node that runs one or two directions.

    Args:
        graph: The graph.
        directions: One cell, or two that go with each other, forward and backward; and whether it
            runs backwards.
        sequences: (batch, timesteps, inputs).
        lengths: int32 (batch,), or "".
        states: Initial states, (directions, batch, units) each, or none.
        with_sequences: Whether the outputs of all timesteps are needed.

    Returns:
        The outputs, (timesteps, directions, batch, units), and the final states, (directions,
        batch, units) each.
    """
    first = directions[0][0]
    weights = [np.stack(each) for each in zip(*(cell.weights for cell, _ in directions))]
    functions = [function for cell, _ in directions for function in cell.activations]
    attributes: dict[str, Any] = {"hidden_size": first.units}
    if directions[1:]:
        attributes["direction"] = "bidirectional"
    elif directions[0][1]:
        attributes["direction"] = "reverse"
    attributes["activations"] = [name for name, _ in functions]
    for place, name in enumerate(("activation_alpha", "activation_beta")):
        values = [numbers[place] for _, numbers in functions if numbers]
        if values:
            attributes[name] = values
    if first.kind == "gru":
        attributes["linear_before_reset"] = int(first.resets_after)
    time_first = graph.node("Transpose", [sequences], perm=[1, 0, 2])
    inputs = [time_first, *weights]
    if lengths or states:
        inputs += [lengths, *states]

    def node(graph: Graph) -> list[str]:
        return graph.nodes_of(
            _NODES[first.kind],
            inputs,
            1 + (2 if first.kind == "lstm" else 1),
            unused=() if with_sequences else (0,),
            **attributes,
        )

    if directions[1:] or lengths or not _can_be_wide(first):
        outputs = node(graph)
    else:
        outputs = run_either(
            graph,
            node,
            first.weights,
            time_first,
            states[0] if states else None,
            backwards=directions[0][1],
            with_sequences=with_sequences,
        )
    return outputs[0], outputs[1:]


def _can_be_wide(cell: NativeCell) -> bool:
    names = tuple(name for name, _ in cell.activations)
    return cell.kind == "gru" and cell.resets_after and names == ("Sigmoid", "Tanh")


def _kind(cell: Any) -> str | None:
    """The kind of a cell that computes nothing else than ONNX in inference."""
    if type(cell) in KINDS:
        return KINDS[type(cell)]
    kind = getattr(type(cell), "kind", None)
    if kind not in _NODES or type(cell) is not cells.get(kind):
        return None
    return None if cell.projection is not None or any(cell.zoneout_rates) else kind


def _gates(kind: str, weight: Any) -> np.ndarray:
    """A weight, (..., gates * units), with the gates in the order of ONNX."""
    values = np.asarray(keras.ops.convert_to_numpy(weight), np.float32)
    parts = np.split(values, len(_ORDER[kind]), axis=-1)
    return np.concatenate([parts[place] for place in _ORDER[kind]], axis=-1)
