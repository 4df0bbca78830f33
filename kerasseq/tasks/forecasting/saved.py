"""Types of the saved files of forecasting runs, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

import numpy as np

from kerasseq.data.series.reader import SeriesReaderState, Steps
from kerasseq.data.series.state import PanelState
from kerasseq.io.schema import AnyFloat, Array, Count, Length, Limits, SameLength
from kerasseq.runs.scores import Averages, Interval, Loss, Share
from kerasseq.tasks.forecasting.conformal import CalibrationState

__all__ = ["EarlierState", "ForecastMetrics", "ForecastState"]

_Numbers = list[float | None]  # null for a missing value
_Level = Annotated[float, Limits(least=0, most=1)]
_ByMetric = Annotated[dict[str, list[AnyFloat | None]], SameLength()]


class _Suggested(TypedDict):
    """The suggested value of each setting, and the reason."""

    model: tuple[str, str]
    scaling: tuple[str, str]
    normalization: tuple[str, str]


class _DataInfo(TypedDict):
    suggested: _Suggested
    seasonality: NotRequired[Literal["additive", "multiplicative"]]
    lookback: Steps
    horizon: Steps
    targets: Annotated[int, Limits(least=1)]
    past: Count
    future: Count
    static: Count
    series: Count
    masked: bool
    season: Annotated[int, Limits(least=1)]
    windows: NotRequired[Annotated[int, Limits(least=1)]]
    independent: NotRequired[Annotated[int, Limits(least=1)]]


_Arrays = Annotated[np.ndarray, Array("f")]


class _Stream(TypedDict):
    """The recurrent state from which `run.update` continues, see `kerasseq.models.State`."""

    states: list[_Arrays]
    row: dict[str, _Arrays]
    fixed: dict[str, Annotated[np.ndarray, Array("fi")]]
    centre: _Arrays
    scale: _Arrays


class _Scored(TypedDict):
    """The scored model of a run whose weights were refitted on all rows, and its preprocessing."""

    weights: list[_Arrays]
    data_info: _DataInfo
    reader: SeriesReaderState


class ForecastState(TypedDict):
    """The state of the preprocessing, the end of the series, and the calibration."""

    data_info: _DataInfo
    reader: SeriesReaderState
    history: PanelState
    calibration: CalibrationState | None
    stream: NotRequired[_Stream]
    scored: NotRequired[_Scored]


class _EarlierDataInfo(TypedDict):
    model: str
    normalization: str


class EarlierState(TypedDict):
    """The entries of a state of format 1 that differ from the present format."""

    data_info: _EarlierDataInfo
    reader: SeriesReaderState


class _Coverage(TypedDict):
    levels: list[_Level]
    shares: list[_Level]


class _Example(TypedDict):
    title: str
    stamps: list[str] | list[int]
    history: _Numbers
    forecast: Annotated[_Numbers, Length(1)]
    quantiles: list[tuple[_Level, _Numbers]]
    truth: _Numbers


def _example_fault(example: _Example) -> str | None:
    """The fault of an example whose lists and stamps differ in length; None without fault."""
    steps = len(example["forecast"])
    ahead = [example["truth"], *(values for _, values in example["quantiles"])]
    stamps = len(example["stamps"]) == len(example["history"]) + steps
    if stamps and all(len(values) == steps for values in ahead):
        return None
    return "must have a stamp for each step, and a value for each step in each list"


class _Scores(TypedDict, total=False):
    """Scores of forecasts; a series may leave some of them undefined."""

    mae: Loss
    rmse: Loss
    smape: Loss
    mase: Loss
    rmsse: Loss
    pinball: Loss
    crps: Loss
    coverage: Share


class _ForecastMetrics(TypedDict):
    """Entries of metrics.json that only forecasting has, and scores."""

    test: _Scores
    interval: dict[str, Interval]
    baselines: dict[str, _Scores]
    by_step: _ByMetric
    by_series: _ByMetric
    by_target: _ByMetric
    error_by_step: Annotated[_ByMetric, Length(1)]
    coverage_by_level: dict[str, Annotated[_Coverage, SameLength("levels", "shares")]]
    nominal_coverage: NotRequired[_Level]
    point: NotRequired[Literal["mean", "median", "auto"]]
    sum_ratio: NotRequired[float | None]
    examples: list[Annotated[_Example, _example_fault]]


#: The type of metrics.json of forecasting; few windows have no intervals.
ForecastMetrics = Annotated[_ForecastMetrics, Averages()]
