"""The moving average of the weights, in place of the weights of the last step."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["Averaging"]


class Averaging(keras.callbacks.Callback):
    """Puts the averages that the optimizer keeps into the model between epochs and to validate it.

    Callbacks that come after it see the averaged model at the end of an epoch, so that its weights
    are those of the best epoch. Unlike `keras.callbacks.SwapEMAWeights`, on which it stands, it
    keeps the weights of the last step after the last epoch too, for a training that goes on.

    Args:
        swap: a callback that swaps averages and weights as `keras.callbacks.SwapEMAWeights` does,
            which is the default.
    """

    def __init__(self, swap: keras.callbacks.Callback | None = None) -> None:
        super().__init__()
        self._swap = swap or keras.callbacks.SwapEMAWeights()

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._swap.set_model(model)

    def take_out(self, model: keras.Model) -> None:
        """Swap averages and weights in a model that was restored from the end of an epoch."""
        swap = type(self._swap)()
        swap.set_model(model)
        swap.on_test_begin()  # a swap goes both ways

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._swap.on_test_end()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._swap.on_test_begin()

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap.on_test_begin()

    def on_test_end(self, logs: Any = None) -> None:
        self._swap.on_test_end()
