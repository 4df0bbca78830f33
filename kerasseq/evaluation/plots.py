"""Plots of a Run, drawn without a window system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasseq.io import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FAINT",
    "TRAIN",
    "VALIDATION",
    "confusion_matrix",
    "learning_curves",
    "reliability_diagram",
    "save",
    "subplots",
]

TRAIN, VALIDATION, FAINT = "#3b6ea5", "#d1603d", "#9a9a9a"
_NAMED_CLASSES = 20  # names of more classes do not fit beside the axes
_LONGEST_NAME = 24  # letters of a class beside an axis
_NUMBERED_CLASSES = 12  # counts of more classes do not fit into the cells


def learning_curves(
    history: Mapping[str, Sequence[float]], best_epoch: int | None = None
) -> Figure:
    """Plot each metric of the validation part over the epochs, and its values in training.

    Args:
        history: for each metric, its value after each epoch; names of the validation part begin
            with `val_`.
        best_epoch: the epoch whose weights are kept, counted from 1.
    """
    from matplotlib.ticker import MaxNLocator

    names = [name.removeprefix("val_") for name in history if name.startswith("val_")]
    names = names or list(history)
    figure, axes = subplots(columns=len(names), width=4.3 * len(names))
    for axis, name in zip(axes, names):
        for key, label, color in (
            (name, "train", TRAIN),
            (f"val_{name}", "validation", VALIDATION),
        ):
            if key in history:
                epochs = np.arange(1, len(history[key]) + 1)
                axis.plot(epochs, history[key], marker=".", color=color, label=label)
        if best_epoch:
            axis.axvline(best_epoch, color=FAINT, linestyle=":", label="kept")
        axis.set(xlabel="epoch", title=name.replace("_", " "))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(frameon=False)
    return figure


def confusion_matrix(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Plot a confusion matrix: true classes in rows, predicted classes in columns.

    The colour of a cell is its share of the row. With few classes, the cell also shows its count.

    Args:
        counts: int (classes, classes), `counts[i][j]` rows of class i that were predicted as j.
        classes: names of the classes, in the order of `counts`.
    """
    from rich.cells import cell_len  # a Chinese character is as wide as two letters

    table = np.asarray(counts)
    height = min(9.0, 3.0 + 0.5 * len(classes))
    figure, (axis,) = subplots(width=1.2 * height, height=height)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, label="share of the class", shrink=0.8)
    if len(classes) <= _NUMBERED_CLASSES:
        for (row, column), value in np.ndenumerate(table):
            color = "white" if share[row, column] > 0.6 else "black"
            axis.text(column, row, f"{value:,}", ha="center", va="center", color=color)
    if len(classes) <= _NAMED_CLASSES:
        ticks = np.arange(len(classes))
        names = [n if len(n) <= _LONGEST_NAME else f"{n[: _LONGEST_NAME - 1]}…" for n in classes]
        turn = 45 if max(map(cell_len, names)) > 8 else 0
        side = "right" if turn else "center"
        axis.set_xticks(ticks, names, rotation=turn, ha=side, parse_math=False)
        axis.set_yticks(ticks, names, parse_math=False)
    axis.set(xlabel="predicted", ylabel="true", title="confusion matrix")
    return figure


def reliability_diagram(bins: Mapping[str, Sequence[float]]) -> Figure:
    """Plot accuracy against confidence, by bin; a calibrated model lies on the diagonal.

    Args:
        bins: `rows`, `confidence` and `accuracy` of each bin; see
            `kerasseq.evaluation.metrics.reliability`.
    """
    figure, (above, below) = subplots(2, width=5.0, height=5.5, heights=(3, 1))
    above.plot([0, 1], [0, 1], color=FAINT, linestyle=":", label="perfect")
    above.plot(bins["confidence"], bins["accuracy"], marker="o", color=TRAIN, label="model")
    above.set(ylabel="accuracy", ylim=(0, 1.02), title="reliability")
    above.legend(frameon=False, loc="lower right")
    below.bar(bins["confidence"], bins["rows"], width=0.03, color=TRAIN)
    below.set(xlabel="confidence", ylabel="rows")
    left = max(0.0, min(bins["confidence"]) - 0.1)
    for axis in (above, below):
        axis.set_xlim(left, 1.02)
    return figure


def save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as `NAME.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        with atomic.replacing(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=120)


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = 4.3,
    height: float = 3.6,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Create a figure with empty axes, and return both; the axes row by row.

    Args:
        rows: number of rows of axes.
        columns: number of columns of axes.
        width: width of the figure, in inches.
        height: height of the figure, in inches.
        heights: relative heights of the rows; default: equal.
    """
    # A Figure, not pyplot: pyplot keeps global state and looks for a window system.
    from kerasseq.evaluation.fonts import TextFigure

    figure = TextFigure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)
