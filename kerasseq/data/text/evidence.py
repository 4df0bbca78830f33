"""What n-grams say about the classes, for texts that had a part in finding it out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special  # type: ignore[import-untyped]  # it has no types

from kerasseq.data.text.ngrams import NgramEncoder

__all__ = ["Evidence", "fit_evidence"]

FOLDS = 10


@dataclass(frozen=True)
class Evidence:
    """Log-count ratios of n-grams, and how a model is to begin with them.

    Args:
        ratios: float32 (n-grams + 1, logits); row 0, no n-gram, holds zeros.
        gain: by how much to multiply the sum of a text's ratios, to get logits.
        bias: logits of a text without n-grams, float32 (logits,).
        set_corrections: what to add to the ratios of the n-grams that a training text holds,
            float32 (texts, n, logits).
        ending_corrections: and to those of the n-grams that end at each of its tokens,
            float32 (texts, length, order, logits).
    """

    ratios: np.ndarray
    gain: float
    bias: np.ndarray
    set_corrections: np.ndarray
    ending_corrections: np.ndarray


def fit_evidence(
    encoder: NgramEncoder,
    sets: np.ndarray,
    ending: np.ndarray,
    truth: np.ndarray,
    classes: int,
    seed: int,
) -> Evidence:
    """Fit log-count ratios, and what makes them honest towards the texts they are fitted on.

    In the ratios of its own n-grams a training text finds its own label again, most of all in those
    of rare ones; on new texts there is no such help. So each training text gets the ratios that
    were found without its tenth of the texts.

    Args:
        encoder: fitted on the training texts.
        sets: the n-grams of each training text, int (texts, n), from `encode`.
        ending: the n-grams that end at each token, int (texts, length, order).
        truth: class numbers, int (texts,).
        classes: how many classes there are.
        seed: of the tenths.

    Example:

    >>> rows = [[2, 3], [2, 4]] * 20
    >>> encoder = NgramEncoder().fit(rows)
    >>> ending = np.stack(encoder.ending(rows))
    >>> found = fit_evidence(encoder, encoder.encode(rows), ending, np.arange(40) % 2, 2, seed=0)
    >>> found.ratios.shape, found.set_corrections.shape, found.ending_corrections.shape
    ((6, 1), (40, 3, 1), (40, 2, 2, 1))
    """
    ratios = encoder.log_ratios(sets, truth, classes)
    outputs = ratios.shape[1]
    set_corrections = np.zeros((*sets.shape, outputs), dtype=np.float32)
    ending_corrections = np.zeros((*ending.shape, outputs), dtype=np.float32)
    tenth = np.random.default_rng(seed).permutation(len(sets)) % FOLDS
    for number in range(FOLDS):
        inside = tenth == number
        change = encoder.log_ratios(sets[~inside], truth[~inside], classes) - ratios
        set_corrections[inside] = change[sets[inside]]
        ending_corrections[inside] = change[ending[inside]]
    votes = np.empty((len(sets), outputs))
    for start in range(0, len(sets), 1000):  # in parts: all at once would be a copy of everything
        part = slice(start, start + 1000)
        votes[part] = (ratios[sets[part]] + set_corrections[part]).sum(axis=1)
    bias = _log_odds(truth, classes)
    return Evidence(
        ratios, _gain(votes, bias, truth), bias.astype(np.float32), set_corrections,
        ending_corrections,
    )  # fmt: skip


def _log_odds(truth: np.ndarray, classes: int) -> np.ndarray:
    """The logits of a model that knows nothing but how frequent the classes are."""
    logs = np.log(np.bincount(truth, minlength=classes) / len(truth))
    return logs[1:] - logs[0] if classes == 2 else logs


def _gain(votes: np.ndarray, bias: np.ndarray, truth: np.ndarray) -> float:
    """The gain with which the votes make the truth most likely."""
    gains = np.geomspace(0.01, 2.0, 100)
    losses = [_loss(gain * votes + bias, truth) for gain in gains]
    return float(gains[int(np.argmin(losses))])


def _loss(logits: np.ndarray, truth: np.ndarray) -> float:
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    logs = special.log_softmax(logits, axis=1)
    return -float(logs[np.arange(len(truth)), truth].mean())
