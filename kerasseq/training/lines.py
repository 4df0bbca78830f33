"""Batches of independent lines, each of which a model reads from its initial state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerasseq.training.batches import Batches

__all__ = ["Lines"]


@dataclass(frozen=True)
class Lines:
    """Lines of tokens, padded batch by batch; lines of similar length share a batch.

    Args:
        lines: tokens of each line, int `(tokens,)`, at least one.
        first: token that every line follows.
        rows: lines of a batch.
        seed: seed of the order, which differs between epochs; None for the order of the lengths.

    Example:

    >>> lines = Lines([np.array([5, 6, 3]), np.array([7, 3])], first=3, rows=2)
    >>> inputs, targets = lines.batches()[0]
    >>> inputs["tokens"].tolist(), targets.tolist()
    ([[3, 5, 6], [3, 7, 0]], [[5, 6, 3], [7, 3, 0]])
    """

    lines: list[np.ndarray]
    first: int
    rows: int
    seed: int | None = None

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def lengths(self) -> Mapping[str, np.ndarray]:
        """Tokens of each line, `(lines,)`, by the name of the input."""
        return {"tokens": np.array([len(line) for line in self.lines])}

    def batch(
        self, rows: np.ndarray, widths: Mapping[str, int] | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Lines by number: the token before each token, and the tokens to predict.

        Args:
            rows: numbers of the lines, `(batch,)`.
            widths: number of timesteps to pad to, by the name of the input.
        """
        width = (widths or {}).get("tokens", max(len(self.lines[row]) for row in rows))
        targets = np.zeros((len(rows), width), dtype=np.int32)
        for target, row in zip(targets, rows):
            target[: len(self.lines[row])] = self.lines[row]
        before = np.pad(targets[:, :-1], [(0, 0), (1, 0)], constant_values=self.first)
        return {"tokens": np.where(targets == 0, 0, before), "following": targets}, targets

    def batches(self) -> Batches:
        """The batches, shuffled in each epoch if there is a seed."""
        return Batches(self, self.rows, self.seed)
