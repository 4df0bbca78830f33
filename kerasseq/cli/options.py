"""The arguments of a Python function as options of a command."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import typer

Reader = Callable[[Any], Any]  # makes the value of an argument of what the option gives

# What typer is told of a type: as it is, where it may be missing, and as a list.
_TYPES: dict[str, tuple[Any, Any, Any]] = {
    "bool": (bool, bool | None, list[bool] | None),
    "int": (int, int | None, list[int] | None),
    "float": (float, float | None, list[float] | None),
    "str": (str, str | None, list[str] | None),
}
_PATHS = ("Path", "pathlib.Path", "os.PathLike[str]")


def of(function: Callable[..., Any]) -> tuple[list[inspect.Parameter], dict[str, Reader], str]:
    """A function's parameters as typer is to see them, what reads their values, and the help.

    The first becomes an argument, the others options. What only Python can give, such as
    callbacks, is left out.
    """
    docstring = inspect.getdoc(function) or ""
    texts = _argument_texts(docstring)
    found: list[inspect.Parameter] = []
    readers: dict[str, Reader] = {}
    for place, parameter in enumerate(inspect.signature(function).parameters.values()):
        text = texts.get(parameter.name)
        kind, default, reader = _option(parameter)
        declared: Any = typer.Option(help=text)
        if place == 0:
            kind, default, reader = str, parameter.default, _same
            declared = typer.Argument(help=text)
        if kind is not None:
            readers[parameter.name] = reader
            found.append(parameter.replace(annotation=Annotated[kind, declared], default=default))
    return found, readers, docstring.partition("\n\nArgs:")[0]


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


def _option(parameter: inspect.Parameter) -> tuple[Any, Any, Reader]:
    """The type and default of the option for a parameter, and what makes its value of that.

    The type is None for what only Python can give, such as callbacks.
    """
    members = _members(parameter.annotation)
    scalars = [name for name in _TYPES if name in members]
    optional, default = "None" in members, parameter.default
    literal = any(member.startswith("Literal[") for member in members)
    many = [found[1] for m in members if (found := re.fullmatch(_SEQUENCE, m))]
    if many and scalars in ([], many):  # one is as good as a list of one
        return _TYPES[many[0]][2], default and list(default), partial(_given, default)
    if len(scalars) == 1 and not literal and (default is None or not optional):
        return _TYPES[scalars[0]][optional], default, _same
    if scalars or literal:
        text = default if default in (None, inspect.Parameter.empty) else str(default)
        return str | None, text, partial(_read, parameter.name, members)
    return None, None, _same


_SEQUENCE = r"(?:list|tuple|Sequence|Iterable)\[(bool|int|float|str)(?:, \.\.\.)?\]"


def _members(annotation: Any) -> list[str]:
    """The members of a union, as they are written; a path is a str."""

    def walk(node: ast.expr) -> Iterator[ast.expr]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield from walk(node.left)
            yield from walk(node.right)
        else:
            yield node

    written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    tree = ast.parse(written.replace("typing.", ""), mode="eval")
    members = [ast.unparse(node) for node in walk(tree.body)]
    return ["str" if member in _PATHS else member for member in members]


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
