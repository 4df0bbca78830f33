"""Keeping the best epoch, early stopping, and the file from which training resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

import keras
import numpy as np

from kerasseq.io import atomic, schema
from kerasseq.io.limits import Damaged, read_npz
from kerasseq.training.batches import Batches
from kerasseq.training.config import History, StopRule, TrainingConfig, direction, main_logs
from kerasseq.training.streams import StreamBatches

__all__ = ["BestEpochCheckpoint", "TimeLimit", "read_stamp"]


class _State(TypedDict):
    """The JSON values of a checkpoint file, which also holds arrays."""

    stamp: dict[str, Any]
    history: Annotated[dict[str, list[schema.AnyFloat]], schema.SameLength()]
    best_epoch: schema.Count
    best: schema.AnyFloat
    seconds: float


def read_stamp(checkpoint: Path) -> dict[str, Any]:
    """The stamp of a checkpoint file, with the `epochs` and `seconds` trained so far.

    Raises:
        Damaged: if the file cannot be read.
        TooLarge: if the file is larger than the limit of `kerasseq.io.limits`.
    """
    state, _ = _read(checkpoint)
    epochs = len(state["history"].get("loss", []))
    return {**state["stamp"], "epochs": epochs, "seconds": state["seconds"]}


def _read(checkpoint: Path) -> tuple[_State, dict[str, np.ndarray]]:
    """The JSON values and the arrays of a checkpoint file."""
    arrays = read_npz(checkpoint)
    try:
        state = json.loads(str(arrays.pop("state")))
        schema.check(state, _State, "its state")
    except KeyError:
        raise Damaged(f"{checkpoint} is damaged: it has no state") from None
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{checkpoint} is damaged: {error}") from error
    return state, arrays


class TimeLimit(keras.callbacks.Callback):
    """Ends an epoch when the time limit is reached.

    It is a callback of its own, apart from `BestEpochCheckpoint`: with a method for batches there,
    Keras would read the metrics after each batch.
    """

    def __init__(self, checkpointer: BestEpochCheckpoint) -> None:
        super().__init__()
        self._checkpointer = checkpointer

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._checkpointer.out_of_time:
            self.model.stop_training = True


class BestEpochCheckpoint(keras.callbacks.Callback):
    """Shuffles the batches, keeps the best epoch, stops early, and writes the checkpoint file."""

    def __init__(
        self,
        model: keras.Model,
        batches: Batches | StreamBatches,
        config: TrainingConfig,
        checkpoint: Path | None,
        stamp: dict[str, Any],
        stop_rule: StopRule | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.set_model(model)
        self._batches, self._config, self._stop_rule = batches, config, stop_rule
        self._time_limit = np.inf if seconds is None else seconds
        self._checkpoint, self._stamp = checkpoint, stamp
        self._sign = direction(config.monitor)
        self._best = np.inf
        self._start, self._seconds_before = time.perf_counter(), 0.0
        self.history: History = {}
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] = model.get_weights()

    @property
    def seconds(self) -> float:
        """Training time, without the time between an interruption and the resumed run."""
        return self._seconds_before + time.perf_counter() - self._start

    @property
    def out_of_time(self) -> bool:
        """Whether the time limit is reached."""
        return self.seconds >= self._time_limit

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return len(self.history.get("loss", ()))

    @property
    def done(self) -> bool:
        """Whether training is finished: by epochs, patience, time or the stop rule."""
        waited = self.epochs - max(self.best_epoch, self._config.frozen_epochs)
        out_of_patience = waited >= self._config.patience
        if self.epochs >= self._config.epochs or (self.epochs > 0 and out_of_patience):
            return True
        if not self.epochs:
            return False
        return self.out_of_time or (self._stop_rule is not None and self._stop_rule(self.history))

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        values = main_logs(logs)
        if not np.isfinite(values["loss"]):
            self._delete_checkpoint()
            raise ValueError(
                f"training diverged: the loss became {values['loss']} in epoch {epoch + 1}. "
                f"Lower {self._config.rate}."
            )
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        if self._config.monitor is not None and self._config.monitor not in values:
            raise ValueError(
                f"monitor must be one of {', '.join(values)}. "
                f"Received: monitor={self._config.monitor!r}"
            )
        current = (
            self._best
            if self._config.monitor is None
            else self._sign * values[self._config.monitor]
        )
        if current < self._best or not self.best_epoch or self._config.monitor is None:
            self._best, self.best_epoch = current, epoch + 1
            self.best_weights = self.model.get_weights()
        self._write_checkpoint()
        if self.done:
            self.model.stop_training = True

    def restore(self) -> int:
        """Resume from the checkpoint file if it exists, and return its number of epochs.

        Raises:
            Damaged: if the file cannot be read or belongs to another model; then nothing changes.
        """
        if self._checkpoint is None or not self._checkpoint.exists():
            return 0
        state, arrays = _read(self._checkpoint)
        variables = self._variables()
        best = {f"best/{i}": weight for i, weight in enumerate(self.best_weights)}
        for name, expected in {**variables, **best}.items():
            if name not in arrays or arrays[name].shape != tuple(expected.shape):
                raise Damaged(
                    f"{self._checkpoint} is damaged: {name} is missing or of another shape"
                )
        for name, variable in variables.items():
            variable.assign(arrays[name])
        self.best_weights = [arrays[name] for name in best]
        self.history, self.best_epoch = state["history"], state["best_epoch"]
        self._best, self._seconds_before = state["best"], state["seconds"]
        return self.epochs

    def _variables(self) -> dict[str, Any]:
        # Unlike model.weights, model.variables includes the states of the random generators.
        groups = {"model": self.model.variables, "optimizer": self.model.optimizer.variables}
        return {
            f"{group}/{i}": variable
            for group, variables in groups.items()
            for i, variable in enumerate(variables)
        }

    def _write_checkpoint(self) -> None:
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

    def _delete_checkpoint(self) -> None:
        """Delete the checkpoint of a diverged training, which would diverge again."""
        if self._checkpoint is not None and self._checkpoint.exists():
            self._checkpoint.unlink()
            if not any(self._checkpoint.parent.iterdir()):
                self._checkpoint.parent.rmdir()
