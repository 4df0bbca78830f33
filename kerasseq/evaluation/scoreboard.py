"""Scores beside those of baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kerasseq.formatting import numbers
from kerasseq.formatting.table import Table

__all__ = ["board"]


def board(title: str, metrics: Mapping[str, Any], remarks: Sequence[str]) -> Table:
    """The scores of a model, their intervals, and the scores of its baselines, as a table.

    Args:
        title: above the table.
        metrics: as a Run has them: `test`, each metric of the model; `interval`, `[low, high]` of
            those that have one; `baselines`, each metric of each baseline, as far as it has it.
        remarks: below the table, a line each.

    Example:

    >>> metrics = {"test": {"mean_error": 0.5}, "interval": {}, "baselines": {"mean": {}}}
    >>> print(board("toy", metrics, ["beats nothing"]).markdown())
    toy
    <BLANKLINE>
    |  | this model | 95% interval | mean |
    | --- | ---: | ---: | ---: |
    | mean error | 0.500 |  |  |
    <BLANKLINE>
    beats nothing
    """
    baselines = metrics["baselines"]
    rows = [
        (
            name.replace("_", " "),
            numbers.score(value),
            " to ".join(map(numbers.score, metrics["interval"].get(name, ()))),
            *(numbers.score(own[name]) if name in own else "" for own in baselines.values()),
        )
        for name, value in metrics["test"].items()
    ]
    columns = ("", "this model", "95% interval", *baselines)
    return Table(columns, tuple(rows), title=title, notes=tuple(remarks), right=columns[1:])
