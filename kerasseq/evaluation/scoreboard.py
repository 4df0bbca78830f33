"""The table of scores of a model and its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kerasseq.formatting import numbers
from kerasseq.formatting.table import Table

__all__ = ["board"]


def board(title: str, metrics: Mapping[str, Any], remarks: Sequence[str]) -> Table:
    """A table with the scores of a model, their intervals, and the scores of its baselines.

    Args:
        title: title above the table.
        metrics: metrics of a Run: `test`, each metric of the model; `interval`, `[low, high]` of
            the metrics that have one; `baselines`, the metrics of each baseline.
        remarks: lines below the table.

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
            *(
                numbers.score(scores[name]) if name in scores else ""
                for scores in baselines.values()
            ),
        )
        for name, value in metrics["test"].items()
    ]
    columns = ("", "this model", "95% interval", *baselines)
    return Table(columns, tuple(rows), title=title, notes=tuple(remarks), right=columns[1:])
