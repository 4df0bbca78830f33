"""Scores of predicted numbers."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from kerasseq.evaluation.metrics import RESAMPLES, Score, Statistic, bootstrap

__all__ = ["RegressionExamples", "regression"]

_SHOWN = 500  # pairs that are kept for a plot


class RegressionExamples(TypedDict):
    """True and predicted numbers, for a plot."""

    truth: list[float]
    predicted: list[float]


def regression(
    truth: np.ndarray, predicted: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> Score:
    """Coefficient of determination, mean absolute error and root mean squared error.

    Args:
        truth: true numbers, `(rows,)`.
        predicted: predicted numbers, `(rows,)`.
        resamples: number of bootstrap resamples behind the intervals; 0 for no intervals.
        seed: seed of the resamples.

    Returns:
        A Score, with `examples`, the first pairs, in details.

    Example:

    >>> score = regression(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]), resamples=0)
    >>> {name: round(value, 3) for name, value in score.values.items()}
    {'r2': 0.5, 'mean_absolute_error': 0.333, 'root_mean_squared_error': 0.577}
    """
    truth = np.asarray(truth, dtype=np.float64)
    predicted = np.asarray(predicted, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != predicted.shape or not len(truth):
        raise ValueError(
            "truth and predicted must be (rows,), with at least one row. "
            f"Received: {truth.shape} and {predicted.shape}"
        )
    statistic = _weighted(truth, predicted)
    return Score(
        values=dict(statistic(np.ones(len(truth)))),
        samples=bootstrap(statistic, len(truth), resamples, seed),
        details={
            "examples": {
                "truth": truth[:_SHOWN].tolist(),
                "predicted": predicted[:_SHOWN].tolist(),
            }
        },
    )


def _weighted(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """The metrics of `regression`, as a function of the weight of each row."""
    error = truth - predicted

    def statistic(weights: np.ndarray) -> dict[str, float]:
        total = weights.sum()
        squares = float((weights * error**2).sum())
        spread = float((weights * (truth - (weights * truth).sum() / total) ** 2).sum())
        return {
            # As in scikit-learn, targets that are all equal give 1 for no error, else 0.
            "r2": 1 - squares / spread if spread else float(not squares),
            "mean_absolute_error": float((weights * np.abs(error)).sum() / total),
            "root_mean_squared_error": float(np.sqrt(squares / total)),
        }

    return statistic
