"""Rules that stop the training of a trial early."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kerasseq.training import History, StopRule

__all__ = ["Median", "any_of", "epochs"]


@dataclass(frozen=True)
class Median:
    """The median stopping rule (Golovin et al. 2017, https://doi.org/10.1145/3097983.3098043).

    Each of the other trials has a mean of its monitored values up to the current epoch. A trial
    stops if its best value so far is worse than the median of these means.

    Args:
        curves: monitored value after each epoch, for each trial that has ended.
        monitor: name of the monitored value.
        sign: 1.0 if lower is better, else -1.0.
        warmup: epochs that every trial is trained for.
        least: number of trials with at least as many epochs below which the rule does not apply.

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
        values = history[self.monitor]
        curves = [curve[: len(values)] for curve in self.curves if len(curve) >= len(values)]
        if len(values) < self.warmup or len(curves) < self.least:
            return False
        median = statistics.median(self.sign * statistics.fmean(curve) for curve in curves)
        return min(self.sign * value for value in values) > median


def epochs(most: int) -> StopRule:
    """Rule that stops after `most` epochs."""
    return lambda history: len(history["loss"]) >= most


def any_of(rules: Sequence[StopRule]) -> StopRule:
    """Rule that stops when any of the rules does."""
    return lambda history: any(rule(history) for rule in rules)
