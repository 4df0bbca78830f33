"""A search from its first trial to its runs, in the process that keeps its journal."""

from __future__ import annotations

import contextlib
import gc
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseq.tasks.recipe import importable
from kerasseq.tuning import tensorboard
from kerasseq.tuning import trial as trials
from kerasseq.tuning.final import DEFAULT, finish
from kerasseq.tuning.hyperband import factor_for, promotable
from kerasseq.tuning.journal import FORMAT, JOURNAL, Journal, sound, unwritable
from kerasseq.tuning.progress import Progress
from kerasseq.tuning.results import Result, rows
from kerasseq.tuning.shared_arrays import LENT, Lender
from kerasseq.tuning.task import Data, Task, defaults, typed

__all__ = ["Search"]

_TOLD = 5  # differences
_LEFT = (".chief", ".tuner*", ".worker*", LENT)  # by processes that were killed


class Search:
    """A search, in the process that keeps its journal.

    Args:
        task: what to search.
        quiet: whether to show no progress.
        lend: asks another process for prepared data, where one has it.

    Raises:
        ValueError: if no setting is within the budget, or the folder holds something else.
        OSError: if it cannot be written.
    """

    def __init__(self, task: Task, quiet: bool, lend: Callable[..., Any] | None = None) -> None:
        self.task, self.data = task, Data(task.recipe, task.source, task.settings, lend)
        self.budget = task.budget(self.data)
        self.budget.check(task.settings)
        if task.folds > 1:  # so many as cannot be are told before anything begins
            self.data.prepared(task.settings, (0, task.folds))
        _check_free(task.folder)
        self.journal = Journal(task.folder)
        try:
            self.events = sound(task.folder)
        except ValueError:
            self.journal.close()
            raise
        self._begin()
        recipe = task.recipe
        self.progress = Progress(recipe.headline, recipe.higher_is_better, task.trials, quiet)

    def run(self, workers: int = 1, remote: bool = False) -> Result:
        """Run the trials that are left, and come to an end.

        Args:
            workers: processes on this machine that share them.
            remote: whether they are left to workers on other machines.
        """
        with self.progress as progress, _silence(), _thawed():
            try:
                for event in self.events:
                    progress.go_on(event)
                    self._log(event, again=False)
                if self.events[-1]["event"] != "finished":
                    if workers > 1 and not remote:
                        self.spread(workers)
                    elif not self.trials(remote):
                        self.spread(1)
                    self._finish()
            finally:
                self.journal.close()
        result = Result(self.task.folder, self.events)
        result.save()
        return result

    def record(self, event: dict[str, Any]) -> None:
        """Write an event down, show it, and clear up after it."""
        self.journal.append(event)
        self.events.append(event)
        self.progress.show(event)
        if event["event"] == "ended":
            self.clear()
        self._log(event)

    def curves(self) -> list[list[float]]:
        """Those of the trials that have ended."""
        return [e["curve"] for e in self.events if e["event"] == "ended" and e["curve"]]

    def clear(self) -> None:
        """Remove the checkpoints that nothing will go on from."""
        found = [row for row in rows(self.events) if row["trial"] != DEFAULT]
        kept = {row["trial"] for row in found if row["status"] == "runs"} | {DEFAULT}
        kept |= {row["trial"] for row in self._ranked(found)[: self.task.keep]}
        if self.task.tuner == "hyperband":
            epochs = self.task.settings["epochs"]
            factor = factor_for(epochs, self.task.trials)
            kept |= promotable(found, epochs, factor, self.task.recipe.higher_is_better)
        for own in (self.task.folder / "trials").glob("*"):
            if own.name not in kept:
                shutil.rmtree(own, ignore_errors=True)

    def _log(self, event: dict[str, Any], again: bool = True) -> None:
        """Show TensorBoard a trial that has ended, if it is to be and has not been."""
        folder = self.task.tensorboard
        if folder is None or event["event"] != "ended":
            return
        name = event["trial"]
        if again or not (folder / name).is_dir():
            told = (e for e in self.events if e["event"] == "began" and e["trial"] == name)
            try:
                tensorboard.write(folder, self.task.recipe.headline, next(told), event)
            except OSError as error:
                raise unwritable(error, folder) from error

    def _ranked(self, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Trials with a score, the best one first."""
        sign = -1 if self.task.recipe.higher_is_better else 1
        return sorted(
            (row for row in found if row.get("score") is not None),
            key=lambda row: sign * row["score"],
        )

    def _begin(self) -> None:
        """Write down what the search is, or see that it is the one that is there."""
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
        there = self.events[0]
        if there["recipe"] != recipe.name:
            self.journal.close()
            raise ValueError(
                f"{self.task.folder} holds a search of {there['recipe']}: give another folder."
            )
        changed = _changed(self._filled(there), about)
        if changed:
            self.journal.close()
            more = f" and {len(changed) - _TOLD:,} more" if len(changed) > _TOLD else ""
            raise ValueError(
                f"{self.task.folder} holds a search with {', '.join(changed[:_TOLD])}{more}: give "
                "the same settings and data to go on, or another folder to start over."
            )

    def _filled(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """The first line of a journal, with settings that are newer than it as by default."""
        recipe, varied = self.task.recipe, there.get("space", {})
        known = recipe.recorded(typed(recipe, defaults(recipe)))
        newer = {n: own for n, own in known.items() if n not in {*varied, *self.task.space}}
        return {**there, "settings": {**newer, **there.get("settings", {})}}

    def spread(self, workers: int) -> None:
        """Leave the trials to workers on this machine, and the journal to their chief."""
        from kerasseq.tuning.spread import spread

        self.journal.close()
        try:
            lender = Lender(self.data.asked, self.task.folder / LENT)
        except OSError as error:
            raise unwritable(error, self.task.folder) from error
        try:
            spread(self.task, workers, lender, self.progress.show)
        finally:
            lender.close()
            self.journal = Journal(self.task.folder)
            self.events = sound(self.task.folder)

    def trials(self, remote: bool = False) -> bool:
        """Run the trials, or propose them to workers where the environment names a chief.

        Args:
            remote: whether workers may still be at what they had begun, and report it.

        Returns:
            Whether all were run; otherwise this process has grown so much that another one should.

        Raises:
            OSError: if the folder cannot be written.
        """
        from kerasseq.tuning import runner as runners
        from kerasseq.tuning.oracle import make, watched

        oracle = make(self.task, self.budget.fit, self.record, self.data.settled)
        mine = not importable(self.task.recipe)
        growth = None if mine else runners.GROWTH
        runner = runners.Runner(oracle, self.task, self.data, self.curves, growth)
        oracle.replay([e for e in self.events if e.get("trial") not in (None, DEFAULT)])
        if not remote:
            oracle.requeue([runner.NAME])
        try:
            with watched(oracle):
                runner.search()
        except runners.MemoryGrown:
            return False
        except runners.Unwritable as error:
            raise unwritable(error, self.task.folder) from error
        return True

    def _finish(self) -> None:
        """Train the recipe's own setting as a trial, and then the runs of the end."""
        task = self.task
        varied = {name: task.settings[name] for name in task.varied}
        known = {e["event"] for e in self.events if e.get("trial") == DEFAULT}
        if "began" not in known:
            event = {"event": "began", "trial": DEFAULT, "worker": "tuner", "settings": varied}
            self.record(event)
        if "ended" not in known:
            self.progress.say("the recipe's own setting, to compare with")
            outcome = trials.run(task, self.data, DEFAULT, task.settings)
            self.record({"event": "ended", "trial": DEFAULT, **outcome.to_dict()})
        self.progress.say("the best setting and the recipe's own, on all but the test part")
        ended = [row for row in rows(self.events) if row["status"] != "runs"]
        self.record({"event": "finished", **finish(task, self.data, ended)})
        shutil.rmtree(trials.folder(task, DEFAULT), ignore_errors=True)
        for left in (path for name in _LEFT for path in task.folder.glob(name)):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without TensorFlow's warnings that each trial is traced anew, which is how it must be."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _thawed() -> Iterator[None]:
    """What trials have frozen for the garbage collector is its own again in the end."""
    frozen = gc.get_freeze_count()
    try:
        yield
    finally:
        if not frozen:  # else the caller has done so too
            gc.unfreeze()


def _check_free(folder: Path) -> None:
    if folder.is_file():
        raise ValueError(f"{folder} is a file: give the name of a folder.")
    if folder.is_dir() and not (folder / JOURNAL).is_file() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty, and no search: give another folder.")


def _changed(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What a journal has otherwise, in words."""
    found = []
    for name, value in here.items():
        own = there.get(name)
        if own == value:
            continue
        if isinstance(value, dict) and isinstance(own, dict):
            names = sorted({*own, *value})
            found += [f"{n}={own.get(n)!r}" for n in names if own.get(n) != value.get(n)]
        else:
            found.append("other data" if name == "data" else f"{name}={own!r}")
    return found
