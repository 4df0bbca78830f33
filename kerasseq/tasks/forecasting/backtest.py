"""Backtesting: scores of forecasts from a rolling origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasseq.data.series.panel import Panel
from kerasseq.data.series.reader import SeriesReader
from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.evaluation.scoreboard import board
from kerasseq.formatting.table import Table
from kerasseq.io.digest import digest
from kerasseq.settings import require_bool, require_positive
from kerasseq.tasks import perform
from kerasseq.tasks.forecasting import forecasts

if TYPE_CHECKING:
    import keras

    from kerasseq.data.series.reader import Truth
    from kerasseq.recipes.forecasting import ForecastingSettings
    from kerasseq.tasks.forecasting.run import ForecastRun
    from kerasseq.tasks.forecasting.task import Forecasting

__all__ = ["Backtest", "backtest"]

_MODEL = "this model"


@dataclass(frozen=True, repr=False)
class Backtest:
    """Scores and forecasts of a backtest.

    Args:
        metrics: metrics over all folds: `test`, `interval`, `baselines` and `verdict`, as in a Run.
        weights: the model that forecasts, in words: that of the run, the scored one of a run that
            was refitted on all rows, or one of each fold.
        scores: a row for each fold and method: `fold`, from 1 on, `model`, and each metric.
        forecasts: forecasts of the model: `fold`, `cutoff`, the last stamp before the forecast, the
            columns of `Run.forecast`, and `actual`.
    """

    metrics: dict[str, Any]
    weights: str
    scores: pd.DataFrame
    forecasts: pd.DataFrame

    def __rich__(self) -> Table:
        return self._board

    def _repr_html_(self) -> str:
        return self._board._repr_html_()

    def __repr__(self) -> str:
        return f"<Backtest of {self.scores['fold'].max()} folds: {self.metrics['verdict']}>"

    @property
    def _board(self) -> Table:
        title = f"backtest: {self.scores['fold'].max()} folds"
        return board(title, self.metrics, [self.metrics["verdict"], f"weights: {self.weights}"])


def backtest(
    task: Forecasting, run: ForecastRun, folds: int, stride: int | None, refit: bool, data: Any
) -> Backtest:
    """Score forecasts from several origins; see `ForecastRun.backtest`.

    Args:
        task: the task of the recipe.
        run: the trained run.
        folds: number of origins.
        stride: steps from one origin to the next; None for the horizon.
        refit: whether to train again before each origin.
        data: the data of the run; None for the data that the run in memory keeps.

    Raises:
        ValueError: if `data` differs from the data of the run, or has no room for the folds.
    """
    require_bool(refit=refit)
    data_info, panel = run.state["data_info"], _load_source(task, run, data)
    horizon = data_info["horizon"]
    stride = horizon if stride is None else stride
    for name, value in (("folds", folds), ("stride", stride)):
        require_positive({name: value}, name)
    settings = run.resolved  # with the data-driven values of the run, in every fold
    origins = panel.lengths - horizon - stride * np.arange(folds)[::-1, None]
    if refit:
        weights = "trained anew before each origin"
        scored = [
            _refit_fold(task, settings, panel, origin, number)
            for number, origin in enumerate(origins, start=1)
        ]
    else:
        model, state, weights = _honest_model(task, run)
        scored = [_forecast_folds(task, model, state, settings, panel, origins, stride)]
    return _score_folds(task, settings, scored, weights)


def _honest_model(task: Forecasting, run: ForecastRun) -> tuple[keras.Model, dict[str, Any], str]:
    """The model without a fit to the test part, its state, and a description of its weights."""
    if run.resolved.final != "all":
        return run.model, run.state, "of the run"
    if "scored" not in run.state:
        raise ValueError(
            "this run was refitted on all rows (final='all'), which include the rows to score on, "
            "and an earlier version saved it without the scored model: pass refit=True."
        )
    scored = run.state["scored"]
    model = task.build(scored["data_info"], run.resolved)
    model.set_weights(scored["weights"])
    state = {**run.state, "data_info": scored["data_info"], "reader": scored["reader"]}
    return model, state, "scored, before the refit on all rows"


@dataclass(frozen=True)
class _Fold:
    """Forecasts of windows by the model and its baselines, with the truth and fold numbers."""

    truth: Truth
    forecasts: Mapping[str, Forecasts]
    folds: np.ndarray


def _load_source(task: Forecasting, run: ForecastRun, data: Any) -> Panel:
    """The series of a run: `data`, checked against its fingerprint, or the series it keeps."""
    if data is None:
        if run.source is None:
            raise ValueError(
                "this run comes from a folder, which holds only the end of its series: pass data=, "
                "the data of the recipe."
            )
        return run.source
    panel: Panel = task.load(data, run.resolved)
    if digest(panel) != run.data:
        raise ValueError(
            "data= differs from the data of the run, so that it is unknown which rows the model "
            "has seen: pass the data of the run, or use evaluate."
        )
    return panel


def _forecast_folds(
    task: Forecasting,
    model: keras.Model,
    state: Mapping[str, Any],
    settings: ForecastingSettings,
    panel: Panel,
    origins: np.ndarray,
    stride: int,
) -> _Fold:
    """Forecasts of all folds by one model, in the test part."""
    parts, prepared = perform.prepare(task, panel, settings)
    held_out: Any = parts.test
    test: Any = prepared.test
    first_row = panel.lengths - test.panel.lengths + test.first
    room = int(((panel.lengths - state["data_info"]["horizon"] - first_row) // stride).min()) + 1
    if len(origins) > room:
        raise ValueError(
            f"the test part has room for {room:,} folds that are {stride:,} steps apart. Received: "
            f"folds={len(origins)}. Take fewer, a smaller stride, or refit=True."
        )
    reader = SeriesReader.from_state(state["reader"])
    examples = reader.examples(panel, origins[0], stride=stride, insample=held_out.before)
    baselines = forecasts.BaselineForecasts(replace(prepared, test=examples), settings.quantiles)
    by_method = {_MODEL: task.predictions(model, examples, state, settings), **baselines}
    folds = np.tile(np.arange(1, len(origins) + 1), len(panel))
    return _Fold(examples.targets, by_method, folds)


def _refit_fold(
    task: Forecasting, settings: ForecastingSettings, panel: Panel, origin: np.ndarray, number: int
) -> _Fold:
    """Forecasts from one origin, by a model that is trained on the rows before it."""
    if origin.min() < 1:
        raise ValueError(
            f"fold {number} would begin before the first row: take fewer folds or a smaller stride."
        )
    past = panel.cut(np.zeros_like(origin), origin)
    spans: dict[str, Any] = {"test": 0, "validation": _validation_steps(task, settings, panel)}
    _, prepared = perform.prepare(task, past, replace(settings, **spans))
    trained = perform.train(task, prepared, settings, quiet=True)
    trained = perform.calibrate(task, trained, prepared, settings)
    reader = SeriesReader.from_state(trained.state["reader"])
    until = panel.cut(np.zeros_like(origin), origin + trained.state["data_info"]["horizon"])
    examples = reader.examples(until, origin, stride=1, insample=past.observed)
    baselines = forecasts.BaselineForecasts(replace(prepared, test=examples), settings.quantiles)
    by_method = {
        _MODEL: task.predictions(trained.model, examples, trained.state, settings),
        **baselines,
    }
    return _Fold(examples.targets, by_method, np.full(len(panel), number))


def _validation_steps(task: Forecasting, settings: ForecastingSettings, panel: Panel) -> Any:
    """The setting `validation`, in steps if it is a first stamp or a table."""
    if isinstance(settings.validation, int | float):
        return settings.validation
    part = task.split(panel, settings).validation
    return int((part.panel.lengths - part.first).min())


def _score_folds(
    task: Forecasting, settings: ForecastingSettings, folds: list[_Fold], weights: str
) -> Backtest:
    """Score each fold and all folds together."""
    score_rows, tables = [], []
    for fold in folds:
        for number in np.unique(fold.folds):
            rows = np.flatnonzero(fold.folds == number)
            truth = fold.truth.take(rows)
            for name, predicted in fold.forecasts.items():
                values = task.score(_take(predicted, rows), truth, settings).values
                score_rows.append({"fold": number, "model": name, **values})
            tables.append(_table(truth, _take(fold.forecasts[_MODEL], rows), int(number)))
    baselines = _overall(task, settings, folds)
    score = baselines.pop(_MODEL)
    metrics = {
        "test": score.values,
        "interval": score.interval(),
        "baselines": {name: baseline.values for name, baseline in baselines.items()},
        "verdict": perform.verdict(task, score, baselines),
    }
    forecasts_of_all = pd.concat(tables, ignore_index=True)
    return Backtest(metrics, weights, pd.DataFrame(score_rows), forecasts_of_all)


def _overall(
    task: Forecasting, settings: ForecastingSettings, folds: list[_Fold]
) -> dict[str, Any]:
    """The score of each method over all folds, with windows in order of their series."""
    first = folds[0].truth
    order = np.argsort(np.concatenate([fold.truth.series for fold in folds]), kind="stable")
    truth = replace(
        first,
        values=np.concatenate([fold.truth.values for fold in folds])[order],
        series=np.concatenate([fold.truth.series for fold in folds])[order],
        origins=np.concatenate([fold.truth.origins for fold in folds])[order],
    )
    return {
        name: task.score(
            _concatenate([fold.forecasts[name] for fold in folds], order), truth, settings
        )
        for name in folds[0].forecasts
    }


def _concatenate(parts: list[Forecasts], order: np.ndarray) -> Forecasts:
    """Forecasts of all folds in one, with windows in the given order."""
    levels = list(parts[0].quantiles or {})
    return Forecasts(
        np.concatenate([part.point for part in parts])[order],
        {
            level: np.concatenate([(part.quantiles or {})[level] for part in parts])[order]
            for level in levels
        },
    )


def _take(forecasts: Forecasts, windows: np.ndarray) -> Forecasts:
    """Forecasts of the windows with these numbers."""
    quantiles = forecasts.quantiles or {}
    return Forecasts(
        forecasts.point[windows], {level: values[windows] for level, values in quantiles.items()}
    )


def _table(truth: Truth, predicted: Forecasts, number: int) -> pd.DataFrame:
    """The forecasts of one fold beside the actual values."""
    panel = truth.panel.pick(truth.series)
    past = panel.cut(np.zeros_like(truth.origins), truth.origins)
    taken = ("fold", "cutoff", "actual")
    table = forecasts.table(past, predicted, truth.values.shape[1], taken=taken)
    last = [stamps[-1:] for stamps in past.stamps]
    table.insert(0, "fold", number)
    table.insert(1, "cutoff", last[0].append(last[1:]).repeat(len(table) // len(last)))
    return table.assign(actual=truth.values.ravel())
