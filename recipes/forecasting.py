"""Forecasting: from a table of series to calibrated forecasts beside simple baselines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kerasseq.settings import Choice, Conditional, Float, doc, setting
from kerasseq.tasks.forecasting import Forecasting
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.settings import RecurrentSettings, TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ForecastingSettings", "forecasting"]

_PART = (
    "a share above 0 and below 1, a whole number of steps above 0, the stamp with which the part "
    "begins, or a table or its path"
)


@dataclass(frozen=True, kw_only=True)
class ForecastingSettings(RecurrentSettings, TrainingSettings):
    """Train a recurrent forecaster of series, and tell how good it is beside simple baselines.

    Forecasts come in the units of the data, with intervals that are calibrated on the validation
    part. One model learns from all series. What is left open is chosen from the data, and said.

    Returns:
        A ForecastRun: `forecast`, `backtest`, `update`, `evaluate`, `save`, `summary`, and the
        Keras `model` itself.

    Raises:
        ValueError: for data, settings or a folder that cannot be used; it says what to do.
        FileNotFoundError: if there is no such data.

    Example:

    >>> run = forecasting(horizon=6, units=4, epochs=1, quiet=True)
    >>> run.forecast(quantiles=[0.1, 0.9]).shape  # two series
    (12, 5)
    """

    data: str | os.PathLike[str] | pd.DataFrame = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "a DataFrame; a CSV, TSV, JSON-lines or Parquet file, with a row for each step or a "
            'row for each series; or "demo", two monthly series that come with kerasseq'
        ),
    )
    time: str | Sequence[str] | None = setting(
        None,
        "the column of stamps, or the columns of year, month, day and hour; found where it is not "
        "given, and `()` counts rows",
        stage="read",
    )
    target: str | Sequence[str] | None = setting(
        None,
        "the column to forecast, or several; all that hold numbers where it is not given",
        stage="read",
    )
    series: str | Sequence[str] | None = setting(
        None, "the column, or columns, that tell the series apart", stage="read"
    )
    past: str | Sequence[str] = setting((), "covariates known up to now", stage="read")
    future: str | Sequence[str] = setting((), "covariates that are also known ahead", stage="read")
    static: str | Sequence[str] = setting(
        (), "columns that do not change within a series", stage="read"
    )
    season: int | None = setting(
        None,
        "steps of the season; from the frequency where it is not given",
        stage="read",
        least=1,
    )
    fill: str | None = setting(
        None,
        'values for gaps: "forward", "linear" (looks ahead in a gap; neither is scored), "zero" '
        '(taken as observed), or "mask" for none',
        stage="read",
    )
    resample: str | None = setting(
        None, "a pandas offset alias: take the mean of the rows in each such step", stage="read"
    )
    horizon: int | None = setting(
        None, "steps to forecast; a season where it is not given", stage="split", least=1
    )
    model: Literal["auto", "direct", "recursive", "seq2seq", "segment"] = setting(
        "auto",
        'network: "direct" (all steps from one state), "recursive" (each step from the one before '
        'it), "seq2seq" (a decoder for the horizon), "segment" (many steps at once), or "auto"',
        range=Choice(("direct", "recursive", "seq2seq", "segment")),
    )
    attention: bool = setting(
        False,
        'whether the decoder of "seq2seq" looks back at all that was read',
        range=Conditional("model", ("seq2seq",), Choice((False, True))),
    )
    scheduled_sampling: float = setting(
        0.0,
        'share of its own forecasts that "recursive" reads in training',
        least=0,
        most=1,
        range=Conditional("model", ("recursive",), Float(0.0, 0.5)),
    )
    segment: int | None = setting(
        None,
        'steps of a segment, for the network "segment"; a season where it is not given',
        least=1,
    )
    linear: bool | None = setting(
        None,
        'whether a linear map of the segments is added, for the network "segment", which has it '
        "where it is not given",
        range=Conditional("model", ("segment",), Choice((True, False))),
    )
    lookback: int | None = setting(
        None,
        "past steps that the model reads; twice the longer of season and horizon where it is not "
        "given",
        stage="prepare",
        least=1,
    )
    lookback_seasons: float | None = setting(
        None,
        "lookback as a multiple of the longer of season and horizon, in place of `lookback`",
        stage="prepare",
        above=0,
        range=Choice((None, 1.0, 4.0)),
    )
    cell: str = "gru"
    units: int = 64
    depth: int = 1
    channels: Literal["apart", "together"] = setting(
        "apart",
        '"apart" runs each target by itself through one network; "together" runs all at once',
    )
    series_embedding: bool = setting(
        False, "whether the model learns a vector for each series", stage="prepare"
    )
    embedding: int = setting(8, "width of the vectors of series and targets", least=1)
    normalization: Literal["auto", "none", "last", "seasonal", "instance"] = setting(
        "auto",
        'value subtracted from each window: "none", its "last" value, the last season '
        '("seasonal"), or mean and deviation ("instance"); or "auto"',
        range=Choice(("none", "last", "seasonal", "instance")),
    )
    output: Literal["point", "quantiles", "normal", "student_t", "negative_binomial"] = setting(
        "quantiles",
        '"point", "quantiles", or the distribution "normal", "student_t" or "negative_binomial" '
        "(of counts)",
        stage="prepare",
    )
    quantiles: Sequence[float] = setting(
        (0.1, 0.5, 0.9),
        "levels to score; the levels themselves, their mirror images and the median are learned",
        above=0,
        below=1,
    )
    loss: Literal["mse", "mae", "huber"] = setting("mse", "loss of a point forecast")
    calibrate: bool = setting(
        True, "whether quantiles are moved by the errors on the validation part"
    )
    scaling: Literal["auto", "standard", "robust", "mean", "log", "boxcox", "none"] = setting(
        "auto",
        'scaling of the targets: "standard", "robust", "mean", "log", "boxcox", "none" or "auto"',
        stage="prepare",
        range=Choice(("standard", "robust", "mean")),
    )
    per_series: bool = setting(
        True,
        "whether each series is scaled by itself; a table of one series without a name is always "
        "that series",
        stage="prepare",
    )
    dropout: float = setting(0.1, range=Float(0.0, 0.5))
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    lags: Sequence[int] = setting(
        (),
        "earlier targets to read beside the lookback, in steps back",
        stage="prepare",
        least=1,
    )
    calendar: bool = setting(
        True, "whether hour, weekday and time of the year are known ahead", stage="prepare"
    )
    stride: int = setting(
        1, "steps from one window to learn from to the next", stage="prepare", least=1
    )
    validation: float | int | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "rows to stop and calibrate by: a share of each series, its steps, or first stamp; or a "
        "table of its own that goes on where `data` ends, and `test` another",
        stage="split",
        expected=_PART,
    )
    test: float | int | str | os.PathLike[str] | pd.DataFrame = setting(
        0.2,
        "rows to score on, in the same terms; rows of a table of its own leave the parts before",
        stage="split",
        expected=_PART,
    )
    patience: int = 4
    learning_rate: float = 1e-3
    batch_size: int = setting(64, "windows per training step", range=Choice((32, 64, 128, 256)))


forecasting = recipe(ForecastingSettings, Forecasting)
