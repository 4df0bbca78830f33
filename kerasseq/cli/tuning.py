"""The commands of searches: `tune RECIPE` and `tuned DIR`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kerasseq import registry
from kerasseq.cli import commands
from kerasseq.cli import options as signatures
from kerasseq.settings import signature

__all__ = ["app", "tuned"]

_HELP = "Look for better settings of a recipe, within a budget."
_TEXT = f"""{_HELP}

Arguments of the recipe on the command line do not vary. After an interruption, the same command
with the same --out resumes the search."""

# Arguments of a recipe that a search sets itself, or that are for a single run.
_NOT_SETTINGS = ("out", "seed", "quiet", "warm_start", "callbacks", "final")
_AMOUNTS = ("max_params", "max_bytes", "max_macs", "match_params")


def app(called: str | None) -> typer.Typer:
    """`tune` with a command for each recipe; only the recipe that is called gets its options."""
    tune_app = typer.Typer(help=_HELP, rich_markup_mode=None)
    for name in registry.names():
        if name == called:
            tune_app.command(name)(_tune_command(name))
        else:
            tune_app.command(name, help=f"Tune {name}.")(_stub)
    return tune_app


def tuned(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a search.", parser=commands.path)
    ],
    format: commands.Format = "table",
) -> None:
    """Show the trials of a search, and what it gained."""
    from kerasseq.tuning.results import tuned as read

    commands.display(read(folder), format)


def _tune_command(name: str) -> Callable[..., None]:
    """The command that tunes a recipe."""
    recipe_parameters, readers = signatures.parameters(signature.options(registry.get(name))[0])
    search_options = signature.options(_search_options)[0][1:]
    search_parameters, search_readers = signatures.parameters(search_options)
    excluded = {*_NOT_SETTINGS, *(parameter.name for parameter in search_parameters)}
    recipe_parameters = [
        # The default is None, to see which settings are on the command line and do not vary.
        parameter if place == 0 else parameter.replace(default=None)
        for place, parameter in enumerate(recipe_parameters)
        if parameter.name not in excluded
    ]

    def command(**arguments: Any) -> None:
        settings = {
            parameter.name: readers[parameter.name](arguments[parameter.name])
            for parameter in recipe_parameters
            if arguments[parameter.name] is not None
        }
        options = {key: read(arguments[key]) for key, read in search_readers.items()}
        _run_search(name, settings, options)

    parameters = [*recipe_parameters[:1], *search_parameters, *recipe_parameters[1:]]
    return signatures.signed(command, parameters, _TEXT)


def _run_search(name: str, settings: dict[str, Any], options: dict[str, Any]) -> None:
    from kerasseq.tuning.space import parse

    space = {}
    for text in (*options.pop("set"), *options.pop("fix")):
        key, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"give NAME=VALUE, such as units=16..256:log. Received: {text!r}")
        setting = key.strip().replace("-", "_")
        if setting in space:
            raise ValueError(f"{setting} is given twice: leave one out. Received: {text!r}")
        space[setting] = parse(value)
    for key in _AMOUNTS:
        if options[key] is not None:
            options[key] = commands.number(options[key])
    role, chief = options.pop("role"), options.pop("chief")
    if (role is None) != (chief is None) or role not in (None, "chief", "worker"):
        raise ValueError("give --role chief or --role worker together with --chief HOST:PORT.")
    with commands.folder_for(options.pop("out"), f"searches/{name}") as out:
        commands.import_backend()
        from kerasseq.tuning.tune import join, tune

        options |= {"out": out, "space": space}
        with commands.resumable(out):
            if role == "worker":
                if not options["quiet"]:
                    message = f"a worker of the search at {chief}, which it waits for"
                    print(message, file=sys.stderr, flush=True)
                join(chief, name, **options, **settings)
                return
            result = tune(name, chief=chief, **options, **settings)
    commands.display(result, "table")


def _search_options(
    data: str,
    *,
    trials: int = 30,
    tuner: str = "random",
    set: Sequence[str] = (),
    fix: Sequence[str] = (),
    max_params: str | None = None,
    max_bytes: str | None = None,
    max_macs: str | None = None,
    match_params: str | None = None,
    folds: int = 1,
    seeds: int = 1,
    prune: bool = False,
    seconds: float | None = None,
    workers: int = 1,
    role: str | None = None,
    chief: str | None = None,
    keep: int = 1,
    seed: int = 0,
    out: str | None = None,
    tensorboard: str | None = None,
    quiet: bool = False,
) -> None:
    """The options of a search.

    Args:
        trials: number of trials; each training of Hyperband counts as one.
        tuner: random, grid, bayesian or hyperband.
        set: a setting and its range, as in units=16..256:log or cell=lstm,gru.
        fix: a setting and its fixed value, as in depth=1.
        max_params: largest number of parameters of a model, such as 200000, 200k or 2M.
        max_bytes: largest number of bytes of its parameters.
        max_macs: largest number of multiply-accumulates of its forward pass, for one row.
        match_params: number of parameters that the units of each model are chosen for.
        folds: number of folds to score each trial on.
        seeds: number of seeds to train each trial with.
        prune: stop trials that are worse than the median of the others.
        seconds: largest training time of a trial.
        workers: number of processes that share the trials.
        role: chief or worker, in a search over several machines.
        chief: HOST:PORT of the chief.
        keep: number of best trials whose weights stay on disk.
        seed: seed of all random numbers.
        out: folder to write to; after an interruption, the same command resumes from it.
        tensorboard: folder for logs of the trials, for TensorBoard's HParams.
        quiet: show no progress.
    """


def _stub() -> None:
    """Placeholder for a recipe that is not called."""
