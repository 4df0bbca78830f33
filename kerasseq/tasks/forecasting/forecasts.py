"""Forecasts in the units of the series, from the outputs of a model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd

from kerasseq import settings, training
from kerasseq.data.series.frequency import Stamps, next_stamps
from kerasseq.data.series.new_rows import add_future_covariates
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.read import read_series
from kerasseq.data.series.reader import SeriesReader, Truth
from kerasseq.data.series.state import panel_from_state
from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.formatting.columns import distinct_names
from kerasseq.models import Forecaster, Likelihood, State, Stream
from kerasseq.tasks.forecasting import baselines, defaults, short_history
from kerasseq.tasks.forecasting.conformal import Calibration
from kerasseq.tasks.forecasting.plots import Fan
from kerasseq.tasks.forecasting.running import run_model
from kerasseq.tasks.forecasting.series_baselines import following
from kerasseq.tasks.forecasting.updating import load_stream

__all__ = [
    "BaselineForecasts",
    "forecast_ahead",
    "calibration",
    "check_levels",
    "examples",
    "fan",
    "in_original_units",
    "index_columns",
    "quantile_forecasts",
    "read_history",
    "table",
]

_PLOTTED = 4  # number of forecasts in the plot of a run
_HISTORY_HORIZONS = 3  # horizons of history before each forecast


def calibration(
    outputs: np.ndarray,
    truth: np.ndarray,
    likelihood: Likelihood,
    levels: Sequence[float],
    independent: int | None = None,
) -> Calibration:
    """Calibrate the quantiles of a model on windows that it was not trained on.

    Args:
        outputs: outputs of the model, (windows, horizon, targets[, parameters]).
        truth: actual values in the same units, (windows, horizon, targets).
        likelihood: the likelihood that interprets the outputs.
        levels: levels to calibrate beside `defaults.LEVELS`; offsets between are interpolated.
        independent: number of windows that do not overlap; None if no windows overlap.
    """
    all_levels = sorted({*defaults.LEVELS, *levels})
    forecasts = quantile_forecasts(outputs, likelihood, all_levels)
    return Calibration.fit(truth, forecasts, all_levels, independent)


def quantile_forecasts(
    outputs: np.ndarray, likelihood: Likelihood, levels: Sequence[float]
) -> Forecasts:
    """Convert model outputs to forecasts, in scaled units, without calibration.

    Args:
        outputs: outputs of the model, (windows, horizon, targets[, parameters]).
        likelihood: the likelihood that interprets the outputs.
        levels: levels of the quantiles; point forecasts have none.
    """
    point = likelihood.median(outputs)
    if likelihood.output == "point":
        return Forecasts(point)
    return Forecasts(
        point, {level: likelihood.quantile(outputs, [level])[..., 0] for level in levels}
    )


def in_original_units(
    outputs: np.ndarray,
    likelihood: Likelihood,
    levels: Sequence[float],
    calibrated: Mapping[str, Any] | None,
    inverse: Callable[[np.ndarray], np.ndarray],
    point: str = "median",
    deviation: np.ndarray | None = None,
) -> Forecasts:
    """Convert model outputs to calibrated forecasts in the units of the series.

    Args:
        outputs: outputs of the model, (windows, horizon, targets[, parameters]).
        likelihood: the likelihood that interprets the outputs.
        levels: levels of the quantiles; point forecasts have none without a calibration.
        calibrated: state of a `Calibration`; None for no calibration.
        inverse: function from scaled values to values in the units of the series.
        point: "mean" or "median"; the output "point" is what its loss has learned.
        deviation: standard deviation of a further error, (windows, horizon, targets), by which
            quantiles are widened; None for none.
    """
    forecasts = quantile_forecasts(outputs, likelihood, levels)
    if calibrated is not None and levels:
        forecasts = Calibration.from_state(calibrated).apply(forecasts, levels)
    if deviation is not None:
        forecasts = short_history.widened(forecasts, deviation)
    quantiles = forecasts.quantiles or {}
    mean = likelihood.mean(outputs, inverse) if point == "mean" else None
    return Forecasts(
        inverse(forecasts.point) if mean is None else mean,
        {level: inverse(values) for level, values in quantiles.items()},
    )


def forecast_ahead(
    model: keras.Model,
    sizes: Forecaster,
    state: Mapping[str, Any],
    horizon: int | None = None,
    history: Any = None,
    future: Any = None,
    levels: Sequence[float] = (0.1, 0.5, 0.9),
    point: str = "median",
    reading: Mapping[str, Any] | None = None,
    paths: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Forecast the steps after the end of series; see `ForecastRun.forecast`.

    Args:
        model: the trained model.
        sizes: config of the model.
        state: state of the run: `reader`, `history`, `calibration`, and after an update `stream`.
        horizon: steps to forecast; None for the horizon of the model.
        history: a table of series; None for the history in the state.
        future: a table of covariates of the steps ahead; None without.
        levels: levels of the quantiles.
        point: as in `in_original_units`.
        reading: settings that say how to read `history` and replace those of the run.
        paths: number of sample paths to draw.
        seed: seed of the sample paths.

    Raises:
        ValueError: if an argument does not fit the model or the data.
    """
    levels = check_levels(levels, sizes, state["calibration"])
    _check_paths(paths, sizes)
    reader = SeriesReader.from_state(state["reader"])
    steps = _check_horizon(horizon, sizes)
    if steps > sizes.horizon:
        sizes, reader = replace(sizes, horizon=steps), replace(reader, horizon=steps)
        extended = sizes.build()
        extended.set_weights(model.get_weights())
        model = extended
    stored = panel_from_state(state["history"])
    panel = stored if history is None else read_history(history, stored, reader, reading or {})
    if history is None and reading:
        raise ValueError(f"{next(iter(reading))}= says how to read history=: pass history=, too.")
    if future is not None:
        if not panel.names["future"]:
            raise ValueError("this run has no future covariates: leave future= out.")
        panel = add_future_covariates(panel, future, reader.horizon)
    inputs, scaler = reader.latest(panel)
    inverse = partial(scaler.inverse, series=np.arange(len(panel)))
    stream_state = load_stream(state["stream"]) if history is None and "stream" in state else None
    if stream_state is not None:
        outputs = Stream(sizes, model).forecast(stream_state, inputs.get("future"))
    else:
        outputs = run_model(model, inputs)
    training.finite(outputs, model)
    notes, deviation = short_history.notes(panel, reader.lookback), None
    has_quantiles = sizes.output != "point" or state["calibration"] is not None
    if any(notes) and has_quantiles:
        deviation = short_history.deviations(model, sizes.likelihood, reader, stored, panel.lengths)
    forecasts = in_original_units(
        outputs, sizes.likelihood, levels, state["calibration"], inverse, point, deviation
    )
    frame = table(panel, forecasts, steps, notes if any(notes) else ())
    if paths:
        sampled = _sample(model, sizes, inputs, stream_state, paths, seed)
        columns = {
            f"path {n}": inverse(path)[:, :steps].ravel() for n, path in enumerate(sampled, 1)
        }
        frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
    return frame


def _sample(
    model: keras.Model,
    sizes: Forecaster,
    inputs: Mapping[str, np.ndarray],
    state: State | None,
    paths: int,
    seed: int,
) -> np.ndarray:
    """Sample paths, (paths, series, horizon, targets); members of an ensemble draw them in turn.

    Args:
        model: the trained model.
        sizes: config of the model.
        inputs: inputs of the model.
        state: recurrent state to begin from, of a single model; None to read the inputs.
        paths: number of paths.
        seed: seed of the samples of the first member; the next ones have the next seeds.
    """
    single, sampled = replace(sizes, members=1), []
    for place, member in enumerate(sizes.split(model)):
        if count := len(range(place, paths, sizes.members)):
            stream = Stream(single, member)
            start = state or stream.start(inputs)
            sampled.append(stream.paths(start, count, inputs.get("future"), seed + place))
    return np.concatenate(sampled)


def table(
    panel: Panel,
    forecasts: Forecasts,
    steps: int,
    notes: Sequence[str] = (),
    taken: Sequence[str] = (),
) -> pd.DataFrame:
    """Convert forecasts to a DataFrame with a row for each series, step and target.

    Its columns are those that identify the series, the time (`step` where steps are counted), the
    `target` if there are several, `forecast`, one for each quantile, named by its level, and
    `note` if there are notes. A column of the data of such a name gets _ at its end.

    Args:
        panel: the series, each ending one step before its first forecast.
        forecasts: forecasts of one window per series, in the order and units of the series.
        steps: number of steps to put into the table, at most the horizon of the forecasts.
        notes: a note on each series, or none.
        taken: names of further columns, which the caller adds.
    """
    levels = [f"{level:g}" for level in forecasts.quantiles or {}]
    stamps = [next_stamps(times, steps, panel.frequency) for times in panel.stamps]
    names = ("forecast", *levels, *["note"] * bool(notes), *taken)
    columns = index_columns(panel, stamps, names)
    columns["forecast"] = forecasts.point[:, :steps].ravel()
    for level, values in zip(levels, (forecasts.quantiles or {}).values()):
        columns[level] = values[:, :steps].ravel()
    if notes:
        columns["note"] = np.repeat(notes, steps * len(panel.names["targets"]))
    return pd.DataFrame(columns)


def index_columns(panel: Panel, stamps: Sequence[Stamps], taken: Sequence[str]) -> dict[str, Any]:
    """Columns that identify the values of series: series, time, and `target` if there are several.

    Args:
        panel: the series.
        stamps: for each series, the stamps of its values.
        taken: names of further columns, which the caller adds.
    """
    targets, roles = panel.names["targets"], panel.encoding.get("roles", {})
    time = " ".join(map(str, roles.get("time", ())))
    *series, time = distinct_names([*roles.get("series", ()), time or "step"], ("target", *taken))
    counts = np.array([len(each) for each in stamps])
    columns: dict[str, Any] = {}
    for name, keys in zip(series, zip(*panel.keys)):
        are_numbers = len({type(key) for key in keys}) == 1 and not isinstance(keys[0], str)
        values = np.array(keys, dtype=None if are_numbers else object)
        columns[name] = np.repeat(values, counts * len(targets))
    columns[time] = stamps[0].append(list(stamps[1:])).repeat(len(targets))
    if len(targets) > 1:
        columns["target"] = np.tile(np.array(targets, dtype=object), counts.sum())
    return columns


class BaselineForecasts(Mapping[str, Forecasts]):
    """Forecasts of the baselines for the test part, in the units of the series, by name.

    A baseline is fitted when its forecasts are read, so that memory holds those of one baseline.

    Args:
        prepared: prepared data of the run.
        levels: levels of the quantiles.
    """

    def __init__(self, prepared: Any, levels: Sequence[float]) -> None:
        season, lookback = (prepared.data_info[name] for name in ("season", "lookback"))
        self._prepared = prepared
        room = int(prepared.train.panel.lengths.min()) - prepared.data_info["horizon"]
        # The seasonal naive forecast needs a season of lookback.
        self._lookback = max(lookback, season) if season <= room else lookback
        lookbacks = defaults.linear_lookbacks(lookback, room)
        self._baselines = baselines.standard(
            season if season <= self._lookback else 1, levels, lookbacks
        )
        self._lookbacks = {"nlinear": max(lookbacks)}
        self._baselines |= following(season, levels)

    def __getitem__(self, name: str) -> Forecasts:
        train, validation, test = self._parts(self._lookbacks.get(name, self._lookback))
        forecasts = self._baselines[name].fit(train, validation).predict(test)
        quantiles = {
            level: test.in_original_units(values)
            for level, values in (forecasts.quantiles or {}).items()
        }
        return Forecasts(test.in_original_units(forecasts.point), quantiles)

    def _parts(self, lookback: int) -> list[Any]:
        """Training, validation and test examples with a lookback."""
        parts = [getattr(self._prepared, name) for name in ("train", "validation", "test")]
        if lookback == self._prepared.data_info["lookback"]:
            return parts
        reader = replace(SeriesReader.from_state(self._prepared.state["reader"]), lookback=lookback)
        return [
            reader.examples(part.panel, part.first, stride=part.windows.stride) for part in parts
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self._baselines)

    def __len__(self) -> int:
        return len(self._baselines)


def examples(truth: Truth, forecasts: Forecasts) -> list[dict[str, Any]]:
    """The last forecast of a few series and targets, as JSON values, for plots.

    Args:
        truth: actual values of the test windows.
        forecasts: forecasts of the same windows.
    """
    panel, result = truth.panel, []
    windows = np.flatnonzero(np.append(truth.series[1:] != truth.series[:-1], True))
    targets = panel.names["targets"]
    for window, target in list(itertools.product(windows, range(len(targets))))[:_PLOTTED]:
        place, origin = int(truth.series[window]), int(truth.origins[window])
        steps = truth.values.shape[1]
        first = max(0, origin - _HISTORY_HORIZONS * steps)
        stamps = panel.stamps[place][first : origin + steps]
        title = [panel.ids[place], targets[target] if len(targets) > 1 or not panel.ids[0] else ""]
        quantiles = forecasts.quantiles or {}
        result.append(
            {
                "title": ", ".join(filter(None, title)),
                "stamps": _format_stamps(stamps),
                "history": _to_json(panel.targets[place][first:origin, target]),
                "forecast": _to_json(forecasts.point[window, :, target]),
                "quantiles": [
                    [level, _to_json(values[window, :, target])]
                    for level, values in quantiles.items()
                ],
                "truth": _to_json(truth.values[window, :, target]),
            }
        )
    return result


def fan(example: Mapping[str, Any]) -> Fan:
    """Convert an entry of `examples` to a `Fan` for plots."""
    stamps = example["stamps"]
    index = pd.DatetimeIndex(stamps) if isinstance(stamps[0], str) else pd.Index(stamps)
    history, point, truth = (
        np.array(example[name], dtype=float) for name in ("history", "forecast", "truth")
    )
    return Fan(
        title=example["title"],
        history=pd.Series(history, index[: len(history)]),
        forecast=pd.Series(point, index[len(history) :]),
        quantiles={level: np.array(values, dtype=float) for level, values in example["quantiles"]},
        truth=truth,
    )


def read_history(
    data: Any, stored: Panel, reader: SeriesReader, reading: Mapping[str, Any]
) -> Panel:
    """Read series to forecast; last rows without targets are kept if the model masks them."""
    keep_empty = reader.masked and not stored.names["future"]
    panel = read_series(data, encoding=stored.encoding, whole=keep_empty, **reading)
    for name, targets in zip(panel.ids, panel.targets):
        if np.isnan(targets).all():
            description = f"series {name!r}" if name else "the series"
            raise ValueError(f"{description} is empty: no row has a target. Leave it out.")
    return panel


def _check_horizon(horizon: int | None, sizes: Forecaster) -> int:
    """The number of steps to forecast, checked against the model."""
    if horizon is None:
        return sizes.horizon
    is_integer = isinstance(horizon, int | np.integer) and not isinstance(horizon, bool)
    if not is_integer or horizon < 1:
        raise ValueError(
            f"horizon must be a whole number above zero. Received: horizon={horizon!r}"
        )
    if horizon > sizes.horizon and sizes.kind != "recursive":
        raise ValueError(
            f"this run forecasts {sizes.horizon:,} steps. Received: horizon={horizon}. Train with "
            f"that horizon, or with model='recursive', which forecasts any number of steps."
        )
    return int(horizon)


def check_levels(
    levels: Sequence[float], sizes: Forecaster, calibrated: Mapping[str, Any] | None
) -> list[float]:
    """The levels of the quantiles, sorted and checked against the run."""
    low, high, remedy = 0.0, 1.0, ""
    if calibrated is not None:
        low, high = calibrated["levels"][0], calibrated["levels"][-1]
        remedy = "; for other levels, train with them in quantiles=, or with calibrate=False"
    elif sizes.output == "quantiles":
        low, high = sizes.quantiles[0], sizes.quantiles[-1]
        remedy = "; for other levels, train with them in quantiles="
    for level in settings.require_list({"quantiles": levels}, "quantiles"):
        is_number = isinstance(level, int | float | np.number)
        if not is_number or not 0 < level < 1 or not low <= level <= high:
            raise ValueError(
                f"quantiles must be levels between 0 and 1, here from {low:g} to {high:g}{remedy}. "
                f"Received: {level!r}"
            )
    return sorted({float(level) for level in levels})


def _check_paths(paths: int, sizes: Forecaster) -> None:
    if not paths:
        return
    settings.require_positive({"paths": paths}, "paths")
    if sizes.kind != "recursive" or sizes.output == "point":
        raise ValueError(
            "paths are drawn step by step, each value given the values before it, which needs "
            "model='recursive' and an output that is not 'point'. "
            f"Received: model={sizes.kind!r}, output={sizes.output!r}"
        )


def _format_stamps(stamps: Stamps) -> list[Any]:
    """Stamps as JSON values: local times in ISO format, or row numbers."""
    if isinstance(stamps, pd.DatetimeIndex):
        return [stamp.isoformat() for stamp in stamps.tz_localize(None)]
    return [int(stamp) for stamp in stamps]


def _to_json(values: np.ndarray) -> list[float | None]:
    """Numbers as JSON values, null for NaN."""
    return [None if np.isnan(value) else float(value) for value in values]
