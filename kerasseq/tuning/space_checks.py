"""Checks of the search space and the settings that the caller of a search passes."""

from __future__ import annotations

import math
import random
from collections.abc import Container, Iterable, Mapping
from typing import Any

from kerasseq.settings import Choice, Conditional, Float, Int, Settings, aliases
from kerasseq.tasks.base import Task
from kerasseq.tuning.results import OUTCOME_COLUMNS
from kerasseq.tuning.space import Space, base_range, narrow
from kerasseq.tuning.task import make_settings

__all__ = ["check_space"]

_DRAWS = 30  # random draws of the other settings before a value counts as invalid


def check_space(
    task: Task[Any, Any], defaults: Settings, space: Mapping[str, Any] | None, settings: Settings
) -> tuple[Space, dict[str, Any]]:
    """Check the caller's space and settings, and complete them.

    Args:
        task: task of the recipe.
        defaults: default values of all its settings.
        space: the caller's `space`.
        settings: the caller's arguments of the recipe, which do not vary.

    Returns:
        The ranges of the settings that vary, and the values of all settings; settings that vary
        have their defaults.

    Raises:
        ValueError: for invalid settings and ranges.
    """
    if not isinstance(space, Mapping | None):
        raise ValueError(
            "space must be a dict of settings and their ranges, such as {'units': '8..64:log'}. "
            f"Received: space={space!r}"
        )
    in_both = sorted({*(space or {})} & {*settings})
    if in_both:
        name = in_both[0]
        raise ValueError(
            f"{name} is given as {settings[name]!r}, and in the space too: leave one of them out."
        )
    named = {**(space or {}), **settings}
    if "final" in named:
        raise ValueError(
            "a search looks for settings on the validation part, and trains the best ones on "
            "training and validation part together: leave final= out. Received: "
            f"final={named['final']!r}"
        )
    ranges, requested, renamed = task.space(), space or {}, aliases.renamed(task.name)
    narrowed, fixed = narrow(ranges, requested, defaults, settings, renamed)
    values = {**defaults, **fixed}
    typed = make_settings(task, values)
    task.settings_to_json(typed)
    if "seeds" in narrowed or task.members(typed)[1:]:
        raise ValueError(
            "a search trains single models, which it compares: leave seeds= of the recipe out, and "
            f"train an ensemble of the best settings. Received: seeds={named['seeds']!r}"
        )
    _check_names(task, narrowed)
    _check_ranges(task, narrowed, values, [name for name in narrowed if name in named])
    unusable = _unusable_ranges(task, narrowed, values, named)
    if unusable:
        narrowed, _ = narrow(ranges, requested, defaults, {**settings, **unusable}, renamed)
    _check_ranges(task, narrowed, values, [name for name in narrowed if name not in named])
    return narrowed, values


def _check_names(task: Task[Any, Any], space: Space) -> None:
    """Raise a ValueError for a setting that cannot vary."""
    for name in space:
        if name in task.names("read"):
            raise ValueError(
                f"{name} says how the data is read, which is done once for all trials: give it as "
                f"an argument of the recipe. Received: space={{{name!r}: {space[name]!r}}}"
            )
        if name in task.names("split"):
            raise ValueError(
                f"{name} says what trials are scored on, which must be the same for all: give it "
                f"as an argument of the recipe. Received: space={{{name!r}: {space[name]!r}}}"
            )
        if name in OUTCOME_COLUMNS:
            raise ValueError(
                f"{name} cannot vary: trials have a column of that name for what came of them."
            )
        if name == "seed":
            raise ValueError("seed cannot vary: seeds=3 trains each trial from three of them.")


def _check_ranges(
    task: Task[Any, Any], space: Space, settings: Settings, names: Iterable[str]
) -> None:
    """Raise a ValueError if an end or option of one of these ranges is always invalid."""
    for name in names:
        for value in _values_to_check(base_range(space[name])):
            reason = _rejection(task, space, settings, {name: value})
            if reason is not None:
                raise ValueError(f"the range of {name} has {value!r}, which is invalid: {reason}")


def _unusable_ranges(
    task: Task[Any, Any], space: Space, settings: Settings, named: Container[str]
) -> dict[str, Any]:
    """Defaults of settings that cannot vary together with the caller's arguments.

    For example, an optimizer object has its own learning rate, so that `learning_rate` cannot vary.
    """
    ends = {name: _values_to_check(base_range(range_)) for name, range_ in space.items()}
    bases: list[dict[str, Any]] = [
        {},
        *({n: value} for n in space if n in named for value in (ends[n][0], ends[n][-1])),
    ]

    def idle(name: str, base: dict[str, Any]) -> bool:
        alternatives = [value for value in ends[name] if value != settings[name]]
        return bool(alternatives) and all(
            _rejection(task, space, settings, {**base, name: value}) for value in alternatives
        )

    recipe_names = [name for name in space if name not in named]
    return {
        name: settings[name] for name in recipe_names if any(idle(name, base) for base in bases)
    }


def _rejection(
    task: Task[Any, Any], space: Space, settings: Settings, values: Settings
) -> str | None:
    """Error message if these values are invalid with all draws of the other settings, or None."""
    rng = random.Random(0)
    fixed = _with_active_conditions(space, values)
    reason = _error(task, {**settings, **fixed})
    for _ in range(_DRAWS):
        if reason is None:
            break
        reason = _error(task, {**_draw_settings(space, settings, rng), **fixed}) and reason
    return reason


def _with_active_conditions(space: Space, values: Settings) -> dict[str, Any]:
    """Values, and for each conditional range a value of the other setting that makes it active."""
    ranges = [space[name] for name in values]
    conditional = [range_ for range_ in ranges if isinstance(range_, Conditional)]
    return {**values, **{range_.setting: range_.values[0] for range_ in conditional}}


def _values_to_check(range_: Int | Float | Choice) -> tuple[Any, ...]:
    """The values of a range to check: options or both ends, and a fraction inside a Float range."""
    if isinstance(range_, Choice):
        return tuple(range_.options)
    ends = (range_.low, range_.high)
    fraction = range_.low + (range_.high - range_.low) / math.pi
    return (*ends, fraction) if isinstance(range_, Float) else ends


def _error(task: Task[Any, Any], settings: Settings) -> str | None:
    """Error message of the recipe for these settings; None if they are valid."""
    try:
        task.settings_to_json(make_settings(task, settings))
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def _draw_settings(space: Space, settings: Settings, rng: random.Random) -> dict[str, Any]:
    """Draw settings at random."""
    drawn = dict(settings)
    for name, range_ in space.items():
        if isinstance(range_, Conditional) and drawn[range_.setting] not in range_.values:
            continue
        kind = base_range(range_)
        if isinstance(kind, Choice):
            drawn[name] = rng.choice(kind.options)
        elif isinstance(kind, Int):
            drawn[name] = rng.randrange(kind.low, kind.high + 1, kind.step)
        else:
            drawn[name] = rng.uniform(kind.low, kind.high)
    return drawn
