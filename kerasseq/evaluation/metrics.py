"""Scores of predictions, each with its interval over bootstrap resamples of the scored rows."""

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

BINS = 15  # of confidence, as in Guo et al. 2017
RESAMPLES = 1000
LEVEL = 0.95

Statistic = Callable[[np.ndarray], Mapping[str, float]]


@dataclass(frozen=True)
class Score:
    """What predictions are worth.

    Args:
        values: each metric over all rows.
        samples: each metric over the bootstrap resamples, `(resamples,)`. Scores of the same rows
            with the same seed are drawn over the same resamples, and so can be paired.
        details: what plots are drawn from (a confusion matrix, say), as JSON values.
    """

    values: dict[str, float]
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def interval(self, level: float = LEVEL) -> dict[str, list[float]]:
        """Each metric's percentile interval, as `[low, high]`."""
        return {name: _percentiles(sample, level) for name, sample in self.samples.items()}


@dataclass(frozen=True)
class Comparison:
    """How much better one score is than another; `difference` above zero means better.

    Args:
        metric: what is compared.
        difference: in its unit.
        low: where the interval of the difference begins; NaN where there is none.
        high: where it ends.
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

    Macro F1 is the plain mean over the classes that are in the truth or in the predictions, and so
    says nothing of a class that is in neither; log loss is in nats: both as scikit-learn has them.

    Args:
        truth: class numbers, int `(rows,)`.
        probabilities: of each class, `(rows, classes)`; each row sums to one.
        resamples: bootstrap resamples behind the intervals; 0 for none.
        seed: of the resamples.

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
    """The expected calibration error: how far confidence is from accuracy, on average.

    Rows are binned by the probability of the predicted class in bins of equal width
    (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    >>> calibration_error(np.array([0, 0, 0, 1]), np.array([[.75, .25]] * 4))
    0.0
    """
    found = reliability(truth, probabilities, bins)
    gaps = np.abs(np.subtract(found["confidence"], found["accuracy"]))
    return float(np.dot(found["rows"], gaps) / len(truth))


def reliability(
    truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> dict[str, list[float]]:
    """Rows, mean confidence and accuracy of each bin of confidence that has any rows."""
    place, confidence, correct = _binned(truth, probabilities, bins)
    rows = np.bincount(place, minlength=bins)
    used = rows > 0
    return {
        "rows": rows[used].tolist(),
        "confidence": (np.bincount(place, confidence, bins)[used] / rows[used]).tolist(),
        "accuracy": (np.bincount(place, correct, bins)[used] / rows[used]).tolist(),
    }


def bootstrap(
    statistic: Statistic, rows: int, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, np.ndarray]:
    """A statistic over resamples of the rows, drawn with replacement.

    Args:
        statistic: from how often each row was drawn, float `(rows,)`, to named values.
        rows: how many rows there are.
        resamples: how many times to draw.
        seed: of the draws: equal seeds and rows give equal draws, so that results can be paired.

    Returns:
        The values of each name, `(resamples,)`.

    Example:

    >>> heights = np.array([1.6, 1.7, 1.8, 1.9])
    >>> means = bootstrap(lambda drawn: {"mean": drawn @ heights / 4}, 4, resamples=500)["mean"]
    >>> bool(1.6 <= means.min() < 1.75 < means.max() <= 1.9)
    True
    """
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(resamples):
        drawn = np.bincount(random.integers(0, rows, rows), minlength=rows).astype(np.float64)
        for name, value in statistic(drawn).items():
            found.setdefault(name, []).append(value)
    return {name: np.asarray(values) for name, values in found.items()}


def compare(
    ours: Score, theirs: Score, metric: str, *, higher_is_better: bool = True, level: float = LEVEL
) -> Comparison:
    """Whether one score is better than another, over resamples of the same rows.

    Where one of them has no resamples of that metric, the comparison has no interval.
    """
    sign = 1.0 if higher_is_better else -1.0
    difference = sign * (ours.values[metric] - theirs.values[metric])
    if metric not in ours.samples or metric not in theirs.samples:
        return Comparison(metric, difference, np.nan, np.nan)
    low, high = _percentiles(sign * (ours.samples[metric] - theirs.samples[metric]), level)
    return Comparison(metric, difference, low, high)


def _percentiles(sample: np.ndarray, level: float) -> list[float]:
    tail = 50 * (1 - level)
    return [float(value) for value in np.percentile(sample, [tail, 100 - tail])]


def _binned(
    truth: np.ndarray, probabilities: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    # A bin holds its upper edge, so that full confidence is in the last one.
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return place, confidence, correct


def _weighted_classification(truth: np.ndarray, probabilities: np.ndarray) -> Statistic:
    """The metrics of `classification` as functions of how often each row counts."""
    rows, classes = probabilities.shape
    place, confidence, correct = _binned(truth, probabilities, BINS)
    gap, predicted = confidence - correct, probabilities.argmax(axis=1)
    tiny = np.finfo(np.float64).eps  # where scikit-learn's log loss clips
    surprise = -np.log(np.clip(probabilities[np.arange(rows), truth], tiny, 1 - tiny))

    # Sums by bincount and sum: on so few numbers a threaded dot product costs ten times more.
    def statistic(drawn: np.ndarray) -> dict[str, float]:
        hits = np.bincount(truth, drawn * correct, classes)
        either = np.bincount(truth, drawn, classes) + np.bincount(predicted, drawn, classes)
        present = either > 0
        return {
            "accuracy": float(hits.sum() / rows),
            "macro_f1": float(np.mean(2 * hits[present] / either[present])),
            "log_loss": float((drawn * surprise).sum() / rows),
            "calibration_error": float(np.abs(np.bincount(place, drawn * gap, BINS)).sum() / rows),
        }

    return statistic
