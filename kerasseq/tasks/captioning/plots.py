"""Figures of captions: images with what was said of them, and where the model looked."""

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

_COLUMNS, _PANELS = 4, 8  # most in a row of the contact sheet, and of words
_REFERENCES, _LINES = 2, 4  # shown of each image, and of each caption
_BOLD, _PLAIN = 29, 42  # letters of a line above and below an image
_SIDE, _LINE = 2.5, 0.165  # inches of an image, and of a line
_LETTERS = 14  # of a word above its image
_DARK = 0.25  # what is left of an image where the model does not look


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
) -> Figure:
    """Images, each with its caption above, and some of what people said below.

    Args:
        images: uint8 (height, width, 3) each.
        captions: of the model.
        references: what people said of each image; the first two are shown, and how many more
            there are.
    """
    columns = min(_COLUMNS, len(images))
    above = _rows([_wrapped(caption, _BOLD) for caption in captions], columns)
    below = _rows([_listed(told) for told in references], columns)
    heights = [
        height
        for said, told in zip(above, below)
        for height in (_tall(said), _SIDE, _tall(told) + _LINE)  # a line between the rows
    ]
    # Texts have axes of their own: how tall they are is known, and the layout need not find out.
    figure, axes = subplots(
        len(heights), columns, width=_SIDE * columns, height=sum(heights), heights=heights
    )
    for axis in axes:
        axis.axis("off")
    bands = zip(_rows(images, columns), above, below, _rows(axes, 3 * columns))
    for shown, said, told, band in bands:
        for axis, lines in zip(band, said):
            _write(axis, lines, 0, fontsize=9, fontweight="bold", va="bottom")
        for axis, image in zip(band[columns:], shown):
            axis.imshow(image)
            axis.set_anchor("W")  # where the texts begin
        for axis, lines in zip(band[2 * columns :], told):
            _write(axis, lines, 1, fontsize=8, color="#555555", va="top")
    return figure


def attention(
    images: Sequence[np.ndarray], captions: Sequence[str], weights: Sequence[np.ndarray]
) -> Figure:
    """Each image, and once more for each word of its caption, lit where the model looked.

    Args:
        images: uint8 (height, width, 3) each.
        captions: of the model.
        weights: (words, rows, columns) for each caption, as `Writer.look` gives them.
    """
    panels = [1 + len(own) for own in weights]
    columns = max(-(-count // -(-count // _PANELS)) for count in panels)  # rows of equal lengths
    rows = [-(-count // columns) for count in panels]
    figure, axes = subplots(sum(rows), columns, width=1.5 * columns, height=1.8 * sum(rows))
    for axis in axes:
        axis.axis("off")
    places = np.cumsum([0, *rows]) * columns
    for place, image, caption, own in zip(places, images, captions, weights):
        axes[place].imshow(image)
        for axis, word, looked in zip(axes[place + 1 :], caption.split(), own):
            axis.imshow(_lit(image, looked))
            title = word if len(word) <= _LETTERS else f"{word[: _LETTERS - 1]}…"
            axis.set_title(title, fontsize=9, parse_math=False)  # a $ is a dollar
    return figure


def _lit(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """An image, dark where its (rows, columns) weights are small, and itself at the largest."""
    from PIL import Image

    height, width = image.shape[:2]
    share = weights / max(weights.max(), np.finfo(np.float32).tiny)
    smooth = Image.fromarray(share.astype(np.float32)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    light = np.asarray(smooth).clip(0, 1)[..., None]  # bicubic curves go beyond their points
    return np.rint(image * (_DARK + (1 - _DARK) * light)).astype(np.uint8)


def _listed(told: Sequence[str]) -> list[str]:
    """The first captions, in lines that fit below an image, and how many more there are."""
    lines = [line for own in told[:_REFERENCES] for line in _wrapped(own, _PLAIN, bullet="• ")]
    more = len(told) - _REFERENCES
    return [*lines, f"+{more} more"] if more > 0 else lines


def _wrapped(text: str, letters: int, bullet: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        letters,
        max_lines=_LINES,
        placeholder=" …",
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
    )


def _rows(values: Sequence[T], columns: int) -> list[Sequence[T]]:
    return [values[first : first + columns] for first in range(0, len(values), columns)]


def _tall(texts: Sequence[Sequence[str]]) -> float:
    """Inches of the longest of some texts."""
    return _LINE * max(1, *map(len, texts))


def _write(axis: Axes, lines: Sequence[str], height: float, **how: Any) -> None:
    text = axis.text(0, height, "\n".join(lines), parse_math=False, **how)  # a $ is a dollar
    text.set_in_layout(False)
