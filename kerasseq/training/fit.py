"""The one path on which models are trained, stopped, resumed and run over data."""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import keras
import numpy as np

from kerasseq.io import atomic, schema
from kerasseq.training import optimizers
from kerasseq.training.batches import OWN, Batches, Examples, Generated
from kerasseq.training.optimizers import check, recorded

__all__ = [
    "SETTINGS",
    "Batches",
    "Damaged",
    "StopRule",
    "Examples",
    "Generated",
    "History",
    "TrainingConfig",
    "FitResult",
    "check",
    "finite",
    "fit",
    "outputs",
    "read_stamp",
    "recorded",
    "sign",
]

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


@dataclass(frozen=True)
class FitResult:
    """What training gave; the model itself holds the weights of the best epoch."""

    history: History
    best_epoch: int
    seconds: float
    resumed_after: int = 0


def outputs(
    model: keras.Model, examples: Examples | Generated, batch_size: int = 256
) -> np.ndarray:
    """What a model gives for each row, in the order of the rows.

    Raises:
        ValueError: if that is not finite.
    """
    if isinstance(examples, Examples):
        examples = Examples(examples.inputs, lengths=examples.lengths)
    batches = Batches(examples, batch_size)
    found = np.asarray(model.predict(batches, verbose=0))
    ordered = np.empty_like(found)
    ordered[batches.order] = found
    return finite(ordered, model)


def finite(outputs: np.ndarray, model: keras.Model) -> np.ndarray:
    """The outputs of a model, checked to be finite numbers.

    Args:
        outputs: outputs, or states, of shape `(rows, ...)`.
        model: the model that gave them.

    Raises:
        ValueError: if they are not; it names a weight that holds NaN or infinity, if there is one.
    """
    bad = ~np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    if not bad.any():
        return outputs
    weight = next((own.path for own in model.weights if not _is_finite(own)), None)
    if weight is not None:
        raise ValueError(
            f"the model gives no finite numbers for {bad.sum():,} of {len(bad):,} rows, since its "
            f"weight {weight} holds NaN or infinity. Train again with a lower learning_rate or a "
            "smaller clipnorm, or restore the model from a copy."
        )
    raise ValueError(
        f"the model gives no finite numbers for {bad.sum():,} of {len(bad):,} rows, the first of "
        f"them row {bad.argmax()} (counted from 0), though its weights are finite. Check the "
        "values of that row, which may be far from those of the training data."
    )


def _is_finite(weight: keras.Variable) -> bool:
    return bool(np.isfinite(keras.ops.convert_to_numpy(weight)).all())


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
        ValueError: if the loss is no number any more.
    """
    batches = Batches(train, config.batch_size, config.seed, config.branches)
    training_model = config.compiled(model, len(batches))
    if config.branches:
        _build_loss(training_model, batches)
    checkpointer = _BestEpochCheckpoint(
        training_model, batches, config, checkpoint, dict(stamp or {}), stop_rule, seconds
    )
    clock = [] if seconds is None else [_Clock(checkpointer)]
    resumed_after = 0
    try:
        resumed_after = checkpointer.restore()
    except Damaged as error:
        print(f"{error}: training begins anew", file=sys.stderr, flush=True)
    if not checkpointer.done:
        watched = None
        if validation is not None:
            watched = Batches(validation, 4 * config.batch_size, branches=config.branches)
        with _progress(config, len(batches), resumed_after, quiet) as watchers:
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


def _build_loss(model: keras.Model, batches: Batches) -> None:
    """Make the variables that Keras keeps for a loss of several outputs.

    Left to the first training step, they make TensorFlow trace that step twice.
    """
    inputs, targets, *_ = batches[0]
    model.compute_loss(y=targets, y_pred=model(inputs, training=False))


def sign(monitor: str | None) -> float:
    """1.0 where less is better of what is followed, such as of a loss; else -1.0."""
    return 1.0 if monitor is None or monitor.endswith("loss") else -1.0


class Damaged(ValueError):
    """A checkpoint that cannot be read, such as a power cut leaves."""


class _State(TypedDict):
    """The JSON values of a checkpoint, beside its arrays."""

    stamp: dict[str, Any]
    history: History
    best_epoch: int
    best: float
    seconds: float


def read_stamp(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint belongs to, and how many `epochs` and `seconds` of training it holds.

    Raises:
        Damaged: if it cannot be read.
    """
    state, _ = _read(checkpoint)
    epochs = len(state["history"].get("loss", []))
    return {**state["stamp"], "epochs": epochs, "seconds": state["seconds"]}


def _read(checkpoint: Path) -> tuple[_State, dict[str, np.ndarray]]:
    """The JSON values and the arrays of a checkpoint."""
    try:
        with open(checkpoint, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = dict(file)
        state = json.loads(str(arrays.pop("state")))
        schema.check(state, _State, "its state")
        return state, arrays
    except Exception as error:  # NumPy has no error of its own for a file that it cannot read
        sought = isinstance(error, OSError) and error.errno == errno.EINVAL  # before its beginning
        if isinstance(error, OSError | MemoryError) and not sought:
            raise  # which is no fault of the file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Damaged(f"{checkpoint} is damaged ({reason})") from error


class _Clock(keras.callbacks.Callback):
    """Ends an epoch when the time is over.

    It is no method of the checkpointer: Keras would then read the metrics out after each batch.
    """

    def __init__(self, checkpointer: _BestEpochCheckpoint) -> None:
        super().__init__()
        self._checkpoint = checkpointer

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._checkpoint.late:
            self.model.stop_training = True


class _BestEpochCheckpoint(keras.callbacks.Callback):
    """Orders the batches, keeps the best epoch, stops, and writes what is needed to go on."""

    def __init__(
        self,
        model: keras.Model,
        batches: Batches,
        config: TrainingConfig,
        checkpoint: Path | None,
        stamp: dict[str, Any],
        stop_rule: StopRule | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.set_model(model)
        self._batches, self._config, self._stop_rule = batches, config, stop_rule
        self._most = np.inf if seconds is None else seconds
        self._checkpoint, self._stamp = checkpoint, stamp
        self._sign = sign(config.monitor)
        self._best = np.inf
        self._start, self._before = time.perf_counter(), 0.0
        self.history: History = {}
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] = model.get_weights()

    @property
    def seconds(self) -> float:
        """Time spent, interruptions left out."""
        return self._before + time.perf_counter() - self._start

    @property
    def late(self) -> bool:
        """Whether there is no time left."""
        return self.seconds >= self._most

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return len(self.history.get("loss", ()))

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        stale = self.epochs - self.best_epoch >= self._config.patience
        if self.epochs >= self._config.epochs or (self.epochs > 0 and stale):
            return True
        if not self.epochs:
            return False
        return self.late or (self._stop_rule is not None and self._stop_rule(self.history))

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        found = followed(logs)
        if not np.isfinite(found["loss"]):
            self._forget()
            raise ValueError(
                f"training diverged: the loss became {found['loss']} in epoch {epoch + 1}. "
                f"Lower {self._config.rate}."
            )
        for name, value in found.items():
            self.history.setdefault(name, []).append(value)
        if self._config.monitor is not None and self._config.monitor not in found:
            raise ValueError(
                f"monitor must be one of {', '.join(found)}. "
                f"Received: monitor={self._config.monitor!r}"
            )
        now = (
            self._best if self._config.monitor is None else self._sign * found[self._config.monitor]
        )
        if now < self._best or not self.best_epoch or self._config.monitor is None:
            self._best, self.best_epoch = now, epoch + 1
            self.best_weights = self.model.get_weights()
        self._write()
        if self.done:
            self.model.stop_training = True

    def restore(self) -> int:
        """Go on from the checkpoint where there is one: how many epochs it holds.

        Raises:
            Damaged: if it cannot be read, or is of another model; nothing is then changed.
        """
        if self._checkpoint is None or not self._checkpoint.exists():
            return 0
        state, arrays = _read(self._checkpoint)
        variables = self._variables()
        best = {f"best/{i}": weight for i, weight in enumerate(self.best_weights)}
        for name, own in {**variables, **best}.items():
            if name not in arrays or arrays[name].shape != tuple(own.shape):
                raise Damaged(f"{self._checkpoint} is damaged ({name} missing or of another shape)")
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.best_weights = [arrays[name] for name in best]
        self.history, self.best_epoch = state["history"], state["best_epoch"]
        self._best, self._before = state["best"], state["seconds"]
        return self.epochs

    def _variables(self) -> dict[str, Any]:
        # model.variables, unlike its weights, has the states of the random generators too.
        groups = {"model": self.model.variables, "optimizer": self.model.optimizer.variables}
        return {
            f"{group}/{i}": variable
            for group, variables in groups.items()
            for i, variable in enumerate(variables)
        }

    def _write(self) -> None:
        if self._checkpoint is None:
            return
        arrays = {name: np.asarray(variable) for name, variable in self._variables().items()}
        arrays |= {f"best/{i}": weight for i, weight in enumerate(self.best_weights)}
        state = {
            "stamp": self._stamp,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best": self._best,
            "seconds": self.seconds,
        }
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(self._checkpoint) as temporary, open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)

    def _forget(self) -> None:
        """A run that diverges does so again: leave nothing of it."""
        if self._checkpoint is not None and self._checkpoint.exists():
            self._checkpoint.unlink()
            if not any(self._checkpoint.parent.iterdir()):
                self._checkpoint.parent.rmdir()


@contextmanager
def _progress(
    config: TrainingConfig, steps: int, epochs_done: int, quiet: bool
) -> Iterator[list[keras.callbacks.Callback]]:
    """What shows progress: a bar on a terminal, else a line per epoch; on standard error."""
    if quiet:
        yield []
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield [_Lines(config.epochs)]
        return
    from rich import progress

    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[shown]}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(
            "", total=config.epochs * steps, completed=epochs_done * steps, shown=""
        )
        yield [_Bar(bar, task, steps, config.epochs), _Lines(config.epochs, bar.console)]


class _Lines(keras.callbacks.Callback):
    """One line per epoch."""

    def __init__(self, epochs: int, console: Any = None) -> None:
        super().__init__()
        self._epochs, self._console = epochs, console

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        line = f"epoch {epoch + 1}/{self._epochs}  {_shown(logs)}"
        if self._console is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._console.print(line, highlight=False)


class _Bar(keras.callbacks.Callback):
    """Moves the progress bar, a few times a second."""

    def __init__(self, bar: Any, task: Any, steps: int, epochs: int) -> None:
        super().__init__()
        self._bar, self._task, self._steps, self._epochs = bar, task, steps, epochs
        self._epoch = 0
        self._next = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if time.monotonic() < self._next and batch + 1 < self._steps:
            return  # reading the metrics out costs more than a step of a small model
        self._next = time.monotonic() + 0.2
        self._bar.update(
            self._task,
            completed=self._epoch * self._steps + batch + 1,
            description=f"epoch {self._epoch + 1}/{self._epochs}",
            shown=_shown(logs),
        )


def followed(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Losses and metrics of the model itself, from those that Keras logs with its branches."""
    found = {name: float(value) for name, value in (logs or {}).items()}
    if f"{OWN}_loss" not in found:
        return found
    own = {name: value for name, value in found.items() if f"{OWN}_" in name}
    return {name.replace(f"{OWN}_", "", 1): value for name, value in own.items()}


def _shown(logs: Mapping[str, Any] | None) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in followed(logs).items())
