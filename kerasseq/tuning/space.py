"""Search spaces: a recipe's ranges with the caller's changes, and their form in KerasTuner."""

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
    unknown_setting,
)

__all__ = [
    "Space",
    "is_active",
    "check",
    "declare",
    "decode",
    "encode",
    "contains",
    "narrow",
    "nearest",
    "parse",
    "base_range",
    "sizes",
    "reset_inactive",
]

Space = dict[str, Range]

_LARGEST = 2**31 - 1  # largest whole number in a range
_DIGITS = 4  # significant digits of a drawn number; KerasTuner sends workers float32, with 7


def parse(text: str) -> Range | Any:
    """Parse a range or a single value.

    `16..256` is a range of whole numbers, `16..256:log` the same on a logarithmic scale,
    `16..256:8` in steps of 8; `0.0..0.5` is a range of numbers; `lstm,gru` a choice; other text is
    one value.
    A range followed by `if cell=lstm,gru` applies only with these values of the other setting.

    Raises:
        ValueError: for invalid ends or steps of a range.

    Example:

    >>> parse("16..256:log"), parse("lstm,gru")
    (Int(low=16, high=256, step=1, log=True), Choice(options=('lstm', 'gru')))
    >>> parse("0.0..0.3 if cell=gru")
    Conditional(setting='cell', values=('gru',), range=Float(low=0.0, high=0.3, log=False))
    """
    text, separator, condition = text.partition(" if ")
    if separator:
        name, _, values = condition.partition("=")
        range_ = parse(text)
        complete = name.strip() and values.strip() and " if " not in condition
        if not complete or not isinstance(range_, Int | Float | Choice):
            raise ValueError(
                "a range that depends on another setting is written as in '0.0..0.3 if cell=gru'. "
                f"Received: {text + separator + condition!r}"
            )
        return Conditional(
            name.strip().replace("-", "_"),
            tuple(_parse_value(part) for part in values.split(",")),
            range_,
        )
    match = re.fullmatch(r"([^.,:]*(?:\.\d+)?[^.,:]*)\.\.([^:,]*?)(?::([^:,]+))?", text.strip())
    if match is None:
        options = tuple(_parse_value(part) for part in text.split(","))
        return Choice(options) if len(options) > 1 else options[0]
    low, high = (_parse_value(part) for part in match.groups()[:2])
    scale = match[3]
    whole = isinstance(low, int) and isinstance(high, int)
    if not all(isinstance(end, int | float) for end in (low, high)):
        raise ValueError(f"the ends of a range must be numbers, as in 16..256. Received: {text!r}")
    if scale in (None, "log"):
        parsed = Int(low, high, log=scale == "log") if whole else Float(low, high, scale == "log")
    elif whole and scale.isdecimal():
        parsed = Int(low, high, step=int(scale))
    else:
        raise ValueError(
            f"after the ends of a range may stand :log, or the step between whole numbers, as in "
            f"16..256:8. Received: {text!r}"
        )
    return parsed


def narrow(
    space: Mapping[str, Range],
    changes: Mapping[str, Any],
    known: Settings,
    fixed: Settings = MappingProxyType({}),
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Space, dict[str, Any]]:
    """Apply the caller's changes to the search space of a recipe.

    Args:
        space: search space of the recipe.
        changes: for each setting to narrow, add or fix: a range, a list of options, a text for
            `parse`, or a value.
        known: all settings of the recipe.
        fixed: further changes whose texts are not parsed: each is a value, or a range object.
        renamed: new names of settings by their old ones, for error messages.

    Returns:
        The space, and the settings that are fixed to one value.

    Raises:
        ValueError: for an unknown setting or an invalid range.
    """
    changes = {**changes, **fixed}
    raise_faults([unknown_setting(name, known, renamed) for name in changes if name not in known])
    ranges, fixed_values = dict(space), {}
    for name, value in changes.items():
        if name not in fixed:
            value = _as_range(value)
        if isinstance(value, Int | Float | Choice | Conditional):
            check(name, value)
            ranges[name] = value
        else:
            fixed_values[name] = value
            ranges.pop(name, None)
            # Ranges conditional on the fixed setting now apply always, or never.
            for other, range_ in [*ranges.items()]:
                if isinstance(range_, Conditional) and range_.setting == name:
                    del ranges[other]
                    if value in range_.values:
                        ranges[other] = range_.range
    for name, range_ in [*ranges.items()]:
        if name not in changes and isinstance(range_, Conditional) and range_.setting in ranges:
            parent = base_range(ranges[range_.setting])  # which the caller may have narrowed
            values = tuple(value for value in range_.values if contains(parent, value))
            ranges[name] = Conditional(range_.setting, values, range_.range)
            if not values:
                del ranges[name]
    for name, range_ in ranges.items():
        if isinstance(range_, Conditional) and isinstance(ranges.get(range_.setting), Conditional):
            raise ValueError(
                f"{name} is to vary with {range_.setting}, which is conditional itself: name an "
                "unconditional setting."
            )
    ordered = {name: ranges[name] for name in _dependency_order(ranges)}
    for name, range_ in ordered.items():
        _check_condition(name, range_, ordered)
    return ordered, fixed_values


def base_range(range_: Range) -> Int | Float | Choice:
    """The range without its condition."""
    return range_.range if isinstance(range_, Conditional) else range_


def check(name: str, range_: Range) -> None:
    """Raise a ValueError for an invalid range."""
    if isinstance(range_, Conditional) and not isinstance(range_.range, Int | Float | Choice):
        raise ValueError(f"{name} can vary with one other setting alone. Received: {range_!r}")
    range_ = base_range(range_)
    if isinstance(range_, Choice):
        if not isinstance(range_.options, tuple | list):
            raise ValueError(f"the options of {name} must be a list. Received: {range_.options!r}")
        if not range_.options:
            raise ValueError(f"{name} has no options to choose from: give at least one.")
        if len({_label(option) for option in range_.options}) < len(range_.options):
            raise ValueError(f"{name} has an option twice. Received: {list(range_.options)!r}")
        try:
            json.dumps(range_.options)
        except TypeError:
            raise ValueError(
                f"the options of {name} must be values of JSON, in which trials are written down. "
                f"Received: {list(range_.options)!r}"
            ) from None
        return
    kinds = (int,) if isinstance(range_, Int) else (int, float)
    numbers = (range_.low, range_.high, *((range_.step,) if isinstance(range_, Int) else ()))
    if not all(type(end) in kinds and math.isfinite(end) for end in numbers):
        whole = "whole " if isinstance(range_, Int) else ""
        raise ValueError(f"the range of {name} must have {whole}numbers. Received: {range_!r}")
    if isinstance(range_, Int) and range_.high > _LARGEST:
        raise ValueError(
            f"the range of {name} must end at {_LARGEST:,} at most. Received: {range_.high:,}"
        )
    if isinstance(range_, Int) and range_.step < 1:
        raise ValueError(f"the steps of {name} must be at least 1. Received: {range_!r}")
    if not range_.low <= range_.high:
        raise ValueError(
            f"the range of {name} must begin below its end. Received: {range_.low}..{range_.high}"
        )
    if range_.log and range_.low <= 0:
        raise ValueError(
            f"the range of {name} must begin above zero to be drawn by logarithms. "
            f"Received: {range_.low}..{range_.high}"
        )


def _as_range(value: Any) -> Any:
    """Convert a text or a list to a range; other values are returned unchanged."""
    if isinstance(value, str):
        value = parse(value)
    if type(value) in (list, tuple):
        value = Choice(tuple(value))
    if isinstance(value, Choice) and isinstance(value.options, tuple | list):
        # Settings are saved as JSON, which has lists but no tuples.
        value = Choice(tuple(list(o) if isinstance(o, tuple) else o for o in value.options))
    return value


def _check_condition(name: str, range_: Range, space: Mapping[str, Range]) -> None:
    """Raise a ValueError for a condition on a value that the other setting never has."""
    if not isinstance(range_, Conditional):
        return
    if not isinstance(range_.values, tuple | list) or not range_.values:
        raise ValueError(
            f"{name} must vary with a list of values of {range_.setting}. "
            f"Received: {range_.values!r}"
        )
    parent = base_range(space[range_.setting])
    never = [value for value in range_.values if not contains(parent, value)]
    if never:
        raise ValueError(
            f"{name} is to vary with {range_.setting}={never[0]!r}, which is not in the range of "
            f"{range_.setting}. Received: {parent!r}"
        )


def declare(space: Mapping[str, Range], hp: Any, defaults: Settings) -> Settings:
    """Declare a space as KerasTuner's hyperparameters, and return their values as settings.

    Args:
        space: ranges of the settings that vary.
        hp: `keras_tuner.HyperParameters`; it is changed.
        defaults: settings of the recipe, which become the hyperparameters' defaults.
    """
    for name, range_ in space.items():
        if isinstance(range_, Conditional):
            parent = base_range(space[range_.setting])
            with hp.conditional_scope(
                range_.setting, [_to_tuner(value, parent) for value in range_.values]
            ):
                _declare(hp, name, range_.range, defaults[name])
        else:
            _declare(hp, name, range_, defaults[name])
    return decode(space, hp.values)


def decode(space: Mapping[str, Range], values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert KerasTuner's values to settings; inactive settings are left out."""
    return {
        name: _from_tuner(values[name], base_range(range_))
        for name, range_ in space.items()
        if name in values
    }


def encode(space: Mapping[str, Range], settings: Settings) -> dict[str, Any]:
    """Convert settings to KerasTuner's values; inactive settings are left out."""
    return {
        name: _to_tuner(settings[name], base_range(range_))
        for name, range_ in space.items()
        if name in settings and is_active(range_, settings)
    }


def reset_inactive(
    space: Mapping[str, Range], settings: Settings, defaults: Settings
) -> dict[str, Any]:
    """Reset inactive settings to their defaults."""
    inactive = [name for name, range_ in space.items() if not is_active(range_, settings)]
    return {**settings, **{name: defaults[name] for name in inactive}}


def sizes(space: Mapping[str, Range], settings: Settings) -> dict[str, Int]:
    """The active ranges of whole numbers: the sizes that a budget may lower."""
    active_ranges = {
        name: base_range(range_) for name, range_ in space.items() if is_active(range_, settings)
    }
    return {name: range_ for name, range_ in active_ranges.items() if isinstance(range_, Int)}


def _declare(hp: Any, name: str, range_: Int | Float | Choice, default: Any) -> None:
    is_inside = contains(range_, default)
    if isinstance(range_, Choice):
        options = [_to_tuner(option, range_) for option in range_.options]
        hp.Choice(name, options, default=_to_tuner(default, range_) if is_inside else options[0])
    elif isinstance(range_, Int):
        step = None if range_.log else range_.step
        sampling = "log" if range_.log else "linear"
        first = default if is_inside else range_.low
        hp.Int(name, range_.low, range_.high, step=step, sampling=sampling, default=first)
    else:
        sampling = "log" if range_.log else "linear"
        first = default if is_inside else range_.low
        hp.Float(name, range_.low, range_.high, sampling=sampling, default=first)


def contains(range_: Int | Float | Choice, value: Any) -> bool:
    """Whether a range contains a value."""
    if isinstance(range_, Choice):
        return value in range_.options
    if not isinstance(value, int | float) or not range_.low <= value <= range_.high:
        return False
    return isinstance(range_, Float) or range_.log or (value - range_.low) % range_.step == 0


def nearest(range_: Int | Float | Choice, value: Any) -> Any:
    """The value of a range nearest to `value`; None if `value` is no number and not an option."""
    if contains(range_, value):
        return value
    options = range_.options if isinstance(range_, Choice) else (range_.low, range_.high)
    if not all(type(number) in (int, float) for number in (value, *options)):
        return None
    if isinstance(range_, Int) and range_.low < value < range_.high:
        return range_.low + round((value - range_.low) / range_.step) * range_.step
    return min(options, key=lambda option: abs(option - value))


def _to_tuner(value: Any, range_: Int | Float | Choice) -> Any:
    """Convert a value for KerasTuner, which takes options of one type; others become labels."""
    if not isinstance(range_, Choice):
        return value
    kinds = {type(option) for option in range_.options}
    return value if kinds in ({str}, {int}) else _label(value)


def _from_tuner(value: Any, range_: Int | Float | Choice) -> Any:
    if isinstance(range_, Choice):
        return next(option for option in range_.options if _to_tuner(option, range_) == value)
    if isinstance(range_, Int):
        return int(value)
    return min(max(float(f"{value:.{_DIGITS}g}"), range_.low), range_.high)


def _label(option: Any) -> str:
    return option if isinstance(option, str) else repr(option)


def is_active(range_: Range, settings: Settings) -> bool:
    """Whether the condition of a range holds, or it has none."""
    return not isinstance(range_, Conditional) or settings.get(range_.setting) in range_.values


def _dependency_order(space: Mapping[str, Range]) -> Iterator[str]:
    """Names of settings in an order in which conditions refer to earlier settings only."""
    done: set[str] = set()
    waiting = list(space)
    while waiting:
        ready = [
            name
            for name in waiting
            if not isinstance(range_ := space[name], Conditional) or range_.setting in done
        ]
        if not ready:
            range_ = space[waiting[0]]
            assert isinstance(range_, Conditional)
            raise ValueError(
                f"{waiting[0]} is to vary with {range_.setting}, which is not in the space: "
                f"add it, or fix {waiting[0]}."
            )
        yield from ready
        done.update(ready)
        waiting = [name for name in waiting if name not in done]


def _parse_value(text: str) -> Any:
    """Parse a number, true, false or none; other text is returned unchanged."""
    text = text.strip()
    constants = {"none": None, "true": True, "false": False}
    if text.lower() in constants:
        return constants[text.lower()]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return text
