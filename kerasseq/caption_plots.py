"""Figures of captions: pictures with what was said of them, and where the model looked."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasseq.plots import subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["attention", "contact_sheet"]

_COLUMNS = 4
_LINE = 36  # letters below a picture


def contact_sheet(
    pictures: Sequence[np.ndarray],
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
) -> Figure:
    """Pictures, each with its caption, and below it some of what people said.

    Args:
        pictures: uint8 (height, width, 3) each.
        captions: of the model.
        references: what people said of each picture; the first two are shown.
    """
    rows = -(-len(pictures) // _COLUMNS)
    figure, axes = subplots(rows, min(_COLUMNS, len(pictures)), width=10.0, height=3.9 * rows)
    for axis in axes:
        axis.axis("off")
    for axis, picture, caption, told in zip(axes, pictures, captions, references):
        axis.imshow(picture)
        axis.set_title(_wrapped(caption), fontsize=9, fontweight="bold")
        said = "\n".join(_wrapped(own) for own in told[:2])
        axis.text(
            0.5, -0.03, said, transform=axis.transAxes, ha="center", va="top", fontsize=8,
            color="#555555",
        )  # fmt: skip
    return figure


def attention(
    pictures: Sequence[np.ndarray], captions: Sequence[str], weights: Sequence[np.ndarray]
) -> Figure:
    """Each picture once for each word of its caption, bright where the model looked.

    Args:
        pictures: uint8 (height, width, 3) each.
        captions: of the model.
        weights: (words, rows, columns) for each caption, as `Writer.look` gives them.
    """
    columns = max(1 + len(own) for own in weights)
    figure, axes = subplots(len(pictures), columns, width=1.5 * columns, height=1.8 * len(pictures))
    for axis in axes:
        axis.axis("off")
    for number, (picture, caption, own) in enumerate(zip(pictures, captions, weights)):
        row = axes[number * columns : (number + 1) * columns]
        row[0].imshow(picture)
        extent = (0.0, float(picture.shape[1]), float(picture.shape[0]), 0.0)
        for axis, word, looked in zip(row[1:], caption.split(), own):
            axis.imshow(picture, extent=extent)
            axis.imshow(
                looked, extent=extent, cmap="gray", alpha=0.7, interpolation="bicubic",
                vmin=0, vmax=looked.max(),
            )  # fmt: skip
            axis.set_title(word, fontsize=9)
    return figure


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _LINE)
