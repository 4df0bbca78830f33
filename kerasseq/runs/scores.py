"""Types of scores and histories in the files of a run, and rules for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from kerasseq.io.schema import AnyFloat, Limits

__all__ = [
    "Averages",
    "Interval",
    "Loss",
    "LossHistory",
    "NotNegative",
    "NotNegativeInterval",
    "Share",
    "ShareInterval",
    "Shares",
]

_ROUNDING = 1e-6  # relative to the larger of the two numbers and 1

Share = Annotated[float, Limits(least=0, most=1 + _ROUNDING)]
NotNegative = Annotated[float, Limits(least=0)]


def _order_fault(interval: list[float]) -> str | None:
    """The fault of an interval whose ends are in the wrong order; None if it has none."""
    low, high = interval
    return f"must begin below its end, and is {low} to {high}" if low > high else None


def _loss_fault(loss: float) -> str | None:
    """The fault of a loss that is never negative but for rounding; None if it has none."""
    return f"cannot be below zero, and is {loss}" if loss < -1e-3 else None


#: The two ends of the interval of a score.
Interval = Annotated[tuple[AnyFloat, AnyFloat], _order_fault]
ShareInterval = Annotated[tuple[Share, Share], _order_fault]
NotNegativeInterval = Annotated[tuple[NotNegative, NotNegative], _order_fault]
#: The shares of a history, after each epoch.
Shares = list[Share]
#: A loss or an error, which may be infinite.
Loss = Annotated[float, _loss_fault]


class LossHistory(TypedDict, total=False):
    """Entries of history.json where the loss is never negative, as a cross-entropy is."""

    loss: list[Loss]
    val_loss: list[Loss]
    accuracy: Shares
    val_accuracy: Shares


class Averages:
    """A rule for metrics: scores that are averages have an interval, and lie in it.

    The interval of an average over resamples holds the average over all rows. That does not hold
    for every score: a calibration error is smaller than nearly all of its resamples if the model is
    well calibrated.

    Args:
        *names: names of the scores that are averages, ratios of averages, or rise with one; all
            scores that have an interval, if none is given.
        always: whether the task computes intervals of the named scores for every run.

    Example:

    >>> Averages("accuracy")({"test": {"accuracy": 0.9}, "interval": {"accuracy": [0.1, 0.2]}})
    'has accuracy 0.9 outside its interval, 0.1 to 0.2'
    """

    def __init__(self, *names: str, always: bool = False) -> None:
        self.names, self.always = names, always

    def __call__(self, metrics: Mapping[str, Any]) -> str | None:
        """Describe the first fault of the intervals; None if they have none."""
        scores, intervals = metrics["test"], metrics["interval"]
        for name in self.names or intervals:
            if name not in scores or name not in intervals:
                if name in scores and self.always:
                    return f"has no interval of {name}"
                continue
            score, (low, high) = scores[name], intervals[name]
            margin = _ROUNDING * max(1.0, abs(score))
            if score < low - margin or score > high + margin:
                return f"has {name} {score} outside its interval, {low} to {high}"
        return None
