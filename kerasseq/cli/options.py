"""The arguments of a Python function as options of a command."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import typer

from kerasseq.settings import members

__all__ = ["Option", "Reader", "options", "parameters", "signed"]

Reader = Callable[[Any], Any]  # makes the value of an argument of what the option gives

# What typer is told of a type: as it is, where it may be missing, and as a list.
_TYPES: dict[str, tuple[Any, Any, Any]] = {
    "bool": (bool, bool | None, list[bool] | None),
    "int": (int, int | None, list[int] | None),
    "float": (float, float | None, list[float] | None),
    "str": (str, str | None, list[str] | None),
}


@dataclass(frozen=True)
class Option:
    """An argument of a function, to become an option of a command.

    Args:
        name: name of the argument.
        annotation: type, as written in the source.
        default: default value.
        doc: help.
        argument: whether it is given by position.
    """

    name: str
    annotation: str
    default: Any
    doc: str | None = None
    argument: bool = False


def options(function: Callable[..., Any]) -> tuple[list[Option], str]:
    """The arguments of a function and its help, from signature and docstring.

    Those that must be given, and the first of a recipe, are given by position.
    """
    docstring = inspect.getdoc(function) or ""
    texts = _argument_texts(docstring)
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = []
    for own in inspect.signature(function).parameters.values():
        if own.kind in kinds or own.name == "self":
            continue
        written = own.annotation
        if not isinstance(written, str):
            written = inspect.formatannotation(written)
        position = own.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and own.name == "data"
        given = position or own.default is inspect.Parameter.empty
        found.append(Option(own.name, written, own.default, texts.get(own.name), given))
    return found, docstring.partition("\n\nArgs:")[0]


def parameters(
    options: Iterable[Option],
) -> tuple[list[inspect.Parameter], dict[str, Reader]]:
    """Options as typer is to see them, and functions that read their values.

    An argument that only Python can give, such as callbacks, is left out.
    """
    found: list[inspect.Parameter] = []
    readers: dict[str, Reader] = {}
    for own in options:
        kind, default, reader = _option(own)
        declared: Any = typer.Option(help=own.doc)
        if own.argument:
            kind, default, reader = str, own.default, _same
            declared = typer.Argument(help=own.doc)
        if kind is not None:
            readers[own.name] = reader
            found.append(
                inspect.Parameter(
                    own.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=default,
                    annotation=Annotated[kind, declared],
                )
            )
    return found, readers


def signed(
    command: Callable[..., None], parameters: Sequence[inspect.Parameter], text: str | None
) -> Callable[..., None]:
    """The function with the signature that typer is to see."""
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = text
    return command


def _same(value: Any) -> Any:
    return value


def _given(default: Any, value: Any) -> Any:
    """The values of an option that may be given several times, or the default; `()` for none."""
    return () if value in (["()"], ["none"]) else value or default


def _option(own: Option) -> tuple[Any, Any, Reader]:
    """The type and default of an option, and a function that reads its value.

    The type is None for what only Python can give, such as callbacks.
    """
    kinds = members(own.annotation)
    scalars = [name for name in _TYPES if name in kinds]
    optional, default = "None" in kinds, own.default
    literal = any(member.startswith("Literal[") for member in kinds)
    many = [found[1] for m in kinds if (found := re.fullmatch(_SEQUENCE, m))]
    if many and scalars in ([], many):  # one is as good as a list of one
        return _TYPES[many[0]][2], default and list(default), partial(_given, default)
    if len(scalars) == 1 and not literal and (default is None or not optional):
        return _TYPES[scalars[0]][optional], default, _same
    if scalars or literal:
        text = default if default in (None, inspect.Parameter.empty) else str(default)
        return str | None, text, partial(_read, own.name, kinds)
    return None, None, _same


_SEQUENCE = r"(?:list|tuple|Sequence|Iterable)\[(bool|int|float|str)(?:, \.\.\.)?\]"


def _read(name: str, members: Sequence[str], text: str | None) -> Any:
    """The value that a text stands for, where a parameter takes values of several types."""
    if text is None or ("None" in members and text.lower() == "none"):
        return None
    for member in members:
        if member.startswith("Literal["):
            values = ast.literal_eval(f"[{member.removeprefix('Literal[')}")
            if text in map(str, values):
                return next(value for value in values if str(value) == text)
    if "bool" in members and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind.__name__ in members:
            try:
                return kind(text)
            except ValueError:
                continue
    if "str" in members:
        return text
    raise ValueError(f"`{name}` must be one of {', '.join(members)}. Received: {text!r}")


def _argument_texts(docstring: str) -> dict[str, str]:
    """What the `Args:` of a docstring say of each argument."""
    section = re.search(r"^Args:\n(.*?)(?:\n\n\S|\Z)", docstring, re.S | re.M)
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", section[1] if section else "", re.M)
    return {name: " ".join(text.split()) for name, text in found}
