"""Plots of taggers: the transition scores of the conditional random field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasseq.data.tags.reader import TARGET
from kerasseq.evaluation.plots import subplots

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

__all__ = ["transitions"]

_NAMED = 40  # names of more tags do not fit beside the axes
_NUMBERED = 14  # scores of more tags do not fit into the cells
_EDGE = "(edge)"


def transitions(model: keras.Model, tags: Sequence[str]) -> Figure:
    """Plot how much a tagger favours each tag after each other one.

    The first row has the scores of the first tag of a sentence, the first column those of the last
    one. Transitions that the scheme forbids are left grey.

    Args:
        model: a model with the layer `tag_crf`.
        tags: the tags, in the order of their numbers.
    """
    layer = model.get_layer(f"{TARGET}_crf")
    count = len(tags)
    scores = np.full((count + 1, count + 1), np.nan)
    scores[1:, 1:] = np.asarray(layer.transitions)
    scores[0, 1:], scores[1:, 0] = np.asarray(layer.start), np.asarray(layer.end)
    if layer.allowed is not None:
        allowed = np.roll(np.asarray(layer.allowed, bool), 1, axis=(0, 1))
        scores[~allowed] = np.nan
        scores[0, 0] = np.nan
    size = min(12.0, 3.2 + 0.33 * count)
    figure, (axis,) = subplots(width=size * 1.15, height=size)
    limit = float(np.nanmax(np.abs(scores), initial=0.01))
    axis.set_facecolor("#dddddd")
    image = axis.imshow(scores, cmap="RdBu_r", vmin=-limit, vmax=limit)
    figure.colorbar(image, ax=axis, label="score", shrink=0.8)
    names = [_EDGE, *tags]
    if len(names) <= _NUMBERED:
        digits = 1 if limit >= 1 else 2
        for (row, column), value in np.ndenumerate(scores):
            if np.isfinite(value):
                color = "white" if abs(value) > 0.6 * limit else "black"
                text = f"{round(float(value), digits) + 0.0:.{digits}f}"  # never -0.0
                axis.text(column, row, text, ha="center", va="center", color=color, fontsize=7)
    if len(names) <= _NAMED:
        ticks = np.arange(len(names))
        axis.set_xticks(ticks, names, rotation=90, parse_math=False)
        axis.set_yticks(ticks, names, parse_math=False)
    axis.set(xlabel="tag", ylabel="tag before it", title="transitions")
    return figure
