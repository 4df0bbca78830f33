"""Loops over time as a Scan: cells that no node of ONNX knows, and loops of other layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kerasseq.interop.onnx.graph import Graph, NotExportable
from kerasseq.interop.tracing import Call, Trace, open_layer, trace

__all__ = ["run_loop", "run_scan"]


def run_scan(
    graph: Graph,
    convert: Callable[[Trace, Graph], list[str]],
    cell: Any,
    sequences: Any,
    mask: Any,
    states: Sequence[str],
    backwards: bool,
) -> tuple[str, str, list[str]]:
    """Add a Scan that runs a cell; a masked step repeats the output, and holds the states.

    Args:
        graph: The graph.
        convert: Converts a trace into nodes of a graph, and gives the names of its outputs.
        cell: Any built Keras cell.
        sequences: A symbolic tensor, (batch, timesteps, inputs).
        mask: A symbolic tensor, (batch, timesteps) booleans, or None.
        states: Names of the initial states, (batch, width) each.
        backwards: Whether to run from the last timestep.

    Returns:
        Names of the outputs in the order of the timesteps, (batch, timesteps, width), of the last
        output, and of the final states.
    """
    body = Graph(graph)
    step = keras.Input(
        batch_shape=(sequences.shape[0], *sequences.shape[2:]), dtype=sequences.dtype
    )
    nest = cell.state_size
    sizes = keras.tree.flatten(nest)
    before = [keras.Input(batch_shape=(None, size)) for size in sizes]
    packed = keras.tree.pack_sequence_as(nest, before) if isinstance(nest, list | tuple) else before
    traced, tensors = open_layer(Call(cell, (step, packed), {}, None))
    new_width = traced.outputs[0].shape[-1]
    previous = keras.Input(batch_shape=(None, new_width))
    shown = keras.Input(batch_shape=(None, 1), dtype="bool")
    carried = [previous, *before]
    scanned = [step, *([] if mask is None else [shown])]
    for tensor in [*carried, *scanned]:
        body.bind(tensor, graph.fresh("step"))
    for inside, outside in zip(traced.inputs, tensors, strict=True):
        body.bind(inside, body.name(outside))
    new = convert(traced, body)
    if len(new) != len(carried):
        raise NotExportable(f"its cell gives {len(new) - 1} states, and has {len(before)}")
    if mask is not None:
        new = [body.node("Where", [shown, after, old]) for after, old in zip(new, carried)]
    results = [*new, new[0]]
    declared = [(body.node("Identity", [name]), "float32", [None, None]) for name in results]
    batch = graph.sizes(sequences, 0)
    zeros = graph.node("Expand", [0.0, graph.joined([batch, graph.integers(new_width)])])
    inputs = [zeros, *states, sequences]
    if mask is not None:
        inputs.append(graph.node("Unsqueeze", [graph.name(mask, "bool"), graph.integers(2)]))
    count = len(scanned)
    last, *rest = graph.nodes_of(
        "Scan",
        inputs,
        len(results),
        body=body.body("step", [*carried, *scanned], declared),
        num_scan_inputs=count,
        scan_input_axes=[1] * count,
        scan_input_directions=[int(backwards)] * count,
        scan_output_axes=[1],
        scan_output_directions=[int(backwards)],
    )
    return rest[-1], last, rest[:-1]


def run_loop(graph: Graph, call: Call, convert: Callable[[Trace, Graph], list[str]]) -> list[str]:
    """Add a Scan that runs a `TimeLoop`; see `run_scan`.

    Returns:
        Names of the final states, and of the kept states with time first.
    """
    loop, body = call.operation, Graph(graph)
    states, steps = call.argument("states", 0), call.argument("steps", 1)
    sequences = keras.tree.flatten(steps)
    carried = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in states]
    scanned = [keras.Input(batch_shape=x.shape[1:], dtype=x.dtype) for x in sequences]
    for tensor in [*carried, *scanned]:
        body.bind(tensor, graph.fresh("step"))
    after = loop.step(list(carried), keras.tree.pack_sequence_as(steps, scanned))
    traced = trace([*carried, *scanned], after)
    for inside, outside in zip(traced.inputs, [*carried, *scanned], strict=True):
        body.bind(inside, body.name(outside))
    new = convert(traced, body)
    declared = [
        (body.node("Identity", [name]), x.dtype, [None] * len(x.shape))
        for name, x in zip([*new, *new[: loop.keep]], [*states, *states[: loop.keep]])
    ]
    count = len(scanned)
    return graph.nodes_of(
        "Scan",
        [*states, *sequences],
        len(declared),
        body=body.body("step", [*carried, *scanned], declared),
        num_scan_inputs=count,
        scan_input_directions=[int(loop.backwards)] * count,
        scan_output_directions=[int(loop.backwards)] * loop.keep,
    )
