"""Types of the saved files of sequence classification runs, against which the files are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

from kerasseq.data.sequences.reader import ReaderState
from kerasseq.evaluation.regression_metrics import RegressionExamples
from kerasseq.io.schema import SameLength
from kerasseq.models.feature_extractor import ExtractorState
from kerasseq.runs.classification import Confusion, Reliability

__all__ = ["SequenceMetrics", "SequenceState", "check_metrics"]


class SequenceState(ReaderState):
    """The state of the preprocessing."""

    extractor: NotRequired[ExtractorState | None]  # missing in earlier runs


class SequenceMetrics(TypedDict):
    """Entries of metrics.json: of a classifier, or of a regression."""

    confusion: NotRequired[Confusion]
    reliability: NotRequired[Reliability]
    examples: NotRequired[Annotated[RegressionExamples, SameLength("truth", "predicted")]]


def check_metrics(metrics: Mapping[str, Any], classes: int) -> None:
    """Raise a ValueError unless the metrics are of a model with so many classes.

    Args:
        metrics: content of metrics.json.
        classes: number of classes; 0 for a regression.
    """
    names = ("confusion", "reliability") if classes else ("examples",)
    missing = [name for name in names if name not in metrics]
    if missing:
        raise ValueError(f"the metrics lack {' and '.join(missing)}")
    scored = len(metrics["confusion"]) if classes else 0
    if classes != scored:
        raise ValueError(
            f"the confusion matrix has {scored:,} classes, and the state has {classes:,}"
        )
    rows = metrics["rows"]["test"]
    counts = {}
    if classes:
        counts = {
            "confusion": sum(map(sum, metrics["confusion"])),
            "reliability": sum(metrics["reliability"]["rows"]),
        }
    for name, count in counts.items():
        if count != rows:
            raise ValueError(f"{name} is of {count:,} rows, and {rows:,} were scored")
