"""The training config: loss, optimizer, schedule and stopping."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasseq.training import optimizers
from kerasseq.training.batches import MAIN_OUTPUT
from kerasseq.training.layer_rates import LayerRates

__all__ = ["SETTINGS", "History", "StopRule", "TrainingConfig", "main_logs", "direction"]

#: The settings of a recipe that `TrainingConfig` takes.
SETTINGS = ("epochs", "patience", "batch_size", *optimizers.SETTINGS, "seed")

History = dict[str, list[float]]
# A function of the history so far that says whether to stop.
StopRule = Callable[[History], bool]


@dataclass(frozen=True)
class TrainingConfig:
    """Training config: the objective, the optimizer, and when to stop.

    Args:
        loss: a Keras loss.
        metrics: Keras metrics to report beside the loss.
        branches: names of layers whose outputs are trained with the loss in place of the model's
            output, which is computed from them: each branch learns independently. The reported loss
            and metrics are still those of the model's output.
        monitor: name of the value that selects the best epoch: `val_loss`, or `val_` and a metric's
            name; None selects the last epoch.
        epochs: largest number of epochs.
        patience: number of epochs without improvement after which training stops.
        batch_size: rows per step.
        optimizer: name of a Keras optimizer; or an optimizer, which is copied, and whose learning
            rate, weight decay, clipping and average replace the settings below.
        learning_rate: learning rate.
        schedule: "constant", "cosine" (down to zero over all epochs), or a Keras schedule, which
            replaces `learning_rate`.
        weight_decay: decoupled weight decay, of all weights but biases and gains; None for none.
        clipnorm: largest norm of the gradient of all weights together; None for no limit.
        ema_momentum: momentum of a moving average of the weights, which is validated and kept in
            place of the weights of the last step of an epoch; None for none.
        seed: seed of the order of the batches.
        layer_rates: learning rates of groups of layers; None if all learn alike.
    """

    loss: Any
    metrics: Sequence[keras.Metric] = ()
    branches: Sequence[str] = ()
    monitor: str | None = "val_loss"
    epochs: int = 20
    patience: int = 3
    batch_size: int = 32
    optimizer: Any = "adam"
    learning_rate: float = 1e-3
    schedule: Any = "constant"
    weight_decay: float | None = None
    clipnorm: float | None = 1.0
    ema_momentum: float | None = None
    seed: int = 0
    layer_rates: LayerRates | None = None

    def compile_model(self, model: keras.Model, steps: int) -> keras.Model:
        """A compiled model that shares the layers of `model`.

        Args:
            model: a functional model.
            steps: number of batches per epoch, for the learning rate schedule.
        """
        for metric in self.metrics:
            metric.reset_state()  # Keras does not reset a metric that another model has used
        outputs, loss, weights = model.output, self.loss, None
        metrics: Any = list(self.metrics)
        if self.branches:
            outputs = {
                MAIN_OUTPUT: outputs,
                **{name: model.get_layer(name).output for name in self.branches},
            }
            loss = dict.fromkeys(outputs, loss)
            weights = {MAIN_OUTPUT: 0.0, **dict.fromkeys(self.branches, 1.0)}
            metrics = {MAIN_OUTPUT: metrics}
        training_model = keras.Model(model.input, outputs)
        optimizer = self.fresh_optimizer(steps)
        optimizers.exclude(optimizer, training_model.trainable_variables)
        training_model.compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=weights,
            weighted_metrics=metrics,
        )
        training_model.optimizer.build(training_model.trainable_variables)
        return training_model

    @property
    def frozen_epochs(self) -> int:
        """Number of epochs in which some layers do not learn yet."""
        return 0 if self.layer_rates is None else self.layer_rates.frozen_epochs

    @property
    def rate(self) -> str:
        """Name of the learning rate in error messages, with its value if it is a setting."""
        if isinstance(self.optimizer, str):
            return f"learning_rate ({self.learning_rate:g})"
        return "the learning rate of the optimizer"

    def fresh_optimizer(self, steps: int) -> keras.Optimizer:
        """A new optimizer without state, with the learning rate schedule over all epochs.

        Args:
            steps: number of batches per epoch.
        """
        values = {name: getattr(self, name) for name in optimizers.SETTINGS}
        make = functools.partial(optimizers.make, **values, steps=self.epochs * steps)
        if self.layer_rates is None:
            return make()
        return self.layer_rates.optimizer(lambda f, s: make(factor=f, start=s), steps)


def direction(monitor: str | None) -> float:
    """1.0 if a lower value of the monitored metric is better (a loss), else -1.0."""
    return 1.0 if monitor is None or monitor.endswith("loss") else -1.0


def main_logs(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Loss and metrics of the model's output, without those that Keras logs for the branches."""
    values = {name: float(value) for name, value in (logs or {}).items()}
    if f"{MAIN_OUTPUT}_loss" not in values:
        return values
    main = {name: value for name, value in values.items() if f"{MAIN_OUTPUT}_" in name}
    return {name.replace(f"{MAIN_OUTPUT}_", "", 1): value for name, value in main.items()}
