"""Recurrent layers as nodes of ONNX, with masks, initial states and both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasseq.interop.onnx.graph import Graph, NotExportable
from kerasseq.interop.onnx.masks import MaskedTime
from kerasseq.interop.onnx.native import native_cell, run_native
from kerasseq.interop.onnx.scan import run_scan
from kerasseq.interop.tracing import Call, Trace

__all__ = ["bidirectional", "recurrent"]

Convert = Callable[[Trace, Graph], list[str]]
_MERGES = {"sum": "Add", "mul": "Mul", "ave": "Add"}


@dataclass(frozen=True)
class _Pass:
    """Names of the outputs of one direction.

    Args:
        sequence: (batch, timesteps, width), in the order of the timesteps; None if not needed.
        last: The last output of the run, (batch, width).
        states: The final states.
    """

    sequence: str | None
    last: str
    states: list[str]


def recurrent(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """Convert a call of a recurrent layer.

    Args:
        graph: The graph.
        call: A call of `keras.layers.RNN` or a class of Keras or kerasseq derived from it.
        convert: Converts the trace of a step of a cell.

    Returns:
        Names of the output and, if they are returned, of the states.
    """
    layer = call.operation
    sequences, mask, states = _arguments(call)
    (result,) = _run(graph, [layer], sequences, mask, states, convert)
    output = _output(graph, layer, result)
    if layer.return_sequences and layer.go_backwards:
        output = _flipped(graph, output)
    return [output, *(result.states if layer.return_state else [])]


def bidirectional(graph: Graph, call: Call, convert: Convert) -> list[str]:
    """Convert a call of a bidirectional layer; see `recurrent`."""
    wrapper = call.operation
    layers = [wrapper.forward_layer, wrapper.backward_layer]
    if not all(isinstance(layer, keras.layers.RNN) for layer in layers):
        raise NotExportable("it runs a layer in both directions that is not recurrent")
    sequences, mask, states = _arguments(call)
    passes = _run(graph, layers, sequences, mask, states, convert)
    outputs = [_output(graph, layer, each) for layer, each in zip(layers, passes)]
    merge = wrapper.merge_mode
    if merge == "concat":
        outputs = [graph.node("Concat", outputs, axis=-1)]
    elif merge is not None:
        outputs = [graph.node(_MERGES[merge], outputs)]
        if merge == "ave":
            outputs = [graph.node("Mul", [*outputs, 0.5])]
    if wrapper.return_state:
        outputs += [state for each in passes for state in each.states]
    return outputs


def _arguments(call: Call) -> tuple[Any, Any, list[Any]]:
    """The sequences, the mask and the initial states of a call."""
    layer = call.operation
    sequences = call.argument("sequences", 0)
    initial_state = call.argument("initial_state", 1)
    mask = call.argument("mask", 2)
    # A layer of Keras, or one that does the same, ignores the mask of its sequences beside states.
    if mask is None and not getattr(layer, "keras_masks", True):
        mask = call.argument("sequences_mask", 4)
    states = [] if initial_state is None else keras.tree.flatten(initial_state)
    if len(sequences.shape) != 3:
        raise NotExportable("a timestep of its sequences is not a vector")
    return sequences, mask, states


def _run(
    graph: Graph,
    layers: Sequence[Any],
    sequences: Any,
    mask: Any,
    states: Sequence[Any],
    convert: Convert,
) -> list[_Pass]:
    """Run one direction, or both in one node if the cells allow it."""
    for layer in layers:
        if layer.stateful:
            raise NotExportable(
                "it is stateful, and a model in ONNX keeps no states between calls: give it "
                "`initial_state` as an input of the model, and return_state=True"
            )
    native = [native_cell(layer.cell) for layer in layers]
    count = len(states) // len(layers)
    layer_states = [list(states[n * count : (n + 1) * count]) for n in range(len(layers))]
    initial = [
        [graph.name(state) for state in each] if each else _initial(graph, layer, sequences)
        for layer, each in zip(layers, layer_states)
    ]
    zero_states = [
        not each and not _has_initial(layer) for layer, each in zip(layers, layer_states)
    ]
    if None not in native and (not native[1:] or native[0].goes_with(native[1])):  # type: ignore[union-attr,arg-type]
        return _run_native(graph, layers, native, sequences, mask, initial, zero_states)
    if native[1:]:
        return [
            _run(graph, [layer], sequences, mask, each, convert)[0]
            for layer, each in zip(layers, layer_states)
        ]
    (layer,) = layers
    if native[0] is not None:
        raise AssertionError("one native cell runs alone")
    sequence, last, final = run_scan(
        graph, convert, layer.cell, sequences, mask, initial[0], layer.go_backwards
    )
    if layer.zero_output_for_mask and mask is not None:
        shown = graph.node("Unsqueeze", [graph.name(mask, "bool"), graph.integers(2)])
        sequence = graph.node("Where", [shown, sequence, 0.0])
    return [_Pass(sequence, last, final)]


def _run_native(
    graph: Graph,
    layers: Sequence[Any],
    native: Sequence[Any],
    sequences: Any,
    mask: Any,
    initial: Sequence[Sequence[str]],
    zero_states: Sequence[bool],
) -> list[_Pass]:
    name, lengths, time = graph.name(sequences), "", None
    if mask is not None:
        time = graph.memo(
            ("time", graph.name(mask)), lambda: MaskedTime(graph, graph.name(mask, "bool"))
        )
        name, lengths = time.compact(name), time.lengths
    states = []
    if not all(zero_states):
        states = [
            graph.joined([graph.node("Unsqueeze", [s, graph.integers(0)]) for s in each], axis=0)
            for each in zip(*initial)
        ]
    needed = any(layer.return_sequences for layer in layers)
    directions = [(cell, layer.go_backwards) for cell, layer in zip(native, layers)]
    outputs, finals = run_native(graph, directions, name, lengths, states, needed)
    passes = []
    for place, layer in enumerate(layers):
        final = [graph.node("Gather", [each, np.int64(place)], axis=0) for each in finals]
        sequence, last = None, final[0]
        if layer.return_sequences:
            one = graph.node("Gather", [outputs, np.int64(place)], axis=1)
            sequence = graph.node("Transpose", [one], perm=[1, 0, 2])
            if time is not None:
                sequence = time.spread(
                    sequence,
                    backwards=layer.go_backwards,
                    zeros=layer.zero_output_for_mask,
                )
        elif time is not None and not zero_states[place]:
            # Without an unmasked timestep the output is zero, and the state the initial one.
            some = graph.node("Greater", [time.lengths, np.int32(0)])
            last = graph.node(
                "Where", [graph.node("Unsqueeze", [some, graph.integers(1)]), last, 0.0]
            )
        passes.append(_Pass(sequence, last, final))
    return passes


def _output(graph: Graph, layer: Any, result: _Pass) -> str:
    if not layer.return_sequences:
        return result.last
    assert result.sequence is not None
    return result.sequence


def _flipped(graph: Graph, sequences: str) -> str:
    bounds = (graph.integers(value) for value in (-1, -int(np.iinfo(np.int64).max), 1, -1))
    return graph.node("Slice", [sequences, *bounds])


def _first_states(layer: Any) -> list[np.ndarray]:
    """The states of one row before the first step: zeros, or trained ones."""
    states = layer.get_initial_state(1)
    return [
        np.asarray(keras.ops.convert_to_numpy(state), np.float32)
        for state in keras.tree.flatten(states)
    ]


def _has_initial(layer: Any) -> bool:
    return any(state.any() for state in _first_states(layer))


def _initial(graph: Graph, layer: Any, sequences: Any) -> list[str]:
    """Names of the initial states of all rows."""
    batch = graph.sizes(sequences, 0)
    return [
        graph.node("Expand", [state, graph.joined([batch, graph.integers(*state.shape[1:])])])
        for state in _first_states(layer)
    ]
