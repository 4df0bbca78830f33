"""Type annotations of settings as text, such as 'int | None', and checks of values against them."""

from __future__ import annotations

import ast
import numbers
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

__all__ = ["PATHS", "fits", "item_type", "literal_options", "is_huge", "is_number", "union_members"]

PATHS = ("Path", "pathlib.Path", "os.PathLike[str]")
_LISTS = ("list[", "tuple[", "Sequence[", "Iterable[")


@cache
def union_members(annotation: str) -> tuple[str, ...]:
    """Split a union into its members, as they are written; types of paths become "str".

    >>> union_members("Literal['a', 'b'] | Path | None")
    ("Literal['a', 'b']", 'str', 'None')
    """

    def walk(node: ast.expr) -> Iterable[ast.expr]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield from walk(node.left)
            yield from walk(node.right)
        else:
            yield node

    tree = ast.parse(annotation.replace("typing.", ""), mode="eval")
    members = [ast.unparse(node) for node in walk(tree.body)]
    return tuple("str" if member in PATHS else member for member in members)


def literal_options(member: str) -> tuple[Any, ...]:
    """The values of a Literal; () for other types."""
    if not member.startswith("Literal["):
        return ()
    return tuple(ast.literal_eval(f"[{member.removeprefix('Literal[')}"))


def item_type(member: str) -> str:
    """The item type of a list type, if it is bool, int, float or str; else ""."""
    if not member.startswith(_LISTS):
        return ""
    item = member.partition("[")[2].rstrip("]").removesuffix(", ...")
    return item if item in ("bool", "int", "float", "str") else ""


def is_huge(value: Any) -> bool:
    """Whether a whole number is outside the range of int64."""
    return isinstance(value, numbers.Integral) and abs(int(value)) >= 2**63


def is_number(value: Any) -> bool:
    """Whether a value is a real number and no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def fits(member: str, value: Any) -> bool:
    """Whether a value has the type of one member of an annotation."""
    if member in ("Any", "object"):
        return True
    if options := literal_options(member):
        # 1 == True in Python, but they are different options.
        same_kind = [each for each in options if isinstance(each, bool) == isinstance(value, bool)]
        return any(value == option for option in same_kind)
    if item := item_type(member):
        is_list = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return is_list and all(fits(item, each) for each in value)
    if member == "bool":
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if member == "int":
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if member == "float":
        return is_number(value)
    if member == "str":
        return isinstance(value, str) or hasattr(value, "__fspath__")
    # Another class, such as a table or an optimizer: the code that uses it checks it further.
    return member != "None" and not isinstance(value, bool | int | float | str | None)
