"""Averaged SGD that begins to average when the validation score stops improving (NT-ASGD)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from kerasseq.training.averaging import Averaging

__all__ = ["AveragedSGD", "TriggeredAveraging"]

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class AveragedSGD(keras.optimizers.SGD):
    """SGD that keeps the mean of the weights of all steps from a trigger on.

    From Merity et al. (2017, https://arxiv.org/abs/1708.01009), after Polyak & Juditsky (1992,
    https://doi.org/10.1137/0330046). Until `trigger` is called, the averages are the weights.
    `TriggeredAveraging` calls it in `kerasseq.training.fit`.

    Args:
        *args, **kwargs: arguments of `keras.optimizers.SGD`.

    Example:

    >>> optimizer, weight = AveragedSGD(1.0), keras.Variable([0.0])
    >>> optimizer.build([weight])
    >>> optimizer.apply([keras.ops.ones(1)])
    >>> optimizer.trigger()
    >>> optimizer.apply([keras.ops.ones(1)])
    >>> float(weight.value[0]), float(optimizer.averages[0].value[0])
    (-2.0, -1.5)
    """

    def build(self, variables: Sequence[Any]) -> None:
        """Make the averages, and what counts the averaged steps."""
        if self.built:
            return
        super().build(variables)
        self.averages = [
            self.add_variable_from_reference(variable, name="average") for variable in variables
        ]
        self._is_averaging = self.add_variable((), dtype="float32", name="is_averaging")
        self._averaged_steps = self.add_variable((), dtype="float32", name="averaged_steps")
        # A function: Keras takes variables in an attribute for those of the optimizer.
        self._weights = lambda: variables

    def apply(self, grads: Sequence[Tensor], trainable_variables: Any = None) -> None:
        """Apply gradients, and let the averages follow the weights."""
        super().apply(grads, trainable_variables)
        # Before the trigger the count stays at 1, so that an average is the weight itself.
        steps = self._is_averaging * self._averaged_steps + 1.0
        self._averaged_steps.assign(steps)
        for weight, average in self.pairs():
            change = (weight - average) / keras.ops.cast(steps, average.dtype)
            average.assign(average + change)

    def trigger(self) -> None:
        """Average from the present weights on."""
        self._is_averaging.assign(1.0)

    @property
    def is_averaging(self) -> bool:
        """Whether `trigger` was called."""
        return bool(keras.ops.convert_to_numpy(self._is_averaging.value) > 0)

    def pairs(self) -> list[tuple[Any, Any]]:
        """Each weight with its average."""
        return list(zip(self._weights(), self.averages, strict=True))


class TriggeredAveraging(Averaging):
    """Puts the averages of `AveragedSGD` into the model, and triggers them.

    The averages begin at the end of an epoch that is no better than the best one before the last
    `interval` epochs (a non-monotonic trigger).

    Args:
        monitor: the validation score to watch; without one nothing is averaged.
        direction: 1.0 if a lower score is better, else -1.0.
        interval: number of epochs.
        history: a function that gives the scores of all earlier epochs, by name.
    """

    def __init__(
        self,
        monitor: str | None,
        direction: float,
        interval: int,
        history: Callable[[], Mapping[str, Sequence[float]]],
    ) -> None:
        super().__init__(_Swap())
        self._monitor, self._direction, self._interval = monitor, direction, interval
        self._history = history

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        optimizer = self.model.optimizer
        if self._monitor is None or optimizer.is_averaging:
            return
        scores = [self._direction * score for score in self._history().get(self._monitor, ())]
        before = scores[: len(scores) - self._interval + 1]  # without the last ones and this one
        current = self._direction * (logs or {}).get(self._monitor, float("-inf"))
        if before and current >= min(before):
            optimizer.trigger()


class _Swap(keras.callbacks.Callback):
    """Swaps weights and averages, as `keras.callbacks.SwapEMAWeights` does."""

    _swapped = False

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Any = None) -> None:
        self._swap(False)

    def _swap(self, swapped: bool) -> None:
        if self._swapped == swapped:
            return
        for weight, average in self.model.optimizer.pairs():
            # Copies, since JAX refuses a step with the same array in two variables.
            values = [keras.ops.convert_to_numpy(each.value).copy() for each in (weight, average)]
            average.assign(values[0])
            weight.assign(values[1])
        self._swapped = swapped
