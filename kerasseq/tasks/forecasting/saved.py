"""The types of what runs of forecasting save, against which their files are checked."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

import numpy as np

from kerasseq.data.series.reader import SeriesReaderState
from kerasseq.data.series.state import PanelState
from kerasseq.io.schema import Array
from kerasseq.tasks.forecasting.conformal import CalibrationState

__all__ = ["EarlierState", "ForecastMetrics", "ForecastState"]

_Numbers = list[float | None]  # null where there is no value
_ByMetric = dict[str, _Numbers]


class _Suggested(TypedDict):
    """For each setting its value, and why."""

    model: tuple[str, str]
    scaling: tuple[str, str]
    normalization: tuple[str, str]


class _DataInfo(TypedDict):
    suggested: _Suggested
    lookback: int
    horizon: int
    targets: int
    past: int
    future: int
    static: int
    series: int
    masked: bool
    season: int


_Arrays = Annotated[np.ndarray, Array("f")]


class _Stream(TypedDict):
    """What `run.update` goes on from, see `kerasseq.models.State`."""

    states: list[_Arrays]
    row: dict[str, _Arrays]
    fixed: dict[str, Annotated[np.ndarray, Array("fi")]]
    centre: _Arrays
    scale: _Arrays


class ForecastState(TypedDict):
    """The state of the preprocessing, the end of the series, and the calibration."""

    data_info: _DataInfo
    reader: SeriesReaderState
    history: PanelState
    calibration: CalibrationState | None
    stream: NotRequired[_Stream]


class _EarlierFacts(TypedDict):
    model: str
    normalization: str


class EarlierState(TypedDict):
    """The entries of a state of format 1 that were written in another way."""

    data_info: _EarlierFacts
    reader: SeriesReaderState


class _Covered(TypedDict):
    levels: list[float]
    shares: list[float]


class _Example(TypedDict):
    title: str
    stamps: list[str | int]
    history: _Numbers
    forecast: _Numbers
    quantiles: list[tuple[float, _Numbers]]
    truth: _Numbers


class ForecastMetrics(TypedDict):
    """The entries of metrics.json beside those of all recipes."""

    by_step: _ByMetric
    by_series: _ByMetric
    by_target: _ByMetric
    error_by_step: dict[str, _Numbers]
    coverage_by_level: dict[str, _Covered]
    nominal_coverage: NotRequired[float]
    examples: list[_Example]
