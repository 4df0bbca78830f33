"""A kill at any moment of saving costs nothing: the same call gives what it would have given.

What a killed process leaves is the content of its folder at that moment. So one call is run, its
folder is copied at each moment, and the same call is made again with each copy.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerasseq
from kerasseq.tuning.search import Search
from tests.toy import toy

TOY: dict[str, Any] = {"final": "validation"}
SEARCH: dict[str, Any] = {"trials": 2, "epochs": 2, "space": {"units": [2, 4, 8]}, "quiet": True}
# Calls before and after which a process may be killed.
STEPS = ("replace", "rename", "rmdir", "unlink", "mkdir")
MOMENTS, FEW = 20, 6


def _gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


@contextmanager
def _copied(folder: Path, copies: Path, inside: Callable[[str], bool]) -> Iterator[None]:
    """Copy a folder before and after each step on paths of it."""
    copies.mkdir()
    gone, before = f"{_gone()}@", {name: getattr(os, name) for name in STEPS}

    def copy(paths: tuple[Any, ...]) -> None:
        texts = [os.fspath(path) for path in paths if isinstance(path, str | os.PathLike)]
        within = any(text.startswith(str(folder)) and inside(text) for text in texts)
        if not within or not folder.is_dir():
            return
        target = copies / f"{len(os.listdir(copies)):03}"
        with pytest.MonkeyPatch.context() as own:
            for name, step in before.items():
                own.setattr(os, name, step)
            shutil.copytree(folder, target)
            for path in sorted(target.rglob(".new.*"), reverse=True):
                # As if this process had been killed.
                path.rename(path.with_name(path.name.replace(f"{os.getpid()}@", gone)))

    def watched(name: str) -> Callable[..., Any]:
        def step(*paths: Any, **options: Any) -> Any:
            copy(paths)
            result = before[name](*paths, **options)
            copy(paths)
            return result

        return step

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, watched(name))
        yield


def _moments(copies: Path, count: int | None = None) -> list[Path]:
    """The copies, or so many of them, evenly."""
    found = sorted(copies.iterdir())
    places = np.linspace(0, len(found) - 1, min(count or len(found), len(found)))
    return [found[int(place)] for place in places]


def _content(run: Any) -> tuple[Any, ...]:
    """A run without what the clock has to do with."""
    metrics = {name: own for name, own in run.metrics.items() if name != "seconds"}
    weights = [weight.tolist() for weight in run.model.get_weights()]
    return run.settings, run.state, metrics, run.history, run.notes, weights


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A run that nothing happened to, and copies of its folder from all moments of saving."""
    folder = tmp_path_factory.mktemp("whole")
    with _copied(folder / "run", folder / "copies", lambda path: True):
        run = toy(out=folder / "run", **TOY)
    return run, folder / "copies"


def _goes_on(whole: Any, copy: Path) -> None:
    again = toy(out=copy, **TOY)
    assert _content(again) == _content(whole)
    assert _content(kerasseq.load(copy)) == _content(whole)
    assert _files(copy) == _files(whole.folder)


@pytest.mark.thorough
def test_a_run_goes_on_from_moments_of_saving(whole: tuple[Any, Path]) -> None:
    run, copies = whole
    assert len([*copies.iterdir()]) > 2 * MOMENTS
    for copy in _moments(copies, FEW):
        _goes_on(run, copy)


@pytest.mark.slow
def test_a_run_goes_on_from_every_moment_of_saving(whole: tuple[Any, Path], tmp_path: Path) -> None:
    run, copies = whole
    for copy in _moments(copies):
        again = tmp_path / copy.name
        shutil.copytree(copy, again)
        _goes_on(run, again)


@pytest.mark.thorough
@pytest.mark.parametrize("count", [FEW, pytest.param(None, marks=pytest.mark.slow)])
def test_replacing_a_run_leaves_the_old_one_or_the_new_one(
    count: int | None, tmp_path: Path
) -> None:
    old, new = toy(), toy(seed=1)
    old.state["array"] = np.arange(3)  # which the new one lacks
    folder, copies = tmp_path / "run", tmp_path / "copies"
    old.save(folder)
    (folder / "notes.txt").write_text("mine")
    with _copied(folder, copies, lambda path: True):
        new.save(folder, overwrite=True)
    seeds = []
    assert len([*copies.iterdir()]) > MOMENTS
    for copy in _moments(copies, count):
        found = kerasseq.load(copy)
        seeds.append(found.settings["seed"])
        for own, there in zip(found.model.get_weights(), (old, new)[seeds[-1]].model.get_weights()):
            np.testing.assert_array_equal(own, there)
        assert ("array" in found.state) == (seeds[-1] == 0)
        assert (copy / "notes.txt").read_text() == "mine"
    assert seeds == sorted(seeds)
    assert {*seeds} == {0, 1}
    assert _files(folder) == {*_files(new.save(tmp_path / "alone")), "notes.txt"}


# Searches


def _no_trials(*given: Any) -> None:
    raise AssertionError("no process is started for trials that have all ended")


def _search_goes_on(folder: Path, count: int | None, tmp_path: Path, workers: int) -> None:
    def in_the_end(path: str) -> bool:
        own = Path(path).relative_to(folder).parts
        return bool(own) and own[0] in ("best", "default", "best.npz", "default.npz", "trials.csv")

    with _copied(folder, tmp_path / "copies", in_the_end):
        whole = kerasseq.tune(toy, out=folder, workers=workers, **SEARCH)
    trials = whole.trials.drop(columns=["seconds"])
    for copy in _moments(tmp_path / "copies", count):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Search, "_run_trials", _no_trials)
            again = kerasseq.tune(toy, out=copy, workers=workers, **SEARCH)
        assert again.trials.drop(columns=["seconds"]).equals(trials)
        assert again.gain == whole.gain
        for name in ("best", "default"):
            assert _content(getattr(again, name)) == _content(getattr(whole, name))
        assert _files(copy) == _files(folder)


@pytest.mark.thorough
def test_a_search_goes_on_from_moments_of_saving(tmp_path: Path) -> None:
    _search_goes_on(tmp_path / "search", 2, tmp_path, workers=1)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_goes_on_from_many_moments_of_saving(tmp_path: Path, workers: int) -> None:
    _search_goes_on(tmp_path / "search", MOMENTS, tmp_path, workers)


# The same with real kills


def _killed(folder: Path, last: int, seen: Any) -> None:
    """Train, and kill this process before or after the call of `os.replace` with this number."""
    replace = os.replace

    def killed(source: Any, target: Any) -> None:
        for step in (lambda: None, lambda: replace(source, target)):
            step()
            if seen.value == last:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.value += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", killed)
        toy(out=folder, **TOY)


@pytest.mark.slow
def test_a_run_that_is_killed_at_twenty_moments_goes_on(
    whole: tuple[Any, Path], tmp_path: Path
) -> None:
    # Processes are forked from one that has imported everything, which takes longest.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    count = processes.Value("i", 0)

    def exit_code(folder: Path, last: int) -> int | None:
        count.value = 0
        process = processes.Process(target=_killed, args=(folder, last, count))
        process.start()
        process.join(300)
        return process.exitcode

    assert exit_code(tmp_path / "ended", -1) == 0
    for moment in np.linspace(0, count.value - 1, MOMENTS).astype(int).tolist():
        assert exit_code(tmp_path / str(moment), moment) == -signal.SIGKILL
        _goes_on(whole[0], tmp_path / str(moment))
