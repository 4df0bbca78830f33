"""A search from its first trial to its final runs, in the process that writes its journal."""

from __future__ import annotations

import contextlib
import gc
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseq.tasks.recipe import importable
from kerasseq.training.retracing import without_retracing_warnings
from kerasseq.tuning import tensorboard
from kerasseq.tuning import trial as trials
from kerasseq.tuning.final import DEFAULT, finish
from kerasseq.tuning.hyperband import factor_for, promotable
from kerasseq.tuning.journal import FORMAT, JOURNAL, Journal, read_checked, unwritable_error
from kerasseq.tuning.progress import Progress
from kerasseq.tuning.results import Result, rows
from kerasseq.tuning.shared_arrays import LENT, Lender
from kerasseq.tuning.task import Data, Task, defaults, make_settings

__all__ = ["Search"]

_SHOWN_DIFFERENCES = 5  # differences listed in an error message
_LEFTOVERS = (".chief", ".tuner*", ".worker*", LENT)  # files that killed processes leave behind


class Search:
    """A search, in the process that writes its journal.

    Args:
        task: description of the search.
        quiet: whether to show no progress.
        borrow: function that requests prepared data from the process that started the search, see
            `Data`; without it, this process prepares the data.

    Raises:
        ValueError: if no settings are within the budget, or the folder holds another search or
            other files.
        OSError: if the folder cannot be written.
    """

    def __init__(self, task: Task, quiet: bool, borrow: Callable[..., Any] | None = None) -> None:
        self.task, self.data = task, Data(task.recipe, task.source, task.settings, borrow)
        self.budget = task.budget(self.data)
        self.budget.check(task.settings)
        if task.folds > 1:  # raises before the first trial if the data has too few rows for them
            self.data.prepared(task.settings, (0, task.folds))
        _check_free(task.folder)
        self.journal = Journal(task.folder)
        try:
            self.events = read_checked(task.folder)
        except ValueError:
            self.journal.close()
            raise
        self._begin()
        recipe = task.recipe
        self.progress = Progress(recipe.headline, recipe.higher_is_better, task.trials, quiet)

    def run(self, workers: int = 1, remote: bool = False) -> Result:
        """Run the remaining trials, train the final runs, and return the result.

        Args:
            workers: number of worker processes on this machine.
            remote: whether workers on other machines run the trials instead.
        """
        # Each trial has to be traced anew.
        with self.progress as progress, without_retracing_warnings(), _unfreezing():
            try:
                for event in self.events:
                    progress.add_earlier(event)
                    self._log(event, again=False)
                if self.events[-1]["event"] != "finished":
                    if not self._all_ended:
                        self._run_trials(workers, remote)
                    self._finish()
            finally:
                self.journal.close()
        result = Result(self.task.folder, self.events)
        result.save()
        return result

    @property
    def _all_ended(self) -> bool:
        """Whether all trials have ended, and the trial of the recipe's defaults has begun."""
        return any(event.get("trial") == DEFAULT for event in self.events)

    def _run_trials(self, workers: int, remote: bool) -> None:
        """Run the trials that are left, see `run`."""
        if workers > 1 and not remote:
            self.run_workers(workers)
        elif not self.trials(remote):
            self.run_workers(1)

    def record(self, event: dict[str, Any]) -> None:
        """Write an event to the journal, show it, and remove checkpoints without further use."""
        self.journal.append(event)
        self.events.append(event)
        self.progress.show(event)
        if event["event"] == "ended":
            self.clear()
        self._log(event)

    def curves(self) -> list[list[float]]:
        """Monitored value after each epoch, for each trial that has ended."""
        return [e["curve"] for e in self.events if e["event"] == "ended" and e["curve"]]

    def clear(self) -> None:
        """Remove checkpoints that are no longer needed.

        Checkpoints are kept of running trials, of the best `keep` trials, and of trials that
        Hyperband may promote.
        """
        searched = [row for row in rows(self.events) if row["trial"] != DEFAULT]
        kept = {row["trial"] for row in searched if row["status"] == "runs"} | {DEFAULT}
        kept |= {row["trial"] for row in self._rank(searched)[: self.task.keep]}
        if self.task.tuner == "hyperband":
            epochs = self.task.settings["epochs"]
            factor = factor_for(epochs, self.task.trials)
            kept |= promotable(searched, epochs, factor, self.task.recipe.higher_is_better)
        for path in (self.task.folder / "trials").glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _log(self, event: dict[str, Any], again: bool = True) -> None:
        """Write the TensorBoard log of a trial that has ended.

        Args:
            event: an event of the journal.
            again: whether to replace an existing log.
        """
        folder = self.task.tensorboard
        if folder is None or event["event"] != "ended":
            return
        name = event["trial"]
        if again or not (folder / name).is_dir():
            began = (e for e in self.events if e["event"] == "began" and e["trial"] == name)
            try:
                tensorboard.write(folder, self.task.recipe.headline, next(began), event)
            except OSError as error:
                raise unwritable_error(error, folder) from error

    def _rank(self, trial_rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Trials with a score, the best one first."""
        sign = -1 if self.task.recipe.higher_is_better else 1
        return sorted(
            (row for row in trial_rows if row.get("score") is not None),
            key=lambda row: sign * row["score"],
        )

    def _begin(self) -> None:
        """Write the first event of the journal, or check that the existing one is the same."""
        recipe = self.task.recipe
        about = {
            "event": "search",
            "format": FORMAT,
            **self.task.stamp(),
            "data": self.task.data,
            "metric": recipe.headline,
            "higher_is_better": recipe.higher_is_better,
        }
        if not self.events:
            self.journal.append(about)
            self.events.append(about)
            return
        recorded = self.events[0]
        if recorded["recipe"] != recipe.name:
            self.journal.close()
            raise ValueError(
                f"{self.task.folder} holds a search of {recorded['recipe']}: give another folder."
            )
        changed = _differences(self._with_new_defaults(recorded), about)
        if changed:
            self.journal.close()
            listed, hidden = changed[:_SHOWN_DIFFERENCES], len(changed) - _SHOWN_DIFFERENCES
            more = f" and {hidden:,} more" if hidden > 0 else ""
            raise ValueError(
                f"{self.task.folder} holds a search with {', '.join(listed)}{more}: give "
                "the same settings and data to go on, or another folder to start over."
            )

    def _with_new_defaults(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Add the defaults of settings that the recipe did not have when the journal was begun."""
        recipe, varied = self.task.recipe, recorded.get("space", {})
        defaults_now = recipe.settings_to_json(make_settings(recipe, defaults(recipe)))
        missing = {
            n: value for n, value in defaults_now.items() if n not in {*varied, *self.task.space}
        }
        settings = recipe.settings_by_content({**missing, **recorded.get("settings", {})})
        return {**recorded, "settings": settings}

    def run_workers(self, workers: int) -> None:
        """Run the trials in worker processes on this machine.

        One more process, KerasTuner's chief, proposes the trials to the workers and writes the
        journal. This process prepares the data for all of them, and shows their progress.

        Args:
            workers: number of worker processes.

        Raises:
            ChildProcessError: if the chief fails, or a worker fails repeatedly.
            OSError: if the folder cannot be written.
        """
        from kerasseq.tuning.spread import run_workers

        self.journal.close()
        try:
            lender = Lender(self.data.prepared_for, self.task.folder / LENT)
        except OSError as error:
            raise unwritable_error(error, self.task.folder) from error
        try:
            run_workers(self.task, workers, lender, self.progress.show)
        finally:
            lender.close()
            self.journal = Journal(self.task.folder)
            self.events = read_checked(self.task.folder)

    def trials(self, remote: bool = False) -> bool:
        """Run the trials in this process, or propose them to workers if this process is the chief.

        The environment variables of KerasTuner make a process the chief.

        Args:
            remote: whether workers on other machines may still be running trials of an earlier
                call, and report them.

        Returns:
            Whether all trials were run; if not, the memory of this process has grown too much, and
            another process should run the rest.

        Raises:
            OSError: if the folder cannot be written.
        """
        from kerasseq.tuning import runner as runners
        from kerasseq.tuning.oracle import make, watch_workers

        oracle = make(self.task, self.budget.fit, self.record, self.data.resolve_auto)
        only_here = not importable(self.task.recipe)
        growth = None if only_here else runners.GROWTH
        runner = runners.Runner(oracle, self.task, self.data, self.curves, growth)
        oracle.replay([e for e in self.events if e.get("trial") not in (None, DEFAULT)])
        if not remote:
            oracle.requeue([runner.NAME])
        try:
            with watch_workers(oracle):
                runner.search()
        except runners.MemoryGrown:
            return False
        except runners.Unwritable as error:
            raise unwritable_error(error, self.task.folder) from error
        return True

    def _finish(self) -> None:
        """Run the trial of the recipe's defaults, then train the final runs."""
        task = self.task
        varied = {name: task.settings[name] for name in task.varied}
        default_events = {e["event"] for e in self.events if e.get("trial") == DEFAULT}
        if "began" not in default_events:
            event = {"event": "began", "trial": DEFAULT, "worker": "tuner", "settings": varied}
            self.record(event)
        if "ended" not in default_events:
            self.progress.announce("the recipe's own setting, to compare with")
            outcome = trials.run(task, self.data, DEFAULT, task.settings)
            self.record({"event": "ended", "trial": DEFAULT, **outcome.to_dict()})
        self.progress.announce("the best setting and the recipe's own, on all but the test part")
        ended = [row for row in rows(self.events) if row["status"] != "runs"]
        self.record({"event": "finished", **finish(task, self.data, ended)})
        shutil.rmtree(trials.folder(task, DEFAULT), ignore_errors=True)
        for path in (path for name in _LEFTOVERS for path in task.folder.glob(name)):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _unfreezing() -> Iterator[None]:
    """Context that undoes `gc.freeze` at its end: trials call it after each model."""
    frozen = gc.get_freeze_count()
    try:
        yield
    finally:
        if not frozen:  # the caller had frozen nothing before
            gc.unfreeze()


def _check_free(folder: Path) -> None:
    if folder.is_file():
        raise ValueError(f"{folder} is a file: give the name of a folder.")
    if folder.is_dir() and not (folder / JOURNAL).is_file() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty, and no search: give another folder.")


def _differences(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """The values of a journal that differ from those of this search, as text."""
    differences = []
    for name, value in current.items():
        old = recorded.get(name)
        if old == value:
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            names = sorted({*old, *value})
            differences += [f"{n}={old.get(n)!r}" for n in names if old.get(n) != value.get(n)]
        else:
            differences.append("other data" if name == "data" else f"{name}={old!r}")
    return differences
