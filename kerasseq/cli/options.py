"""Options of a command for typer, made from the arguments of a Python function."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from kerasseq.settings import union_members
from kerasseq.settings.signature import Option

__all__ = ["Reader", "parameters", "signed"]

Reader = Callable[[Any], Any]  # converts the value of an option to the value of the argument

# Types for typer: the type itself, the optional type, and the list type.
_TYPES: dict[str, tuple[Any, Any, Any]] = {
    "bool": (bool, bool | None, list[bool] | None),
    "int": (int, int | None, list[int] | None),
    "float": (float, float | None, list[float] | None),
    "str": (str, str | None, list[str] | None),
}


def parameters(
    options: Iterable[Option],
) -> tuple[list[inspect.Parameter], dict[str, Reader]]:
    """Convert options to parameters for typer, and to functions that read their values.

    Arguments that cannot be written as text, such as callbacks, are left out.
    """
    typer_parameters: list[inspect.Parameter] = []
    readers: dict[str, Reader] = {}
    for option in options:
        kind, default, reader = _typer_type(option)
        info: Any = typer.Option(help=option.doc, metavar=_choices(option))
        if option.argument:
            kind, default, reader = str, option.default, _identity
            info = typer.Argument(help=option.doc)
        if kind is not None:
            readers[option.name] = reader
            typer_parameters.append(
                inspect.Parameter(
                    option.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=default,
                    annotation=Annotated[kind, info],
                )
            )
    return typer_parameters, readers


def signed(
    command: Callable[..., None], parameters: Sequence[inspect.Parameter], text: str | None
) -> Callable[..., None]:
    """Give a command the signature and help from which typer makes its options; return the command.

    Args:
        command: function that takes the value of each option as a keyword argument.
        parameters: one parameter for each option; all become keyword-only.
        text: help of the command; None for none.
    """
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = text
    return command


def _identity(value: Any) -> Any:
    return value


def _repeated_value(default: Any, value: Any) -> Any:
    """Value of an option that can be repeated: its values, else the default; () for "none"."""
    return () if value in (["()"], ["none"]) else value or default


def _typer_type(option: Option) -> tuple[Any, Any, Reader]:
    """Type and default of an option for typer, and a function that reads its value.

    The type is None for arguments that cannot be written as text, such as callbacks.
    """
    kinds = union_members(option.annotation)
    scalars = [name for name in _TYPES if name in kinds]
    optional, default = "None" in kinds, option.default
    literal = any(member.startswith("Literal[") for member in kinds)
    item_types = [match[1] for kind in kinds if (match := re.fullmatch(_SEQUENCE, kind))]
    if item_types and {*scalars} in (set(), {*item_types}):
        # A single value is read as a list of one; numbers among names stay text.
        values = default and list(default)
        return (
            _TYPES["str" if "str" in item_types else item_types[0]][2],
            values,
            partial(_repeated_value, default),
        )
    if len(scalars) == 1 and not literal and (default is None or not optional):
        return _TYPES[scalars[0]][optional], default, _identity
    if scalars or literal:
        text = default if default in (None, inspect.Parameter.empty) else str(default)
        return str | None, text, partial(_parse_union, option.name, kinds)
    return None, None, _identity


def _choices(option: Option) -> str | None:
    """The values of an option that can have a few only, for the help."""
    kinds = [kind for kind in union_members(option.annotation) if kind != "None"]
    if not kinds or not all(kind.startswith("Literal[") for kind in kinds):
        return None
    return "|".join(str(value) for kind in kinds for value in _literal_values(kind))


def _literal_values(kind: str) -> list[Any]:
    return list(ast.literal_eval(f"[{kind.removeprefix('Literal[')}"))


_SEQUENCE = r"(?:list|tuple|Sequence|Iterable)\[(bool|int|float|str)(?:, \.\.\.)?\]"


def _parse_union(name: str, members: Sequence[str], text: str | None) -> Any:
    """Parse the text of an option whose argument has several types."""
    if text is None or ("None" in members and text.lower() == "none"):
        return None
    for member in members:
        if member.startswith("Literal["):
            values = _literal_values(member)
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
