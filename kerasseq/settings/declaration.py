"""Settings of recipes: each is declared once, with its type, default, limits and search range.

A recipe's settings are a frozen dataclass. Each field is one setting::

    units: int = setting(64, "width of the cell", least=1, range=Int(16, 256, log=True))

From this declaration come the signature that editors and type checkers see, the documentation, the
options of the shell, the check of values, and the search space. A subclass that declares the field
again, as in `units: int = 128`, changes the default and keeps everything else.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import textwrap
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Literal, TypeVar, cast

from kerasseq.settings.annotations import (
    PATHS,
    fits,
    is_huge,
    is_number,
    item_type,
    literal_options,
    members,
)
from kerasseq.settings.ranges import Range

__all__ = [
    "Setting",
    "Settings",
    "Stage",
    "declared",
    "doc",
    "documentation",
    "names",
    "setting",
    "visible",
]

Settings = Mapping[str, Any]
T = TypeVar("T")
S = TypeVar("S")

#: The first stage of a recipe that depends on a setting. "read": how raw data is read; "split":
#: which rows are scored, and for what; "prepare": how data becomes examples; "train": everything
#: later; "option": nothing, such as where a run is saved.
Stage = Literal["read", "split", "prepare", "train", "option"]


@dataclass(frozen=True)
class Setting:
    """One setting of a recipe, as its field declares it.

    Args:
        name: name of the field.
        annotation: type of the field, as written in the source.
        default: default value.
        doc: one line of documentation.
        stage: first stage of a recipe that depends on the setting.
        range: range in which a search varies it; None to leave it at its value.
        least: smallest number allowed.
        above: numbers must be larger than this one.
        most: largest number allowed.
        below: numbers must be smaller than this one.
    """

    name: str
    annotation: str
    default: Any
    doc: str = ""
    stage: Stage = "train"
    range: Range | None = None
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def fault(self, value: Any) -> str | None:
        """Why the setting cannot have a value; None where it can."""
        if value is None and "None" in members(self.annotation):
            return None
        for member in members(self.annotation):
            if fits(member, value) and self._inside(value):
                return None
        text = f"{self.name} must be {self._expected()}. Received: {self.name}={value!r}"
        text += "; it is out of range." if is_huge(value) else ""
        listed = any(item_type(member) for member in members(self.annotation))
        if listed and isinstance(value, str | int | float):
            text += f"; pass [{value!r}]."
        return text

    def _inside(self, value: Any) -> bool:
        """Whether a number, or each number of a list, is within the limits."""
        if isinstance(value, Iterable) and not (isinstance(value, str) or hasattr(value, "iloc")):
            return all(map(self._inside, value))
        if not is_number(value):
            return True
        if value in (math.inf, -math.inf) or is_huge(value):
            return False
        return not (
            (self.least is not None and not value >= self.least)
            or (self.above is not None and not value > self.above)
            or (self.most is not None and not value <= self.most)
            or (self.below is not None and not value < self.below)
        )

    def _expected(self) -> str:
        """The values that are allowed, in words."""
        named = [text for member in members(self.annotation) if (text := self._named(member))]
        found = list(dict.fromkeys(named))
        if len(found) > 1 and found[-1] == "None":
            return f"{', '.join(found[:-1])}, or None"
        return " or ".join(found)

    def _named(self, member: str) -> str:
        if options := literal_options(member):
            return f"one of {', '.join(map(repr, options))}"
        if item := item_type(member):
            limits = self._limits(item == "int")
            return f"a list of {'whole numbers' if item == 'int' else f'values of type {item}'}" + (
                f", each {limits}" if limits else ""
            )
        if member in ("int", "float"):
            limits = self._limits(member == "int")
            if member == "float" and limits and not limits.startswith("above zero"):
                return limits
            return f"a {'whole ' if member == 'int' else ''}number {limits}".strip()
        path = "a path" if any(own in self.annotation for own in PATHS) else "a text"
        return {"bool": "True or False", "str": path, "pd.DataFrame": "a table"}.get(member, member)

    def _limits(self, whole: bool) -> str:
        low, high = self.least, self.most if self.most is not None else self.below
        if high is None:
            if low is None and self.above is None:
                return ""
            if self.above == 0 or (whole and low == 1):
                return "above zero"
            return f"above {self.above:g}" if low is None else f"from {low:g} on"
        if low is not None and self.most is not None:
            return f"from {low:g} to {high:g}"
        begin = f"at least {low:g}" if low is not None else f"above {self.above:g}"
        return f"{begin} and {'at most' if self.most is not None else 'below'} {high:g}"


def setting(
    default: T,
    doc: str | None = None,
    *,
    stage: Stage | None = None,
    range: Range | EllipsisType | None = ...,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> T:
    """The field of a setting; arguments that are left out are those of the class that it extends.

    Args:
        default: default value.
        doc: one line of documentation, which begins in lower case.
        stage: first stage of a recipe that depends on it; "train" where no class says.
        range: range in which a search varies it; None for no range, also where the class that it
            extends has one.
        least: smallest number allowed.
        above: numbers must be larger than this one.
        most: largest number allowed.
        below: numbers must be smaller than this one.

    Example:

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Wide:
    ...     units: int = setting(64, "width of the cell", least=1)
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Wider(Wide):
    ...     units: int = 128
    >>> declared(Wider)["units"].default, declared(Wider)["units"].doc
    (128, 'width of the cell')
    """
    given: dict[str, Any] = {
        "doc": doc,
        "stage": stage,
        "least": least,
        "above": above,
        "most": most,
        "below": below,
    }
    metadata = {name: value for name, value in given.items() if value is not None}
    if range is not ...:
        metadata["range"] = range
    own: T = field(default=default, metadata=metadata)
    return own


def doc(text: str) -> dict[str, str]:
    """Metadata of `dataclasses.field`, for the one argument that may be given by position."""
    return {"doc": text, "stage": "option"}


def declared(settings: type) -> dict[str, Setting]:
    """The settings of a dataclass by name: its own in the order of its source, then inherited ones.

    The argument that may be given by position comes first.
    """
    found = _DECLARED.get(settings)
    if found is None:
        found = _DECLARED[settings] = _declared(settings)
    return found


_DECLARED: weakref.WeakKeyDictionary[type, dict[str, Setting]] = weakref.WeakKeyDictionary()


def _declared(settings: type) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for name in _ordered(settings):
        owners = [own for own in settings.__mro__ if name in vars(own).get("__annotations__", {})]
        metadata: dict[str, Any] = {}
        for owner in reversed(owners):
            metadata |= owner.__dataclass_fields__[name].metadata  # type: ignore[attr-defined]
        own = settings.__dataclass_fields__[name]  # type: ignore[attr-defined]
        annotation = owners[0].__annotations__[name]
        if not isinstance(annotation, str):
            annotation = inspect.formatannotation(annotation)
        found[name] = Setting(name, annotation, own.default, **metadata)
    return found


def _ordered(settings: type) -> list[str]:
    fields = {own.name: own for own in dataclasses.fields(settings)}
    order = dict.fromkeys(
        name
        for own in settings.__mro__
        for name in vars(own).get("__annotations__", {})
        if name in fields
    )
    return sorted(order, key=lambda name: bool(fields[name].kw_only))


def names(settings: type, *stages: Stage) -> tuple[str, ...]:
    """The names of the settings of these stages, in the order of `declared`."""
    return tuple(name for name, own in declared(settings).items() if own.stage in stages)


def visible(settings: S, *stages: Stage) -> S:
    """Settings of which only those of these stages can be read.

    A recipe's data is prepared once for all settings of later stages, so that it must not depend
    on them.
    """
    return cast(S, _Visible(settings, names(type(settings), *stages)))


class _Visible:
    def __init__(self, settings: Any, allowed: tuple[str, ...]) -> None:
        self._settings, self._allowed = settings, allowed

    def __getattr__(self, name: str) -> Any:
        if name not in self._allowed:
            raise AttributeError(
                f"data must not depend on {name}, which is declared for a later stage: declare it "
                f"with stage='prepare'. Settings for data: {', '.join(self._allowed)}."
            )
        return getattr(self._settings, name)


def documentation(settings: type) -> str:
    """The docstring of a recipe: that of its settings, with their `Args:` before `Returns:`."""
    text = inspect.cleandoc(settings.__doc__ or "")
    before, returns, after = text.partition("\n\nReturns:")
    return f"{before}\n\n{arguments(declared(settings).values())}{returns}{after}"


def arguments(settings: Iterable[Setting]) -> str:
    """Settings as the `Args:` of a docstring."""
    lines = ["Args:"]
    for own in settings:
        lines += textwrap.wrap(
            f"{own.name}: {own.doc}.",
            96,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
