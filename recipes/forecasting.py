"""Forecasting: from a table of series to calibrated forecasts, compared with baselines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kerasseq.settings import Choice, Conditional, Float, doc, setting
from kerasseq.tasks.forecasting import Forecasting
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.settings import RecurrentSettings, TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ForecastingSettings", "forecasting"]

_PART = (
    "a share above 0 and below 1, a whole number of steps above 0, the first stamp of the part, "
    "or a table or its path"
)


@dataclass(frozen=True, kw_only=True)
class ForecastingSettings(RecurrentSettings, TrainingSettings):
    """Train a recurrent forecaster of series, and compare it with simple baselines.

    Forecasts have the units of the data, and intervals that are calibrated on the validation part.
    One model learns from all series. Settings left at "auto" or None are chosen from the data, and
    notes say how.

    Returns:
        A ForecastRun: `forecast`, `backtest`, `anomalies`, `update`, `evaluate`, `save`, `summary`,
        and the Keras `model` itself.

    Raises:
        ValueError: if data, settings or the folder cannot be used; it says what to do.
        FileNotFoundError: if the data does not exist.

    Example:

    >>> run = forecasting(horizon=6, units=4, epochs=1, quiet=True)
    >>> run.forecast(quantiles=[0.1, 0.9]).shape  # two series
    (12, 5)
    """

    data: str | os.PathLike[str] | pd.DataFrame | list[dict[str, Any]] = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "a DataFrame, or a list of dictionaries; a CSV, TSV, JSON-lines or Parquet file, with "
            'a row for each step or a row for each series; or "demo", two monthly series that come '
            "with kerasseq"
        ),
    )
    time: str | Sequence[str] | None = setting(
        None,
        "column of time stamps, or columns of year, month, day and hour; default: detected; `()` "
        "numbers the rows",
        stage="read",
    )
    target: str | Sequence[str] | None = setting(
        None,
        "column to forecast, or several; default: all columns of numbers",
        stage="read",
    )
    series: str | Sequence[str] | None = setting(
        None, "column, or columns, that identify the series", stage="read"
    )
    past: str | Sequence[str] = setting(
        (), "covariates that are known up to the present", stage="read"
    )
    future: str | Sequence[str] = setting((), "covariates that are known ahead", stage="read")
    static: str | Sequence[str] = setting(
        (), "covariates that are constant within a series", stage="read"
    )
    season: int | None = setting(
        None,
        "steps of the season; default: from the frequency",
        stage="read",
        least=1,
    )
    fill: str | None = setting(
        None,
        'values for missing targets: "forward", "linear" (interpolation, which looks ahead; '
        'neither is scored), "zero" (counts as observed), or "mask" (none)',
        stage="read",
    )
    resample: str | None = setting(
        None, "pandas offset alias of the steps; rows within a step are averaged", stage="read"
    )
    short: Literal["error", "drop"] = setting(
        "error",
        'what to do about series that are too short for `horizon` and the parts: "error", or '
        '"drop" them',
        stage="split",
    )
    horizon: int | None = setting(
        None, "steps to forecast; default: a season", stage="split", least=1
    )
    model: Literal["auto", "direct", "recursive", "seq2seq", "segment", "hybrid"] = setting(
        "auto",
        'network: "direct" (all steps from one state), "recursive" (each step from the one before '
        'it), "seq2seq" (a decoder for the horizon), "segment" (many steps at once), "hybrid" '
        '(corrects exponential smoothing, for few windows), or "auto"',
        range=Choice(("direct", "recursive", "seq2seq", "segment")),
    )
    attention: bool = setting(
        False,
        'whether the decoder of "seq2seq" attends to all past steps',
        range=Conditional("model", ("seq2seq",), Choice((False, True))),
    )
    scheduled_sampling: float = setting(
        0.0,
        'scheduled sampling: share of inputs of "recursive" that are its forecasts in training',
        least=0,
        most=1,
        range=Conditional("model", ("recursive",), Float(0.0, 0.5)),
    )
    segment: int | None = setting(
        None,
        'steps of a segment, for the network "segment"; default: a season',
        least=1,
    )
    linear: bool | None = setting(
        None,
        'whether a linear map of the segments is added, for the network "segment"; default: True '
        "for it",
        range=Conditional("model", ("segment",), Choice((True, False))),
    )
    lookback: int | None = setting(
        None,
        "number of past steps the model reads; default: twice the longer of season and horizon, or "
        "of less than 2,000 rows four seasons",
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
        '"apart": each target is forecast separately by the same network; "together": all at once',
    )
    series_embedding: bool = setting(
        False, "whether the model learns an embedding of each series", stage="prepare"
    )
    embedding: int = setting(8, "width of the embeddings of series and targets", least=1)
    normalization: Literal[
        "auto", "none", "last", "seasonal", "instance", "additive", "multiplicative"
    ] = setting(
        "auto",
        'normalization of each window: "none", or subtract its "last" value, its last season '
        '("seasonal"), or its mean, divided by the deviation ("instance"); for the network '
        '"hybrid" the season of its smoothing, "additive" or "multiplicative"; or "auto"',
        range=Choice(("none", "last", "seasonal", "instance")),
    )
    output: Literal["point", "quantiles", "normal", "student_t", "negative_binomial"] = setting(
        "quantiles",
        'output: "point", "quantiles", or the distribution "normal", "student_t" or '
        '"negative_binomial" (for counts)',
        stage="prepare",
    )
    quantiles: Sequence[float] = setting(
        (0.1, 0.5, 0.9),
        "levels of the quantiles to score; their mirror images and the median are learned too",
        above=0,
        below=1,
    )
    point: Literal["auto", "mean", "median"] = setting(
        "auto",
        'what the column `forecast` is: the "mean", which adds up, the "median", whose absolute '
        'error is least, or "auto": the median of quantiles, the mean of other outputs',
    )
    loss: Literal["mse", "mae", "huber"] = setting("mse", "loss of a point forecast")
    calibrate: bool = setting(
        True, "whether quantiles are calibrated by the errors on the validation part"
    )
    scaling: Literal["auto", "standard", "robust", "mean", "log", "boxcox", "none"] = setting(
        "auto",
        'scaling of the targets: "standard", "robust", "mean", "log", "boxcox", "none" or "auto"',
        stage="prepare",
        range=Choice(("standard", "robust", "mean")),
    )
    per_series: bool = setting(
        True,
        "whether each series is scaled separately; without effect for a single series without a "
        "name",
        stage="prepare",
    )
    dropout: float = setting(0.1, range=Float(0.0, 0.5))
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    lags: Sequence[int] = setting(
        (),
        "lags, in steps: at each step the model also reads the targets so many steps before",
        stage="prepare",
        least=1,
    )
    calendar: bool = setting(
        True, "whether hour, weekday and time of the year are covariates", stage="prepare"
    )
    holidays: str | None = setting(
        None,
        'country, such as "DE", or "DE-BY" with a subdivision, whose public holidays are a '
        "covariate that is known ahead; needs the package `holidays`",
        stage="prepare",
    )
    stride: int = setting(1, "steps from one training window to the next", stage="prepare", least=1)
    validation: float | int | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "rows for early stopping and calibration: a share of each series, a number of steps, or "
        "the first stamp; or a separate table that continues `data`, and `test` another",
        stage="split",
        expected=_PART,
    )
    test: float | int | str | os.PathLike[str] | pd.DataFrame = setting(
        0.2,
        "rows to score on, as in `validation`; rows of a separate table are removed from the other "
        "parts",
        stage="split",
        expected=_PART,
    )
    final: Literal["train", "validation", "all"] = "all"
    seeds: int = setting(
        1,
        "number of models in an ensemble, trained one after another from `seed`, `seed` + 1, ...; "
        "their points, quantiles or parameters of distributions are averaged",
        least=1,
    )
    patience: int = 4
    learning_rate: float = 1e-3
    batch_size: int = setting(64, "windows per training step", range=Choice((32, 64, 128, 256)))
    passes_per_epoch: int | None = setting(
        None,
        "passes over the training windows in each epoch; default: 1, or for few windows as many as "
        "make 32 training steps",
        least=1,
    )


forecasting = recipe(ForecastingSettings, Forecasting)
