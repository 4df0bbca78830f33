"""`kerasseq.tune`, and `kerasseq.join` for its workers on other machines."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasseq import registry
from kerasseq.io import paths
from kerasseq.settings import one_of, require_positive
from kerasseq.tuning.environment import CHIEF, tuner_environment
from kerasseq.tuning.results import Result
from kerasseq.tuning.search import Search
from kerasseq.tuning.space_checks import asked
from kerasseq.tuning.task import Task, known, typed

__all__ = ["TUNERS", "join", "tune"]

TUNERS = ("random", "grid", "bayesian", "hyperband")
_COUNTS = ("trials", "folds", "seeds", "workers", "keep")
_LIMITS = ("max_params", "max_bytes", "max_macs", "match_params")


def tune(
    recipe: Callable[..., Any] | str,
    data: Any = None,
    *,
    trials: int = 30,
    tuner: str = "random",
    space: Mapping[str, Any] | None = None,
    max_params: int | None = None,
    max_bytes: int | None = None,
    max_macs: int | None = None,
    match_params: int | None = None,
    folds: int = 1,
    seeds: int = 1,
    prune: bool = False,
    seconds: float | None = None,
    workers: int = 1,
    keep: int = 1,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    tensorboard: str | os.PathLike[str] | None = None,
    chief: str | None = None,
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
        tuner: "random", "grid", "bayesian" (Gaussian processes, which think for a moment between
            two trials) or "hyperband".
        space: for each setting to vary, in place of the recipe's own ranges: a range
            (`Int`, `Float`, `Choice`, `Conditional` of `kerasseq.settings`), a list of options, a
            text such as "16..256:log"; or one value, which fixes it.
        max_params: parameters of a model at most; what is proposed larger is made to fit.
        max_bytes: bytes of its parameters at most.
        max_macs: multiply-accumulates of its forward pass at most, for one row: a text or caption
            of the mean length, or a window.
        match_params: parameters of each model, as near as whole units come from below, by which
            cells are compared at equal size.
        folds: score each trial on so many folds in place of the validation part.
        seeds: train each trial from so many seeds.
        prune: whether a trial that is worse than the median of the others is stopped early.
        seconds: training time of a trial at most; what then comes out depends on the speed of the
            machine.
        workers: processes that share the trials, each with its share of the cores, or a GPU.
        keep: the trained weights of so many best trials stay on disk.
        seed: of the search, and of the recipe; the same seed gives the same trials and scores.
        out: folder to write to; nothing is kept without it.
        tensorboard: folder to log trials to, for TensorBoard's HParams.
        chief: HOST:PORT to wait on for workers on other machines, which call `kerasseq.join`, in
            place of any trials here.
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
    given = locals()
    address = None if chief is None else _listening(*_address(chief))
    told = {} if address is None else tuner_environment(CHIEF, *address)
    with _folder(out) as folder, _environment(told):
        result = Search(_task(given, folder), quiet).run(workers, remote=bool(told))
        if out is None:  # what is to be had later must be in memory before the folder goes
            result.load()
        return result


def join(
    chief: str,
    recipe: Callable[..., Any] | str,
    data: Any = None,
    *,
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> None:
    """Run trials of a search that another process leads, until there are none left.

    Args:
        chief: HOST:PORT of the process that has called `kerasseq.tune(..., chief=...)`.
        recipe: as there.
        data: the same as there.
        out: folder for checkpoints; with one that a worker finds again, it goes on with the trial
            that it was in. A worker is known by the environment variable KERASTUNER_TUNER_ID, or
            by the name of its host and process.
        **options: all that is given there.

    Raises:
        ValueError: for what `tune` refuses, or if the chief has another search or other data.

    Example:

    >>> join("node-1", "sentiment", "reviews.csv", max_params=100_000)
    Traceback (most recent call last):
    ValueError: chief must be HOST:PORT, such as node-1:7000. Received: 'node-1'
    """
    from kerasseq.tuning.member import work

    address = _address(chief)
    call = inspect.signature(tune).bind(recipe, data, **options)
    call.apply_defaults()
    name = os.environ.get("KERASTUNER_TUNER_ID", f"worker-{socket.gethostname()}-{os.getpid()}")
    name = name.replace(CHIEF, "c")  # by which KerasTuner knows the chief
    with _folder(out) as folder, _environment(tuner_environment(name, *address)):
        folder.mkdir(parents=True, exist_ok=True)
        work(_task(call.arguments, folder))


def _task(given: Mapping[str, Any], folder: Path) -> Task:
    """The search that the arguments of `tune` stand for."""
    counts = {name: given[name] for name in _COUNTS}
    limits = {name: given[name] for name in _LIMITS if given[name] is not None}
    one_of(given, "tuner", TUNERS)
    require_positive(counts, *counts)
    require_positive(limits, *limits)
    for name in ("prune", "quiet"):
        one_of(given, name, (False, True))
    if given["prune"] and given["tuner"] == "hyperband":
        raise ValueError("hyperband stops trials itself: leave out prune, or take another tuner.")
    seconds = given["seconds"]
    number = type(seconds) in (int, float) and 0 < seconds < math.inf
    if seconds is not None and not number:
        raise ValueError(f"seconds must be a number above zero. Received: seconds={seconds!r}")
    recipe, settings, data = known(given["recipe"])
    if getattr(registry.find(recipe.name), "task", None) is not recipe:
        raise ValueError(
            f"recipe must be known by its name, by which its runs are loaded: {recipe.name!r} is "
            "not. Call kerasseq.register with it first."
        )
    if "match_params" in limits:
        if len(limits) > 1:
            raise ValueError("match_params gives each model its size: leave out the other limits.")
        if "units" not in settings:
            raise ValueError("match_params sets units, which this recipe does not have.")
    space, settings = asked(
        recipe, {**settings, "seed": given["seed"]}, given["space"], given["settings"]
    )
    named = {**(given["space"] or {}), **given["settings"]}
    if "match_params" in limits:
        if "units" in named:
            raise ValueError("match_params sets units: leave units out.")
        space.pop("units", None)
    if not space:
        raise ValueError("the space is empty: leave at least one setting to vary, or give a range.")
    own = typed(recipe, settings)
    recorded = recipe.recorded(own)
    # A part that is a table of its own is read once, and not sent to workers.
    settings |= {name: recorded[name] for name in recipe.names("split")}
    names = (
        "tuner",
        "trials",
        "max_params",
        "max_bytes",
        "max_macs",
        "match_params",
        "folds",
        "seeds",
        "prune",
        "seconds",
        "keep",
        "seed",
    )
    return Task(
        recipe=recipe,
        source=recipe.load(data if given["data"] is None else given["data"], own),
        settings=settings,
        recorded=recorded,
        space=space,
        folder=folder,
        tensorboard=None
        if given["tensorboard"] is None
        else _path(given, "tensorboard").absolute(),
        **{name: given[name] for name in names},
    )


def _path(given: Mapping[str, Any], name: str) -> Path:
    """A path that was given."""
    return paths.given(given[name], name)


def _listening(host: str, port: int) -> tuple[str, int]:
    """An address, on which this process can listen."""
    try:
        with socket.create_server((host, port)):
            return host, port
    except OSError as error:
        raise ValueError(
            f"chief must be an address of this machine, with a free port ({error.strerror}). "
            f"Received: '{host}:{port}'"
        ) from error


def _address(text: Any) -> tuple[str, int]:
    """The host and the port of HOST:PORT."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"chief must be HOST:PORT, such as node-1:7000. Received: {text!r}")
    return host, int(port)


@contextlib.contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Variables that are set for a while."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _folder(out: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder of a search; one that goes again if none is given."""
    if out is not None:
        yield _path({"out": out}, "out")
        return
    with tempfile.TemporaryDirectory(prefix="kerasseq-search-") as folder:
        yield Path(folder)
