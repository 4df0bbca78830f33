"""Pretrained word vectors, from the text files of word2vec, GloVe and fastText."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from kerasseq.data.tags.features import normalise
from kerasseq.io import paths
from kerasseq.io.limits import check_size

__all__ = ["read_vectors"]


def read_vectors(
    path: str | os.PathLike[str], wanted: set[str], limit: int
) -> tuple[dict[str, np.ndarray], int]:
    """Read the vectors of words.

    Words are normalised as in the vocabulary: lower case, digits as 0. Of words that become equal,
    the first one counts, which is the most frequent one in the usual files.

    Args:
        path: a text file with a word and its numbers in each line, separated by spaces; the first
            line may hold the number of words and of dimensions. A word may have spaces, but the
            first one.
        wanted: normalised words whose vectors are needed.
        limit: number of further words to read, the first of the file.

    Returns:
        The vectors by normalised word, and their width.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line cannot be read, or the widths differ.
    """
    file = paths.user_path(path, "vectors")
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}. Check vectors=.")
    check_size(file.stat().st_size, str(file))
    vectors: dict[str, np.ndarray] = {}
    width = further = 0
    with open(file, encoding="utf-8", errors="replace") as lines:
        for number, fields in _entries(lines):
            width = width or len(fields) - 1
            word, values = " ".join(fields[:-width]), fields[-width:]
            if len(fields) <= width or any(map(_is_number, fields[1:-width])):
                raise ValueError(
                    f"{file}: line {number:,} has {len(fields) - 1:,} numbers, and the lines "
                    f"before it have {width:,}. Give a text file of word2vec, GloVe or fastText as "
                    "vectors=."
                )
            key = normalise(word)
            is_wanted = key in wanted
            if key in vectors or (not is_wanted and further >= limit):
                continue
            vectors[key] = _numbers(values, f"{file}: line {number:,}")
            further += not is_wanted
    if not vectors:
        raise ValueError(f"{file} has no vectors. Give a text file of word vectors as vectors=.")
    return vectors, width


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _entries(lines: Iterator[str] | object) -> Iterator[tuple[int, list[str]]]:
    """The number of each line and its fields: a word, which may have spaces, and its numbers."""
    for number, line in enumerate(lines, 1):  # type: ignore[arg-type, var-annotated]
        fields = line.rstrip("\n").rstrip().split(" ")
        if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
            continue  # the header of word2vec
        if len(fields) > 1:
            yield number, fields


def _numbers(values: list[str], where: str) -> np.ndarray:
    try:
        vector = np.array(values, dtype=np.float32)
    except ValueError:
        vector = np.full(1, np.nan)
    if not np.isfinite(vector).all():
        raise ValueError(
            f"{where} holds something else than finite numbers after its word: "
            f"{' '.join(values)[:40]!r}. Give a text file of word vectors as vectors=."
        )
    return vector
