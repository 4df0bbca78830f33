"""A GRU over many rows, as a Scan: onnxruntime spreads its operations over the processor's cores.

Of its own GRU node, onnxruntime computes only the matrix products on several cores, and the rest,
number by number, on one; so the node is the faster one for few rows, and the Scan for many. The
file has both, and the number of rows decides when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from kerasseq.interop.onnx.graph import Graph

__all__ = ["run_either"]

#: Rows from which on the Scan is faster, with 16 to 128 units.
_MANY = 32


def run_either(
    graph: Graph,
    node: Callable[[Graph], list[str]],
    weights: Sequence[np.ndarray],
    sequences: str,
    first: str | None,
    *,
    backwards: bool,
    with_sequences: bool,
) -> list[str]:
    """Add a node that runs a GRU, which resets after the product, in one of two ways.

    Args:
        graph: The graph.
        node: Adds the node of a GRU to a graph, and gives the names of its outputs.
        weights: Input and recurrent weights and biases in the layout of ONNX, of one direction.
        sequences: (timesteps, batch, inputs).
        first: The initial state, (1, batch, units), or None for zeros.
        backwards: Whether to run from the last timestep.
        with_sequences: Whether the outputs of all timesteps are needed.

    Returns:
        Names of the outputs, (timesteps, 1, batch, units), "" if they are not needed, and of the
        final states, (1, batch, units).
    """
    rows = graph.sizes(sequences, 1)
    many = graph.node("GreaterOrEqual", [rows, graph.integers(_MANY)])
    wide, narrow = Graph(graph), Graph(graph)
    branches = {
        "then_branch": (wide, _scan(wide, weights, sequences, first, backwards)),
        "else_branch": (narrow, node(narrow)),
    }
    shapes = [(None, 1, None, None), (1, None, None)]
    kept = slice(None) if with_sequences else slice(1, None)
    bodies = {
        name: body.body(
            name,
            [],
            [
                (body.node("Identity", [output]), "float32", shape)
                for output, shape in list(zip(outputs, shapes))[kept]
            ],
        )
        for name, (body, outputs) in branches.items()
    }
    condition = graph.node("Squeeze", [many, graph.integers(0)])
    results = graph.nodes_of("If", [condition], len(shapes[kept]), **bodies)
    return results if with_sequences else ["", *results]


def _scan(
    graph: Graph, weights: Sequence[np.ndarray], sequences: str, first: str | None, backwards: bool
) -> list[str]:
    """The outputs and the final state by a Scan over the state."""
    kernel, recurrent, bias = weights
    kernels, recurrents = (np.split(each.T, 3, axis=1) for each in (kernel, recurrent))
    biases, recurrent_biases = np.split(bias.reshape(2, 3, -1), 2)
    units = recurrent.shape[-1]
    # The bias of a gate is a sum; that of the candidate is inside what is reset.
    biases = biases[0].copy()
    biases[:2] += recurrent_biases[0, :2]
    projected = [
        graph.node("Add", [graph.node("MatMul", [sequences, w]), b])
        for w, b in zip(kernels, biases)
    ]
    if first is None:
        shape = graph.joined([graph.sizes(sequences, 1), graph.integers(units)])
        before = graph.node("Expand", [0.0, shape])
    else:
        before = graph.node("Squeeze", [first, graph.integers(0)])
    step = Graph(graph)
    tensors = [keras.Input((units,)) for _ in range(4)]
    for tensor in tensors:
        step.bind(tensor, graph.fresh("step"))
    h, z_input, r_input, n_input = tensors
    z, r = (
        step.node("Sigmoid", [step.node("Gemm", [h, matrix, part])])
        for matrix, part in zip(recurrents, (z_input, r_input))
    )
    inner = step.node("Gemm", [h, recurrents[2], recurrent_biases[0, 2]])
    n = step.node("Tanh", [step.node("Add", [n_input, step.node("Mul", [r, inner])])])
    after = step.node("Add", [n, step.node("Mul", [z, step.node("Sub", [h, n])])])
    declared = [(step.node("Identity", [after]), "float32", [None, None]) for _ in range(2)]
    direction = int(backwards)
    last, outputs = graph.nodes_of(
        "Scan",
        [before, *projected],
        2,
        body=step.body("step", tensors, declared),
        num_scan_inputs=3,
        scan_input_directions=[direction] * 3,
        scan_output_directions=[direction],
    )
    return [
        graph.node("Unsqueeze", [outputs, graph.integers(1)]),
        graph.node("Unsqueeze", [last, graph.integers(0)]),
    ]
