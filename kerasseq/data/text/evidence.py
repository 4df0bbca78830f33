"""Log-count ratios of n-grams as initial weights, with out-of-fold ratios for training texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special  # type: ignore[import-untyped]  # it has no types

from kerasseq.data.text.ngrams import NgramEncoder

__all__ = ["Evidence", "fit_evidence"]

FOLDS = 10


@dataclass(frozen=True)
class Evidence:
    """Log-count ratios of n-grams, from which the weights of a model are initialised.

    Args:
        ratios: log-count ratios, float32 (n-grams + 1, logits); row 0, padding, holds zeros.
        gain: factor that turns the sum of the ratios of a text into logits.
        bias: logits of a text without n-grams, float32 (logits,).
        set_corrections: out-of-fold minus full ratios of the n-grams of each training text,
            float32 (texts, n, logits).
        ending_corrections: the same for the n-grams that end at each token of a training text,
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
    """Fit log-count ratios, and out-of-fold corrections for the training texts.

    The log-count ratios leak a training text's own label, most of all through rare n-grams, which a
    new text does not do. So training texts get out-of-fold ratios: the texts are divided into 10
    folds, and the ratios for a fold are fitted on the other nine.

    Args:
        encoder: n-gram encoder that is fitted on the training texts.
        sets: n-grams of each training text, int (texts, n), from `NgramEncoder.encode`.
        ending: n-grams that end at each token, int (texts, length, order).
        truth: class numbers, int (texts,).
        classes: number of classes.
        seed: seed of the division into folds.

    Example:

    >>> rows = [[2, 3], [2, 4]] * 20
    >>> encoder = NgramEncoder().fit(rows)
    >>> ending = np.stack(encoder.ending(rows))
    >>> fit = fit_evidence(encoder, encoder.encode(rows), ending, np.arange(40) % 2, 2, seed=0)
    >>> fit.ratios.shape, fit.set_corrections.shape, fit.ending_corrections.shape
    ((6, 1), (40, 3, 1), (40, 2, 2, 1))
    """
    ratios = encoder.log_ratios(sets, truth, classes)
    outputs = ratios.shape[1]
    set_corrections = np.zeros((*sets.shape, outputs), dtype=np.float32)
    ending_corrections = np.zeros((*ending.shape, outputs), dtype=np.float32)
    fold = np.random.default_rng(seed).permutation(len(sets)) % FOLDS
    for number in range(FOLDS):
        inside = fold == number
        change = encoder.log_ratios(sets[~inside], truth[~inside], classes) - ratios
        set_corrections[inside] = change[sets[inside]]
        ending_corrections[inside] = change[ending[inside]]
    sums = np.empty((len(sets), outputs))
    for start in range(0, len(sets), 1000):  # in batches, to bound memory
        part = slice(start, start + 1000)
        sums[part] = (ratios[sets[part]] + set_corrections[part]).sum(axis=1)
    bias = _log_odds(truth, classes)
    return Evidence(
        ratios, _fit_gain(sums, bias, truth), bias.astype(np.float32), set_corrections,
        ending_corrections,
    )  # fmt: skip


def _log_odds(truth: np.ndarray, classes: int) -> np.ndarray:
    """Logits of the class frequencies: log-odds of class 1, or log-probability of each class."""
    logs = np.log(np.bincount(truth, minlength=classes) / len(truth))
    return logs[1:] - logs[0] if classes == 2 else logs


def _fit_gain(sums: np.ndarray, bias: np.ndarray, truth: np.ndarray) -> float:
    """Factor of the summed ratios with the lowest cross-entropy of the true classes."""
    gains = np.geomspace(0.01, 2.0, 100)
    losses = [_loss(gain * sums + bias, truth) for gain in gains]
    return float(gains[int(np.argmin(losses))])


def _loss(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean cross-entropy of logits, (texts, 1) for two classes, else (texts, classes)."""
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    logs = special.log_softmax(logits, axis=1)
    return -float(logs[np.arange(len(truth)), truth].mean())
