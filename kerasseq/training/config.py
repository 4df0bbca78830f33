"""How a model is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasseq.training import optimizers
from kerasseq.training.batches import OWN

__all__ = ["SETTINGS", "History", "StopRule", "TrainingConfig", "followed", "sign"]

#: The settings of a recipe that `TrainingConfig` takes.
SETTINGS = ("epochs", "patience", "batch_size", *optimizers.SETTINGS, "seed")

History = dict[str, list[float]]
# Whether to stop, from the history so far.
StopRule = Callable[[History], bool]


@dataclass(frozen=True)
class TrainingConfig:
    """How to train: what to lower, how fast, and when to stop.

    Args:
        loss: a Keras loss.
        metrics: Keras metrics to follow beside the loss.
        branches: names of layers whose outputs have the loss instead of the model's own, which is
            made of theirs: each learns for itself. The loss that is followed is the model's.
        monitor: what decides which epoch was best: `val_loss`, or `val_` and a metric's name; None
            keeps the last one.
        epochs: at most so many.
        patience: stop after so many epochs without a better one.
        batch_size: rows per step.
        optimizer: name of a Keras optimizer, or an optimizer, of which a copy is used; the latter
            brings its own learning rate, weight decay and clipping.
        learning_rate: learning rate.
        schedule: "constant", "cosine" (down to zero over all epochs), or a Keras schedule, which
            replaces `learning_rate`.
        weight_decay: decoupled weight decay, of all weights but biases and gains; None for none.
        clipnorm: largest norm of the gradient of all weights together; None for no limit.
        seed: seed of the order of the batches.
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
    seed: int = 0

    def compiled(self, model: keras.Model, steps: int) -> keras.Model:
        """What is trained in place of a model: the same layers, with a loss and an optimiser."""
        for metric in self.metrics:
            metric.reset_state()  # Keras forgets to, before the first epoch, if it was used before
        own, loss, weights = model.output, self.loss, None
        metrics: Any = list(self.metrics)
        if self.branches:
            own = {OWN: own, **{name: model.get_layer(name).output for name in self.branches}}
            loss = dict.fromkeys(own, loss)
            weights = {OWN: 0.0, **dict.fromkeys(self.branches, 1.0)}
            metrics = {OWN: metrics}
        training_model = keras.Model(model.input, own)
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
    def rate(self) -> str:
        """The learning rate in words."""
        if isinstance(self.optimizer, str):
            return f"learning_rate ({self.learning_rate:g})"
        return "the learning rate of the optimizer"

    def fresh_optimizer(self, steps: int) -> keras.Optimizer:
        """An optimizer without any state, for epochs of so many steps."""
        own = {name: getattr(self, name) for name in optimizers.SETTINGS}
        return optimizers.make(**own, steps=self.epochs * steps)


def sign(monitor: str | None) -> float:
    """1.0 where less is better of what is followed, such as of a loss; else -1.0."""
    return 1.0 if monitor is None or monitor.endswith("loss") else -1.0


def followed(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Losses and metrics of the model itself, from those that Keras logs with its branches."""
    found = {name: float(value) for name, value in (logs or {}).items()}
    if f"{OWN}_loss" not in found:
        return found
    own = {name: value for name, value in found.items() if f"{OWN}_" in name}
    return {name.replace(f"{OWN}_", "", 1): value for name, value in own.items()}
