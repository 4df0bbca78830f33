"""Types of the saved files of sequence classification runs, against which the files are checked."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from kerasseq.data.sequences.reader import ReaderState, SequenceReader
from kerasseq.evaluation.regression_metrics import RegressionExamples
from kerasseq.io.schema import Limits, SameLength
from kerasseq.models.feature_extractor import ExtractorState
from kerasseq.runs.classification import Confusion, Reliability, check_classes
from kerasseq.runs.scores import (
    Averages,
    Interval,
    NotNegative,
    NotNegativeInterval,
    Share,
    ShareInterval,
)

if TYPE_CHECKING:
    import keras

    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings

__all__ = ["SequenceMetrics", "SequenceState", "check_metrics", "check_run"]


class _Scores(TypedDict, total=False):
    """Scores of a classifier, or of a regression."""

    accuracy: Share
    macro_f1: Share
    log_loss: NotNegative
    calibration_error: Share
    r2: Annotated[float, Limits(most=1)]
    mean_absolute_error: NotNegative
    root_mean_squared_error: NotNegative


class _Intervals(TypedDict, total=False):
    """The interval of each score that has one."""

    accuracy: ShareInterval
    macro_f1: ShareInterval
    log_loss: NotNegativeInterval
    calibration_error: ShareInterval
    r2: Interval
    mean_absolute_error: NotNegativeInterval
    root_mean_squared_error: NotNegativeInterval


#: Scores that every run of their kind has intervals of.
_AVERAGES = ("accuracy", "log_loss", "mean_absolute_error", "root_mean_squared_error")


class SequenceState(ReaderState):
    """The state of the preprocessing."""

    extractor: NotRequired[ExtractorState | None]  # missing in earlier runs


class _SequenceMetrics(TypedDict):
    """Entries of metrics.json: of a classifier, or of a regression."""

    test: _Scores
    interval: _Intervals
    baselines: dict[str, _Scores]
    confusion: NotRequired[Confusion]
    reliability: NotRequired[Reliability]
    examples: NotRequired[Annotated[RegressionExamples, SameLength("truth", "predicted")]]


#: The type of metrics.json.
SequenceMetrics = Annotated[_SequenceMetrics, Averages(*_AVERAGES, always=True)]


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
    headline = "accuracy" if classes else "mean_absolute_error"
    scores = {"test": metrics["test"], **metrics["baselines"]}
    missing += [
        f"{headline} of {name}" for name, values in scores.items() if headline not in values
    ]
    if missing:
        raise ValueError(f"the metrics lack {' and '.join(missing)}")
    if classes:
        check_classes(metrics, classes)
    else:
        _check_regression(metrics)


def _check_regression(metrics: Mapping[str, Any]) -> None:
    """Raise a ValueError unless the scores of a regression agree with its examples."""
    examples, rows = metrics["examples"], metrics["rows"]["test"]
    shown = len(examples["truth"])
    if not 0 < shown <= rows:
        raise ValueError(f"examples has {shown:,} rows, and {rows:,} were scored")
    if shown < rows:  # the first of many rows
        return
    pairs = zip(examples["truth"], examples["predicted"])
    error, scored = fmean(abs(a - b) for a, b in pairs), metrics["test"]["mean_absolute_error"]
    if not isclose(error, scored, rel_tol=1e-6, abs_tol=1e-12):
        raise ValueError(f"the mean absolute error is {scored}, and that of examples {error}")
