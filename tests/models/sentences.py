"""Sentences as numbers, with their tags, for the tests of taggers."""

from __future__ import annotations

import numpy as np

from kerasseq.models import TaggerConfig

__all__ = ["sentences", "targets"]


def sentences(config: TaggerConfig, rows: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs by name, drawn at random, of sentences of one to six tokens."""
    random = np.random.default_rng(seed)
    real = np.arange(6) < random.integers(1, 7, rows)[:, None]
    words = random.integers(1, config.words, real.shape) * real
    inputs = {"words": words}
    if config.characters:
        spelling = random.integers(1, config.characters, (config.words, 5))
        spelling[np.arange(5) >= random.integers(1, 6, config.words)[:, None]] = 0
        inputs["characters"] = spelling[words] * real[..., None]
    for name, (size, _) in config.features.items():
        inputs[name] = random.integers(1, size, real.shape) * real
    return {name: values.astype("int32") for name, values in inputs.items()}


def targets(
    config: TaggerConfig, inputs: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Further inputs of the training model by name, and the number of tokens of each sentence.

    Words decide on the targets, and no word has a shape.
    """
    words = inputs["words"]
    found = {f"{name}_target": words % tags for name, tags in config.tags.items()}
    found["unknown_words"] = (words > 0).astype("int32")
    if config.classes:
        found["sentence_target"] = words[:, 0] % config.classes
    return found, (words > 0).sum(axis=1).astype("float32")
