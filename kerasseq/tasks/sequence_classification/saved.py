"""Types of the saved files of sequence classification runs, against which the files are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from kerasseq.data.sequences.reader import ReaderState, SequenceReader
from kerasseq.evaluation.regression_metrics import RegressionExamples
from kerasseq.io.schema import Limits, SameLength
from kerasseq.models.feature_extractor import ExtractorState
from kerasseq.runs.classification import Confusion, Reliability

if TYPE_CHECKING:
    import keras

    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings

__all__ = ["SequenceMetrics", "SequenceState", "check_metrics", "check_run"]

_Share = Annotated[float, Limits(least=0, most=1 + 1e-6)]
_Least = Annotated[float, Limits(least=0)]
_R2 = Annotated[float, Limits(most=1)]


def _order_fault(interval: list[float]) -> str | None:
    """The fault of an interval whose ends are in the wrong order; None if it has none."""
    low, high = interval
    return None if low <= high else f"must begin below its end, and is {low} to {high}"


class _Scores(TypedDict, total=False):
    """Scores of a classifier, or of a regression."""

    accuracy: _Share
    macro_f1: _Share
    log_loss: _Least
    calibration_error: _Share
    r2: _R2
    mean_absolute_error: _Least
    root_mean_squared_error: _Least


class _Intervals(TypedDict, total=False):
    """The interval of each score that has one."""

    accuracy: Annotated[tuple[_Share, _Share], _order_fault]
    macro_f1: Annotated[tuple[_Share, _Share], _order_fault]
    log_loss: Annotated[tuple[_Least, _Least], _order_fault]
    calibration_error: Annotated[tuple[_Share, _Share], _order_fault]
    r2: Annotated[tuple[_R2, _R2], _order_fault]
    mean_absolute_error: Annotated[tuple[_Least, _Least], _order_fault]
    root_mean_squared_error: Annotated[tuple[_Least, _Least], _order_fault]


class SequenceState(ReaderState):
    """The state of the preprocessing."""

    extractor: NotRequired[ExtractorState | None]  # missing in earlier runs


class SequenceMetrics(TypedDict):
    """Entries of metrics.json: of a classifier, or of a regression."""

    test: _Scores
    interval: _Intervals
    baselines: dict[str, _Scores]
    confusion: NotRequired[Confusion]
    reliability: NotRequired[Reliability]
    examples: NotRequired[Annotated[RegressionExamples, SameLength("truth", "predicted")]]


def check_run(
    model: keras.Model,
    reader: SequenceReader,
    state: Mapping[str, Any],
    settings: SequenceClassificationSettings,
    metrics: Mapping[str, Any],
) -> None:
    """Raise a ValueError if parts of a saved run contradict each other.

    Args:
        model: the model of the run.
        reader: the fitted preprocessing, restored from the state.
        state: state of the fitted preprocessing.
        settings: settings of the run.
        metrics: content of metrics.json.
    """
    model_shape = tuple(model.input["sequences"].shape[2:])
    expected = (*reader.shape[:-1], reader.width)
    if model_shape != expected:
        raise ValueError(f"the model takes timesteps of {model_shape}, the state {expected}")
    if len(reader.shape) == 1 and settings.differences != (reader.differences is not None):
        raise ValueError(f"the setting differences={settings.differences} contradicts the state")
    extractor = state.get("extractor")
    if (settings.encoder == "cnn") != (extractor is None):
        raise ValueError(f"encoder is {settings.encoder!r}, unlike the state")
    check_metrics(metrics, len(reader.classes))


def check_metrics(metrics: Mapping[str, Any], classes: int) -> None:
    """Raise a ValueError unless the metrics are of a model with so many classes.

    Args:
        metrics: content of metrics.json.
        classes: number of classes; 0 for a regression.
    """
    names = ("confusion", "reliability") if classes else ("examples",)
    missing = [name for name in names if name not in metrics]
    headline = "accuracy" if classes else "r2"
    scores = {"test": metrics["test"], **metrics["baselines"]}
    missing += [
        f"{headline} of {name}" for name, values in scores.items() if headline not in values
    ]
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
    if classes:
        right = sum(row[number] for number, row in enumerate(metrics["confusion"])) / max(rows, 1)
        if abs(metrics["test"]["accuracy"] - right) > 1e-6:
            raise ValueError(
                f"the accuracy is {metrics['test']['accuracy']}, and that of the confusion matrix "
                f"{right}"
            )
