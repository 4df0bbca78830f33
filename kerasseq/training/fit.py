"""The only function that trains models: compile, fit, stop early, resume."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasseq.io.limits import Damaged
from kerasseq.training.averaged_sgd import AveragedSGD, TriggeredAveraging
from kerasseq.training.averaging import Averaging
from kerasseq.training.batches import Batches, Examples, Generated
from kerasseq.training.checkpoint import BestEpochCheckpoint, TimeLimit
from kerasseq.training.config import History, StopRule, TrainingConfig, direction
from kerasseq.training.lines import Lines
from kerasseq.training.progress import show_progress
from kerasseq.training.streams import StreamBatches, Streams

__all__ = ["FitResult", "fit", "mean_result"]


@dataclass(frozen=True)
class FitResult:
    """Result of `fit`.

    Args:
        history: loss and metrics after each epoch, by name; names of the validation part begin with
            `val_`. Epochs before an interruption are included.
        best_epoch: the epoch whose weights the model has, counted from 1.
        seconds: training time, including the time before an interruption.
        resumed_after: number of epochs that were read from the checkpoint; 0 for a new training.
        members: the result of each member of an ensemble; empty for a single model.
    """

    history: History
    best_epoch: int
    seconds: float
    resumed_after: int = 0
    members: tuple[FitResult, ...] = ()

    @property
    def best_epochs(self) -> list[int]:
        """The best epoch of each model that was trained."""
        return [member.best_epoch for member in self.members or (self,)]


def mean_result(members: Sequence[FitResult]) -> FitResult:
    """The result of an ensemble: means over its members, and the sum of their seconds.

    Args:
        members: the result of each member. The history has the mean over the members that were
            still training in an epoch.

    Example:

    >>> short, long = FitResult({"loss": [4.0]}, 1, 2.5), FitResult({"loss": [2.0, 1.0]}, 2, 3.5)
    >>> both = mean_result([short, long])
    >>> both.history, both.seconds, both.best_epochs
    ({'loss': [3.0, 1.0]}, 6.0, [1, 2])
    """
    history = {}
    for name in members[0].history:
        curves = [member.history[name] for member in members]
        epochs = max(map(len, curves))
        at_epoch = [[curve[e] for curve in curves if e < len(curve)] for e in range(epochs)]
        history[name] = [float(np.mean(values)) for values in at_epoch]
    return FitResult(
        history=history,
        best_epoch=round(float(np.mean([member.best_epoch for member in members]))),
        seconds=sum(member.seconds for member in members),
        resumed_after=min(member.resumed_after for member in members),
        members=tuple(members),
    )


def fit(
    model: keras.Model,
    train: Examples | Generated | Streams | Lines,
    validation: Examples | Generated | Streams | Lines | None,
    config: TrainingConfig,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoint: Path | None = None,
    stamp: Mapping[str, Any] | None = None,
    stop_rule: StopRule | None = None,
    seconds: float | None = None,
    before: Callable[[], Any] | None = None,
    quiet: bool = False,
) -> FitResult:
    """Train a model until the validation score stops improving, and restore its best epoch.

    Args:
        model: a functional model; it is not compiled itself.
        train: examples to learn from; `Streams`, which are never shuffled, and `Lines` have their
            own number of rows in place of `batch_size`.
        validation: examples that select the best epoch; None to keep the last epoch.
        config: loss, optimizer, epochs and so on.
        callbacks: further Keras callbacks, called before the checkpoint is written.
        checkpoint: file to write after each epoch. If it exists, training resumes from it, with the
            same result as without the interruption; if it is damaged, training begins anew and says
            so on standard error.
        stamp: description of the run that the checkpoint belongs to, as JSON values; saved in it.
        stop_rule: function of the history, called after each epoch and after resuming, that says
            whether to stop.
        seconds: time limit; the epoch in which it is reached is cut short and counts as one.
        before: function that is called before the first epoch, unless training resumes, such as a
            pretraining of the same layers; its time counts.
        quiet: whether to hide progress.

    Raises:
        ValueError: if the loss becomes NaN or infinite, or the checkpoint is larger than the limit
            of `kerasseq.io.limits`.
    """
    batches = _batches(train, config, config.batch_size, config.seed)
    training_model = config.compile_model(model, len(batches))
    if config.branches:
        _build_loss(training_model, batches)
    checkpointer = BestEpochCheckpoint(
        training_model, batches, config, checkpoint, dict(stamp or {}), stop_rule, seconds
    )
    averaging = _averaging(training_model.optimizer, config, checkpointer)
    time_limit = [] if seconds is None else [TimeLimit(checkpointer)]
    resumed_after = 0
    try:
        resumed_after = checkpointer.restore()
    except Damaged as error:
        print(f"{error}: training begins anew", file=sys.stderr, flush=True)
    if before is not None and not resumed_after:
        before()
    if not checkpointer.done:
        if resumed_after and averaging:
            averaging[0].take_out(training_model)
        validation_batches = None
        if validation is not None:
            validation_batches = _batches(validation, config, 4 * config.batch_size)
        with show_progress(config, len(batches), resumed_after, quiet) as progress:
            training_model.fit(
                batches,
                validation_data=validation_batches,
                initial_epoch=resumed_after,
                epochs=config.epochs,
                callbacks=[*averaging, *callbacks, checkpointer, *time_limit, *progress],
                shuffle=False,  # BestEpochCheckpoint shuffles the batches
                verbose=0,
            )
    training_model.set_weights(checkpointer.best_weights)
    return FitResult(
        checkpointer.history, checkpointer.best_epoch, checkpointer.seconds, resumed_after
    )


def _averaging(
    optimizer: keras.Optimizer, config: TrainingConfig, checkpointer: BestEpochCheckpoint
) -> list[Averaging]:
    """The callback that puts the averages of an optimizer into the model, if it keeps any."""
    if isinstance(optimizer, AveragedSGD):
        # The averages begin one epoch before the training would stop.
        interval = max(1, config.patience - 1)
        return [
            TriggeredAveraging(
                config.monitor, direction(config.monitor), interval, lambda: checkpointer.history
            )
        ]
    return [Averaging()] if optimizer.use_ema else []


def _batches(
    examples: Examples | Generated | Streams | Lines,
    config: TrainingConfig,
    size: int,
    seed: int | None = None,
) -> Batches | StreamBatches:
    """The batches of a part."""
    if isinstance(examples, Streams | Lines):
        return examples.batches()
    return Batches(examples, size, seed, config.branches)


def _build_loss(model: keras.Model, batches: Batches | StreamBatches) -> None:
    """Make the variables that Keras keeps for a loss of several outputs.

    Left to the first training step, they make TensorFlow trace that step twice.
    """
    inputs, targets, *_ = batches[0]
    model.compute_loss(y=targets, y_pred=model(inputs, training=False))
