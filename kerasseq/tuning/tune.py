"""`kerasseq.tune`, which runs a search, and `kerasseq.join`, a worker on another machine."""

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
from kerasseq.settings import require_choice, require_positive
from kerasseq.tuning.environment import CHIEF, tuner_environment
from kerasseq.tuning.results import Result
from kerasseq.tuning.search import Search
from kerasseq.tuning.space_checks import check_space
from kerasseq.tuning.task import Task, lookup_recipe, make_settings

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
    """Search for better settings of a recipe, within a budget, and train the best ones.

    Trials are scored on the validation part. At the end, the best settings and the recipe's
    defaults are trained on the training and validation part together, and scored once on the test
    part. After an interruption, the same call with the same `out` resumes the search.

    Args:
        recipe: a recipe of kerasseq, or its name.
        data: the recipe's `data` argument; default: the recipe's default data.
        trials: number of trials; each training of Hyperband counts as one.
        tuner: "random", "grid", "bayesian" (Gaussian processes, which take a moment between two
            trials) or "hyperband".
        space: for each setting to vary, in place of the recipe's own range: a range (`Int`,
            `Float`, `Choice`, `Conditional` of `kerasseq.settings`), a list of options, or a text
            such as "16..256:log"; a single value fixes the setting.
        max_params: largest number of parameters of a model; larger proposals are made smaller.
        max_bytes: largest number of bytes of its parameters.
        max_macs: largest number of multiply-accumulates of its forward pass for one row: a text or
            caption of mean length, or a window.
        match_params: number of parameters that each model comes closest to from below, to compare
            cells at equal size.
        folds: number of folds to score each trial on, in place of the validation part.
        seeds: number of seeds to train each trial with.
        prune: whether a trial that is worse than the median of the others is stopped early.
        seconds: largest training time of a trial; results then depend on the speed of the machine.
        workers: number of processes that share the trials, each with its share of the cores, or a
            GPU.
        keep: number of best trials whose trained weights stay on disk.
        seed: seed of the search and of the recipe; equal seeds give equal trials and scores.
        out: folder to write to; by default nothing is saved.
        tensorboard: folder for logs of the trials, for TensorBoard's HParams.
        chief: HOST:PORT to listen on for workers on other machines, which call `kerasseq.join`;
            no trials run in this process then.
        quiet: whether to show no progress.
        **settings: further arguments of the recipe, which do not vary.

    Returns:
        A Result: `trials`, `best`, `default`, `gain`, `importance()` and plots.

    Raises:
        ValueError: for invalid settings, ranges, budgets or data, a budget that no settings meet,
            or a folder that holds something else.
        OSError: if the folder cannot be written.

    Example:

    >>> result = tune("sentiment", trials=1, tuner="random", epochs=1, quiet=True,
    ...               space={"units": [2, 4], "embedding": 4})
    >>> result.trials["status"].tolist()
    ['completed', 'completed']
    """
    arguments = locals()
    address = None if chief is None else _check_listening(*_address(chief))
    variables = {} if address is None else tuner_environment(CHIEF, *address)
    with _search_folder(out) as folder, _set_environment(variables):
        result = Search(_make_task(arguments, folder), quiet).run(workers, remote=bool(variables))
        if out is None:  # the folder is temporary: load everything before it is removed
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
    """Run trials of a search whose chief is another process, until none are left.

    Args:
        chief: HOST:PORT of the process that called `kerasseq.tune(..., chief=...)`.
        recipe: the same recipe as in that call.
        data: the same data as in that call.
        out: folder for checkpoints. A worker that is restarted with the same folder and name
            resumes its trial; the name is the environment variable KERASTUNER_TUNER_ID, or by
            default the names of host and process.
        **options: the other arguments of that call.

    Raises:
        ValueError: for invalid arguments, as in `tune`, or if the chief has another search or
            other data.

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
    name = name.replace(CHIEF, "c")  # KerasTuner takes a name with "chief" for the chief
    with _search_folder(out) as folder, _set_environment(tuner_environment(name, *address)):
        folder.mkdir(parents=True, exist_ok=True)
        work(_make_task(call.arguments, folder))


def _make_task(arguments: Mapping[str, Any], folder: Path) -> Task:
    """Check the arguments of `tune`, and make the Task of the search."""
    counts = {name: arguments[name] for name in _COUNTS}
    limits = {name: arguments[name] for name in _LIMITS if arguments[name] is not None}
    require_choice(arguments, "tuner", TUNERS)
    require_positive(counts, *counts)
    require_positive(limits, *limits)
    for name in ("prune", "quiet"):
        require_choice(arguments, name, (False, True))
    if arguments["prune"] and arguments["tuner"] == "hyperband":
        raise ValueError("hyperband stops trials itself: leave out prune, or take another tuner.")
    seconds = arguments["seconds"]
    is_positive = type(seconds) in (int, float) and 0 < seconds < math.inf
    if seconds is not None and not is_positive:
        raise ValueError(f"seconds must be a number above zero. Received: seconds={seconds!r}")
    recipe, settings, data = lookup_recipe(arguments["recipe"])
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
    space, settings = check_space(
        recipe, {**settings, "seed": arguments["seed"]}, arguments["space"], arguments["settings"]
    )
    named = {**(arguments["space"] or {}), **arguments["settings"]}
    if "match_params" in limits:
        if "units" in named:
            raise ValueError("match_params sets units: leave units out.")
        space.pop("units", None)
    if not space:
        raise ValueError("the space is empty: leave at least one setting to vary, or give a range.")
    typed_settings = make_settings(recipe, settings)
    recorded = recipe.settings_to_json(typed_settings)
    # A table passed as a part is read once, below; workers get its recorded value instead.
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
        source=recipe.load(
            data if arguments["data"] is None else arguments["data"], typed_settings
        ),
        settings=settings,
        recorded=recorded,
        space=space,
        folder=folder,
        tensorboard=None
        if arguments["tensorboard"] is None
        else _path(arguments, "tensorboard").absolute(),
        **{name: arguments[name] for name in names},
    )


def _path(arguments: Mapping[str, Any], name: str) -> Path:
    """An argument as a path."""
    return paths.user_path(arguments[name], name)


def _check_listening(host: str, port: int) -> tuple[str, int]:
    """Check that this process can listen on an address, and return it."""
    try:
        with socket.create_server((host, port)):
            return host, port
    except OSError as error:
        raise ValueError(
            f"chief must be an address of this machine, with a free port ({error.strerror}). "
            f"Received: '{host}:{port}'"
        ) from error


def _address(text: Any) -> tuple[str, int]:
    """Split HOST:PORT."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"chief must be HOST:PORT, such as node-1:7000. Received: {text!r}")
    return host, int(port)


@contextlib.contextmanager
def _set_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Context in which environment variables are set."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _search_folder(out: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Context with the folder of a search; a temporary one if `out` is None."""
    if out is not None:
        yield _path({"out": out}, "out")
        return
    with tempfile.TemporaryDirectory(prefix="kerasseq-search-") as folder:
        yield Path(folder)
