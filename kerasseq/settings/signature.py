"""Arguments of a function, with their help, read from its signature and docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Option", "options", "section"]


@dataclass(frozen=True)
class Option:
    """An argument of a function that becomes an option of a command, or an entry of a request.

    Args:
        name: name of the argument.
        annotation: type, as written in the source.
        default: default value.
        doc: help text.
        argument: whether it is positional in the shell.
    """

    name: str
    annotation: str
    default: Any
    doc: str | None = None
    argument: bool = False


def options(function: Callable[..., Any]) -> tuple[list[Option], str]:
    """Options of a command, and its help, from the signature and docstring of a function.

    Required arguments, and `data` of a recipe, are positional in the shell.
    """
    docstring = inspect.getdoc(function) or ""
    texts = _argument_texts(docstring)
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    option_list = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in kinds or parameter.name == "self":
            continue
        annotation = parameter.annotation
        if not isinstance(annotation, str):
            annotation = inspect.formatannotation(annotation)
        name, default = parameter.name, parameter.default
        is_data = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and name == "data"
        is_argument = is_data or default is inspect.Parameter.empty
        option_list.append(Option(name, annotation, default, texts.get(name), is_argument))
    return option_list, docstring.partition("\n\nArgs:")[0]


def section(function: Callable[..., Any], name: str) -> str:
    """A section of the docstring of a function as one line; "" if there is none.

    >>> section(section, "Returns")
    ''
    """
    docstring = inspect.getdoc(function) or ""
    match = re.search(rf"^{name}:\n(.*?)(?:\n\n\S|\Z)", docstring, re.S | re.M)
    return " ".join(match[1].split()) if match else ""


def _argument_texts(docstring: str) -> dict[str, str]:
    """The text of each argument in the `Args:` section of a docstring."""
    section = re.search(r"^Args:\n(.*?)(?:\n\n\S|\Z)", docstring, re.S | re.M)
    entries = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", section[1] if section else "", re.M)
    return {name: " ".join(text.split()) for name, text in entries}
