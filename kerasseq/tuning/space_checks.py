"""What the caller of a search asks for: what varies, what does not, and whether that can be."""

from __future__ import annotations

import math
import random
from collections.abc import Container, Iterable, Mapping
from typing import Any

from kerasseq.settings import Choice, Conditional, Float, Int, Settings, aliases
from kerasseq.tasks.base import Task
from kerasseq.tuning.results import MEASURED
from kerasseq.tuning.space import Space, narrowed, plain
from kerasseq.tuning.task import typed

__all__ = ["asked"]

_DRAWS = 30  # of the other settings, before a value is taken to be impossible with any of them


def asked(
    task: Task[Any, Any], defaults: Settings, space: Mapping[str, Any] | None, settings: Settings
) -> tuple[Space, dict[str, Any]]:
    """The ranges of what varies, and all settings, where they do not vary or by default.

    Args:
        task: task of the recipe.
        defaults: all of its settings.
        space: as the caller has given it.
        settings: arguments of the recipe as the caller has given them, which are taken as they are.

    Raises:
        ValueError: for settings and ranges that cannot be.
    """
    if not isinstance(space, Mapping | None):
        raise ValueError(
            "space must be a dict of settings and their ranges, such as {'units': '8..64:log'}. "
            f"Received: space={space!r}"
        )
    twice = sorted({*(space or {})} & {*settings})
    if twice:
        name = twice[0]
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
    ranges, given, old = task.space(), space or {}, aliases.renamed(task.name)
    found, fixed = narrowed(ranges, given, defaults, settings, old)
    own = {**defaults, **fixed}
    task.recorded(typed(task, own))
    _check_names(task, found)
    _check(task, found, own, [name for name in found if name in named])
    idle = _idle(task, found, own, named)
    if idle:
        found, _ = narrowed(ranges, given, defaults, {**settings, **idle}, old)
    _check(task, found, own, [name for name in found if name not in named])
    return found, own


def _check_names(task: Task[Any, Any], found: Space) -> None:
    """Raise a ValueError for a setting that cannot vary."""
    for name in found:
        if name in task.names("read"):
            raise ValueError(
                f"{name} says how the data is read, which is done once for all trials: give it as "
                f"an argument of the recipe. Received: space={{{name!r}: {found[name]!r}}}"
            )
        if name in task.names("split"):
            raise ValueError(
                f"{name} says what trials are scored on, which must be the same for all: give it "
                f"as an argument of the recipe. Received: space={{{name!r}: {found[name]!r}}}"
            )
        if name in MEASURED:
            raise ValueError(
                f"{name} cannot vary: trials have a column of that name for what came of them."
            )
        if name == "seed":
            raise ValueError("seed cannot vary: seeds=3 trains each trial from three of them.")


def _check(task: Task[Any, Any], space: Space, settings: Settings, names: Iterable[str]) -> None:
    """Raise a ValueError if one of these ranges has ends or options that the recipe never takes."""
    for name in names:
        for value in _ends(plain(space[name])):
            told = _refused(task, space, settings, {name: value})
            if told is not None:
                raise ValueError(f"the range of {name} has {value!r}, which cannot be: {told}")


def _idle(
    task: Task[Any, Any], space: Space, settings: Settings, named: Container[str]
) -> dict[str, Any]:
    """The recipe's ranges of which only the default goes with what the caller has named.

    An optimizer object brings its own learning rate, for example.
    """
    ends = {name: _ends(plain(own)) for name, own in space.items()}
    bases: list[dict[str, Any]] = [
        {},
        *({n: value} for n in space if n in named for value in (ends[n][0], ends[n][-1])),
    ]

    def idle(name: str, base: dict[str, Any]) -> bool:
        others = [value for value in ends[name] if value != settings[name]]
        return bool(others) and all(
            _refused(task, space, settings, {**base, name: value}) for value in others
        )

    mine = [name for name in space if name not in named]
    return {name: settings[name] for name in mine if any(idle(name, base) for base in bases)}


def _refused(
    task: Task[Any, Any], space: Space, settings: Settings, values: Settings
) -> str | None:
    """Why these values cannot be, whatever the others of the space are; None if they can."""
    draw = random.Random(0)
    fixed = _with_conditions(space, values)
    told = _refusal(task, {**settings, **fixed})
    for _ in range(_DRAWS):
        if told is None:
            break
        told = _refusal(task, {**_drawn(space, settings, draw), **fixed}) and told
    return told


def _with_conditions(space: Space, values: Settings) -> dict[str, Any]:
    """Values, and those with which they vary in place of others."""
    own = [space[name] for name in values]
    return {**values, **{one.setting: one.values[0] for one in own if isinstance(one, Conditional)}}


def _ends(own: Int | Float | Choice) -> tuple[Any, ...]:
    """What is tried of a range: of one of numbers, a number between its ends too."""
    if isinstance(own, Choice):
        return tuple(own.options)
    within = (own.low + (own.high - own.low) / math.pi,) if isinstance(own, Float) else ()
    return (own.low, own.high, *within)


def _refusal(task: Task[Any, Any], settings: Settings) -> str | None:
    """Why the recipe does not take these settings; None if it does."""
    try:
        task.recorded(typed(task, settings))
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def _drawn(space: Space, settings: Settings, draw: random.Random) -> dict[str, Any]:
    """Settings at random."""
    found = dict(settings)
    for name, own in space.items():
        if isinstance(own, Conditional) and found[own.setting] not in own.values:
            continue
        kind = plain(own)
        if isinstance(kind, Choice):
            found[name] = draw.choice(kind.options)
        elif isinstance(kind, Int):
            found[name] = draw.randrange(kind.low, kind.high + 1, kind.step)
        else:
            found[name] = draw.uniform(kind.low, kind.high)
    return found
