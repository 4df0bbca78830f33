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


def copy_weights(
    model: keras.Model, task: Any, state: Mapping[str, Any], settings: Any, earlier: Any
) -> str:
    """Copy the weights of an earlier run into a new model, where names and shapes agree.

    Weights whose rows have names (embeddings of tokens, say) are copied row by row. A task may copy
    a run of another recipe in a way of its own, see `Task.copy_other_recipe`.

    Args:
        model: the built, untrained model.
        task: the task of the model's recipe.
        state: state of the preprocessing of the new model.
        settings: settings of the new model, resolved.
        earlier: a Run, or the folder of one; or several of them, which are copied in this order.

    Returns:
        A remark that says how many weights were copied.

    Raises:
        ValueError: if the model does not fit a run that the task would copy in a way of its own.
    """
    if isinstance(earlier, list | tuple):
        remarks = [copy_weights(model, task, state, settings, each) for each in earlier]
        return "\n".join(remarks)
    if not isinstance(earlier, Run):
        earlier = load(earlier)
    if earlier.recipe != task.name:
        remark = task.copy_other_recipe(model, state, settings, earlier)
        if remark is not None:
            return f"warm start: {remark}"
    earlier_weights = {name: np.asarray(weight) for name, weight in _weights_by_path(earlier.model)}
    row_names = task.row_names(state)
    earlier_row_names = task.row_names(earlier.state) if earlier.recipe == task.name else {}
    copied = 0
    for name, weight in _weights_by_path(model):
        value = earlier_weights.get(name)
        if value is None or value.shape[1:] != tuple(weight.shape[1:]):
            continue
        if name in row_names and name in earlier_row_names:
            earlier_row = {n: row for row, n in enumerate(earlier_row_names[name])}
            rows = [(i, earlier_row[n]) for i, n in enumerate(row_names[name]) if n in earlier_row]
            values = np.asarray(weight).copy()
            if rows:
                new_rows, earlier_rows = np.array(rows).T
                values[new_rows] = value[earlier_rows]
            weight.assign(values)
        elif value.shape == tuple(weight.shape):
            weight.assign(value)
        else:
            continue
        copied += 1
    return f"warm start: {copied} of {len(model.weights)} weights copied from the earlier run"


def _weights_by_path(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """The weights of a model with their paths, without the numbers that Keras appends to names.

    Such a number (lstm_cell_3) depends on the models built earlier in the process.
    """
    counts: dict[str, int] = {}
    for weight in model.weights:
        path = re.sub(r"_\d+(?=/)", "", weight.path)
        counts[path] = counts.get(path, 0) + 1
        yield path if counts[path] == 1 else f"{path}#{counts[path]}", weight
