"""Plots of sequence classification runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kerasseq.evaluation.plots import FAINT, TRAIN, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["predicted_against_true"]


def predicted_against_true(examples: Mapping[str, Sequence[float]]) -> Figure:
    """Plot predicted against true numbers; a perfect prediction lies on the diagonal.

    Args:
        examples: `truth` and `predicted`, one number for each sequence.
    """
    figure, (axis,) = subplots(width=4.6, height=4.3)
    numbers = [*examples["truth"], *examples["predicted"]]
    ends = [min(numbers, default=0.0), max(numbers, default=1.0)]
    axis.plot(ends, ends, color=FAINT, linestyle=":", label="perfect")
    axis.plot(examples["truth"], examples["predicted"], ".", color=TRAIN, label="test sequences")
    axis.set(xlabel="true", ylabel="predicted", title="predictions")
    axis.legend(frameon=False)
    return figure
