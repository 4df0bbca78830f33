"""The one path on which models are trained, stopped and resumed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kerasseq.io.limits import Damaged
from kerasseq.training.batches import Batches, Examples, Generated
from kerasseq.training.checkpoint import BestEpochCheckpoint, Clock
from kerasseq.training.config import History, StopRule, TrainingConfig
from kerasseq.training.progress import show_progress

__all__ = ["FitResult", "fit"]


@dataclass(frozen=True)
class FitResult:
    """What training gave; the model itself holds the weights of the best epoch."""

    history: History
    best_epoch: int
    seconds: float
    resumed_after: int = 0


def fit(
    model: keras.Model,
    train: Examples | Generated,
    validation: Examples | Generated | None,
    config: TrainingConfig,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoint: Path | None = None,
    stamp: Mapping[str, Any] | None = None,
    stop_rule: StopRule | None = None,
    seconds: float | None = None,
    quiet: bool = False,
) -> FitResult:
    """Train a model until validation stops to improve; it then has the weights of its best epoch.

    Args:
        model: a functional model, which is not compiled itself.
        train: what to learn from.
        validation: what decides which epoch was best; None where the last one is kept.
        config: loss, optimizer, epochs and the like.
        callbacks: further Keras callbacks, called before those of kerasseq.
        checkpoint: file to write after each epoch; where it is there, training goes on from it,
            and gives what it would have given without the interruption. From one that is damaged,
            it begins anew, and says so.
        stamp: what the checkpoint belongs to, as JSON values; it is kept in the file.
        stop_rule: says after each epoch, and before going on from a checkpoint, whether to stop.
        seconds: to train at most; the epoch that they end in is cut short, and counts as one.
        quiet: whether to show no progress.

    Raises:
        ValueError: if the loss is no number any more, or the checkpoint is larger than memory is
            meant for.
    """
    batches = Batches(train, config.batch_size, config.seed, config.branches)
    training_model = config.compiled(model, len(batches))
    checkpointer = BestEpochCheckpoint(
        training_model, batches, config, checkpoint, dict(stamp or {}), stop_rule, seconds
    )
    clock = [] if seconds is None else [Clock(checkpointer)]
    resumed_after = 0
    try:
        resumed_after = checkpointer.restore()
    except Damaged as error:
        print(f"{error}: training begins anew", file=sys.stderr, flush=True)
    if not checkpointer.done:
        watched = None
        if validation is not None:
            watched = Batches(validation, 4 * config.batch_size, branches=config.branches)
        with show_progress(config, len(batches), resumed_after, quiet) as watchers:
            training_model.fit(
                batches,
                validation_data=watched,
                initial_epoch=resumed_after,
                epochs=config.epochs,
                callbacks=[*callbacks, checkpointer, *clock, *watchers],
                shuffle=False,  # the batches come in an order of their own
                verbose=0,
            )
    training_model.set_weights(checkpointer.best_weights)
    return FitResult(
        checkpointer.history, checkpointer.best_epoch, checkpointer.seconds, resumed_after
    )
