"""Check JSON values, and arrays among them, against the types that declare them.

What a file holds is declared as a `TypedDict` beside the code that writes it. These types are
understood: TypedDicts, `dict[str, T]`, `list[T]`, `tuple[T, U]` (a list of that length),
`Literal`, unions, `None`, `bool`, `int` (of 64 bits), `float` (whole numbers too, and finite),
`str`, `Any`, and `Annotated` types with rules: `Array`, `Limits`, `Length`, `SameLength`, or any
function of a value that says what is wrong with it, and None for nothing.
"""

from __future__ import annotations

import math
import sys
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

__all__ = ["AnyFloat", "Array", "Count", "Length", "Limits", "SameLength", "check", "faults"]

_SHOWN = 3  # faults of a file
_LONG = 40  # characters of a wrong value
_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
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
        above: Numbers must be larger than this one; None for no limit.
        missing: Whether NaN or NaT may stand for a missing value. Infinity is never allowed.
    """

    kinds: str
    dimensions: int | None = None
    above: float | None = None
    missing: bool = False

    @property
    def name(self) -> str:
        """Description of the array, for errors."""
        return (
            "an array" if self.dimensions is None else f"an array of {self.dimensions} dimensions"
        )

    def __call__(self, value: np.ndarray) -> str | None:
        """Describe the fault of an array; None if it has none."""
        if value.dtype.kind not in self.kinds or self.dimensions not in (None, value.ndim):
            return f"must be {self.name}, and is {_describe_value(value)}"
        if self.above is not None and (value <= self.above).any():
            return f"must have numbers above {self.above}, and has {value.min()}"
        if value.dtype.kind == "f":
            bad = np.isinf(value) if self.missing else ~np.isfinite(value)
            return f"must have finite numbers, and has {value[bad][0]}" if bad.any() else None
        if value.dtype.kind == "M" and not self.missing and np.isnat(value).any():
            return "must have times, and has NaT"
        return None


@dataclass(frozen=True)
class Limits:
    """Limits of a number, in an `Annotated[int, ...]` or `Annotated[float, ...]`.

    Args:
        least: smallest number allowed.
        most: largest number allowed.
        above: numbers must be larger than this one.
        finite: whether NaN and infinity are refused.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    finite: bool = True

    def __call__(self, value: float) -> str | None:
        """Describe the fault of a number; None if it has none."""
        if not self.finite:
            return None
        if not abs(value) <= sys.float_info.max:
            return f"must be a finite number, and is {_describe_value(value)}"
        if self.least <= value <= self.most and (value > self.above or self.above == -math.inf):
            return None
        limits = {"above": self.above, "at least": self.least, "at most": self.most}
        texts = [f"{word} {limit}" for word, limit in limits.items() if abs(limit) != math.inf]
        return f"must be {' and '.join(texts)}, and is {_describe_value(value)}"


@dataclass(frozen=True)
class Length:
    """The number of entries, in an `Annotated` list or mapping."""

    least: int
    most: int | None = None

    def __call__(self, value: list[Any] | dict[str, Any]) -> str | None:
        """Describe the fault of a list or mapping; None if it has none."""
        if self.least <= len(value) and (self.most is None or len(value) <= self.most):
            return None
        most = "or more" if self.most is None else f"to {self.most:,}"
        return f"must have {self.least:,} {most} entries, and has {len(value):,}"


class SameLength:
    """Lists of one length, in an `Annotated` list or mapping of lists.

    Args:
        *names: names of the lists in the mapping; all, if none is given.
    """

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, value: Any) -> str | None:
        """Describe the fault of the lists; None if they have one length."""
        if isinstance(value, list):
            lengths = {f"[{place}]": len(entries) for place, entries in enumerate(value)}
        else:
            lengths = {name: len(value[name]) for name in self.names or value}
        if len({*lengths.values()}) <= 1:
            return None
        first, size = next(iter(lengths.items()))
        name, other = next(pair for pair in lengths.items() if pair[1] != size)
        return f"must have lists of one length: {first} has {size:,} entries, and {name} {other:,}"


#: A number that may be infinite or NaN, such as a loss or a score.
AnyFloat = Annotated[float, Limits(finite=False)]
#: A number of things.
Count = Annotated[int, Limits(least=0)]
# What arrays, and most computations, have room for.
_WHOLE, _FINITE = Limits(-(2**63), 2**63 - 1), Limits()


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
    sentences = list(islice(faults(value, kind, where), _SHOWN + 1))
    if sentences:
        more = " and more" if len(sentences) > _SHOWN else ""
        raise ValueError("; ".join(sentences[:_SHOWN]) + more)


def faults(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield one sentence for each place where a value does not match a type; see `check`."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin in (Required, NotRequired):
        yield from faults(value, arguments[0], where)
    elif origin in (Union, types.UnionType):
        yield from _faults_of_union(value, arguments, where)
    elif not _has_type(value, kind):
        yield f"{where or 'it'} must be {_describe_type(kind)}, and is {_describe_value(value)}"
    elif origin is Annotated:
        yield from _faults_of_rules(value, arguments[0], arguments[1:], where)
    elif origin in (int, float):
        yield from _faults_of_rules(value, origin, (), where)
    else:
        yield from _faults_inside(value, origin, arguments, where)


def _faults_inside(
    value: Any, origin: Any, arguments: tuple[Any, ...], where: str
) -> Iterator[str]:
    """Yield the faults of the values inside a value that has the type itself."""
    if is_typeddict(origin):
        for name, field in _fields(origin).items():
            if name in value:
                yield from faults(value[name], field, _join_path(where, name))
            elif _is_required(origin, field):
                yield f"{where or 'it'} lacks {name}"
    elif origin is dict:
        for name, item in value.items():
            yield from faults(item, arguments[1], _join_path(where, name))
    elif origin is list:
        for place, item in enumerate(value):
            yield from faults(item, arguments[0], f"{where}[{place}]")
    elif origin is tuple:
        for place, (item, argument) in enumerate(zip(value, arguments)):
            yield from faults(item, argument, f"{where}[{place}]")


def _faults_of_rules(value: Any, kind: Any, rules: tuple[Any, ...], where: str) -> Iterator[str]:
    """Yield the faults of a value with rules; rules apply to values without faults inside."""
    if kind in (int, float):
        rules = (*rules, _WHOLE) if kind is int else rules or (_FINITE,)
        inside: list[str] = []
    else:
        inside = list(islice(faults(value, kind, where), _SHOWN + 1))
    yield from inside
    if not inside:
        for rule in rules:
            if fault := rule(value):
                yield f"{where or 'it'} {fault}"


def _faults_of_union(value: Any, options: tuple[Any, ...], where: str) -> Iterator[str]:
    """Yield the faults of a value that must match one of several types."""
    likely = [option for option in options if _has_type(value, option)]
    by_option = [list(islice(faults(value, option, where), _SHOWN + 1)) for option in likely]
    if not by_option:
        kinds = " or ".join(map(_describe_type, options))
        yield f"{where or 'it'} must be {kinds}, and is {_describe_value(value)}"
    elif all(by_option):
        yield from by_option[-1]


def _join_path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _has_type(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, without looking at the values inside it."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        return _has_type(value, arguments[0])
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


def _describe_type(kind: Any) -> str:
    """Describe a type in words."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        rule = arguments[1]
        return rule.name if isinstance(rule, Array) else _describe_type(arguments[0])
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin is tuple:
        return f"a list of {len(arguments)}"
    return _NAMES[dict if is_typeddict(origin) else origin]


def _describe_value(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {value.shape}"
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value):,}"
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
