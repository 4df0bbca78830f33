"""Check JSON values, and arrays among them, against the types that declare them.

What a file holds is declared as a `TypedDict` beside the code that writes it. These types are
understood: TypedDicts, `dict[str, T]`, `list[T]`, `tuple[T, U]` (a list of that length),
`Literal`, unions, `None`, `bool`, `int`, `float` (whole numbers too), `str`, `Any`, and
`Annotated[np.ndarray, Array(...)]`.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import numpy as np

__all__ = ["Array", "check", "faults"]

_SHOWN = 3  # faults of a file
_LONG = 40  # characters of a wrong value
_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    types.NoneType: "null",
    dict: "a mapping",
    list: "a list",
    tuple: "a list",
}


@dataclass(frozen=True)
class Array:
    """Dtype kinds and number of dimensions of an array, in an `Annotated[np.ndarray, ...]`.

    Args:
        kinds: Allowed letters of `dtype.kind`.
        dimensions: Number of dimensions; None for any number.
    """

    kinds: str
    dimensions: int | None = None

    def __contains__(self, value: Any) -> bool:
        return (
            isinstance(value, np.ndarray)
            and value.dtype.kind in self.kinds
            and self.dimensions in (None, value.ndim)
        )


def check(value: Any, kind: Any, where: str = "") -> None:
    """Raise a ValueError if a value does not match a type; the error lists the faults.

    Args:
        value: JSON values, with arrays among them.
        kind: The type, one of the types that this module understands.
        where: Name of the value, for the error; "" to leave it out.

    Example:

    >>> check({"units": "many"}, dict[str, int], "settings")
    Traceback (most recent call last):
    ValueError: settings.units must be a whole number, and is 'many'
    """
    found = list(islice(faults(value, kind, where), _SHOWN + 1))
    if found:
        more = " and more" if len(found) > _SHOWN else ""
        raise ValueError("; ".join(found[:_SHOWN]) + more)


def faults(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield one sentence for each place where a value does not match a type; see `check`."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin in (Required, NotRequired):
        yield from faults(value, arguments[0], where)
    elif origin in (Union, types.UnionType):
        yield from _of_union(value, arguments, where)
    elif not _is(value, kind):
        yield f"{where or 'it'} must be {_named(kind)}, and is {_short(value)}"
    elif is_typeddict(origin):
        for name, own in _fields(origin).items():
            if name in value:
                yield from faults(value[name], own, _inside(where, name))
            elif _is_required(origin, own):
                yield f"{where or 'it'} lacks {name}"
    elif origin is dict:
        for name, own in value.items():
            yield from faults(own, arguments[1], _inside(where, name))
    elif origin is list:
        for place, own in enumerate(value):
            yield from faults(own, arguments[0], f"{where}[{place}]")
    elif origin is tuple:
        for place, (own, argument) in enumerate(zip(value, arguments)):
            yield from faults(own, argument, f"{where}[{place}]")


def _of_union(value: Any, options: tuple[Any, ...], where: str) -> Iterator[str]:
    likely = [option for option in options if _is(value, option)]
    found = [list(islice(faults(value, option, where), _SHOWN + 1)) for option in likely]
    if not found:
        kinds = " or ".join(map(_named, options))
        yield f"{where or 'it'} must be {kinds}, and is {_short(value)}"
    elif all(found):
        yield from found[-1]


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, without looking at the values inside it."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        return value in arguments[1]
    if origin is Literal:
        return any(type(value) is type(option) and value == option for option in arguments)
    if origin is Any:
        return True
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(arguments)
    if is_typeddict(origin) or origin is dict:
        return isinstance(value, Mapping)
    if origin in (int, float):
        return isinstance(value, int | origin) and not isinstance(value, bool)
    return isinstance(value, origin)


def _is_required(kind: Any, field: Any) -> bool:
    # `__required_keys__` does not see what annotations that are strings say.
    return get_origin(field) is Required or (
        bool(kind.__total__) and get_origin(field) is not NotRequired
    )


@cache
def _fields(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _named(kind: Any) -> str:
    """Describe a type in words."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        sizes = arguments[1].dimensions
        return "an array" if sizes is None else f"an array of {sizes} dimensions"
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin is tuple:
        return f"a list of {len(arguments)}"
    return _NAMES[dict if is_typeddict(origin) else origin]


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {value.shape}"
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value):,}"
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
