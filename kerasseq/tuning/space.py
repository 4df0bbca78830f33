"""What a search may vary: a recipe's ranges, narrowed by the caller, and as KerasTuner has them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from kerasseq.settings import (
    Choice,
    Conditional,
    Float,
    Int,
    Range,
    Settings,
    raise_faults,
    unknown,
)

__all__ = [
    "Space",
    "active",
    "check",
    "declare",
    "decode",
    "encode",
    "inside",
    "narrowed",
    "nearest",
    "parse",
    "plain",
    "sizes",
    "usable",
]

Space = dict[str, Range]

_LARGEST = 2**31 - 1  # of whole numbers
_DIGITS = 4  # of a drawn number: KerasTuner's workers are sent 32 bits of it, which keep 7


def parse(text: str) -> Range | Any:
    """The range that a text stands for, or the one value.

    `16..256` is a range of whole numbers, `16..256:log` one drawn by logarithms, `16..256:8` one in
    steps; `0.0..0.5` a range of numbers; `lstm,gru` a choice; anything else is a value. A range
    before `if cell=lstm,gru` is there with these values of another setting alone.

    Raises:
        ValueError: for a range whose ends or step cannot be.

    Example:

    >>> parse("16..256:log"), parse("lstm,gru")
    (Int(low=16, high=256, step=1, log=True), Choice(options=('lstm', 'gru')))
    >>> parse("0.0..0.3 if cell=gru")
    Conditional(setting='cell', values=('gru',), range=Float(low=0.0, high=0.3, log=False))
    """
    text, depends, condition = text.partition(" if ")
    if depends:
        name, _, values = condition.partition("=")
        own = parse(text)
        once = name.strip() and values.strip() and " if " not in condition
        if not once or not isinstance(own, Int | Float | Choice):
            raise ValueError(
                "a range that depends on another setting is written as in '0.0..0.3 if cell=gru'. "
                f"Received: {text + depends + condition!r}"
            )
        return Conditional(
            name.strip().replace("-", "_"), tuple(_value(part) for part in values.split(",")), own
        )
    found = re.fullmatch(r"([^.,:]*(?:\.\d+)?[^.,:]*)\.\.([^:,]*?)(?::([^:,]+))?", text.strip())
    if found is None:
        options = tuple(_value(part) for part in text.split(","))
        return Choice(options) if len(options) > 1 else options[0]
    low, high = (_value(part) for part in found.groups()[:2])
    how = found[3]
    whole = isinstance(low, int) and isinstance(high, int)
    if not all(isinstance(end, int | float) for end in (low, high)):
        raise ValueError(f"the ends of a range must be numbers, as in 16..256. Received: {text!r}")
    if how in (None, "log"):
        kind = Int(low, high, log=how == "log") if whole else Float(low, high, how == "log")
    elif whole and how.isdecimal():
        kind = Int(low, high, step=int(how))
    else:
        raise ValueError(
            f"after the ends of a range may stand :log, or the step between whole numbers, as in "
            f"16..256:8. Received: {text!r}"
        )
    return kind


def narrowed(
    space: Mapping[str, Range],
    given: Mapping[str, Any],
    known: Settings,
    fixed: Settings = MappingProxyType({}),
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Space, dict[str, Any]]:
    """The space of a recipe with what the caller wants otherwise, and the settings that are fixed.

    Args:
        space: of the recipe.
        given: a range, a list of options, a text as `parse` takes it, or a value for each setting
            to narrow, add or fix.
        known: all settings of the recipe.
        fixed: settings as they are to be, whatever they look like; a range varies here too.
        renamed: new names of settings by their old ones, to tell.

    Raises:
        ValueError: for a setting that the recipe does not have, or a range that cannot be.
    """
    given = {**given, **fixed}
    raise_faults([unknown(name, known, renamed) for name in given if name not in known])
    found, settled = dict(space), {}
    for name, value in given.items():
        if name not in fixed:
            value = _range(value)
        if isinstance(value, Int | Float | Choice | Conditional):
            check(name, value)
            found[name] = value
        else:
            settled[name] = value
            found.pop(name, None)
            # What depends on it matters always, or never.
            for other, own in [*found.items()]:
                if isinstance(own, Conditional) and own.setting == name:
                    del found[other]
                    if value in own.values:
                        found[other] = own.range
    for name, own in [*found.items()]:
        if name not in given and isinstance(own, Conditional) and own.setting in found:
            parent = plain(found[own.setting])  # which the caller may have narrowed
            values = tuple(value for value in own.values if inside(parent, value))
            found[name] = Conditional(own.setting, values, own.range)
            if not values:
                del found[name]
    for name, own in found.items():
        if isinstance(own, Conditional) and isinstance(found.get(own.setting), Conditional):
            raise ValueError(
                f"{name} is to vary with {own.setting}, which does not always vary itself: name "
                "one setting that does."
            )
    ordered = {name: found[name] for name in _ordered(found)}
    for name, own in ordered.items():
        _check_condition(name, own, ordered)
    return ordered, settled


def plain(own: Range) -> Int | Float | Choice:
    """A range without the condition on it."""
    return own.range if isinstance(own, Conditional) else own


def check(name: str, own: Range) -> None:
    """Raise a ValueError for a range that cannot be."""
    if isinstance(own, Conditional) and not isinstance(own.range, Int | Float | Choice):
        raise ValueError(f"{name} can vary with one other setting alone. Received: {own!r}")
    own = plain(own)
    if isinstance(own, Choice):
        if not isinstance(own.options, tuple | list):
            raise ValueError(f"the options of {name} must be a list. Received: {own.options!r}")
        if not own.options:
            raise ValueError(f"{name} has no options to choose from: give at least one.")
        if len({_label(option) for option in own.options}) < len(own.options):
            raise ValueError(f"{name} has an option twice. Received: {list(own.options)!r}")
        try:
            json.dumps(own.options)
        except TypeError:
            raise ValueError(
                f"the options of {name} must be values of JSON, in which trials are written down. "
                f"Received: {list(own.options)!r}"
            ) from None
        return
    kinds = (int,) if isinstance(own, Int) else (int, float)
    numbers = (own.low, own.high, *((own.step,) if isinstance(own, Int) else ()))
    if not all(type(end) in kinds and math.isfinite(end) for end in numbers):
        whole = "whole " if isinstance(own, Int) else ""
        raise ValueError(f"the range of {name} must have {whole}numbers. Received: {own!r}")
    if isinstance(own, Int) and own.high > _LARGEST:
        raise ValueError(
            f"the range of {name} must end at {_LARGEST:,} at most. Received: {own.high:,}"
        )
    if isinstance(own, Int) and own.step < 1:
        raise ValueError(f"the steps of {name} must be at least 1. Received: {own!r}")
    if not own.low <= own.high:
        raise ValueError(
            f"the range of {name} must begin below its end. Received: {own.low}..{own.high}"
        )
    if own.log and own.low <= 0:
        raise ValueError(
            f"the range of {name} must begin above zero to be drawn by logarithms. "
            f"Received: {own.low}..{own.high}"
        )


def _range(value: Any) -> Any:
    """What was given for a setting as a range, where it stands for one."""
    if isinstance(value, str):
        value = parse(value)
    if type(value) in (list, tuple):
        value = Choice(tuple(value))
    if isinstance(value, Choice) and isinstance(value.options, tuple | list):
        # JSON, which settings are written in, has lists alone.
        value = Choice(tuple(list(o) if isinstance(o, tuple) else o for o in value.options))
    return value


def _check_condition(name: str, own: Range, space: Mapping[str, Range]) -> None:
    """Raise a ValueError for a condition that never holds."""
    if not isinstance(own, Conditional):
        return
    if not isinstance(own.values, tuple | list) or not own.values:
        raise ValueError(
            f"{name} must vary with a list of values of {own.setting}. Received: {own.values!r}"
        )
    other = plain(space[own.setting])
    never = [value for value in own.values if not inside(other, value)]
    if never:
        raise ValueError(
            f"{name} is to vary with {own.setting}={never[0]!r}, which {own.setting} never is. "
            f"Received: {other!r}"
        )


def declare(space: Mapping[str, Range], hp: Any, defaults: Settings) -> Settings:
    """Tell KerasTuner of a space: the settings that its values stand for.

    Args:
        space: what may vary.
        hp: `keras_tuner.HyperParameters`.
        defaults: settings of the recipe; those in the space are KerasTuner's defaults.
    """
    for name, own in space.items():
        if isinstance(own, Conditional):
            parent = plain(space[own.setting])
            with hp.conditional_scope(own.setting, [_sent(value, parent) for value in own.values]):
                _declare(hp, name, own.range, defaults[name])
        else:
            _declare(hp, name, own, defaults[name])
    return decode(space, hp.values)


def decode(space: Mapping[str, Range], values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that KerasTuner's values stand for; inactive ones are left out."""
    return {
        name: _received(values[name], plain(own)) for name, own in space.items() if name in values
    }


def encode(space: Mapping[str, Range], settings: Settings) -> dict[str, Any]:
    """The values that KerasTuner has for settings; those that are inactive are left out."""
    return {
        name: _sent(settings[name], plain(own))
        for name, own in space.items()
        if name in settings and active(own, settings)
    }


def usable(space: Mapping[str, Range], settings: Settings, defaults: Settings) -> dict[str, Any]:
    """Settings in which those that the others have no use for are as they are by default."""
    idle = [name for name, own in space.items() if not active(own, settings)]
    return {**settings, **{name: defaults[name] for name in idle}}


def sizes(space: Mapping[str, Range], settings: Settings) -> dict[str, Int]:
    """The ranges of whole numbers that settings have a use for: what may be lowered to save."""
    found = {name: plain(own) for name, own in space.items() if active(own, settings)}
    return {name: own for name, own in found.items() if isinstance(own, Int)}


def _declare(hp: Any, name: str, own: Int | Float | Choice, default: Any) -> None:
    known = inside(own, default)
    if isinstance(own, Choice):
        options = [_sent(option, own) for option in own.options]
        hp.Choice(name, options, default=_sent(default, own) if known else options[0])
    elif isinstance(own, Int):
        step = None if own.log else own.step
        sampling = "log" if own.log else "linear"
        first = default if known else own.low
        hp.Int(name, own.low, own.high, step=step, sampling=sampling, default=first)
    else:
        sampling = "log" if own.log else "linear"
        first = default if known else own.low
        hp.Float(name, own.low, own.high, sampling=sampling, default=first)


def inside(own: Int | Float | Choice, value: Any) -> bool:
    """Whether a value is one of a range."""
    if isinstance(own, Choice):
        return value in own.options
    if not isinstance(value, int | float) or not own.low <= value <= own.high:
        return False
    return isinstance(own, Float) or own.log or (value - own.low) % own.step == 0


def nearest(own: Int | Float | Choice, value: Any) -> Any:
    """The value of a range that is nearest to one; None where it is no number, and none of them."""
    if inside(own, value):
        return value
    options = own.options if isinstance(own, Choice) else (own.low, own.high)
    if not all(type(number) in (int, float) for number in (value, *options)):
        return None
    if isinstance(own, Int) and own.low < value < own.high:
        return own.low + round((value - own.low) / own.step) * own.step
    return min(options, key=lambda option: abs(option - value))


def _sent(value: Any, own: Int | Float | Choice) -> Any:
    """A value as KerasTuner takes it: options of one plain type as they are, others by name."""
    if not isinstance(own, Choice):
        return value
    kinds = {type(option) for option in own.options}
    return value if kinds in ({str}, {int}) else _label(value)


def _received(value: Any, own: Int | Float | Choice) -> Any:
    if isinstance(own, Choice):
        return next(option for option in own.options if _sent(option, own) == value)
    if isinstance(own, Int):
        return int(value)
    return min(max(float(f"{value:.{_DIGITS}g}"), own.low), own.high)


def _label(option: Any) -> str:
    return option if isinstance(option, str) else repr(option)


def active(own: Range, settings: Settings) -> bool:
    """Whether what a range depends on is as it says."""
    return not isinstance(own, Conditional) or settings.get(own.setting) in own.values


def _ordered(space: Mapping[str, Range]) -> Iterator[str]:
    """Names, each after the one that it depends on."""
    done: set[str] = set()
    left = list(space)
    while left:
        ready = [
            name
            for name in left
            if not isinstance(own := space[name], Conditional) or own.setting in done
        ]
        if not ready:
            own = space[left[0]]
            assert isinstance(own, Conditional)
            raise ValueError(
                f"{left[0]} is to vary with {own.setting}, which is not in the space: add it, or "
                f"fix {left[0]}."
            )
        yield from ready
        done.update(ready)
        left = [name for name in left if name not in done]


def _value(text: str) -> Any:
    """A number, truth value or None where the text is one, else the text."""
    text = text.strip()
    named = {"none": None, "true": True, "false": False}
    if text.lower() in named:
        return named[text.lower()]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return text
