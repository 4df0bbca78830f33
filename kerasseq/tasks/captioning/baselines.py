"""Captions without a model: the most frequent one, and that of the nearest image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["commonest", "nearest"]

_CHUNK = 1024
_SIDE = 16  # pixels each way, where images are compared by their pixels


def commonest(captions: Sequence[Sequence[str]]) -> str:
    """The caption that most images have; of several, the one most like those of others.

    >>> commonest([["a dog runs", "a dog"], ["a cat", "a dog"]])
    'a dog'
    """
    counts = Counter(caption for own in captions for caption in {*own})
    words = Counter(word for own in captions for caption in own for word in {*caption.split()})

    def usual(caption: str) -> float:
        return float(np.mean([words[word] for word in caption.split()]))

    most = max(counts.values())
    return max(sorted(c for c, n in counts.items() if n == most), key=usual)


def nearest(inputs: Sequence[Any], captions: Sequence[Sequence[str]], asked: Any) -> list[str]:
    """A caption of the nearest image, by the angle between image features.

    Of its captions, the one that has most words in common with the others.

    Args:
        inputs: in the known images, in one part or several: `part[rows]` gives (rows, features),
            (rows, regions, features), whose mean is taken, or pixels (rows, height, width, 3).
        captions: of each known image, part after part.
        asked: the same of the images to find captions for.

    Example:

    >>> nearest([np.eye(2)], [["a dog"], ["a cat"]], np.array([[0.1, 0.9]]))
    ['a cat']
    """
    wanted = np.concatenate([_flat(asked[rows]) for rows in _chunks(len(asked))])
    best = np.full(len(wanted), -np.inf)
    place = np.zeros(len(wanted), dtype=np.int64)
    before = 0
    for part in inputs:
        for rows in _chunks(len(part)):
            likeness = wanted @ _flat(part[rows]).T
            closest = likeness.argmax(axis=1)
            value = likeness[np.arange(len(wanted)), closest]
            better = value > best
            best[better], place[better] = value[better], before + rows[closest[better]]
        before += len(part)
    return [_usual(captions[int(number)]) for number in place]


def _chunks(rows: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + _CHUNK, rows)) for start in range(0, rows, _CHUNK)]


def _flat(values: np.ndarray) -> np.ndarray:
    """One row of length one for each image."""
    if values.ndim == 3:
        values = values.mean(axis=1)
    elif values.ndim == 4:
        step = max(1, values.shape[1] // _SIDE)
        values = values[:, ::step, ::step].reshape(len(values), -1)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _usual(captions: Sequence[str]) -> str:
    """The caption that has most words in common with the others, as a share of those of both."""
    words = [{*caption.split()} for caption in captions]

    def shared(number: int) -> float:
        own = words[number]
        return sum(len(own & other) / len(own | other) for other in words if own | other)

    return captions[max(range(len(captions)), key=shared)]
