"""The tuner: KerasTuner's loop, which requests trials, runs them and reports their outcomes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras_tuner

from kerasseq.tuning import trial as trials
from kerasseq.tuning.journal import JOURNAL
from kerasseq.tuning.oracle import HEARTBEAT, MARK, OBJECTIVE, OUTCOME, SETTINGS
from kerasseq.tuning.task import Data, Task

__all__ = ["GROWTH", "MemoryGrown", "Runner", "SearchMismatch", "Unwritable", "memory"]

Curves = Callable[[], Sequence[Sequence[float]]]
GROWTH = 200.0  # mebibytes
_PAUSE = 0.5  # seconds until an idle worker requests a trial again


class Unwritable(keras_tuner.errors.FatalError):
    """The folder of the search cannot be written: the search ends, and the trial does not fail."""


class MemoryGrown(keras_tuner.errors.FatalError):
    """The memory of this process has grown too much: another process should continue."""


class SearchMismatch(keras_tuner.errors.FatalError):
    """The worker and its chief have different searches."""


class Runner(keras_tuner.engine.base_tuner.BaseTuner):  # type: ignore[misc]
    """Tuner of KerasTuner that runs trials until the oracle proposes no more.

    Args:
        oracle: oracle of KerasTuner that proposes the trials. In a worker, KerasTuner asks the
            oracle of the chief instead, and reads only the objective from this one: it must have
            the objective of the chief.
        task: description of the search.
        data: data of the search.
        curves: function that returns, for each trial that has ended, the monitored value after each
            epoch; for pruning.
        growth: mebibytes by which the memory of the process may grow after its first trial, since
            frameworks do not free all memory of a model. Beyond it, `search` raises `MemoryGrown`
            before the next trial, so that a new process can continue. None for no limit.
    """

    NAME = "tuner0"  # KerasTuner's name of the tuner when there are no workers

    def __init__(
        self, oracle: Any, task: Task, data: Data, curves: Curves, growth: float | None = None
    ) -> None:
        # A folder for KerasTuner's own files, which nobody reads: the journal has all data.
        self._folder = task.folder / f".{os.environ.get('KERASTUNER_TUNER_ID', self.NAME)}"
        super().__init__(
            oracle=oracle,
            directory=str(self._folder.parent),
            project_name=self._folder.name,
            overwrite=True,
        )
        self._task, self._data, self._curves = task, data, curves
        self._idle = False
        self._allowed_growth = growth
        self._first_memory = math.nan
        self._has_chief = "KERASTUNER_ORACLE_IP" in os.environ and "chief" not in self.tuner_id

    def search(self) -> None:
        """Run trials until the oracle proposes no more.

        Raises:
            MemoryGrown: if the process has grown by more than `growth`.
            SearchMismatch: if the chief has another search.
            Unwritable: if the folder of the search cannot be written.
        """
        try:
            super().search()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def pre_create_trial(self) -> None:
        if self._idle:
            time.sleep(_PAUSE)
        self._idle = True
        if (
            self._allowed_growth is not None
            and memory() - self._first_memory > self._allowed_growth
        ):
            raise MemoryGrown

    def on_trial_begin(self, trial: Any) -> None:
        self._idle = False

    def run_trial(self, trial: Any) -> dict[str, float]:
        values = trial.hyperparameters.values
        if values[MARK] != self._task.mark:
            values[OUTCOME] = json.dumps(None)
            self.oracle.end_trial(trial)
            raise SearchMismatch(
                "the chief has another search: give this worker the same arguments and data."
            )
        try:
            with self._heartbeat():
                outcome = trials.run(
                    self._task,
                    self._data,
                    trial.trial_id,
                    {**self._task.settings, **json.loads(values[SETTINGS])},
                    epochs=values.get("tuner/epochs"),
                    parent=values.get("tuner/trial_id"),
                    curves=self._curves() if self._task.prune else (),
                )
        except OSError as error:
            raise Unwritable(str(error)) from error
        values[OUTCOME] = json.dumps(outcome.to_dict())
        # Raising would make KerasTuner print a traceback; the oracle reads the outcome instead.
        return {OBJECTIVE: math.nan if outcome.score is None else outcome.score}

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        if math.isnan(self._first_memory):
            self._first_memory = memory()
        if self._has_chief and not (self._task.folder / JOURNAL).is_file():
            # The chief, which removes checkpoints, runs on a machine without this folder.
            shutil.rmtree(trials.folder(self._task, trial.trial_id), ignore_errors=True)

    @contextlib.contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Tell the chief at intervals that this worker is running its trial."""
        finished = threading.Event()

        def beat() -> None:
            while not finished.wait(HEARTBEAT):
                self.oracle.create_trial(self.tuner_id)  # returns the current trial again

        thread = threading.Thread(target=beat, daemon=True)
        if self._has_chief:
            thread.start()
        try:
            yield
        finally:
            finished.set()
            if self._has_chief:
                thread.join()

    def save(self) -> None:
        """Do nothing: the journal has all data."""


def memory() -> float:
    """Private memory of this process in mebibytes; NaN where the system does not report it."""
    try:
        resident, mapped = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    except OSError:  # not Linux
        return math.nan
    return (resident - mapped) * resource.getpagesize() / 2**20
