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
    union_members,
)
from kerasseq.settings.ranges import Range

__all__ = [
    "Setting",
    "Settings",
    "Stage",
    "declarations_of",
    "doc",
    "documentation",
    "names",
    "setting",
    "restrict_to",
]

Settings = Mapping[str, Any]
_LONGEST = 200  # characters of a wrong value

T = TypeVar("T")
S = TypeVar("S")

#: The first stage of a recipe that depends on a setting. "read": how raw data is read; "split":
#: which rows are scored, and for what; "prepare": how data becomes examples; "train": everything
#: later; "option": nothing, such as where a run is saved.
Stage = Literal["read", "split", "prepare", "train", "option"]


@dataclass(frozen=True)
class Setting:
    """The declaration of one setting of a recipe.

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
        expected: the values that are allowed, in words, where the type does not say it all.
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
    expected: str | None = None

    def fault(self, value: Any) -> str | None:
        """Error message for an invalid value of the setting; None if the value is valid."""
        if value is None and "None" in union_members(self.annotation):
            return None
        for member in union_members(self.annotation):
            # Limits apply to numbers and to lists of numbers only.
            limited = is_number(value) or bool(item_type(member))
            if fits(member, value) and (not limited or self._within_limits(value)):
                return None
        return self.refusal(value)

    def refusal(self, value: Any) -> str:
        """Error message for a value that the setting cannot have."""
        shown = f"a {type(value).__name__}" if hasattr(value, "iloc") else _shortened(repr(value))
        text = f"{self.name} must be {self._describe_valid()}. Received: {self.name}={shown}"
        text += "; it is out of range." if is_huge(value) else ""
        takes_list = any(item_type(member) for member in union_members(self.annotation))
        if takes_list and isinstance(value, str | int | float):
            text += f"; pass [{value!r}]."
        return text

    def _within_limits(self, value: Any) -> bool:
        """Whether a number, or every number of a list, is within the limits."""
        if isinstance(value, Iterable) and not (isinstance(value, str) or hasattr(value, "iloc")):
            return all(map(self._within_limits, value))
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

    def _describe_valid(self) -> str:
        """The valid values as text, such as "a whole number above zero, or None"."""
        if self.expected is not None:
            return self.expected
        texts = map(self._describe_member, union_members(self.annotation))
        expected = list(dict.fromkeys(text for text in texts if text))
        if len(expected) > 1 and expected[-1] == "None":
            return f"{', '.join(expected[:-1])}, or None"
        return " or ".join(expected)

    def _describe_member(self, member: str) -> str:
        if options := literal_options(member):
            return f"one of {', '.join(map(repr, options))}"
        if item := item_type(member):
            limits = self._describe_limits(item == "int")
            return f"a list of {'whole numbers' if item == 'int' else f'values of type {item}'}" + (
                f", each {limits}" if limits else ""
            )
        if member in ("int", "float"):
            limits = self._describe_limits(member == "int")
            if member == "float" and limits and not limits.startswith("above zero"):
                return limits
            return f"a {'whole ' if member == 'int' else ''}number {limits}".strip()
        path = "a path" if any(path_type in self.annotation for path_type in PATHS) else "a text"
        return {"bool": "True or False", "str": path, "pd.DataFrame": "a table"}.get(member, member)

    def _describe_limits(self, whole: bool) -> str:
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


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


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
    expected: str | None = None,
) -> T:
    """Declare a setting as a dataclass field; omitted arguments are inherited from base classes.

    Args:
        default: default value.
        doc: one line of documentation, which begins in lower case.
        stage: first stage of a recipe that depends on the setting; "train" if no class gives one.
        range: range in which a search varies the setting; None removes an inherited range.
        least: smallest number allowed.
        above: numbers must be larger than this one.
        most: largest number allowed.
        below: numbers must be smaller than this one.
        expected: the values that are allowed, in words, where the type does not say it all.

    Example:

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Wide:
    ...     units: int = setting(64, "width of the cell", least=1)
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Wider(Wide):
    ...     units: int = 128
    >>> declarations_of(Wider)["units"].default, declarations_of(Wider)["units"].doc
    (128, 'width of the cell')
    """
    arguments: dict[str, Any] = {
        "doc": doc,
        "stage": stage,
        "least": least,
        "above": above,
        "most": most,
        "below": below,
        "expected": expected,
    }
    metadata = {name: value for name, value in arguments.items() if value is not None}
    if range is not ...:
        metadata["range"] = range
    declaration: T = field(default=default, metadata=metadata)
    return declaration


def doc(text: str) -> dict[str, str]:
    """Metadata of `dataclasses.field` for the `data` argument, which may be positional."""
    return {"doc": text, "stage": "option"}


def declarations_of(settings: type) -> dict[str, Setting]:
    """Read the settings of a dataclass, by name.

    Fields of the class itself come first, in the order of the source, then inherited ones; the
    positional argument `data` is before all.
    """
    settings_by_name = _CACHE.get(settings)
    if settings_by_name is None:
        settings_by_name = _CACHE[settings] = _read_declarations(settings)
    return settings_by_name


_CACHE: weakref.WeakKeyDictionary[type, dict[str, Setting]] = weakref.WeakKeyDictionary()


def _read_declarations(settings: type) -> dict[str, Setting]:
    declarations: dict[str, Setting] = {}
    for name in _ordered_names(settings):
        owners = [base for base in settings.__mro__ if name in _annotations(base)]
        metadata: dict[str, Any] = {}
        for owner in reversed(owners):
            metadata |= owner.__dataclass_fields__[name].metadata  # type: ignore[attr-defined]
        dataclass_field = settings.__dataclass_fields__[name]  # type: ignore[attr-defined]
        annotation = owners[0].__annotations__[name]
        if not isinstance(annotation, str):
            annotation = inspect.formatannotation(annotation)
        declarations[name] = Setting(name, annotation, dataclass_field.default, **metadata)
    return declarations


def _annotations(base: type) -> dict[str, Any]:
    """The annotations in the source of a class, without inherited ones."""
    annotations: dict[str, Any] = vars(base).get("__annotations__", {})
    return annotations


def _ordered_names(settings: type) -> list[str]:
    fields = {each.name: each for each in dataclasses.fields(settings)}
    order = dict.fromkeys(
        name for base in settings.__mro__ for name in _annotations(base) if name in fields
    )
    return sorted(order, key=lambda name: bool(fields[name].kw_only))


def names(settings: type, *stages: Stage) -> tuple[str, ...]:
    """Names of the settings of certain stages, in the order of `declarations_of`."""
    return tuple(each.name for each in declarations_of(settings).values() if each.stage in stages)


def restrict_to(settings: S, *stages: Stage) -> S:
    """View of a settings object in which only settings of certain stages can be read.

    Prepared data is reused with other settings of later stages, so it must not depend on them.
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
    """Docstring of a recipe: the docstring of its settings class, with `Args:` inserted."""
    text = inspect.cleandoc(settings.__doc__ or "")
    before, returns, after = text.partition("\n\nReturns:")
    return f"{before}\n\n{arguments(declarations_of(settings).values())}{returns}{after}"


def arguments(settings: Iterable[Setting]) -> str:
    """Format settings as the `Args:` section of a docstring."""
    lines = ["Args:"]
    for each in settings:
        lines += textwrap.wrap(
            f"{each.name}: {each.doc}.",
            96,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
