"""Settings that fit a budget of parameters, by closed form: nothing is built to find out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kerasseq.settings import Choice, Number, Range, Settings, Whole
from kerasseq.tuning.space import plain, sizes

__all__ = ["Budget"]

_WIDTH = "units"  # the setting that is solved for before any other
_STEPS = 24  # of a bisection between the smallest sizes and those proposed


@dataclass(frozen=True)
class Budget:
    """What the model of a trial may have.

    Args:
        count: the parameters of the model with given settings.
        space: what may vary.
        keeps: settings that are not changed to save parameters, such as those of the data.
        most: so many parameters at most; None for any number.
        match: as near to so many parameters as whole units come from below, by `units`.
    """

    count: Callable[[Settings], int]
    space: Mapping[str, Range]
    keeps: tuple[str, ...] = ()
    most: int | None = None
    match: int | None = None

    def fit(self, settings: Settings) -> dict[str, Any] | None:
        """The settings, with sizes lowered as far as it takes; None where that is not enough."""
        if self.match is not None:
            return self._matched(settings)
        if self.most is None or self.count(settings) <= self.most:
            return dict(settings)
        lowest = {**settings, **{name: own.low for name, own in self._sizes(settings).items()}}
        if self.count(lowest) > self.most:
            return None
        if _WIDTH in lowest:
            narrow = {**settings, _WIDTH: lowest[_WIDTH]}
            if self.count(narrow) <= self.most:
                return self._widest(narrow, settings[_WIDTH], self.space[_WIDTH], self.most)
        return self._shrunk(settings, lowest, self.most)

    def smallest(self, settings: Settings) -> tuple[int, dict[str, Any]]:
        """The fewest parameters that any settings of the space have, and those settings."""
        found = {**settings, **{name: own.low for name, own in sizes(self.space).items()}}
        if self.match is not None:
            found[_WIDTH] = 1
        for name, own in ((name, plain(own)) for name, own in self.space.items()):
            if isinstance(own, Choice):
                options = [{**found, name: option} for option in own.options]
                found = min(options, key=self.count)
        return self.count(found), found

    def check(self, settings: Settings) -> None:
        """Raise a ValueError where no settings of the space fit, with the smallest that would."""
        name, allowed = (
            ("max_params", self.most)
            if self.match is None
            else (
                "match_params",
                self.match,
            )
        )
        if allowed is None:
            return
        fewest, found = self.smallest(settings)
        if fewest > allowed:
            names = [n for n, own in self.space.items() if not isinstance(plain(own), Number)]
            names += [_WIDTH] if self.match else []
            told = ", ".join(f"{own}={found[own]!r}" for own in names)
            raise ValueError(
                f"no setting of the space has so few parameters: the smallest has {fewest:,} "
                f"({told}). Allow more, or widen the space. Received: {name}={allowed:,}"
            )

    def _sizes(self, settings: Settings) -> dict[str, Whole]:
        """The sizes whose lowering saves parameters."""
        now = self.count(settings)
        return {
            name: own
            for name, own in sizes(self.space, self.keeps).items()
            if self.count({**settings, name: own.low}) < now
        }

    def _matched(self, settings: Settings) -> dict[str, Any] | None:
        assert self.match is not None
        if self.count({**settings, _WIDTH: 1}) > self.match:
            return None
        return self._widest(settings, self.match, Whole(1, self.match), self.match)

    def _widest(
        self, settings: Settings, most: int, own: Range, allowed: int
    ) -> dict[str, Any] | None:
        """The most units up to a number of them that are within a number of parameters."""
        own = plain(own)
        assert isinstance(own, Whole)
        low, high = 0, (most - own.low) // own.step + 1  # in steps; the first fits, the last not
        while high - low > 1:
            middle = (low + high) // 2
            if self.count({**settings, _WIDTH: own.low + middle * own.step}) <= allowed:
                low = middle
            else:
                high = middle
        return {**settings, _WIDTH: own.low + low * own.step}

    def _shrunk(self, settings: Settings, lowest: Settings, allowed: int) -> dict[str, Any]:
        """All sizes together, as far as it takes, by the same share of the way to the lowest."""

        def at(share: float) -> dict[str, Any]:
            found = dict(settings)
            for name, own in sizes(self.space).items():
                low, high = lowest[name], settings[name]
                if low != high:
                    wanted = low * (high / low) ** share if low > 0 else low + (high - low) * share
                    found[name] = own.low + int(wanted - own.low + 1e-9) // own.step * own.step
            return found

        low, high = 0.0, 1.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.count(at(middle)) <= allowed:
                low = middle
            else:
                high = middle
        return at(low)
