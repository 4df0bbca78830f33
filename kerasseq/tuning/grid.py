"""The points of a grid, for as many workers as ask.

KerasTuner's own oracle looks for the next point where a trial has ended, so that of several workers
all but one wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras_tuner

__all__ = ["GridOracle", "points"]

_STATUS = keras_tuner.engine.trial.TrialStatus


class GridOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Proposes one point after the other."""

    _points: Iterator[dict[str, Any]] | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self._points is None:
            self._points = points(self.get_space())
        values = next(self._points, None)
        status = _STATUS.STOPPED if values is None else _STATUS.RUNNING
        return {"status": status, "values": values}


def points(hp: Any) -> Iterator[dict[str, Any]]:
    """The values at each point, those by default first; what comes last changes most often.

    Args:
        hp: `keras_tuner.HyperParameters`, which will have the values of the last point.

    Example:

    >>> hp = keras_tuner.HyperParameters()
    >>> hp.Choice("cell", ["lstm", "gru"], default="gru"), hp.Int("depth", 1, 2)
    ('gru', 1)
    >>> [tuple(point.values()) for point in points(hp)]
    [('gru', 1), ('gru', 2), ('lstm', 1), ('lstm', 2)]
    """
    yield from _walk(hp, hp.space)


def _walk(hp: Any, left: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if not left:
        yield {own.name: hp.values[own.name] for own in hp.space if hp.is_active(own)}
        return
    own, others = left[0], left[1:]
    if not hp.is_active(own):
        yield from _walk(hp, others)
        return
    for value in (own.default, *(value for value in own.values if value != own.default)):
        hp.values[own.name] = value
        yield from _walk(hp, others)
