"""What the tests of classifiers share: texts as numbers, with everything that a model asks for."""

from __future__ import annotations

import numpy as np

from kerasseq.models import Classifier


def texts(sizes: Classifier, rows: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs by name, drawn at random, of texts of one to six words."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 7, rows)
    tokens = random.integers(1, sizes.vocabulary, (rows, 6)).astype(np.int32)
    tokens[np.arange(6) >= lengths[:, None]] = 0
    if not sizes.ngrams:
        return {"tokens": tokens}
    ending = random.integers(0, sizes.ngrams, (rows, 6, sizes.order)).astype(np.int32)
    return {
        "tokens": tokens,
        "ending": ending * (tokens > 0)[..., None],
        "ending_corrections": np.zeros((rows, 1, 1, sizes.logits), np.float32),
        "ngrams": random.integers(0, sizes.ngrams, (rows, 5)).astype(np.int32),
        "ngram_corrections": np.zeros((rows, 1, sizes.logits), np.float32),
    }
