"""The tuner: KerasTuner's loop, which asks for trials, runs them, and reports what came of each."""

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
from kerasseq.tuning.oracle import BEAT, MARK, OBJECTIVE, OUTCOME, SETTINGS
from kerasseq.tuning.task import Data, Task

__all__ = ["GROWTH", "Full", "Runner", "Stranger", "Unwritable", "memory"]

Curves = Callable[[], Sequence[Sequence[float]]]
GROWTH = 200.0  # mebibytes
_PAUSE = 0.5  # seconds until a worker asks again, where there is nothing to do yet


class Unwritable(keras_tuner.errors.FatalError):
    """A folder that cannot be written: no fault of the trial, and the end of the search."""


class Full(keras_tuner.errors.FatalError):
    """A process that has grown too much over its trials, which another one may go on with."""


class Stranger(keras_tuner.errors.FatalError):
    """A worker that has another search than its chief."""


class Runner(keras_tuner.engine.base_tuner.BaseTuner):  # type: ignore[misc]
    """Runs trials until the oracle has no more.

    Args:
        oracle: what proposes them, or the objective of the chief that does.
        task: the search.
        data: its data.
        curves: those of the trials that have ended, to prune by.
        growth: mebibytes that the process may grow by after its first trial: frameworks keep
            some of what each model took. None for any number.
    """

    NAME = "tuner0"  # what KerasTuner calls the only one

    def __init__(
        self, oracle: Any, task: Task, data: Data, curves: Curves, growth: float | None = None
    ) -> None:
        # KerasTuner's own files, which nothing reads: the journal has it all.
        self._folder = task.folder / f".{os.environ.get('KERASTUNER_TUNER_ID', self.NAME)}"
        super().__init__(
            oracle=oracle,
            directory=str(self._folder.parent),
            project_name=self._folder.name,
            overwrite=True,
        )
        self._task, self._data, self._curves = task, data, curves
        self._idle = False
        self._growth, self._first = growth, math.nan
        self._works = "KERASTUNER_ORACLE_IP" in os.environ and "chief" not in self.tuner_id

    def search(self) -> None:
        """Run trials until there are none left."""
        try:
            super().search()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def pre_create_trial(self) -> None:
        if self._idle:
            time.sleep(_PAUSE)
        self._idle = True
        if self._growth is not None and memory() - self._first > self._growth:
            raise Full

    def on_trial_begin(self, trial: Any) -> None:
        self._idle = False

    def run_trial(self, trial: Any) -> dict[str, float]:
        values = trial.hyperparameters.values
        if values[MARK] != self._task.mark:
            values[OUTCOME] = json.dumps(None)
            self.oracle.end_trial(trial)
            raise Stranger(
                "the chief has another search: give this worker the same arguments and data."
            )
        try:
            with self._beating():
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
        # KerasTuner prints a trace of what is raised; the oracle reads the outcome itself.
        return {OBJECTIVE: math.nan if outcome.score is None else outcome.score}

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        if math.isnan(self._first):
            self._first = memory()
        if self._works and not (self._task.folder / JOURNAL).is_file():
            # The chief, which clears up after trials, does not see this folder.
            shutil.rmtree(trials.folder(self._task, trial.trial_id), ignore_errors=True)

    @contextlib.contextmanager
    def _beating(self) -> Iterator[None]:
        """Let the chief know from time to time that this worker is at its trial."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                self.oracle.create_trial(self.tuner_id)  # the trial that it has, again

        thread = threading.Thread(target=beat, daemon=True)
        if self._works:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if self._works:
                thread.join()

    def save(self) -> None:
        """Nothing, for the same reason."""


def memory() -> float:
    """The mebibytes that this process has alone; nothing where the system does not tell."""
    try:
        resident, mapped = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    except OSError:  # not Linux
        return math.nan
    return (resident - mapped) * resource.getpagesize() / 2**20
