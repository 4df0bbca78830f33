"""The Run class of classifiers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypedDict

from kerasseq.formatting.columns import distinct_names
from kerasseq.io.schema import Count, Length, SameLength
from kerasseq.runs.run import Run
from kerasseq.runs.scores import Averages, NotNegative, NotNegativeInterval, Share, ShareInterval
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "ClassScores",
    "ClassificationMetrics",
    "ClassificationRun",
    "Confusion",
    "Reliability",
    "Unlabelled",
    "check_classes",
]


@dataclass(frozen=True)
class Unlabelled:
    """New rows to classify.

    Args:
        column: name of the column of rows in the table of predictions.
        rows: the rows as the user passed them.
        examples: the rows as inputs of the model.
        reasons: for each row the reason why the model cannot read it ("no text", say), or "".
        instead: description of the prediction for rows that the model cannot read.
        remarks: for each row a remark on how it was read, or ""; none if there are no remarks.
    """

    column: str
    rows: Sequence[Any]
    examples: Any
    reasons: Sequence[str]
    instead: str
    remarks: Sequence[str] = ()


class _Bins(TypedDict):
    rows: Annotated[list[Count], Length(1)]
    confidence: list[Share]
    accuracy: list[Share]


def _square_fault(rows: list[list[int]]) -> str | None:
    """The fault of a matrix that is not square; None if it is."""
    if all(len(row) == len(rows) for row in rows):
        return None
    return f"must have {len(rows):,} columns, as many as rows"


#: Types of the confusion matrix and of the reliability diagram in metrics.json.
Confusion = Annotated[list[list[Count]], _square_fault]
Reliability = Annotated[_Bins, SameLength("rows", "confidence", "accuracy")]


class ClassScores(TypedDict):
    """Scores of class probabilities."""

    accuracy: Share
    macro_f1: Share
    log_loss: NotNegative
    calibration_error: Share


class _ClassIntervals(TypedDict):
    """The interval of each score."""

    accuracy: ShareInterval
    macro_f1: ShareInterval
    log_loss: NotNegativeInterval
    calibration_error: ShareInterval


class _ClassificationMetrics(TypedDict):
    """Entries of metrics.json that only classifiers have, and scores."""

    test: ClassScores
    interval: _ClassIntervals
    baselines: dict[str, ClassScores]
    confusion: Confusion
    reliability: Reliability


#: The type of metrics.json of classifiers.
ClassificationMetrics = Annotated[_ClassificationMetrics, Averages("accuracy", "log_loss")]


def check_classes(metrics: Mapping[str, Any], classes: int) -> None:
    """Raise a ValueError unless metrics are of a model with so many classes, and go together.

    Args:
        metrics: content of metrics.json.
        classes: number of classes of the model.
    """
    scored, rows = len(metrics["confusion"]), metrics["rows"]["test"]
    if classes != scored:
        raise ValueError(
            f"the confusion matrix has {scored:,} classes, and the state has {classes:,}"
        )
    counts = {
        "confusion": sum(map(sum, metrics["confusion"])),
        "reliability": sum(metrics["reliability"]["rows"]),
    }
    for name, count in counts.items():
        if count != rows:
            raise ValueError(f"{name} is of {count:,} rows, and {rows:,} were scored")
    right = sum(row[number] for number, row in enumerate(metrics["confusion"])) / max(rows, 1)
    if abs(metrics["test"]["accuracy"] - right) > 1e-6:
        raise ValueError(
            f"the accuracy is {metrics['test']['accuracy']}, and that of the confusion matrix "
            f"{right}"
        )


class ClassificationRun(Run):
    """A trained classifier with its preprocessing and scores.

    Args:
        **fields: the fields of `kerasseq.Run`.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> run.predict(["a fine film"]).columns.tolist()
    ['text', 'label', 'negative', 'positive', 'note']
    """

    rowwise: ClassVar[Mapping[str, str]] = {"predict": ""}
    row_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}

    def predict(
        self, data: list[str] | str | os.PathLike[str] | pd.DataFrame, strict: bool = False
    ) -> pd.DataFrame:
        """Classes of new data.

        A row that the model cannot read (an empty text, say) gets the class shares of the training
        part, and its `note` says so.

        Args:
            data: a list of texts, or of other rows that the recipe reads; or a table, or its file,
                with the same column of rows as the data of the recipe.
            strict: whether a row that the model cannot read is an error.

        Returns:
            A row for each row of the data: the row itself; its `label`, of the type of the training
            labels (a number, say); the probability of each class, in a column of that name (with _
            at its end if another column has it, as `label_`); and `note`, which is empty for rows
            that the model can read.

        Raises:
            ValueError: if there is nothing to predict from.
            FileNotFoundError: if there is no such file.
        """
        import pandas as pd

        require_bool(strict=strict)
        batch = self.task.unlabelled(data, self.state, self.resolved)
        unreadable = [row for row, reason in enumerate(batch.reasons) if reason]
        if strict and unreadable:
            first = unreadable[0]
            raise ValueError(
                f"the model cannot read {len(unreadable):,} of {len(batch.rows):,} rows, the first "
                f"of them row {first} (counted from 0): {batch.reasons[first]} in "
                f"{str(batch.rows[first])[:60]!r}. Leave such rows out, or pass strict=False."
            )
        outputs = self.task.predictions(self.model, batch.examples, self.state, self.resolved)
        notes = [reason and f"{reason}: {batch.instead}" for reason in batch.reasons]
        remarks = batch.remarks or [""] * len(notes)
        columns = {
            batch.column: list(batch.rows),
            **self._answers(outputs, batch.column),
            "note": [note or remark for note, remark in zip(notes, remarks)],
        }
        return pd.DataFrame(columns)

    def _answers(self, outputs: np.ndarray, column: str) -> dict[str, Any]:
        """The columns of the answers: the label, and the probability of each class.

        Args:
            outputs: predictions of the task.
            column: name of the column of rows.
        """
        classes = self.state["classes"]
        names = distinct_names([*map(str, classes)], (column, "label", "note"))
        return {"label": [classes[i] for i in outputs.argmax(1)], **dict(zip(names, outputs.T))}

    def figures(self) -> dict[str, Figure]:
        from kerasseq.evaluation import plots

        return {
            **super().figures(),
            "confusion": plots.confusion_matrix(
                self.metrics["confusion"], [str(name) for name in self.state["classes"]]
            ),
            "reliability": plots.reliability_diagram(self.metrics["reliability"]),
        }
