"""A search from its first trial to its runs."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseq import recipe as recipes
from kerasseq import registry
from kerasseq.data.digest import digest
from kerasseq.recipe import OPTIONS
from kerasseq.stages import Stages
from kerasseq.tuning import trial as trials
from kerasseq.tuning.final import DEFAULT, finish
from kerasseq.tuning.journal import JOURNAL, Journal, read
from kerasseq.tuning.progress import Progress
from kerasseq.tuning.results import Result, rows
from kerasseq.tuning.space import narrowed
from kerasseq.tuning.task import Data, Task

__all__ = ["TUNERS", "tune"]

TUNERS = ("random", "grid", "bayesian", "hyperband")
FORMAT = 1
_BYTES = 4  # of a parameter
_LEFT = (".chief", ".tuner*", ".worker*")  # by processes that were killed


def tune(
    recipe: Callable[..., Any] | str,
    data: Any = None,
    *,
    trials: int = 30,
    tuner: str = "random",
    space: Mapping[str, Any] | None = None,
    max_params: int | None = None,
    max_bytes: int | None = None,
    match_params: int | None = None,
    folds: int = 1,
    seeds: int = 1,
    prune: bool = False,
    seconds: float | None = None,
    workers: int = 1,
    keep: int = 1,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Look for better settings of a recipe, within a budget, and train the best one.

    Trials are scored on the validation part; the test part is looked at once, in the end. What was
    best is then trained on training and validation part together, beside the recipe's own setting.
    After an interruption of any kind the same call goes on where it was.

    Args:
        recipe: one of kerasseq, or its name.
        data: what the recipe takes; its own default if not given.
        trials: how many; each training of Hyperband is one.
        tuner: "random", "grid", "bayesian" (Gaussian processes, which take seconds to think between
            two trials) or "hyperband".
        space: for each setting to vary, in place of the recipe's own ranges: a range
            (`Whole`, `Number`, `Choice`, `When` of `kerasseq.settings`), a list of options, a text
            such as "16..256:log"; or one value, which fixes it.
        max_params: parameters of a model at most; what is proposed larger is made to fit.
        max_bytes: bytes of its parameters at most.
        match_params: parameters of each model, as near as whole units come from below, by which
            cells are compared at equal size.
        folds: score each trial on so many folds in place of the validation part.
        seeds: train each trial from so many seeds.
        prune: whether a trial that is worse than the median of the others is stopped early.
        seconds: training time of a trial at most, after whole epochs; what then comes out depends
            on the speed of the machine.
        workers: processes that share the trials, each with its share of the cores, or a GPU.
        keep: the trained weights of so many best trials stay on disk.
        seed: of the search, and of the recipe; the same seed gives the same trials and scores.
        out: folder to write to; nothing is kept without it.
        quiet: whether to show no progress.
        **settings: further arguments of the recipe, which do not vary.

    Returns:
        A Result: `trials`, `best`, `default`, `gain`, `importance()` and plots.

    Raises:
        ValueError: for settings, ranges, a budget, data or a folder that cannot be used.
        OSError: if the folder cannot be written.

    Example:

    >>> found = tune("sentiment", trials=1, tuner="random", epochs=1, quiet=True,
    ...              space={"units": [2, 4], "embedding": 4})
    >>> found.trials["status"].tolist()
    ['completed', 'completed']
    """
    stages, known, first = _known(recipe)
    if data is None:
        data = first
    given = {**dict(space or {}), **settings}
    counts = {"trials": trials, "folds": folds, "seeds": seeds, "workers": workers, "keep": keep}
    _check(tuner, counts, prune, seconds)
    limits = {"max_params": max_params, "max_bytes": max_bytes, "match_params": match_params}
    ranges, fixed = narrowed(stages.space(), given, known)
    known = {**known, **fixed, "seed": seed}
    ranges.pop("seed", None)
    _check_limits(limits, known)
    if match_params is not None:
        ranges.pop("units", None)
    if not ranges:
        raise ValueError("the space is empty: leave at least one setting to vary, or give a range.")
    recorded = recipes.checked(stages, known)
    if max_bytes is not None:
        max_params = min(max_bytes // _BYTES, max_params or max_bytes)
    with _folder(out) as folder:
        task = Task(
            stages,
            stages.load(data, known),
            known,
            ranges,
            folder,
            tuner,
            trials,
            max_params,
            match_params,
            folds,
            seeds,
            prune,
            seconds,
            keep,
            seed,
            recorded,
        )
        result = Search(task, quiet).run(workers)
        if out is None:  # what is to be had later must be in memory before the folder goes
            result.load()
        return result


class Search:
    """A search, in the process that keeps its journal.

    Args:
        task: what to search.
        quiet: whether to show no progress.

    Raises:
        ValueError: if no setting is within the budget, or the folder holds something else.
        OSError: if it cannot be written.
    """

    def __init__(self, task: Task, quiet: bool) -> None:
        self.task, self.data = task, Data(task.stages, task.source, task.settings)
        self.digest = digest(task.source)
        self.budget = task.budget(self.data)
        self.budget.check(task.settings)
        _check_free(task.folder)
        self.journal = Journal(task.folder)
        self.events = read(task.folder)
        self._begin()
        stages = task.stages
        self.progress = Progress(stages.headline, stages.higher_is_better, task.trials, quiet)

    def run(self, workers: int = 1) -> Result:
        """Run the trials that are left, and come to an end."""
        with self.progress as progress, _silence():
            try:
                for event in self.events:
                    progress.go_on(event)
                if self.events[-1]["event"] != "finished":
                    if workers > 1:
                        self._spread(workers)
                    else:
                        self.trials()
                    self._finish()
            finally:
                self.journal.close()
        result = Result(self.task.folder, self.events)
        result.save()
        progress.say("\n".join(result.remarks))
        return result

    def record(self, event: dict[str, Any]) -> None:
        """Write an event down, show it, and clear up after it."""
        self.journal.append(event)
        self.events.append(event)
        self.progress.show(event)
        if event["event"] == "ended":
            self.clear()

    def curves(self) -> list[list[float]]:
        """Those of the trials that have ended."""
        return [e["curve"] for e in self.events if e["event"] == "ended" and e["curve"]]

    def clear(self) -> None:
        """Remove the checkpoints that nothing will go on from."""
        found = [row for row in rows(self.events) if row["trial"] != DEFAULT]
        kept = {row["trial"] for row in found if row["status"] == "runs"} | {DEFAULT}
        kept |= {row["trial"] for row in self._ranked(found)[: self.task.keep]}
        rungs: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in found:
            if row.get("bracket"):  # those of bracket 0 are not promoted
                rungs.setdefault((row["bracket"], row["round"]), []).append(row)
        promoted = {row.get("trial_id") for row in found}
        for rung in rungs.values():
            best = self._ranked(rung)[: -(-len(rung) // 3)]  # a third goes on, at most
            kept |= {row["trial"] for row in best} - promoted
        for own in (self.task.folder / "trials").glob("*"):
            if own.name not in kept:
                shutil.rmtree(own, ignore_errors=True)

    def _ranked(self, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Trials with a score, the best one first."""
        sign = -1 if self.task.stages.higher_is_better else 1
        return sorted(
            (row for row in found if row.get("score") is not None),
            key=lambda row: sign * row["score"],
        )

    def _begin(self) -> None:
        """Write down what the search is, or see that it is the one that is there."""
        stages = self.task.stages
        about = {
            "event": "search",
            "format": FORMAT,
            **self.task.stamp(),
            "data": self.digest,
            "metric": stages.headline,
            "higher_is_better": stages.higher_is_better,
        }
        if not self.events:
            self.journal.append(about)
            self.events.append(about)
            return
        changed = _changed(self.events[0], about)
        if changed:
            self.journal.close()
            raise ValueError(
                f"{self.task.folder} holds a search with {', '.join(changed)}: give the same "
                "settings and data to go on, or another folder to start over."
            )

    def _spread(self, workers: int) -> None:
        """Leave the journal to a chief, and the trials to workers."""
        from kerasseq.tuning.spread import spread

        self.journal.close()
        try:
            spread(self.task, workers, self.progress.show)
        finally:
            self.journal = Journal(self.task.folder)
            self.events = read(self.task.folder)

    def trials(self) -> None:
        """Run the trials, or propose them to workers where the environment names a chief.

        Raises:
            OSError: if the folder cannot be written.
        """
        from kerasseq.tuning.oracle import make
        from kerasseq.tuning.runner import Runner, Unwritable

        oracle = make(self.task, self.budget.fit, self.record)
        runner = Runner(oracle, self.task, self.data, self.curves)
        oracle.replay([e for e in self.events if e.get("trial") not in (None, DEFAULT)])
        oracle.requeue([Runner.NAME])
        try:
            runner.search()
        except Unwritable as error:
            raise OSError(
                f"the search cannot write to {self.task.folder} ({error}): make room or give "
                "another folder; the same call then goes on."
            ) from error

    def _finish(self) -> None:
        """Train the recipe's own setting as a trial, and then the runs of the end."""
        task = self.task
        varied = {name: task.settings[name] for name in task.varied}
        if not any(e["event"] == "ended" and e["trial"] == DEFAULT for e in self.events):
            self.progress.say("the recipe's own setting, to compare with")
            self.record({"event": "began", "trial": DEFAULT, "worker": "tuner", "settings": varied})
            outcome = trials.run(task, self.data, DEFAULT, task.settings)
            self.record({"event": "ended", "trial": DEFAULT, **outcome.to_dict()})
        self.progress.say("the best setting and that one, trained on all but the test part")
        ended = [row for row in rows(self.events) if row["status"] != "runs"]
        self.record({"event": "finished", **finish(task, self.data, self.digest, ended)})
        shutil.rmtree(trials.folder(task, DEFAULT), ignore_errors=True)
        for left in (path for name in _LEFT for path in task.folder.glob(name)):
            shutil.rmtree(left, ignore_errors=True)


def _known(recipe: Callable[..., Any] | str) -> tuple[Stages, dict[str, Any], Any]:
    """The stages of a recipe, its settings with their defaults, and its default data."""
    function = registry.get(recipe) if isinstance(recipe, str) else recipe
    stages = getattr(sys.modules.get(getattr(function, "__module__", "")), "STAGES", None)
    if not isinstance(stages, Stages):
        raise ValueError(
            "recipe must be one of kerasseq or its name, or a function whose module has STAGES. "
            f"Received: recipe={recipe!r}"
        )
    parameters = inspect.signature(function).parameters
    known = {name: own.default for name, own in parameters.items() if name not in OPTIONS}
    return stages, known, parameters["data"].default


def _check(tuner: str, counts: Mapping[str, int], prune: bool, seconds: float | None) -> None:
    recipes.one_of({"tuner": tuner}, "tuner", TUNERS)
    recipes.positive(counts, *counts)
    if prune and tuner == "hyperband":
        raise ValueError("hyperband stops trials itself: leave out prune, or take another tuner.")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be above zero. Received: seconds={seconds!r}")


def _check_limits(limits: Mapping[str, int | None], known: Mapping[str, Any]) -> None:
    given = {name: value for name, value in limits.items() if value is not None}
    recipes.positive(given, *given)
    if "match_params" in given:
        if len(given) > 1:
            raise ValueError("match_params gives each model its size: leave out the other limits.")
        if "units" not in known:
            raise ValueError("match_params sets units, which this recipe does not have.")


@contextlib.contextmanager
def _folder(out: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder of a search; one that goes again if none is given."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="kerasseq-search-") as folder:
        yield Path(folder)


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
