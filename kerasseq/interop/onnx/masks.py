"""Masks over time, for nodes of ONNX that know the length of a sequence alone.

The unmasked timesteps of each row are moved to its front, in their order, and counted; the outputs
are moved back. So any mask is exact, not only padding on the right.
"""

from __future__ import annotations

import numpy as np

from kerasseq.interop.onnx.graph import Graph

__all__ = ["MaskedTime"]

_INT32, _INT64 = 6, 7


class MaskedTime:
    """Moves the unmasked timesteps of sequences to the front, and outputs back.

    Args:
        graph: The graph, which gets the nodes.
        mask: Name of the mask, (batch, timesteps) booleans.

    Attributes:
        mask: The name of the mask.
        lengths: Name of the number of unmasked timesteps of each row, int32 (batch,).
    """

    def __init__(self, graph: Graph, mask: str) -> None:
        self._graph, self.mask = graph, mask
        self._ones = graph.node("Cast", [mask], to=_INT64)
        self._count = graph.node("ReduceSum", [self._ones, graph.integers(1)], keepdims=1)
        count = graph.node("Squeeze", [self._count, graph.integers(1)])
        self.lengths = graph.node("Cast", [count], to=_INT32)
        size = graph.sizes(mask, 1)
        steps = graph.node(
            "Range",
            [np.int64(0), graph.node("Squeeze", [size, graph.integers(0)]), np.int64(1)],
        )
        # Unmasked timesteps first, the earlier the higher; then masked ones.
        rank = graph.node("Sub", [graph.node("Mul", [self._ones, size]), steps])
        self._order = graph.nodes_of("TopK", [rank, size], 2, axis=1)[1]

    def compact(self, sequences: str) -> str:
        """Sequences, (batch, timesteps, width), with their unmasked timesteps first."""
        return self._gather(sequences, self._order)

    def spread(self, outputs: str, *, backwards: bool, zeros: bool) -> str:
        """Outputs at their timesteps; at a masked one the previous output in the order of the run.

        Args:
            outputs: Outputs of the sequences that `compact` gives, (batch, timesteps, width).
            backwards: Whether the run was from the last timestep to the first.
            zeros: Whether the outputs at masked timesteps are zeros instead.
        """
        graph = self._graph
        place = graph.node("CumSum", [self._ones, np.int64(1)], exclusive=int(backwards))
        last = graph.node("Sub", [self._count, np.int64(1)])
        if not backwards:
            place = graph.node("Sub", [place, np.int64(1)])
            inside = graph.node("GreaterOrEqual", [place, np.int64(0)])
        else:
            inside = graph.node("LessOrEqual", [place, last])
            place = graph.node("Min", [place, last])
        place = graph.node("Max", [place, np.int64(0)])
        shown = graph.node("Unsqueeze", [self.mask if zeros else inside, graph.integers(2)])
        return graph.node("Where", [shown, self._gather(outputs, place), 0.0])

    def _gather(self, sequences: str, places: str) -> str:
        graph = self._graph
        places = graph.node("Unsqueeze", [places, graph.integers(2)])
        return graph.node("GatherND", [sequences, places], batch_dims=1)
