"""Learning rates that differ between layers: gradual unfreezing, and lower rates further down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

__all__ = ["Later", "LayerRates"]


@dataclass(frozen=True)
class LayerRates:
    """Learning rates of groups of layers (Howard & Ruder 2018, https://arxiv.org/abs/1801.06146).

    Each group has an optimizer of its own, so that the norm of its gradient is limited by itself.
    While a group is frozen, its learning rate is 0.

    Args:
        groups: paths of the weights of each group, the highest layers first; weights in no group
            belong to layers above them.
        decay: factor of the learning rate from each group to the one below it.
        unfreeze: epochs after which the next group below begins to learn; 0 for all at once.
    """

    groups: Sequence[Sequence[str]]
    decay: float = 1.0
    unfreeze: int = 0

    @property
    def frozen_epochs(self) -> int:
        """Number of epochs after which all groups learn.

        >>> LayerRates([["level_1/kernel"], ["level_0/kernel"]], unfreeze=2).frozen_epochs
        4
        """
        return self.unfreeze * len(self.groups)

    def optimizer(
        self, make: Callable[[float, int], keras.Optimizer], steps: int
    ) -> keras.optimizers.MultiOptimizer:
        """An optimizer without state.

        Args:
            make: function of the factor of the learning rate, and of the number of steps in which
                it is 0 at first, that makes the optimizer of a group.
            steps: number of batches per epoch.
        """
        by_path: dict[str, keras.Optimizer] = {}
        for place, paths in enumerate(self.groups, start=1):
            group = make(self.decay**place, place * self.unfreeze * steps)
            by_path |= dict.fromkeys(paths, group)
        rates = keras.optimizers.OptimizerMap(make(1.0, 0), by_path)
        return keras.optimizers.MultiOptimizer(rates)


class Later(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is multiplied by a factor, and is 0 at first.

    Args:
        rate: learning rate, or a schedule of it.
        factor: its factor.
        start: number of steps in which it is 0.

    Example:

    >>> rate = Later(0.5, factor=0.5, start=10)
    >>> float(rate(9)), float(rate(10))
    (0.0, 0.25)
    """

    def __init__(self, rate: Any, factor: float, start: int) -> None:
        super().__init__()
        self.rate, self.factor, self.start = rate, factor, start

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        rate = self.rate(step) if callable(self.rate) else self.rate
        learns = ops.cast(ops.cast(step, "int32") >= self.start, "float32")
        return learns * self.factor * rate

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        rate = self.rate
        if callable(rate):
            rate = keras.saving.serialize_keras_object(rate)
        return {"rate": rate, "factor": self.factor, "start": self.start}
