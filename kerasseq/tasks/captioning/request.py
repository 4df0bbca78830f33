"""Images in requests to a server: files in base64, with their captions."""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["folder", "images"]

_FORM = "a JPEG, PNG, GIF, BMP, WebP or TIFF file in base64"


def images(rows: list[Any]) -> Any:
    """Images as the content of their files, or an array of their features, float32.

    Args:
        rows: files in base64, or features as lists of numbers.

    Raises:
        ValueError: if they are neither.

    Example:

    >>> images(["iVBORw=="]), images([[1, 2], [3, 4]]).shape
    ([b'\\x89PNG'], (2, 2))
    """
    if all(isinstance(row, list) for row in rows):
        try:
            return np.array(rows, dtype=np.float32)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(
                "the features of all images must be lists of numbers of one shape."
            ) from None
    return [_content(row, place) for place, row in enumerate(rows)]


@contextlib.contextmanager
def folder(rows: list[Any]) -> Iterator[str]:
    """Context with the path of a table of captions, beside the files of its images.

    Args:
        rows: objects with an `image` in base64 and its `captions`, a list of texts.

    Raises:
        ValueError: if they are anything else.
    """
    with tempfile.TemporaryDirectory(prefix="kerasseq-") as name:
        lines = []
        for place, row in enumerate(rows):
            captions = row.get("captions") if isinstance(row, dict) else None
            if not isinstance(captions, list) or not all(isinstance(c, str) for c in captions):
                raise ValueError(
                    "every row must be an object with an image and a list of its captions, "
                    '{"image": "...", "captions": ["a red circle"]}. '
                    f"Received: row {place} (counted from 0) is {str(row)[:60]!r}"
                )
            file = f"{place}.jpg"
            (Path(name) / file).write_bytes(_content(row.get("image"), place))
            lines += [json.dumps({"image": file, "caption": caption}) for caption in captions]
        table = Path(name) / "captions.jsonl"
        table.write_text("\n".join(lines), encoding="utf-8")
        yield str(table)


def _content(value: Any, place: int) -> bytes:
    try:
        return base64.b64decode(value.rpartition(",")[2], validate=True)  # also of a data URL
    except (AttributeError, ValueError):  # no text, or no base64
        raise ValueError(
            f"an image must be {_FORM}. Received: row {place} (counted from 0) is "
            f"{str(value)[:60]!r}"
        ) from None
