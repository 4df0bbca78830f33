"""Grid search that proposes points to several workers at once.

KerasTuner's own grid oracle computes the next point when a trial has ended, so that all workers but
one would wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras_tuner

__all__ = ["GridOracle", "points"]

_STATUS = keras_tuner.engine.trial.TrialStatus


class GridOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Oracle that proposes the points of a grid, one after the other."""

    _points: Iterator[dict[str, Any]] | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self._points is None:
            self._points = points(self.get_space())
        values = next(self._points, None)
        status = _STATUS.STOPPED if values is None else _STATUS.RUNNING
        return {"status": status, "values": values}


def points(hp: Any) -> Iterator[dict[str, Any]]:
    """Iterate over the values of each grid point; the last hyperparameter changes fastest.

    The default value of a hyperparameter comes first.

    Args:
        hp: `keras_tuner.HyperParameters`; it is changed, and holds the values of the last point.

    Example:

    >>> hp = keras_tuner.HyperParameters()
    >>> hp.Choice("cell", ["lstm", "gru"], default="gru"), hp.Int("depth", 1, 2)
    ('gru', 1)
    >>> [tuple(point.values()) for point in points(hp)]
    [('gru', 1), ('gru', 2), ('lstm', 1), ('lstm', 2)]
    """
    yield from _walk(hp, hp.space)


def _walk(hp: Any, parameters: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if not parameters:
        yield {each.name: hp.values[each.name] for each in hp.space if hp.is_active(each)}
        return
    parameter, remaining = parameters[0], parameters[1:]
    if not hp.is_active(parameter):
        yield from _walk(hp, remaining)
        return
    alternatives = [value for value in parameter.values if value != parameter.default]
    for value in (parameter.default, *alternatives):
        hp.values[parameter.name] = value
        yield from _walk(hp, remaining)
