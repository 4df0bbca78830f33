"""Forecasting: from a table of series to calibrated forecasts beside simple baselines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq.recipe import (
    Choice,
    Number,
    Objective,
    Parts,
    Prepared,
    Range,
    Stages,
    When,
    Whole,
    levels,
    one_of,
    perform,
    positive,
    share,
    steps,
)

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.backtest import Backtest
    from kerasseq.data.series_panel import Panel
    from kerasseq.data.series_reader import SeriesExamples, SeriesReader, Truth
    from kerasseq.forecast_metrics import Forecasts
    from kerasseq.metrics import Score
    from kerasseq.models import Forecaster
    from kerasseq.run import Run

__all__ = ["STAGES", "Forecasting", "forecasting"]

_KINDS = ("direct", "recursive", "seq2seq", "segment")
_SCALINGS = ("standard", "robust", "mean", "log", "boxcox", "none")
_NORMALIZATIONS = ("none", "last", "seasonal", "instance")
_OUTPUTS = ("point", "quantiles", "normal", "student_t", "negative_binomial")
_READING = ("time", "target", "series", "past", "future", "static", "fill", "resample", "season")


def forecasting(
    data: str | os.PathLike[str] | pd.DataFrame = "demo",
    *,
    time: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    series: str | Sequence[str] | None = None,
    horizon: int | None = None,
    lookback: int | float | None = None,
    past: Sequence[str] = (),
    future: Sequence[str] = (),
    static: Sequence[str] = (),
    model: str = "auto",
    cell: str = "gru",
    units: int = 64,
    depth: int = 1,
    segment: int | None = None,
    linear: bool | None = None,
    attention: bool = False,
    scheduled: float = 0.0,
    channels: str = "apart",
    series_embedding: bool = False,
    embedding: int = 8,
    normalization: str = "auto",
    output: str = "quantiles",
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    error: str = "mse",
    calibrate: bool = True,
    dropout: float = 0.1,
    recurrent_dropout: float = 0.0,
    zoneout: float = 0.0,
    scaling: str = "auto",
    per_series: bool = True,
    lags: Sequence[int] = (),
    calendar: bool = True,
    season: int | None = None,
    fill: str | None = None,
    resample: str | None = None,
    stride: int = 1,
    validation: float | int | str = 0.1,
    test: float | int | str = 0.2,
    epochs: int = 30,
    patience: int = 4,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = "constant",
    clip: float | None = 1.0,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warm_start: Run | str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Run:
    """Train a recurrent forecaster of series, and tell how good it is beside simple baselines.

    Forecasts come in the units of the data, with intervals that are calibrated on the validation
    part. One model learns from all series. What is left open is chosen from the data, and said.

    Args:
        data: a DataFrame; a CSV, TSV, JSON-lines or Parquet file, with a row for each step or a row
            for each series; or "demo", two monthly series that come with kerasseq.
        time: the column of stamps, or those of year, month, day and hour; found where it is not
            given. `()` counts rows.
        target: the column to forecast, or several; all that hold numbers where it is not given.
        series: the column, or columns, that tell the series apart.
        horizon: steps to forecast; a season where it is not given.
        lookback: steps to forecast from; or seasons or horizons of them, as in 2.0 (if not given).
        past: covariates known up to now.
        future: covariates that are also known ahead.
        static: columns that do not change within a series.
        model: "direct" (all steps from one state), "recursive" (each step from the one before it),
            "seq2seq" (a decoder for the horizon), "segment" (many steps at once), or "auto".
        cell: name of the recurrent cell; `kerasseq cells` lists them.
        units: width of the cell.
        depth: levels of recurrent layers.
        segment: steps of a segment, for that model; those of a season where it is not given.
        linear: whether a linear map of the segments is added, for that model; it is if not given.
        attention: whether the decoder of "seq2seq" looks back at all that was read.
        scheduled: share of its own forecasts that "recursive" is trained on.
        channels: "apart", each target by itself, through one network; or "together".
        series_embedding: whether the model learns a vector for each series.
        embedding: width of the vectors of series and targets.
        normalization: what is taken off each window: "none", its "last" value, the last season
            ("seasonal"), or mean and deviation ("instance"); or "auto".
        output: "point", "quantiles", or the distribution "normal", "student_t" or
            "negative_binomial" (of counts).
        quantiles: levels to score; they, their mirror images and the median are learned.
        error: what a point forecast is to make small: "mse", "mae" or "huber".
        calibrate: whether quantiles are moved to where errors on the validation part put them.
        dropout: share of the last features that is dropped in training.
        recurrent_dropout: share of the state that is dropped in training.
        zoneout: share of the state that is kept as it was in training.
        scaling: of targets: "standard", "robust", "mean", "log", "boxcox", "none" or "auto".
        per_series: whether each series is scaled by itself; a table of one series without a name is
            always that series.
        lags: earlier targets to read beside the lookback, in steps back.
        calendar: whether hour, weekday and time of the year are known ahead.
        season: steps of the season; from the frequency where it is not given.
        fill: what to put into gaps: "forward", "linear" (looks ahead in a gap; neither is scored),
            "zero" (taken as observed), or "mask" for nothing.
        resample: a pandas offset alias: take the mean of the rows in each such step.
        stride: steps from one window to learn from to the next.
        validation: what stops and calibrates: a share of each series, its steps, or first stamp.
        test: what to score on, in the same terms.
        epochs: at most so many passes over the windows.
        patience: stop after so many epochs without a better one.
        batch_size: windows per step of training.
        learning_rate: of Adam.
        schedule: of the learning rate: "constant", "cosine", or a Keras schedule.
        clip: longest gradient; None for any.
        seed: of everything that is drawn; on a CPU the same seed gives the same run, bit for bit.
        out: folder to write to; after an interruption the same call goes on from there.
        callbacks: further Keras callbacks.
        warm_start: an earlier run, or its folder, to take weights from.
        quiet: whether to show no progress.

    Returns:
        A Run: `forecast`, `backtest`, `update`, `evaluate`, `save`, `summary`, and the Keras
        `model` itself.

    Raises:
        ValueError: for data, settings or a folder that cannot be used; it says what to do.
        FileNotFoundError: if there is no such data.

    Example:

    >>> run = forecasting(horizon=6, units=4, epochs=1, quiet=True)
    >>> run.forecast(quantiles=[0.1, 0.9]).shape  # two series
    (12, 5)
    """
    return perform(STAGES, locals())


class Forecasting(Stages):
    """The stages of `forecasting`."""

    name: ClassVar[str] = "forecasting"
    reads: ClassVar[tuple[str, ...]] = _READING
    scored: ClassVar[tuple[str, ...]] = ("validation", "test", "horizon")
    headline: ClassVar[str] = "mase"
    higher_is_better: ClassVar[bool] = False
    rows: ClassVar[str] = "windows"
    keeps_source: ClassVar[bool] = True
    prepares: ClassVar[tuple[str, ...]] = (
        "horizon",
        "lookback",
        "model",
        "segment",
        "linear",
        "attention",
        "scheduled",
        "series_embedding",
        "normalization",
        "output",
        "quantiles",
        "error",
        "scaling",
        "per_series",
        "lags",
        "calendar",
        "stride",
        "validation",
        "test",
        "seed",
    )

    def check(self, settings: Mapping[str, Any]) -> None:
        from kerasseq import choices

        positive(settings, "units", "depth", "embedding", "stride")
        positive(settings, *(n for n in ("horizon", "segment") if settings[n] is not None))
        choices.check_lookback(settings["lookback"])
        share(settings, "dropout", "recurrent_dropout", "zoneout")
        one_of(settings, "model", ("auto", *_KINDS))
        one_of(settings, "normalization", ("auto", *_NORMALIZATIONS))
        one_of(settings, "scaling", ("auto", *_SCALINGS))
        one_of(settings, "output", _OUTPUTS)
        for name in ("validation", "test"):
            if isinstance(settings[name], float):
                share(settings, name, zero=False)
            elif not isinstance(settings[name], str):
                positive(settings, name)
        levels(settings, "quantiles")
        steps(settings, "lags")
        if settings["output"] == "negative_binomial":
            one_of(settings, "scaling", ("auto", "none"))
        self.count(choices.smallest(settings), settings)  # the cell and the rest, by own checks

    def load(self, data: Any, settings: Mapping[str, Any]) -> Panel:
        from kerasseq.data.series import Panel, read_series

        if isinstance(data, Panel):
            return data
        return read_series(data, **{name: settings[name] for name in _READING})

    def split(
        self,
        source: Panel,
        settings: Mapping[str, Any],
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        whole: bool = False,
    ) -> Parts:
        from kerasseq import choices
        from kerasseq.data.series_reader import Part
        from kerasseq.data.series_splits import chronological, rolling

        notes = list(source.notes)
        horizon = settings["horizon"] or choices.horizon(source)
        validation, held_out, back = (settings[n] for n in ("validation", "test", "lookback"))
        needed = 1 if isinstance(back, float) else back or 1
        split = chronological(source, validation, held_out, horizon, needed)
        if fold is not None:
            split = rolling(split, fold)
        shortest = int((split.validation - split.train).min())
        lookback = choices.lookback(back, source.season, horizon, shortest)
        notes.append(f"{horizon:,} steps ahead, from {lookback:,} steps back")
        # A seasonal baseline may look back further than the model does.
        context = max(lookback, source.season) + max(settings["lags"], default=0)
        parts = Part.of(source, split, lookback, horizon, context, whole)
        tested = test and bool((split.end > split.test).all())
        return Parts(parts[0], parts[1], parts[2] if tested else None, notes)

    def prepare(self, parts: Parts, settings: Mapping[str, Any]) -> Prepared:
        from kerasseq import choices
        from kerasseq.data.calendar import cycles
        from kerasseq.data.series_reader import SeriesReader
        from kerasseq.data.series_state import panel_state
        from kerasseq.forecasts import tail

        train = parts.train
        choices.check(parts, settings["output"])
        panel, sizes = train.panel, {"lookback": train.lookback, "horizon": train.horizon}
        chosen, notes = choices.of(panel, settings, **sizes)
        reader = SeriesReader.fitted(
            panel,
            chosen.pop("scaling"),
            settings["per_series"] and panel.ids != [""],
            lags=tuple(settings["lags"]),
            cycles=tuple(cycles(panel.stamps, panel.frequency) if settings["calendar"] else ()),
            masked=train.masked,
            told=settings["series_embedding"],
            **sizes,
        )
        teach = chosen["model"] == "recursive"
        learned, stopping = (
            reader.examples(part.panel, part.first, stride=stride, teach=teach)
            for part, stride in ((train, settings["stride"]), (parts.validation, None))
        )
        scored = None
        if (held_out := parts.test) is not None:
            scored = reader.examples(held_out.panel, held_out.first, insample=held_out.before)
        notes.append(choices.told(learned, stopping, scored))
        last = parts.validation if parts.test is None else parts.test
        columns = reader.columns(panel)
        state = {
            "facts": {
                **chosen,
                **sizes,
                **columns,
                "series": len(panel) if settings["series_embedding"] else 0,
                "masked": train.masked,
                "season": panel.season,
                **{name: settings[name] for name in ("output", "error")},
                "levels": list(settings["quantiles"]),
                "quantiles": choices.learned(settings["quantiles"]),
            },
            "reader": reader.state(),
            "history": panel_state(tail(last.panel, reader.kept)),
            "calibration": None,
        }
        return Prepared(learned, stopping, scored, state, notes=notes)

    def count(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return self.sizes(facts, settings).count()

    def macs(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return self.sizes(facts, settings).macs()

    def build(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> keras.Model:
        return self.sizes(facts, settings).build()

    def objective(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Objective:
        return Objective(self.sizes(facts, settings).loss())

    def trainee(
        self, model: keras.Model, facts: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> keras.Model:
        return self.sizes(facts, settings).taught(model)

    def calibrated(
        self, model: keras.Model, prepared: Prepared, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        if not settings["calibrate"]:
            return prepared.state
        from kerasseq import forecasts, training

        examples: Any = prepared.validation
        found = forecasts.calibration(
            training.outputs(model, examples.untaught),
            examples.scaled_targets,
            _likelihood(prepared.facts),
            settings["quantiles"],
        )
        return {**prepared.state, "calibration": found.state()}

    def predictions(
        self, model: keras.Model, examples: SeriesExamples, state: Mapping[str, Any]
    ) -> Forecasts:
        from kerasseq import forecasts, training

        return forecasts.restored(
            training.outputs(model, examples),
            _likelihood(state["facts"]),
            state["facts"]["levels"],
            state["calibration"],
            examples.restored,
        )

    def score(self, predictions: Forecasts, targets: Truth, settings: Mapping[str, Any]) -> Score:
        from kerasseq import forecast_metrics, forecasts

        found = forecast_metrics.score(
            targets.values,
            predictions,
            insample=targets.insample,
            series=targets.series,
            season=targets.season,
            block=targets.block,
            seed=settings["seed"],
        )
        found.details["examples"] = forecasts.examples(targets, predictions)
        return found

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: Mapping[str, Any]
    ) -> Mapping[str, Forecasts]:
        from kerasseq import forecasts

        return forecasts.Rivals(prepared, settings["quantiles"])

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: Mapping[str, Any],
        reading: Mapping[str, Any],
    ) -> SeriesExamples:
        from kerasseq.data.series import Panel, read_series

        reader = self.reader(state)
        if not isinstance(data, Panel):
            data = read_series(data, encoding=reader.encoding, **reading)
        return reader.examples(data)

    def predict(
        self, model: keras.Model, state: Mapping[str, Any], settings: Mapping[str, Any], data: Any
    ) -> pd.DataFrame:
        from kerasseq import forecasts

        if isinstance(data, list):
            raise ValueError("forecasts are made from series, not a list: use forecast.")
        return forecasts.ahead(model, self.sizes(state["facts"], settings), state, history=data)

    def forecast(self, run: Run, **asked: Any) -> pd.DataFrame:
        from kerasseq import forecasts

        sizes = self.sizes(run.state["facts"], run.settings)
        return forecasts.ahead(run.model, sizes, run.state, **asked)

    def backtest(
        self, run: Run, folds: int, stride: int | None, refit: bool, data: Any
    ) -> Backtest:
        from kerasseq.backtest import backtest

        return backtest(self, run, folds, stride, refit, data)

    def update(self, run: Run, rows: Any, reading: Mapping[str, Any]) -> None:
        from kerasseq import forecasts

        sizes = self.sizes(run.state["facts"], run.settings)
        run.state = forecasts.updated(run.model, sizes, run.state, rows, reading)

    def details(self, score: Score, baselines: Mapping[str, Score]) -> dict[str, Any]:
        named = {"this model": score, **baselines}
        errors = {name: own.details["by_step"]["mae"] for name, own in named.items()}
        covered = {
            name: own.details["coverage_by_level"]
            for name, own in named.items()
            if "coverage_by_level" in own.details
        }
        return {**score.details, "error_by_step": errors, "coverage_by_level": covered}

    def figures(self, run: Run) -> dict[str, Figure]:
        from kerasseq import forecast_plots, forecasts

        fans = [forecasts.fan(example) for example in run.metrics["examples"]]
        found = {
            **super().figures(run),
            "forecasts": forecast_plots.fans(fans),
            "error_by_step": forecast_plots.error_by_step(run.metrics["error_by_step"]),
        }
        if levels := run.metrics["coverage_by_level"]:
            found["coverage_by_level"] = forecast_plots.coverage_by_level(levels)
        return found

    def sizes(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Forecaster:
        """What the model is counted and built from."""
        from kerasseq.models import Forecaster

        known = ("lookback", "horizon", "targets", "past", "future", "static", "series")
        chosen = ("masked", "segment", "linear", "normalization", "season", "quantiles")
        own = ("cell", "units", "depth", "embedding", "channels", "attention", "dropout")
        return Forecaster(
            kind=facts["model"],
            **{name: facts[name] for name in (*known, *chosen)},
            **{name: settings[name] for name in (*own, "scheduled", "output", "error")},
            options={n: settings[n] for n in ("recurrent_dropout", "zoneout") if settings[n]},
        )

    def reader(self, state: Mapping[str, Any]) -> SeriesReader:
        """What prepares series as those that the run was made from."""
        from kerasseq.data.series_reader import SeriesReader

        return SeriesReader.of(state["reader"])

    def space(self) -> dict[str, Range]:
        return {
            "model": Choice(_KINDS),
            "attention": When("model", ("seq2seq",), Choice((False, True))),
            "scheduled": When("model", ("recursive",), Number(0.0, 0.5)),
            "linear": When("model", ("segment",), Choice((True, False))),
            "lookback": Choice((None, 1.0, 4.0)),  # seasons or horizons
            "cell": Choice(("lstm", "gru", "mgu", "ligru", "mingru")),
            "units": Whole(16, 256, log=True),
            "depth": Whole(1, 3),
            "normalization": Choice(_NORMALIZATIONS),
            "scaling": Choice(("standard", "robust", "mean")),
            "dropout": Number(0.0, 0.5),
            "learning_rate": Number(1e-4, 1e-2, log=True),
            "batch_size": Choice((32, 64, 128, 256)),
        }


STAGES = Forecasting()


def _likelihood(facts: Mapping[str, Any]) -> Any:
    from kerasseq.models import Likelihood

    return Likelihood(facts["output"], tuple(facts["quantiles"]), facts["error"])
