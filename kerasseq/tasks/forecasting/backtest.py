"""Rolling origin: what forecasts would have been worth, had they been made again and again."""

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
    from kerasseq.data.series.reader import Truth
    from kerasseq.recipes.forecasting import ForecastingSettings
    from kerasseq.tasks.forecasting.run import ForecastRun
    from kerasseq.tasks.forecasting.task import Forecasting

__all__ = ["Backtest", "backtest"]

_OURS = "this model"


@dataclass(frozen=True, repr=False)
class Backtest:
    """What forecasts from several origins were worth.

    Args:
        metrics: over all of them: `test`, `interval`, `baselines` and `verdict`, as those of a Run.
        scores: a row for each fold and method: `fold`, from 1 on, `model`, and each metric.
        forecasts: those of the model: `fold`, what `Run.forecast` gives, and `actual`.
    """

    metrics: dict[str, Any]
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
        return board(title, self.metrics, [self.metrics["verdict"]])


def backtest(
    task: Forecasting, run: ForecastRun, folds: int, stride: int | None, refit: bool, data: Any
) -> Backtest:
    """Forecast from several origins; see `Run.backtest`.

    Args:
        task: the task of the recipe.
        run: trained.
        folds: how many origins.
        stride: steps from one to the next.
        refit: whether to train anew before each.
        data: what the run was made from, or None for what it holds on to.

    Raises:
        ValueError: if the data is other data, or there is no room for so many folds.
    """
    require_bool(refit=refit)
    data_info, panel = run.state["data_info"], _source(task, run, data)
    horizon = data_info["horizon"]
    stride = horizon if stride is None else stride
    for name, value in (("folds", folds), ("stride", stride)):
        require_positive({name: value}, name)
    settings = run.resolved  # with the choices that were made for the run, which stay as they are
    origins = panel.lengths - horizon - stride * np.arange(folds)[::-1, None]
    if settings.final == "all" and not refit:
        raise ValueError(
            "this run was refitted on all rows (final='all'), so that it has seen those that it "
            "would be scored on: pass refit=True, or use final='validation'."
        )
    if refit:
        found = [
            _refitted(task, settings, panel, origin, number)
            for number, origin in enumerate(origins, start=1)
        ]
    else:
        found = [_from_run(task, run, settings, panel, origins, stride)]
    return _scored(task, settings, found)


@dataclass(frozen=True)
class _Fold:
    """Forecasts of some windows by the model and its baselines, what came, and their folds."""

    truth: Truth
    found: Mapping[str, Forecasts]
    folds: np.ndarray


def _source(task: Forecasting, run: ForecastRun, data: Any) -> Panel:
    if data is None:
        if run.source is None:
            raise ValueError(
                "this run comes from a folder, which holds the end of its series only: pass data=, "
                "what the recipe was given."
            )
        return run.source
    panel: Panel = task.load(data, run.resolved)
    if digest(panel) != run.data:
        raise ValueError(
            "data= is not what the run was made from, so that it cannot be told which rows the "
            "model has seen: pass that, or use evaluate."
        )
    return panel


def _from_run(
    task: Forecasting,
    run: ForecastRun,
    settings: ForecastingSettings,
    panel: Panel,
    origins: np.ndarray,
    stride: int,
) -> _Fold:
    """Forecasts by the run itself, of what it has not seen."""
    parts, prepared = perform.prepare(task, panel, settings)
    held_out: Any = parts.test
    test: Any = prepared.test
    begin = panel.lengths - test.panel.lengths + test.first
    room = int(((panel.lengths - run.state["data_info"]["horizon"] - begin) // stride).min()) + 1
    if len(origins) > room:
        raise ValueError(
            f"the test part has room for {room:,} folds that are {stride:,} steps apart. Received: "
            f"folds={len(origins)}. Take fewer, a smaller stride, or refit=True."
        )
    reader = SeriesReader.from_state(run.state["reader"])
    examples = reader.examples(panel, origins[0], stride=stride, insample=held_out.before)
    rivals = forecasts.BaselineForecasts(replace(prepared, test=examples), settings.quantiles)
    found = {_OURS: task.predictions(run.model, examples, run.state, settings), **rivals}
    folds = np.tile(np.arange(1, len(origins) + 1), len(panel))
    return _Fold(examples.targets, found, folds)


def _refitted(
    task: Forecasting, settings: ForecastingSettings, panel: Panel, origin: np.ndarray, number: int
) -> _Fold:
    """Forecasts from one origin, by a model that was trained on what is before it."""
    if origin.min() < 1:
        raise ValueError(
            f"fold {number} would begin before the first row: take fewer folds or a smaller stride."
        )
    before = panel.cut(np.zeros_like(origin), origin)
    spans: dict[str, Any] = {"test": 0, "validation": _steps(task, settings, panel)}
    _, prepared = perform.prepare(task, before, replace(settings, **spans))
    trained = perform.train(task, prepared, settings, quiet=True)
    trained = perform.calibrate(task, trained, prepared, settings)
    reader = SeriesReader.from_state(trained.state["reader"])
    until = panel.cut(np.zeros_like(origin), origin + trained.state["data_info"]["horizon"])
    examples = reader.examples(until, origin, stride=1, insample=before.observed)
    rivals = forecasts.BaselineForecasts(replace(prepared, test=examples), settings.quantiles)
    found = {_OURS: task.predictions(trained.model, examples, trained.state, settings), **rivals}
    return _Fold(examples.targets, found, np.full(len(panel), number))


def _steps(task: Forecasting, settings: ForecastingSettings, panel: Panel) -> Any:
    """The validation part, in steps where it was given by its first stamp or as a table."""
    if isinstance(settings.validation, int | float):
        return settings.validation
    part = task.split(panel, settings).validation
    return int((part.panel.lengths - part.first).min())


def _scored(task: Forecasting, settings: ForecastingSettings, found: list[_Fold]) -> Backtest:
    rows, tables = [], []
    for fold in found:
        for number in np.unique(fold.folds):
            own = np.flatnonzero(fold.folds == number)
            truth = fold.truth.take(own)
            for name, given in fold.found.items():
                values = task.score(_taken(given, own), truth, settings).values
                rows.append({"fold": number, "model": name, **values})
            tables.append(_table(truth, _taken(fold.found[_OURS], own), int(number)))
    scores = _overall(task, settings, found)
    ours, rivals = scores[_OURS], {n: own for n, own in scores.items() if n != _OURS}
    metrics = {
        "test": ours.values,
        "interval": ours.interval(),
        "baselines": {name: rival.values for name, rival in rivals.items()},
        "verdict": perform.verdict(task, ours, rivals),
    }
    return Backtest(metrics, pd.DataFrame(rows), pd.concat(tables, ignore_index=True))


def _overall(
    task: Forecasting, settings: ForecastingSettings, found: list[_Fold]
) -> dict[str, Any]:
    """The score of each method over all folds."""
    whole = found[0].truth
    order = np.argsort(np.concatenate([fold.truth.series for fold in found]), kind="stable")
    truth = replace(
        whole,
        values=np.concatenate([fold.truth.values for fold in found])[order],
        series=np.concatenate([fold.truth.series for fold in found])[order],
        origins=np.concatenate([fold.truth.origins for fold in found])[order],
    )
    return {
        name: task.score(_joined([fold.found[name] for fold in found], order), truth, settings)
        for name in found[0].found
    }


def _joined(parts: list[Forecasts], order: np.ndarray) -> Forecasts:
    levels = list(parts[0].quantiles or {})
    return Forecasts(
        np.concatenate([part.point for part in parts])[order],
        {
            level: np.concatenate([(part.quantiles or {})[level] for part in parts])[order]
            for level in levels
        },
    )


def _taken(given: Forecasts, windows: np.ndarray) -> Forecasts:
    quantiles = given.quantiles or {}
    return Forecasts(
        given.point[windows], {level: own[windows] for level, own in quantiles.items()}
    )


def _table(truth: Truth, found: Forecasts, number: int) -> pd.DataFrame:
    """The forecasts of one fold, and what came."""
    panel = truth.panel.pick(truth.series)
    before = panel.cut(np.zeros_like(truth.origins), truth.origins)
    table = forecasts.table(before, found, truth.values.shape[1])
    table.insert(0, "fold", number)
    return table.assign(actual=truth.values.ravel())
