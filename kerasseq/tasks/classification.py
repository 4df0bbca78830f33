"""Objective, probabilities and remarks that all tasks of classification share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.tasks.base import Objective

if TYPE_CHECKING:
    from kerasseq.evaluation.metrics import Score

__all__ = ["class_probabilities", "class_score", "classification_objective", "unscored_classes"]


def classification_objective(classes: int, branches: Sequence[str] = ()) -> Objective:
    """Cross-entropy of logits, and accuracy.

    Args:
        classes: number of classes; two classes have one logit.
        branches: layers with logits of their own, see `TrainingConfig`.
    """
    import keras

    if classes == 2:
        return Objective(
            keras.losses.BinaryCrossentropy(from_logits=True),
            [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
            branches,
        )
    return Objective(
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        branches,
    )


def class_probabilities(logits: np.ndarray) -> np.ndarray:
    """Class probabilities from logits, in double precision, `(rows, classes)`.

    >>> class_probabilities(np.zeros((1, 1))).tolist()
    [[0.5, 0.5]]
    """
    from scipy import special  # type: ignore[import-untyped]  # it has no types

    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    probabilities: np.ndarray = special.softmax(logits, axis=1)
    return probabilities


def class_score(probabilities: np.ndarray, targets: np.ndarray, seed: int) -> Score:
    """Scores of class probabilities; targets are class numbers, `(rows,)` or `(rows, 1)`."""
    from kerasseq.evaluation import metrics

    truth = np.asarray(targets).ravel().astype(np.int64)
    return metrics.classification(truth, probabilities, seed=seed)


def unscored_classes(score: Score, state: Mapping[str, Any]) -> list[str]:
    """A remark on classes without a row to score on, if there are any."""
    rows = zip(state["classes"], score.details["confusion"])
    absent = [repr(name) for name, counts in rows if not any(counts)]
    if not absent:
        return []
    class_names = ", ".join(absent)
    return [f"classes without a row to score on: {class_names}; macro F1 does not measure them"]
