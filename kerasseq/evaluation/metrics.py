"""Metrics of predictions, with bootstrap intervals over the scored rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "Comparison",
    "Score",
    "bootstrap",
    "calibration_error",
    "classification",
    "compare",
    "reliability",
]

BINS = 15  # bins of confidence, as in Guo et al. 2017
RESAMPLES = 1000
LEVEL = 0.95  # of intervals

Statistic = Callable[[np.ndarray], Mapping[str, float]]


@dataclass(frozen=True)
class Score:
    """Metrics of predictions, with bootstrap samples.

    Args:
        values: each metric over all rows.
        samples: each metric over the bootstrap resamples, `(resamples,)`. Scores of the same rows
            with the same seed use the same resamples, so that their differences can be paired.
        details: data of plots (a confusion matrix, say), as JSON values.
    """

    values: dict[str, float]
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def interval(self, level: float = LEVEL) -> dict[str, list[float]]:
        """The percentile interval of each metric, as `[low, high]`."""
        return {name: _percentiles(sample, level) for name, sample in self.samples.items()}


@dataclass(frozen=True)
class Comparison:
    """The difference between two scores; above zero means that the first is better.

    Args:
        metric: name of the compared metric.
        difference: difference of the metric, in its unit.
        low: lower end of the interval of the difference; NaN without an interval.
        high: upper end of the interval; NaN without an interval.
    """

    metric: str
    difference: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether there is an interval."""
        return self.low <= self.high

    @property
    def outcome(self) -> str:
        """'beats', 'loses to', or 'is level with' where the interval holds zero.

        Without an interval: 'is ahead of', 'is behind', or 'is level with' where they are equal.
        """
        if not self.certain:
            words = "is ahead of", "is behind"
            return words[self.difference < 0] if self.difference else "is level with"
        if self.low > 0:
            return "beats"
        return "loses to" if self.high < 0 else "is level with"


def classification(
    truth: np.ndarray,
    probabilities: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """Accuracy, macro F1, log loss and calibration error of class probabilities.

    Macro F1 is the unweighted mean over the classes that occur in the truth or in the predictions,
    so that it does not measure a class that occurs in neither; log loss is in nats. Both agree with
    scikit-learn.

    Args:
        truth: class numbers, int `(rows,)`.
        probabilities: probability of each class, `(rows, classes)`; each row sums to one.
        resamples: number of bootstrap resamples behind the intervals; 0 for no intervals.
        seed: seed of the resamples.

    Returns:
        A Score, with `confusion` (rows: truth, columns: predicted) and `reliability` in details.

    Example:

    >>> score = classification(np.array([0, 1, 1, 0]), np.array([[.9, .1], [.2, .8], [.6, .4],
    ...                                                          [.7, .3]]))
    >>> {name: round(value, 3) for name, value in score.values.items()}
    {'accuracy': 0.75, 'macro_f1': 0.733, 'log_loss': 0.4, 'calibration_error': 0.3}
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

    truth = np.asarray(truth, dtype=np.int64)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or truth.shape != probabilities.shape[:1] or not len(truth):
        raise ValueError(
            "truth must be (rows,) and probabilities (rows, classes), with at least one row. "
            f"Received: {truth.shape} and {probabilities.shape}"
        )
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    values = {
        "accuracy": accuracy_score(truth, predicted),
        "macro_f1": f1_score(truth, predicted, average="macro", zero_division=0),
        "log_loss": log_loss(truth, probabilities, labels=classes),
        "calibration_error": calibration_error(truth, probabilities),
    }
    return Score(
        values={name: float(value) for name, value in values.items()},
        samples=bootstrap(
            _weighted_classification(truth, probabilities), len(truth), resamples, seed
        ),
        details={
            "confusion": confusion_matrix(truth, predicted, labels=classes).tolist(),
            "reliability": reliability(truth, probabilities),
        },
    )


def calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: the mean distance between confidence and accuracy.

    Rows are binned by confidence, the probability of the predicted class, in bins of equal width
    (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    >>> calibration_error(np.array([0, 0, 0, 1]), np.array([[.75, .25]] * 4))
    0.0
    """
    table = reliability(truth, probabilities, bins)
    gaps = np.abs(np.subtract(table["confidence"], table["accuracy"]))
    return float(np.dot(table["rows"], gaps) / len(truth))


def reliability(
    truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> dict[str, list[float]]:
    """Number of rows, mean confidence and accuracy of each bin of confidence that has rows."""
    bin_number, confidence, correct = _bin_rows(truth, probabilities, bins)
    rows = np.bincount(bin_number, minlength=bins)
    filled = rows > 0
    return {
        "rows": rows[filled].tolist(),
        "confidence": (np.bincount(bin_number, confidence, bins)[filled] / rows[filled]).tolist(),
        "accuracy": (np.bincount(bin_number, correct, bins)[filled] / rows[filled]).tolist(),
    }


def bootstrap(
    statistic: Statistic, rows: int, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, np.ndarray]:
    """A statistic over resamples of the rows, drawn with replacement.

    Args:
        statistic: function from the number of times that each row was drawn, float `(rows,)`, to
            values by name.
        rows: number of rows.
        resamples: number of resamples.
        seed: seed of the draws: equal seeds and rows give equal draws, so that results can be
            paired.

    Returns:
        The values of each name, `(resamples,)`.

    Example:

    >>> heights = np.array([1.6, 1.7, 1.8, 1.9])
    >>> means = bootstrap(lambda counts: {"mean": counts @ heights / 4}, 4, resamples=500)["mean"]
    >>> bool(1.6 <= means.min() < 1.75 < means.max() <= 1.9)
    True
    """
    random = np.random.default_rng(seed)
    samples: dict[str, list[float]] = {}
    for _ in range(resamples):
        counts = np.bincount(random.integers(0, rows, rows), minlength=rows).astype(np.float64)
        for name, value in statistic(counts).items():
            samples.setdefault(name, []).append(value)
    return {name: np.asarray(values) for name, values in samples.items()}


def compare(
    score: Score,
    reference: Score,
    metric: str,
    *,
    higher_is_better: bool = True,
    level: float = LEVEL,
) -> Comparison:
    """Compare two scores of the same rows, with an interval over paired resamples.

    If one of them has no resamples of the metric, the comparison has no interval.

    Args:
        score: the first score, for which a positive difference means better.
        reference: the second score.
        metric: name of the metric.
        higher_is_better: whether a higher value of the metric is better.
        level: level of the interval.
    """
    sign = 1.0 if higher_is_better else -1.0
    difference = sign * (score.values[metric] - reference.values[metric])
    if metric not in score.samples or metric not in reference.samples:
        return Comparison(metric, difference, np.nan, np.nan)
    low, high = _percentiles(sign * (score.samples[metric] - reference.samples[metric]), level)
    return Comparison(metric, difference, low, high)


def _percentiles(sample: np.ndarray, level: float) -> list[float]:
    tail = 50 * (1 - level)
    return [float(value) for value in np.percentile(sample, [tail, 100 - tail])]


def _bin_rows(
    truth: np.ndarray, probabilities: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bin number, the confidence, and whether the prediction is correct, of each row."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    # A bin includes its upper edge, so that a confidence of 1 is in the last bin.
    bin_number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return bin_number, confidence, correct


def _weighted_classification(truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
    """The metrics of `classification`, as a function of the weight of each row."""
    rows, classes = probabilities.shape
    bin_number, confidence, correct = _bin_rows(truth, probabilities, BINS)
    gap, predicted = confidence - correct, probabilities.argmax(axis=1)
    tiny = np.finfo(np.float64).eps  # where scikit-learn's log loss clips
    surprise = -np.log(np.clip(probabilities[np.arange(rows), truth], tiny, 1 - tiny))

    # bincount and sum, not dot: on few numbers a threaded dot product takes ten times longer.
    def statistic(weights: np.ndarray) -> dict[str, float]:
        hits = np.bincount(truth, weights * correct, classes)
        occurrences = np.bincount(truth, weights, classes) + np.bincount(
            predicted, weights, classes
        )
        present = occurrences > 0
        return {
            "accuracy": float(hits.sum() / rows),
            "macro_f1": float(np.mean(2 * hits[present] / occurrences[present])),
            "log_loss": float((weights * surprise).sum() / rows),
            "calibration_error": float(
                np.abs(np.bincount(bin_number, weights * gap, BINS)).sum() / rows
            ),
        }

    return statistic
