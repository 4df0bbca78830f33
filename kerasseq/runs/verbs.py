"""The verbs of runs with their arguments, for the shell and for servers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasseq.settings import declarations_of
from kerasseq.settings.signature import Option, options, section

if TYPE_CHECKING:
    from kerasseq.tasks.base import Task

__all__ = ["FIRST", "Verb", "read_verb", "verb_names"]

#: Name of every run's first verb.
FIRST = "predict"


@dataclass(frozen=True)
class Verb:
    """A verb of a run: a method, with its arguments.

    Args:
        method: name of the method.
        text: help, from the docstring of the method.
        returns: description of its result, from the docstring.
        options: arguments of the method.
        reading: settings about reading data that the method accepts as well.
    """

    method: str
    text: str
    returns: str
    options: tuple[Option, ...]
    reading: tuple[Option, ...]


def verb_names(task: Task[Any, Any]) -> tuple[str, ...]:
    """Names of the verbs of a task's runs; `predict` is another name of the first one.

    >>> from kerasseq import registry
    >>> verb_names(registry.task("tagging"))
    ('predict', 'tag', 'evaluate')
    """
    return tuple(dict.fromkeys((FIRST, *task.run.verbs)))


def read_verb(task: Task[Any, Any], name: str) -> Verb:
    """Read a verb's arguments from the signature of its method and the settings of the task.

    Args:
        task: the task of the run.
        name: one of `verb_names`.

    Example:

    >>> from kerasseq import registry
    >>> [option.name for option in read_verb(registry.task("tagging"), "predict").options]
    ['data', 'spans', 'out']
    """
    method_name = task.run.verbs[0] if name == FIRST else name
    method = getattr(task.run, method_name)
    arguments, text = options(method)
    reading = _reading_options(method, task, [option.name for option in arguments])
    return Verb(method_name, text, section(method, "Returns"), tuple(arguments), tuple(reading))


def _reading_options(
    method: Callable[..., Any], task: Task[Any, Any], taken: Sequence[str]
) -> Iterator[Option]:
    """The settings about reading data, if a method accepts them as keyword arguments."""
    kinds = [parameter.kind for parameter in inspect.signature(method).parameters.values()]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        return
    for setting in declarations_of(task.settings).values():
        if setting.name in task.reading and setting.name not in taken:
            default = False if setting.annotation == "bool" else None
            yield Option(setting.name, _optional(setting.annotation), default, setting.doc)


def _optional(annotation: str) -> str:
    return annotation if annotation == "bool" or "None" in annotation else f"{annotation} | None"
