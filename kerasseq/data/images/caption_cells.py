"""Parse the captions in a table cell: a text, a list of texts, or a list written as text."""

from __future__ import annotations

from typing import Any

from kerasseq.io.cells import parse_texts
from kerasseq.io.limits import encodable

__all__ = ["parse_captions"]


def parse_captions(cell: Any) -> list[str]:
    """Parse the captions in a cell; a missing caption is an empty text.

    A text is read as a list of captions if it is a JSON list, or a list, tuple or array of texts as
    Python writes it. It is an error if a text looks like a list and cannot be read: if brackets are
    followed by a quoted text and then by a comma, colon, bracket, quotation mark or nothing, or if
    the text begins and ends with quotation marks in brackets. Every other text is a single caption,
    also one that begins with a bracket: `[laughs] a man runs`, `("Go!" he shouts) a man runs`.

    Args:
        cell: a text, number or missing value; or a list, tuple, set or array of them.

    Raises:
        ValueError: if a text looks like a list and is not a list of texts, or the cell has another
            type.

    Example:

    >>> parse_captions("['A dog.', 'A dog runs.']"), parse_captions("[laughs] a man runs")
    (['A dog.', 'A dog runs.'], ['[laughs] a man runs'])
    """
    if isinstance(cell, str):
        text = encodable(cell)
        captions = parse_texts(text)
        return [text] if captions is None else captions
    if hasattr(cell, "tolist"):  # an array
        cell = cell.tolist()
    if isinstance(cell, set | frozenset):
        cell = sorted(cell, key=str)  # the order of a set differs from process to process
    return [_to_caption(item) for item in (cell if isinstance(cell, list | tuple) else [cell])]


def _to_caption(value: Any) -> str:
    """Convert a single value to a caption."""
    import pandas as pd

    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, bytes) or not pd.api.types.is_scalar(value):
        raise ValueError("a caption must be a text")
    return "" if pd.isna(value) else str(value)
