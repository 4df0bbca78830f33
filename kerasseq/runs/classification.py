"""Runs that assign classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from kerasseq.io.schema import Count, Length, Limits, SameLength
from kerasseq.runs.run import Run
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["ClassificationMetrics", "ClassificationRun", "Unlabelled"]


@dataclass(frozen=True)
class Unlabelled:
    """New rows to assign classes to.

    Args:
        column: name of their column in the table of predictions.
        rows: the rows as they came.
        examples: the rows as the model takes them.
        reasons: for each row the reason why the model knows nothing of it; empty where it does.
        instead: the prediction that such rows get, in words.
    """

    column: str
    rows: Sequence[Any]
    examples: Any
    reasons: Sequence[str]
    instead: str


_Share = Annotated[float, Limits(least=0, most=1 + 1e-6)]


class _Reliability(TypedDict):
    rows: Annotated[list[Count], Length(1)]
    confidence: list[_Share]
    accuracy: list[_Share]


def _square(rows: list[list[int]]) -> str | None:
    """What is wrong with a matrix that must have as many columns as rows."""
    if all(len(row) == len(rows) for row in rows):
        return None
    return f"must have {len(rows):,} columns, as many as rows"


class ClassificationMetrics(TypedDict):
    """The entries of metrics.json that runs of classifiers have beside those of all recipes."""

    confusion: Annotated[list[list[Count]], _square]
    reliability: Annotated[_Reliability, SameLength("rows", "confidence", "accuracy")]


class ClassificationRun(Run):
    """A trained classifier, with everything that it takes to use it and its scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> run.predict(["a fine film"]).columns.tolist()
    ['text', 'label', 'negative', 'positive', 'note']
    """

    def predict(
        self, data: list[str] | str | os.PathLike[str] | pd.DataFrame, strict: bool = False
    ) -> pd.DataFrame:
        """Classes of new data.

        A row of which the model knows nothing (an empty text, say) gets the shares of the classes
        in the training part; its `note` says so.

        Args:
            data: a list of texts, or of other rows that the recipe takes; or a table, or the file
                of one, with the column that the recipe has read them from.
            strict: whether such a row is an error instead.

        Returns:
            A row for each row of the data: the row itself; its `label`, as the labels of the
            training data came (a number, say); the probability of each class, in a column named
            by it; and `note`, which is empty where the model knows something of the row.

        Raises:
            ValueError: if there is nothing to predict from.
            FileNotFoundError: if there is no such file.
        """
        import pandas as pd

        require_bool(strict=strict)
        new = self.task.unlabelled(data, self.state, self.resolved)
        unclear = [row for row, reason in enumerate(new.reasons) if reason]
        if strict and unclear:
            first = unclear[0]
            raise ValueError(
                f"the model knows nothing of {len(unclear):,} of {len(new.rows):,} rows, the first "
                f"of them row {first} (counted from 0): {new.reasons[first]} in "
                f"{str(new.rows[first])[:60]!r}. Leave such rows out, or do without strict."
            )
        found = self.task.predictions(self.model, new.examples, self.state, self.resolved)
        classes = self.state["classes"]
        frame = pd.DataFrame(found, columns=[str(name) for name in classes])
        frame.insert(0, new.column, new.rows, allow_duplicates=True)
        frame.insert(1, "label", [classes[i] for i in found.argmax(1)], allow_duplicates=True)
        notes = [reason and f"{reason}: {new.instead}" for reason in new.reasons]
        frame.insert(len(frame.columns), "note", notes, allow_duplicates=True)
        return frame

    def figures(self) -> dict[str, Figure]:
        from kerasseq.evaluation import plots

        return {
            **super().figures(),
            "confusion": plots.confusion_matrix(
                self.metrics["confusion"], [str(name) for name in self.state["classes"]]
            ),
            "reliability": plots.reliability_diagram(self.metrics["reliability"]),
        }
