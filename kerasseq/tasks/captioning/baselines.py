"""Baselines of captioning: the most frequent caption, and the caption of the nearest image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["commonest", "nearest"]

_CHUNK = 1024
_SIDE = 16  # height and width, in pixels, to which images are reduced for a comparison


def commonest(captions: Sequence[Sequence[str]]) -> str:
    """The caption of most images; in a tie, the one with the most frequent words.

    >>> commonest([["a dog runs", "a dog"], ["a cat", "a dog"]])
    'a dog'
    """
    counts = Counter(caption for row in captions for caption in {*row})
    words = Counter(word for row in captions for caption in row for word in {*caption.split()})

    def word_frequency(caption: str) -> float:
        return float(np.mean([words[word] for word in caption.split()]))

    highest = max(counts.values())
    return max(sorted(c for c, n in counts.items() if n == highest), key=word_frequency)


def nearest(inputs: Sequence[Any], captions: Sequence[Sequence[str]], new_inputs: Any) -> list[str]:
    """For each image a caption of the nearest known image, by the cosine of their features.

    Of its captions, the one that shares most words with the others.

    Args:
        inputs: inputs of the known images, in one or several parts: `part[rows]` gives features
            (rows, features) or (rows, regions, features), or pixels (rows, height, width, 3).
            Regions are averaged.
        captions: captions of each known image, part after part.
        new_inputs: inputs of the images to caption, in the same form.

    Example:

    >>> nearest([np.eye(2)], [["a dog"], ["a cat"]], np.array([[0.1, 0.9]]))
    ['a cat']
    """
    queries = np.concatenate([_unit_vectors(new_inputs[rows]) for rows in _chunks(len(new_inputs))])
    best = np.full(len(queries), -np.inf)
    best_image = np.zeros(len(queries), dtype=np.int64)
    first = 0
    for part in inputs:
        for rows in _chunks(len(part)):
            similarity = queries @ _unit_vectors(part[rows]).T
            closest = similarity.argmax(axis=1)
            score = similarity[np.arange(len(queries)), closest]
            better = score > best
            best[better], best_image[better] = score[better], first + rows[closest[better]]
        first += len(part)
    return [_most_typical(captions[int(number)]) for number in best_image]


def _chunks(rows: int) -> list[np.ndarray]:
    """Row numbers in chunks of `_CHUNK`."""
    return [np.arange(start, min(start + _CHUNK, rows)) for start in range(0, rows, _CHUNK)]


def _unit_vectors(values: np.ndarray) -> np.ndarray:
    """One vector of length one for each image."""
    if values.ndim == 3:
        values = values.mean(axis=1)
    elif values.ndim == 4:
        step = max(1, values.shape[1] // _SIDE)
        values = values[:, ::step, ::step].reshape(len(values), -1)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _most_typical(captions: Sequence[str]) -> str:
    """The caption with the largest sum of Jaccard similarities to the other captions."""
    words = [{*caption.split()} for caption in captions]

    def shared(number: int) -> float:
        caption_words = words[number]
        return sum(
            len(caption_words & others) / len(caption_words | others)
            for others in words
            if caption_words | others
        )

    return captions[max(range(len(captions)), key=shared)]
