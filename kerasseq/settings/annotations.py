"""Types of settings as text, such as 'int | None', and whether a value is of such a type."""

from __future__ import annotations

import ast
import numbers
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

__all__ = ["PATHS", "fits", "item_type", "literal_options", "is_huge", "is_number", "members"]

PATHS = ("Path", "pathlib.Path", "os.PathLike[str]")
_LISTS = ("list[", "tuple[", "Sequence[", "Iterable[")


@cache
def members(annotation: str) -> tuple[str, ...]:
    """The members of a union, as they are written; a path is a str."""

    def walk(node: ast.expr) -> Iterable[ast.expr]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield from walk(node.left)
            yield from walk(node.right)
        else:
            yield node

    tree = ast.parse(annotation.replace("typing.", ""), mode="eval")
    found = [ast.unparse(node) for node in walk(tree.body)]
    return tuple("str" if member in PATHS else member for member in found)


def literal_options(member: str) -> tuple[Any, ...]:
    """The values of a Literal."""
    if not member.startswith("Literal["):
        return ()
    return tuple(ast.literal_eval(f"[{member.removeprefix('Literal[')}"))


def item_type(member: str) -> str:
    """The type of the items of a list, where it is a plain one."""
    if not member.startswith(_LISTS):
        return ""
    item = member.partition("[")[2].rstrip("]").removesuffix(", ...")
    return item if item in ("bool", "int", "float", "str") else ""


def is_huge(value: Any) -> bool:
    """Whether a whole number is one that no array can hold."""
    return isinstance(value, numbers.Integral) and abs(int(value)) >= 2**63


def is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def fits(member: str, value: Any) -> bool:
    """Whether a value is of the type that a member of an annotation names."""
    if member in ("Any", "object"):
        return True
    if options := literal_options(member):
        bools = [own for own in options if isinstance(own, bool) == isinstance(value, bool)]
        return any(value == option for option in bools)
    if item := item_type(member):
        listed = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return listed and all(fits(item, own) for own in value)
    if member == "bool":
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if member == "int":
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if member == "float":
        return is_number(value)
    if member == "str":
        return isinstance(value, str) or hasattr(value, "__fspath__")
    # A class that only Python code can give: its user checks it.
    return member != "None" and not isinstance(value, bool | int | float | str | None)
