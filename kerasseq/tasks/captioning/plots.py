"""Plots of captions: images with captions and references, and attention maps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kerasseq.evaluation.plots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

__all__ = ["attention", "contact_sheet"]

_COLUMNS, _PANELS = 4, 8  # largest number of images in a row: contact sheet, attention
_REFERENCES, _LINES = 2, 4  # largest number of references, and of lines of a text
_BOLD, _PLAIN = 29, 42  # characters in a line above and below an image
_SIDE, _LINE = 2.5, 0.165  # height in inches of an image, and of a line of text
_LETTERS = 14  # largest number of characters of a word above an image
_DARK = 0.25  # brightness of an image where the attention weight is zero


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
) -> Figure:
    """Images, each with its caption above and two references below.

    Args:
        images: uint8 (height, width, 3) each.
        captions: captions of the model, one per image.
        references: reference captions of each image; the first two are shown, and the number of
            further ones.
    """
    columns = min(_COLUMNS, len(images))
    above = _rows([_wrap(caption, _BOLD) for caption in captions], columns)
    below = _rows([_reference_lines(texts) for texts in references], columns)
    heights = [
        height
        for lines_above, lines_below in zip(above, below)
        # One empty line between the rows.
        for height in (_height(lines_above), _SIDE, _height(lines_below) + _LINE)
    ]
    # Texts have separate axes: their heights are known, and need not be computed by the layout.
    figure, axes = subplots(
        len(heights), columns, width=_SIDE * columns, height=sum(heights), heights=heights
    )
    for axis in axes:
        axis.axis("off")
    bands = zip(_rows(images, columns), above, below, _rows(axes, 3 * columns))
    for row_images, lines_above, lines_below, band in bands:
        for axis, lines in zip(band, lines_above):
            _write(axis, lines, 0, fontsize=9, fontweight="bold", va="bottom")
        for axis, image in zip(band[columns:], row_images):
            axis.imshow(image)
            axis.set_anchor("W")  # where the texts begin
        for axis, lines in zip(band[2 * columns :], lines_below):
            _write(axis, lines, 1, fontsize=8, color="#555555", va="top")
    return figure


def attention(
    images: Sequence[np.ndarray], captions: Sequence[str], weights: Sequence[np.ndarray]
) -> Figure:
    """Each image, and a copy of it for each word of its caption, bright where attention is high.

    Args:
        images: uint8 (height, width, 3) each.
        captions: captions of the model, one per image.
        weights: attention weights of each caption, (words, rows, columns), see `Writer.look`.
    """
    panels = [1 + len(word_weights) for word_weights in weights]
    columns = max(-(-count // -(-count // _PANELS)) for count in panels)  # rows of equal lengths
    rows = [-(-count // columns) for count in panels]
    figure, axes = subplots(sum(rows), columns, width=1.5 * columns, height=1.8 * sum(rows))
    for axis in axes:
        axis.axis("off")
    places = np.cumsum([0, *rows]) * columns
    for place, image, caption, word_weights in zip(places, images, captions, weights):
        axes[place].imshow(image)
        for axis, word, weight_map in zip(axes[place + 1 :], caption.split(), word_weights):
            axis.imshow(_highlight(image, weight_map))
            title = word if len(word) <= _LETTERS else f"{word[: _LETTERS - 1]}…"
            axis.set_title(title, fontsize=9, parse_math=False)  # a $ is a dollar
    return figure


def _highlight(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Darken an image where its weights, (rows, columns), are small."""
    from PIL import Image

    height, width = image.shape[:2]
    share = weights / max(weights.max(), np.finfo(np.float32).tiny)
    smooth = Image.fromarray(share.astype(np.float32)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    light = np.asarray(smooth).clip(0, 1)[..., None]  # bicubic interpolation overshoots
    return np.rint(image * (_DARK + (1 - _DARK) * light)).astype(np.uint8)


def _reference_lines(references: Sequence[str]) -> list[str]:
    """The first references, in lines that fit below an image, and the number of further ones."""
    lines = [
        line
        for reference in references[:_REFERENCES]
        for line in _wrap(reference, _PLAIN, bullet="• ")
    ]
    more = len(references) - _REFERENCES
    return [*lines, f"+{more} more"] if more > 0 else lines


def _wrap(text: str, letters: int, bullet: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        letters,
        max_lines=_LINES,
        placeholder=" …",
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
    )


def _rows(values: Sequence[T], columns: int) -> list[Sequence[T]]:
    """Cut values into rows."""
    return [values[first : first + columns] for first in range(0, len(values), columns)]


def _height(texts: Sequence[Sequence[str]]) -> float:
    """Height of the longest of several texts, in inches."""
    return _LINE * max(1, *map(len, texts))


def _write(axis: Axes, lines: Sequence[str], height: float, **style: Any) -> None:
    text = axis.text(0, height, "\n".join(lines), parse_math=False, **style)  # a $ is a dollar
    text.set_in_layout(False)
