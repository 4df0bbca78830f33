"""The commands of runs, `kerasseq VERB DIR`: methods of the run's class, with their arguments."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasseq import registry
from kerasseq.cli import commands
from kerasseq.cli import options as signatures
from kerasseq.cli.options import Option
from kerasseq.formatting.table import printable
from kerasseq.settings import declared

if TYPE_CHECKING:
    from kerasseq.tasks.base import Task

__all__ = ["command", "known"]

_FIRST = "predict"  # the name of the first verb of each run


def known(verb: str) -> bool:
    """Whether runs of any recipe have a verb."""
    return verb == _FIRST or any(verb in registry.task(n).run.verbs for n in registry.names())


def command(verb: str, words: Sequence[str]) -> Callable[..., None]:
    """The command of a verb, with the options of the run that the command line names.

    Args:
        verb: name of the command.
        words: the other words of the command line.
    """
    task = _task(verb, words)
    verbs = task.run.verbs
    if verb not in (_FIRST, *verbs):
        return signatures.signed(_refusal(verb, task), [_folder(), _rest()], None)
    name = verbs[0] if verb == _FIRST else verb
    method = getattr(task.run, name)
    own, text = signatures.options(method)
    listed = {o.name: o.annotation for o in own if o.argument and "list[str]" in o.annotation}
    rows = {name: "PathLike" in annotation for name, annotation in listed.items()}
    reading = list(_reading(method, task, [option.name for option in own]))
    parameters, readers = signatures.parameters(
        [option for option in (*own, *reading) if option.name not in rows]
    )
    shown = [_folder(), *map(_rows, rows), *parameters, *([_FILE] if rows else []), _FORMAT]

    def call(**given: Any) -> None:
        folder, format, file = given.pop("folder"), given.pop("format"), given.pop("file", None)
        values: dict[str, Any] = {
            name: commands.listed(given.pop(name), file, tables) for name, tables in rows.items()
        }
        asked = {option.name for option in reading}
        values |= {
            name: readers[name](value)
            for name, value in given.items()
            if name not in asked or value not in (None, False)
        }
        run = commands.load(folder)
        result = getattr(run, name)(**values)
        if result is None:  # the run itself has changed
            run.save(folder, overwrite=True)
            print(f"saved in {printable(str(folder))}", file=sys.stderr)
        else:
            commands.show_result(result, format)

    return signatures.signed(call, shown, text)


def _task(verb: str, words: Sequence[str]) -> Task[Any, Any]:
    """The task of the run in the folder that is named; else of any recipe that has the verb."""
    for word in words:
        record = _record(word)
        if record is not None:
            name = _recipe(record)
            if name in registry.names():
                return registry.task(name)
            break
    tasks = [registry.task(name) for name in registry.names()]
    return next((own for own in tasks if verb in own.run.verbs), tasks[0])


def _record(word: str) -> Path | None:
    """The record of the run in a folder, where a word names such a folder."""
    from kerasseq.runs.folder import RECORD, open_folder

    if word.startswith("-"):
        return None
    try:
        record = open_folder(word) / RECORD
        return record if record.is_file() else None
    except (OSError, ValueError):  # no path, or the folder cannot be read, which loading it says
        return None


def _recipe(record: Path) -> str:
    """The recipe of a run; none where the record is damaged, which loading the run says."""
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["recipe"])
    except (ValueError, TypeError, KeyError, RecursionError, OSError):
        return ""


def _reading(
    method: Callable[..., Any], task: Task[Any, Any], taken: Sequence[str]
) -> Iterator[Option]:
    """The settings that say how data is read, where a method takes them."""
    kinds = [own.kind for own in inspect.signature(method).parameters.values()]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        return
    for own in declared(task.settings).values():
        if own.name in task.reading and own.name not in taken:
            default = False if own.annotation == "bool" else None
            yield Option(own.name, _optional(own.annotation), default, own.doc)


def _optional(annotation: str) -> str:
    return annotation if annotation == "bool" or "None" in annotation else f"{annotation} | None"


def _refusal(verb: str, task: Task[Any, Any]) -> Callable[..., None]:
    def call(folder: Path, rest: list[str] | None) -> None:
        has = ", ".join(dict.fromkeys((_FIRST, *task.run.verbs)))
        raise ValueError(f"a run of {task.name} has no {verb}. It has: {has}. Received: {folder}")

    return call


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Any:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _folder() -> inspect.Parameter:
    found: inspect.Parameter = _parameter("folder", commands.Folder)
    return found


def _rest() -> inspect.Parameter:
    found: inspect.Parameter = _parameter(
        "rest", Annotated[list[str] | None, typer.Argument()], None
    )
    return found


def _rows(name: str) -> inspect.Parameter:
    annotation = Annotated[list[str] | None, typer.Argument(metavar=f"[{name.upper()}]...")]
    found: inspect.Parameter = _parameter(name, annotation, None)
    return found


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
