"""Settings of recipes: each is declared once, with its type, default, limits and search range.

A recipe's settings are a frozen dataclass. Each field is one setting::

    units: int = setting(64, "width of the cell", least=1, range=Int(16, 256, log=True))

From this declaration come the signature that editors and type checkers see, the documentation, the
options of the shell, the check of values, and the search space. A subclass that declares the field
again, as in `units: int = 128`, changes the default and keeps everything else.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import math
import numbers
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import EllipsisType
from typing import Any, Literal, TypeVar, cast

__all__ = [
    "Choice",
    "Float",
    "Range",
    "Setting",
    "Stage",
    "Settings",
    "Conditional",
    "Int",
    "check",
    "declared",
    "doc",
    "documentation",
    "listed",
    "members",
    "names",
    "one_of",
    "require_positive",
    "raise_faults",
    "setting",
    "unknown",
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
class Int:
    """A range of whole numbers, both ends included; `log` draws them evenly by their logarithm."""

    low: int
    high: int
    step: int = 1
    log: bool = False


@dataclass(frozen=True)
class Float:
    """A range of numbers; `log` draws them evenly by their logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[Any, ...]


@dataclass(frozen=True)
class Conditional:
    """A range of a setting that matters only with some values of another setting.

    Args:
        setting: name of the other setting.
        values: values of the other setting with which this range applies.
        range: range of this setting.
    """

    setting: str
    values: tuple[Any, ...]
    range: Int | Float | Choice


Range = Int | Float | Choice | Conditional


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
        """Why the setting cannot have a value; None where it can."""
        if value is None and "None" in members(self.annotation):
            return None
        for member in members(self.annotation):
            if _fits(member, value) and self._inside(value):
                return None
        return self.refusal(value)

    def refusal(self, value: Any) -> str:
        """The message about a value that the setting cannot have."""
        shown = f"a {type(value).__name__}" if hasattr(value, "iloc") else repr(value)
        text = f"{self.name} must be {self._expected()}. Received: {self.name}={shown}"
        text += "; it is out of range." if _huge(value) else ""
        listed = any(_item(member) for member in members(self.annotation))
        if listed and isinstance(value, str | int | float):
            text += f"; pass [{value!r}]."
        return text

    def _inside(self, value: Any) -> bool:
        """Whether a number, or each number of a list, is within the limits."""
        if isinstance(value, Iterable) and not (isinstance(value, str) or hasattr(value, "iloc")):
            return all(map(self._inside, value))
        if not _number(value):
            return True
        if value in (math.inf, -math.inf) or _huge(value):
            return False
        return not (
            (self.least is not None and not value >= self.least)
            or (self.above is not None and not value > self.above)
            or (self.most is not None and not value <= self.most)
            or (self.below is not None and not value < self.below)
        )

    def _expected(self) -> str:
        """The values that are allowed, in words."""
        if self.expected is not None:
            return self.expected
        named = [text for member in members(self.annotation) if (text := self._named(member))]
        found = list(dict.fromkeys(named))
        if len(found) > 1 and found[-1] == "None":
            return f"{', '.join(found[:-1])}, or None"
        return " or ".join(found)

    def _named(self, member: str) -> str:
        if options := _options(member):
            return f"one of {', '.join(map(repr, options))}"
        if item := _item(member):
            limits = self._limits(item == "int")
            return f"a list of {'whole numbers' if item == 'int' else f'values of type {item}'}" + (
                f", each {limits}" if limits else ""
            )
        if member in ("int", "float"):
            limits = self._limits(member == "int")
            if member == "float" and limits and not limits.startswith("above zero"):
                return limits
            return f"a {'whole ' if member == 'int' else ''}number {limits}".strip()
        path = "a path" if any(own in self.annotation for own in _PATHS) else "a text"
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
    expected: str | None = None,
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
        expected: the values that are allowed, in words, where the type does not say it all.

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
        "expected": expected,
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


def check(settings: Any) -> None:
    """Raise a ValueError that names all settings whose values are not of the declared kind."""
    faults = (own.fault(getattr(settings, name)) for name, own in declared(type(settings)).items())
    raise_faults([fault for fault in faults if fault is not None])


def raise_faults(faults: Sequence[str]) -> None:
    """Raise a ValueError that tells all faults at once, if there are any."""
    if len(faults) == 1:
        raise ValueError(faults[0])
    if faults:
        raise ValueError(f"{len(faults)} settings are wrong: {'; '.join(faults)}")


def unknown(name: str, known: Iterable[str], renamed: Mapping[str, str] | None = None) -> str:
    """A message about a setting that there is not: its new name, or the names there are."""
    known = list(known)
    if renamed and name in renamed:
        return f"{name!r} was renamed to {renamed[name]!r}."
    near = difflib.get_close_matches(name, known)
    remedy = (
        f"Did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"It has: {', '.join(sorted(known))}."
    )
    return f"there is no setting {name!r}. {remedy}"


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
    return tuple("str" if member in _PATHS else member for member in found)


_PATHS = ("Path", "pathlib.Path", "os.PathLike[str]")
_LISTS = ("list[", "tuple[", "Sequence[", "Iterable[")


def _options(member: str) -> tuple[Any, ...]:
    """The values of a Literal."""
    if not member.startswith("Literal["):
        return ()
    return tuple(ast.literal_eval(f"[{member.removeprefix('Literal[')}"))


def _item(member: str) -> str:
    """The type of the items of a list, where it is a plain one."""
    if not member.startswith(_LISTS):
        return ""
    item = member.partition("[")[2].rstrip("]").removesuffix(", ...")
    return item if item in ("bool", "int", "float", "str") else ""


def _huge(value: Any) -> bool:
    """Whether a whole number is one that no array can hold."""
    return isinstance(value, numbers.Integral) and abs(int(value)) >= 2**63


def _number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _fits(member: str, value: Any) -> bool:
    """Whether a value is of the type that a member of an annotation names."""
    if member in ("Any", "object"):
        return True
    if options := _options(member):
        bools = [own for own in options if isinstance(own, bool) == isinstance(value, bool)]
        return any(value == option for option in bools)
    if item := _item(member):
        listed = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return listed and all(_fits(item, own) for own in value)
    if member == "bool":
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if member == "int":
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if member == "float":
        return _number(value)
    if member == "str":
        return isinstance(value, str) or hasattr(value, "__fspath__")
    # A class that only Python code can give: its user checks it.
    return member != "None" and not isinstance(value, bool | int | float | str | None)


def require_bool(**values: Any) -> None:
    """Raise a ValueError unless each of these arguments of a method is True or False.

    >>> require_bool(strict="yes")
    Traceback (most recent call last):
    ValueError: strict must be True or False. Received: strict='yes'
    """
    faults = [Setting(name, "bool", None).fault(value) for name, value in values.items()]
    raise_faults([fault for fault in faults if fault is not None])


def require_positive(settings: Settings, *wanted: str) -> None:
    """Raise a ValueError unless each of these values is a whole number above zero."""
    faults = [Setting(name, "int", None, least=1).fault(settings[name]) for name in wanted]
    raise_faults([fault for fault in faults if fault is not None])


def one_of(settings: Settings, name: str, options: Sequence[Any]) -> None:
    """Raise a ValueError unless this value is one of the options."""
    if settings[name] not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name} must be one of {known}. Received: {name}={settings[name]!r}")


def listed(settings: Settings, name: str) -> list[Any]:
    """The items of a value; raises a ValueError where it is not a list."""
    value = settings[name]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list. Received: {name}={value!r}; pass [{value!r}].")
    return list(value)


def documentation(settings: type) -> str:
    """The docstring of a recipe: that of its settings, with their `Args:` before `Returns:`."""
    text = inspect.cleandoc(settings.__doc__ or "")
    before, returns, after = text.partition("\n\nReturns:")
    return f"{before}\n\n{arguments(declared(settings).values())}{returns}{after}"


def arguments(settings: Iterable[Setting]) -> str:
    """Settings as the `Args:` of a docstring."""
    import textwrap

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
