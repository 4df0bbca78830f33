"""Settings made to fit a budget. Sizes are counted in closed form: no model is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasseq.settings import Choice, Float, Int, Range, Settings
from kerasseq.tuning.space import base_range, is_active, sizes

__all__ = ["Budget", "Limit"]

_WIDTH = "units"  # the setting that is lowered before any other
_STEPS = 24  # of the bisection between the smallest and the proposed sizes


@dataclass(frozen=True)
class Limit:
    """An upper limit on one quantity of a model, such as its parameters.

    Args:
        name: argument that sets the limit, such as "max_params".
        unit: the limited quantity, in the plural.
        measure: gives the quantity of the model with some settings; a ValueError if such a model
            is impossible.
        most: largest quantity allowed.
    """

    name: str
    unit: str
    measure: Callable[[Settings], int]
    most: int

    def amount(self, settings: Settings) -> float:
        """The quantity of the model with these settings; infinite if the model is impossible."""
        try:
            return self.measure(settings)
        except ValueError:
            return math.inf

    def holds(self, settings: Settings) -> bool:
        """Whether the model with these settings is within the limit."""
        return self.amount(settings) <= self.most


@dataclass(frozen=True)
class Budget:
    """All limits on the model of a trial.

    Args:
        limits: limits that must all hold.
        space: ranges of the settings that vary.
        keeps: settings that are never lowered, such as the settings of data preparation.
        match: whether to choose the largest `units` that the limits allow; `units` are then not
            in the space.
    """

    limits: Sequence[Limit]
    space: Mapping[str, Range]
    keeps: tuple[str, ...] = ()
    match: bool = False

    def holds(self, settings: Settings) -> bool:
        """Whether the model with these settings is within all limits."""
        return all(limit.holds(settings) for limit in self.limits)

    def fit(self, settings: Settings) -> dict[str, Any] | None:
        """Lower sizes until all limits hold; None if even the smallest sizes exceed a limit.

        The width alone is lowered if that is enough, by bisection to the largest that fits. If not,
        all sizes that reduce an exceeded quantity are moved together towards their lower ends, by
        the largest share of the way at which the limits hold.
        """
        if self.match:
            return self._match_units(settings)
        if self.holds(settings):
            return dict(settings)
        if any(math.isinf(limit.amount(settings)) for limit in self.limits):
            return None
        sizes_to_lower = self._reducing_sizes(settings)
        lowest = {**settings, **{name: range_.low for name, range_ in sizes_to_lower.items()}}
        if not self.holds(lowest):
            return None
        if _WIDTH in lowest:
            narrow = {**settings, _WIDTH: lowest[_WIDTH]}
            if self.holds(narrow):
                return self._widest(narrow, settings[_WIDTH], self.space[_WIDTH])
        return self._shrink(settings, lowest)

    def smallest(self, settings: Settings, limits: Sequence[Limit]) -> dict[str, Any]:
        """The settings of the space that are furthest below the limits.

        Numbers are at their lower ends; the options of a choice are tried one choice at a time.
        """

        def worst_share(candidate: Settings) -> float:
            return max(limit.amount(candidate) / limit.most for limit in limits)

        def lowest(chosen: Settings) -> dict[str, Any]:
            candidate = {**settings, **chosen}
            lows = {name: range_.low for name, range_ in sizes(self.space, candidate).items()}
            return {**candidate, **lows, **({_WIDTH: 1} if self.match else {})}

        smallest = lowest({})
        chosen: dict[str, Any] = {}
        for name, range_ in ((name, base_range(range_)) for name, range_ in self.space.items()):
            if isinstance(range_, Choice) and is_active(self.space[name], smallest):
                candidates = ({**chosen, name: option} for option in range_.options)
                chosen = min(candidates, key=lambda options: worst_share(lowest(options)))
                smallest = lowest(chosen)
        for name, range_ in sizes(self.space, smallest).items():
            if worst_share(smallest) > 1:  # a large segment, for example, has fewer steps
                smallest = min(smallest, {**smallest, name: range_.high}, key=worst_share)
        return smallest

    def check(self, settings: Settings) -> None:
        """Check that some settings of the space fit.

        Raises:
            ValueError: if none do; the message has the smallest model of the space.
        """
        single = [[limit] for limit in self.limits]
        for limits in [*single, self.limits] if single[1:] else single:
            smallest = self.smallest(settings, limits)
            exceeded = [limit for limit in limits if not limit.holds(smallest)]
            if exceeded:
                raise ValueError(self._message(exceeded[0], limits, smallest))

    def _message(self, exceeded: Limit, limits: Sequence[Limit], smallest: Settings) -> str:
        """Error message for a limit that even the smallest settings of the space exceed."""
        names = [
            name for name, range_ in self.space.items() if not isinstance(base_range(range_), Float)
        ]
        names += [_WIDTH] * self.match
        values = ", ".join(f"{name}={smallest[name]!r}" for name in names)
        which = " within the other limits: the nearest" if limits[1:] else ": the smallest"
        limits_text = ", ".join(f"{limit.name}={limit.most:,}" for limit in limits)
        amount = exceeded.measure(smallest)
        return (
            f"no setting of the space has so few {exceeded.unit}{which} has {amount:,} ({values}). "
            f"Allow more, or widen the space. Received: {limits_text}"
        )

    def _reducing_sizes(self, settings: Settings) -> dict[str, Int]:
        """The ranges of sizes that reduce an exceeded quantity when they are lowered."""
        exceeded = [limit for limit in self.limits if not limit.holds(settings)]
        amounts = [limit.amount(settings) for limit in exceeded]
        return {
            name: range_
            for name, range_ in sizes(self.space, settings).items()
            if name not in self.keeps
            and any(
                limit.amount({**settings, name: range_.low}) < before
                for limit, before in zip(exceeded, amounts, strict=True)
            )
        }

    def _match_units(self, settings: Settings) -> dict[str, Any] | None:
        most = min(limit.most for limit in self.limits)  # a unit has at least one parameter
        narrow = {**settings, _WIDTH: 1}
        return self._widest(narrow, most, Int(1, most)) if self.holds(narrow) else None

    def _widest(self, settings: Settings, most: int, range_: Range) -> dict[str, Any]:
        """The settings with the largest width, up to `most`, that is within the limits."""
        range_ = base_range(range_)
        assert isinstance(range_, Int)
        # Bisection in steps of the range: `low` always fits, `high` does not.
        low, high = 0, (most - range_.low) // range_.step + 1
        while high - low > 1:
            middle = (low + high) // 2
            if self.holds({**settings, _WIDTH: range_.low + middle * range_.step}):
                low = middle
            else:
                high = middle
        return {**settings, _WIDTH: range_.low + low * range_.step}

    def _shrink(self, settings: Settings, lowest: Settings) -> dict[str, Any]:
        """Move all sizes towards their lowest values, by the same share of the way.

        Bisection finds the largest share at which the limits hold. The way is geometric where the
        lowest size is positive, so that 16..1024 and 2..4 shrink at the same rate.
        """

        def shrunk_by(share: float) -> dict[str, Any]:
            shrunk = dict(settings)
            for name, range_ in sizes(self.space, settings).items():
                low, high = lowest[name], settings[name]
                if low != high:
                    size = low * (high / low) ** share if low > 0 else low + (high - low) * share
                    steps = int(size - range_.low + 1e-9) // range_.step
                    shrunk[name] = range_.low + steps * range_.step
            return shrunk

        low, high = 0.0, 1.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.holds(shrunk_by(middle)):
                low = middle
            else:
                high = middle
        return shrunk_by(low)
