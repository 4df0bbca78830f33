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

__all__ = ["app", "tuned"]

_HELP = "Look for better settings of a recipe, within a budget."
_TEXT = f"""{_HELP}

What is given of the recipe's own arguments does not vary. After an interruption the same command
with the same --out goes on."""

# Arguments of a recipe that a search has itself, or that say how one run is trained.
_OWN = ("out", "seed", "quiet", "warm_start", "callbacks", "final")
_AMOUNTS = ("max_params", "max_bytes", "max_macs", "match_params")


def app(called: str | None) -> typer.Typer:
    """`tune` with a command for each recipe; that of the one that is called with its options."""
    found = typer.Typer(help=_HELP, rich_markup_mode=None)
    for name in registry.names():
        if name == called:
            found.command(name)(_tune(name))
        else:
            found.command(name, help=f"Tune {name}.")(_stub)
    return found


def tuned(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a search.", parser=commands.path)
    ],
    format: commands.Format = "table",
) -> None:
    """Show the trials of a search, and what it gained."""
    from kerasseq.tuning.results import tuned as read

    commands.display(read(folder), format)


def _tune(name: str) -> Callable[..., None]:
    """The command that tunes a recipe."""
    own, readers = signatures.parameters(signatures.options(registry.get(name))[0])
    mine, my_readers = signatures.parameters(signatures.options(_options)[0][1:])
    taken = {*_OWN, *(parameter.name for parameter in mine)}
    own = [
        # Only what is given stops to vary.
        parameter if place == 0 else parameter.replace(default=None)
        for place, parameter in enumerate(own)
        if parameter.name not in taken
    ]

    def command(**given: Any) -> None:
        settings = {
            parameter.name: readers[parameter.name](given[parameter.name])
            for parameter in own
            if given[parameter.name] is not None
        }
        _run(name, settings, {key: my_readers[key](given[key]) for key in my_readers})

    parameters = [*own[:1], *mine, *own[1:]]
    return signatures.signed(command, parameters, _TEXT)


def _run(name: str, settings: dict[str, Any], options: dict[str, Any]) -> None:
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
                    told = f"a worker of the search at {chief}, which it waits for"
                    print(told, file=sys.stderr, flush=True)
                join(chief, name, **options, **settings)
                return
            found = tune(name, chief=chief, **options, **settings)
    commands.display(found, "table")


def _options(
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
        trials: how many; each training of Hyperband is one.
        tuner: random, grid, bayesian or hyperband.
        set: a setting and its range, as in units=16..256:log or cell=lstm,gru.
        fix: a setting and its only value, as in depth=1.
        max_params: parameters of a model at most, such as 200000, 200k or 2M.
        max_bytes: bytes of its parameters at most.
        max_macs: multiply-accumulates of its forward pass at most, for one row.
        match_params: parameters of each model, by its units.
        folds: score each trial on so many folds.
        seeds: train each trial from so many seeds.
        prune: stop trials that are worse than the median of the others.
        seconds: training time of a trial at most.
        workers: processes that share the trials.
        role: chief or worker, of a search over several machines.
        chief: HOST:PORT of the chief.
        keep: the weights of so many best trials stay on disk.
        seed: of everything that is drawn.
        out: folder to write to; after an interruption the same command goes on from there.
        tensorboard: folder to log trials to, for TensorBoard's HParams.
        quiet: show no progress.
    """


def _stub() -> None:
    """Stands for a recipe that is not called."""
