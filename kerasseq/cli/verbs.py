"""The commands of runs, `kerasseq VERB DIR`: each calls a method of the run."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasseq import names, registry
from kerasseq.cli import commands
from kerasseq.cli import options as signatures
from kerasseq.formatting.table import printable
from kerasseq.settings.signature import Option

if TYPE_CHECKING:
    from kerasseq.tasks.base import Task

__all__ = ["command", "is_verb"]


def is_verb(verb: str) -> bool:
    """Whether a word is a command of runs: `predict`, or one of the `verbs` of any Run class."""
    from kerasseq.runs.verbs import verb_names

    return any(verb in verb_names(registry.task(name)) for name in registry.names())


def command(verb: str, words: Sequence[str]) -> Callable[..., None]:
    """The command of a verb, with options for the run that the command line names.

    Args:
        verb: name of the verb.
        words: positional words of the command line after the verb.
    """
    from kerasseq.runs.verbs import read_verb, verb_names

    if not words and verb in names.VERBS and _recipes_with(verb) > 1:
        return _general_command(verb)
    task = _task(verb, words)
    if verb not in verb_names(task):
        refusing = _refusing_command(verb, task)
        return signatures.signed(refusing, [_folder_parameter(), _rest_parameter()], None)
    definition = read_verb(task, verb)
    # Arguments that are lists of rows, and whether they may also be the path of a file.
    rows = {
        option.name: "PathLike" in option.annotation
        for option in definition.options
        if option.argument and "list[str]" in option.annotation
    }
    parameters, readers = signatures.parameters(
        [option for option in (*definition.options, *definition.reading) if option.name not in rows]
    )
    all_parameters = [
        _folder_parameter(),
        *(_rows_parameter(option) for option in definition.options if option.name in rows),
        *parameters,
        *([_FILE] if rows else []),
        _FORMAT,
    ]

    def call(**arguments: Any) -> None:
        folder, format = arguments.pop("folder"), arguments.pop("format")
        file = arguments.pop("file", None)
        values: dict[str, Any] = {
            name: commands.read_rows(arguments.pop(name), file, task.run.files if paths else ())
            for name, paths in rows.items()
        }
        reading_names = {option.name for option in definition.reading}
        values |= {
            name: readers[name](value)
            for name, value in arguments.items()
            if name not in reading_names or value not in (None, False)
        }
        run = commands.load(folder)
        result = getattr(run, definition.method)(**values)
        if result is None:  # the verb has changed the run
            run.save(folder, overwrite=True)
            print(f"saved in {printable(str(folder))}", file=sys.stderr)
        elif values.get("out") is not None:
            print(f"written to {printable(str(values['out']))}", file=sys.stderr)
        else:
            commands.show_result(result, format)

    return signatures.signed(call, all_parameters, definition.text)


def _task(verb: str, words: Sequence[str]) -> Task[Any, Any]:
    """The task of the run in the first folder among the words, else the first with the verb."""
    for word in words:
        record = _record_path(word)
        if record is not None:
            name = _recipe_name(record)
            if name in registry.names():
                return registry.task(name)
            break
    tasks = [registry.task(name) for name in registry.names()]
    return next((task for task in tasks if verb in task.run.verbs), tasks[0])


def _recipes_with(verb: str) -> int:
    """Number of recipes whose runs have a verb."""
    from kerasseq.runs.verbs import verb_names

    tasks = [registry.task(name) for name in registry.names()]
    return sum(verb in verb_names(task) for task in tasks)


def _general_command(verb: str) -> Callable[..., None]:
    """The command of a verb without a folder, whose help fits the runs of all recipes."""

    def call(folder: Path, data: list[str] | None, format: str) -> None:
        raise ValueError(f"the folder must come first: kerasseq {verb} {folder}")

    text = (
        f"{names.VERBS[verb]}\n\n`kerasseq {verb} DIR --help` has the options for the run in DIR, "
        "which depend on its recipe."
    )
    data = typer.Argument(
        metavar="[DATA]...", help="New data, in the form that the recipe of the run reads."
    )
    parameters = [_folder_parameter(), _parameter("data", Annotated[list[str] | None, data], None)]
    return signatures.signed(call, [*parameters, _FORMAT], text)


def _record_path(word: str) -> Path | None:
    """Path of `run.json` if a word is the folder of a run, else None."""
    from kerasseq.runs.folder import RECORD, open_folder

    if word.startswith("-"):
        return None
    try:
        record = open_folder(word) / RECORD
        return record if record.is_file() else None
    except (OSError, ValueError):  # not a path, or unreadable: loading it reports the error
        return None


def _recipe_name(record: Path) -> str:
    """The recipe of a run; "" if the record is damaged, which loading the run reports."""
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["recipe"])
    except (ValueError, TypeError, KeyError, RecursionError, OSError):
        return ""


def _refusing_command(verb: str, task: Task[Any, Any]) -> Callable[..., None]:
    from kerasseq.runs.verbs import verb_names

    def call(folder: Path, rest: list[str] | None) -> None:
        verbs = ", ".join(verb_names(task))
        raise ValueError(f"a run of {task.name} has no {verb}. It has: {verbs}. Received: {folder}")

    return call


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Any:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _folder_parameter() -> inspect.Parameter:
    parameter: inspect.Parameter = _parameter("folder", commands.Folder)
    return parameter


def _rest_parameter() -> inspect.Parameter:
    parameter: inspect.Parameter = _parameter(
        "rest", Annotated[list[str] | None, typer.Argument()], None
    )
    return parameter


def _rows_parameter(option: Option) -> inspect.Parameter:
    argument = typer.Argument(metavar=f"[{option.name.upper()}]...", help=option.doc)
    annotation = Annotated[list[str] | None, argument]
    parameter: inspect.Parameter = _parameter(option.name, annotation, None)
    return parameter


_FILE = _parameter(
    "file",
    Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file with one row a line, or, of texts, a table; - for standard input.",
            parser=commands.path,
        ),
    ],
    None,
)
_FORMAT = _parameter("format", commands.Format, "table")
