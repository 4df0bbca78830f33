"""When a trial has trained enough."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kerasseq.training import History, StopRule

__all__ = ["Median", "any_of", "epochs"]


@dataclass(frozen=True)
class Median:
    """The median stopping rule.

    A trial ends whose best value so far is worse than the median, over the other trials, of the
    mean of their values up to the same epoch (Golovin et al. 2017,
    https://doi.org/10.1145/3097983.3098043).

    Args:
        curves: the value that is followed after each epoch, of the trials that have ended.
        monitor: the name of that value.
        sign: 1.0 where less is better, else -1.0.
        warmup: epochs that a trial has in any case.
        least: trials with as many epochs that it takes to judge by.

    Example:

    >>> rule = Median([[1.0, 0.8], [0.9, 0.7], [1.1, 0.9]], "val_loss", least=3)
    >>> rule({"val_loss": [2.0, 1.5]}), rule({"val_loss": [2.0, 0.6]})
    (True, False)
    """

    curves: Sequence[Sequence[float]]
    monitor: str
    sign: float = 1.0
    warmup: int = 2
    least: int = 4

    def __call__(self, history: History) -> bool:
        own = history[self.monitor]
        others = [curve[: len(own)] for curve in self.curves if len(curve) >= len(own)]
        if len(own) < self.warmup or len(others) < self.least:
            return False
        median = statistics.median(self.sign * statistics.fmean(curve) for curve in others)
        return min(self.sign * value for value in own) > median


def epochs(most: int) -> StopRule:
    """StopRule after so many epochs."""
    return lambda history: len(history["loss"]) >= most


def any_of(rules: Sequence[StopRule]) -> StopRule:
    """StopRule where any of the rules says so."""
    return lambda history: any(rule(history) for rule in rules)
