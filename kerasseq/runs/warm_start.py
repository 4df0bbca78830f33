"""Weights of an earlier run as the initial weights of a new model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.runs.run import Run, load

if TYPE_CHECKING:
    import keras

__all__ = ["copy_weights"]


def copy_weights(model: keras.Model, task: Any, state: Mapping[str, Any], earlier: Any) -> str:
    """Copy into a model the weights that an earlier run has too.

    Args:
        model: built, not trained.
        task: the task of the model's recipe.
        state: state of the preprocessing that was fitted for the model.
        earlier: a Run, or the folder of one.

    Returns:
        A remark that says how many weights were copied.
    """
    if not isinstance(earlier, Run):
        earlier = load(earlier)
    there = {name: np.asarray(weight) for name, weight in _named(earlier.model)}
    names_here = task.row_names(state)
    names_there = task.row_names(earlier.state) if earlier.recipe == task.name else {}
    copied = 0
    for name, weight in _named(model):
        value = there.get(name)
        if value is None or value.shape[1:] != tuple(weight.shape[1:]):
            continue
        if name in names_here and name in names_there:
            old = {n: row for row, n in enumerate(names_there[name])}
            rows = [(i, old[n]) for i, n in enumerate(names_here[name]) if n in old]
            new = np.asarray(weight).copy()
            if rows:
                here, from_there = np.array(rows).T
                new[here] = value[from_there]
            weight.assign(new)
        elif value.shape == tuple(weight.shape):
            weight.assign(value)
        else:
            continue
        copied += 1
    return f"warm start: {copied} of {len(model.weights)} weights copied from the earlier run"


def _named(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """The weights of a model by path, without the numbers that Keras gives layers to tell them
    apart (lstm_cell_3): those depend on what else was built in the process."""
    seen: dict[str, int] = {}
    for weight in model.weights:
        path = re.sub(r"_\d+(?=/)", "", weight.path)
        seen[path] = seen.get(path, 0) + 1
        yield path if seen[path] == 1 else f"{path}#{seen[path]}", weight
