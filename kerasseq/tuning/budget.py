"""Settings that fit a budget, by closed form: nothing is built to find out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasseq.settings import Choice, Float, Int, Range, Settings
from kerasseq.tuning.space import active, plain, sizes

__all__ = ["Budget", "Limit"]

_WIDTH = "units"  # the setting that is solved for before any other
_STEPS = 24  # of a bisection between the smallest sizes and those proposed


@dataclass(frozen=True)
class Limit:
    """So much of something that a model may have at most.

    Args:
        name: what sets the limit.
        unit: what is limited, in the plural.
        measure: how much of it the model with given settings has.
        most: so much at most.
    """

    name: str
    unit: str
    measure: Callable[[Settings], int]
    most: int

    def taken(self, settings: Settings) -> float:
        """How much of it that is; without end where there can be no such model."""
        try:
            return self.measure(settings)
        except ValueError:
            return math.inf

    def holds(self, settings: Settings) -> bool:
        """Whether the model with these settings is within the limit."""
        return self.taken(settings) <= self.most


@dataclass(frozen=True)
class Budget:
    """What the model of a trial may have.

    Args:
        limits: all of which are to hold.
        space: what may vary.
        keeps: settings that are not changed to meet them, such as those of the data.
        match: whether `units`, which do not vary then, are as many as the limits allow.
    """

    limits: Sequence[Limit]
    space: Mapping[str, Range]
    keeps: tuple[str, ...] = ()
    match: bool = False

    def holds(self, settings: Settings) -> bool:
        """Whether the model with these settings is within all limits."""
        return all(limit.holds(settings) for limit in self.limits)

    def fit(self, settings: Settings) -> dict[str, Any] | None:
        """The settings, with sizes lowered as far as it takes; None where that is not enough."""
        if self.match:
            return self._matched(settings)
        if self.holds(settings):
            return dict(settings)
        if any(math.isinf(limit.taken(settings)) for limit in self.limits):
            return None
        lowest = {**settings, **{name: own.low for name, own in self._sizes(settings).items()}}
        if not self.holds(lowest):
            return None
        if _WIDTH in lowest:
            narrow = {**settings, _WIDTH: lowest[_WIDTH]}
            if self.holds(narrow):
                return self._widest(narrow, settings[_WIDTH], self.space[_WIDTH])
        return self._shrunk(settings, lowest)

    def smallest(self, settings: Settings, limits: Sequence[Limit]) -> dict[str, Any]:
        """The settings of the space that stay furthest below all of these limits."""

        def taken(found: Settings) -> float:
            return max(limit.taken(found) / limit.most for limit in limits)

        def lowest(chosen: Settings) -> dict[str, Any]:
            found = {**settings, **chosen}
            found |= {name: own.low for name, own in sizes(self.space, found).items()}
            return {**found, _WIDTH: 1} if self.match else found

        found = lowest({})
        chosen: dict[str, Any] = {}
        for name, own in ((name, plain(own)) for name, own in self.space.items()):
            if isinstance(own, Choice) and active(self.space[name], found):
                each = ({**chosen, name: option} for option in own.options)
                chosen = min(each, key=lambda options: taken(lowest(options)))
                found = lowest(chosen)
        for name, own in sizes(self.space, found).items():
            if taken(found) > 1:  # a large segment, say, takes fewer steps
                found = min(found, {**found, name: own.high}, key=taken)
        return found

    def check(self, settings: Settings) -> None:
        """Raise a ValueError where no settings of the space fit, with the smallest that would."""
        each = [[limit] for limit in self.limits]
        for limits in [*each, self.limits] if each[1:] else each:
            found = self.smallest(settings, limits)
            over = [limit for limit in limits if not limit.holds(found)]
            if over:
                raise ValueError(self._told(over[0], limits, found))

    def _told(self, over: Limit, limits: Sequence[Limit], found: Settings) -> str:
        """What to say of the settings that stay furthest below some limits, but not of one."""
        names = [name for name, own in self.space.items() if not isinstance(plain(own), Float)]
        told = ", ".join(f"{own}={found[own]!r}" for own in [*names, *[_WIDTH] * self.match])
        which = " within the other limits: the nearest" if limits[1:] else ": the smallest"
        given = ", ".join(f"{limit.name}={limit.most:,}" for limit in limits)
        return (
            f"no setting of the space has so few {over.unit}{which} has {over.measure(found):,} "
            f"({told}). Allow more, or widen the space. Received: {given}"
        )

    def _sizes(self, settings: Settings) -> dict[str, Int]:
        """The sizes whose lowering saves what there is too much of."""
        over = [limit for limit in self.limits if not limit.holds(settings)]
        now = [limit.taken(settings) for limit in over]
        return {
            name: own
            for name, own in sizes(self.space, settings).items()
            if name not in self.keeps
            and any(
                limit.taken({**settings, name: own.low}) < before
                for limit, before in zip(over, now, strict=True)
            )
        }

    def _matched(self, settings: Settings) -> dict[str, Any] | None:
        most = min(limit.most for limit in self.limits)  # each unit takes one at least
        narrow = {**settings, _WIDTH: 1}
        return self._widest(narrow, most, Int(1, most)) if self.holds(narrow) else None

    def _widest(self, settings: Settings, most: int, own: Range) -> dict[str, Any]:
        """The most units up to a number of them that are within the limits."""
        own = plain(own)
        assert isinstance(own, Int)
        low, high = 0, (most - own.low) // own.step + 1  # in steps; the first fits, the last not
        while high - low > 1:
            middle = (low + high) // 2
            if self.holds({**settings, _WIDTH: own.low + middle * own.step}):
                low = middle
            else:
                high = middle
        return {**settings, _WIDTH: own.low + low * own.step}

    def _shrunk(self, settings: Settings, lowest: Settings) -> dict[str, Any]:
        """All sizes together, as far as it takes, by the same share of the way to the lowest."""

        def at(share: float) -> dict[str, Any]:
            found = dict(settings)
            for name, own in sizes(self.space, settings).items():
                low, high = lowest[name], settings[name]
                if low != high:
                    wanted = low * (high / low) ** share if low > 0 else low + (high - low) * share
                    found[name] = own.low + int(wanted - own.low + 1e-9) // own.step * own.step
            return found

        low, high = 0.0, 1.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.holds(at(middle)):
                low = middle
            else:
                high = middle
        return at(low)
