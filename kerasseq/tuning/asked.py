"""What the caller of a search asks for: what varies, what does not, and whether that can be."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from kerasseq import renamed
from kerasseq.settings import Choice, Number, Settings, When, Whole
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
    ranges, old = _ranges(task, settings), renamed.renamed(task.name)
    found, fixed = narrowed(ranges, space or {}, defaults, settings, old)
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
    own = {**defaults, **fixed}
    task.recorded(typed(task, own))
    for name in found:
        _check(task, found, own, name)
    return found, own


def _ranges(task: Task[Any, Any], settings: Settings) -> Space:
    """The ranges of the recipe; an optimizer object brings its own learning rate."""
    ranges = task.space()
    if not isinstance(settings.get("optimizer", ""), str):
        ranges.pop("learning_rate", None)
    return ranges


def _check(task: Task[Any, Any], space: Space, settings: Settings, name: str) -> None:
    """Raise a ValueError if a range has ends or options that the recipe never takes."""
    draw = random.Random(0)
    for value in _ends(plain(space[name])):
        told = _refusal(task, {**settings, **_fixed(space, name, value)})
        for _ in range(_DRAWS):
            if told is None:
                break
            drawn = _drawn(space, settings, draw)
            told = _refusal(task, {**drawn, **_fixed(space, name, value)}) and told
        if told is not None:
            raise ValueError(f"the range of {name} has {value!r}, which cannot be: {told}")


def _fixed(space: Space, name: str, value: Any) -> dict[str, Any]:
    """A setting and what it depends on."""
    own = space[name]
    return {name: value, **({own.setting: own.values[0]} if isinstance(own, When) else {})}


def _ends(own: Whole | Number | Choice) -> tuple[Any, ...]:
    """What is tried of a range: of one of numbers, a number between its ends too."""
    if isinstance(own, Choice):
        return tuple(own.options)
    within = (own.low + (own.high - own.low) / math.pi,) if isinstance(own, Number) else ()
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
        if isinstance(own, When) and found[own.setting] not in own.values:
            continue
        kind = plain(own)
        if isinstance(kind, Choice):
            found[name] = draw.choice(kind.options)
        elif isinstance(kind, Whole):
            found[name] = draw.randrange(kind.low, kind.high + 1, kind.step)
        else:
            found[name] = draw.uniform(kind.low, kind.high)
    return found
