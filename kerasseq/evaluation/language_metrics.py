"""Metrics of language models, with bootstrap intervals over blocks of the text."""

from __future__ import annotations

import math

import numpy as np

from kerasseq.evaluation.metrics import RESAMPLES, Score, bootstrap

__all__ = ["language"]

_BLOCKS = 100  # at most, and of at least as many tokens as the next line says
_LEAST_TOKENS = 50
_FEWEST = 10  # blocks for an interval


def language(
    nats: np.ndarray, characters: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> Score:
    """Cross-entropy and perplexity of a text.

    Neighbouring tokens are not independent, so intervals resample blocks of consecutive tokens, up
    to 100 of equal length. A text of fewer than 500 tokens has no intervals.

    Args:
        nats: negative log-probability of each token in the order of the text, in nats, `(tokens,)`.
        characters: number of characters of the text.
        resamples: number of bootstrap resamples behind the intervals; 0 for no intervals.
        seed: seed of the resamples.

    Returns:
        A Score: `perplexity`, `nats` and `bits` per token, and `bits_per_character`.

    Raises:
        ValueError: if there is no token or no character.

    Example:

    >>> score = language(np.full(6, np.log(4)), characters=12)
    >>> {name: round(value, 6) for name, value in score.values.items()}
    {'perplexity': 4.0, 'nats': 1.386294, 'bits': 2.0, 'bits_per_character': 1.0}
    """
    nats = np.asarray(nats, dtype=np.float64)
    if nats.ndim != 1 or not len(nats) or characters < 1:
        raise ValueError(
            "nats must be (tokens,) of at least one token, of at least one character. "
            f"Received: {nats.shape} and {characters} characters"
        )
    size = max(_LEAST_TOKENS, math.ceil(len(nats) / _BLOCKS))
    starts = np.arange(0, len(nats), size)
    sums = np.add.reduceat(nats, starts)
    tokens = np.diff([*starts, len(nats)])
    per_character = len(nats) / characters

    def statistic(weights: np.ndarray) -> dict[str, float]:
        mean = float(weights @ sums / (weights @ tokens))
        bits = mean / math.log(2)
        return {
            "perplexity": math.exp(min(mean, 700.0)),  # a finite number
            "nats": mean,
            "bits": bits,
            "bits_per_character": bits * per_character,
        }

    samples = bootstrap(statistic, len(sums), resamples, seed) if len(sums) >= _FEWEST else {}
    return Score(statistic(np.ones(len(sums))), samples)
