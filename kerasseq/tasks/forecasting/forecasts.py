"""From what a forecaster gives to forecasts in the units of the series, and on over new rows."""

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
from kerasseq.data.series.new_rows import add_future_covariates, append_rows
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.read import read_series
from kerasseq.data.series.reader import SeriesReader, Truth
from kerasseq.data.series.state import panel_from_state, panel_state
from kerasseq.data.series.windows import latest_inputs
from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.models import Forecaster, Likelihood, State, Stream
from kerasseq.tasks.forecasting import baselines
from kerasseq.tasks.forecasting.conformal import Calibration
from kerasseq.tasks.forecasting.plots import Fan

__all__ = [
    "LEVELS",
    "BaselineForecasts",
    "ahead",
    "calibration",
    "check_state",
    "examples",
    "fan",
    "restored",
    "tail",
    "table",
    "updated",
]

#: The levels at which intervals are calibrated; those between them are interpolated.
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
_BATCH = 256  # windows that are forecast at a time
_DRAWN = 4  # forecasts, in the figure of a run
_BEFORE = 3  # horizons of history before each
_ROWS = ("history", "observed", "past")
_STATE = ("states", "row", "fixed", "centre", "scale")


def calibration(
    outputs: np.ndarray, truth: np.ndarray, likelihood: Likelihood, levels: Sequence[float]
) -> Calibration:
    """How far to move the quantiles of a model, from windows that it was not trained on.

    Args:
        outputs: what the model gave for them.
        truth: what came, in the same units.
        likelihood: how to read the outputs.
        levels: further ones than `LEVELS`.
    """
    wanted = sorted({*LEVELS, *levels})
    return Calibration.fit(truth, _read(outputs, likelihood, wanted), wanted)


def restored(
    outputs: np.ndarray,
    likelihood: Likelihood,
    levels: Sequence[float],
    calibrated: Mapping[str, Any] | None,
    inverse: Callable[[np.ndarray], np.ndarray],
) -> Forecasts:
    """Forecasts in the units of the series.

    Args:
        outputs: what the model gave, (windows, horizon, targets[, parameters]).
        likelihood: how to read that.
        levels: of the quantiles; there are none where the model gives points and nothing is
            calibrated.
        calibrated: the state of a `Calibration`.
        inverse: what gives values in those units.
    """
    found = _read(outputs, likelihood, levels)
    if calibrated is not None and levels:
        found = Calibration.from_state(calibrated).apply(found, levels)
    quantiles = found.quantiles or {}
    return Forecasts(
        inverse(found.point), {level: inverse(values) for level, values in quantiles.items()}
    )


def ahead(
    model: keras.Model,
    sizes: Forecaster,
    state: Mapping[str, Any],
    horizon: int | None = None,
    history: Any = None,
    future: Any = None,
    levels: Sequence[float] = (0.1, 0.5, 0.9),
    reading: Mapping[str, Any] | None = None,
    paths: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """What comes next; see `Run.forecast`.

    Args:
        model: trained.
        sizes: those of the model.
        state: what was fitted for it: `reader`, `history`, `calibration`, and `stream` where it has
            gone on over new rows.
        horizon: steps, or None for those of the model.
        history: a table to go on from, or None for the history of the state.
        future: a table of what is known ahead, or None.
        levels: of the quantiles.
        reading: how to read the history, where that is not as it was.
        paths: how many whole forecasts to draw.
        seed: of the draws.

    Raises:
        ValueError: if it cannot be forecast.
    """
    levels = _levels(levels, sizes, state["calibration"])
    _check_paths(paths, sizes)
    reader = SeriesReader.from_state(state["reader"])
    steps = _steps(horizon, sizes)
    if steps > sizes.horizon:
        sizes, reader = replace(sizes, horizon=steps), replace(reader, horizon=steps)
        longer = sizes.build()
        longer.set_weights(model.get_weights())
        model = longer
    stored = panel_from_state(state["history"])
    panel = stored if history is None else _history(history, stored, reader, reading or {})
    if history is None and reading:
        raise ValueError(f"{next(iter(reading))}= says how to read history=. Pass that, too.")
    if future is not None:
        if not panel.names["future"]:
            raise ValueError("this run knows no future covariates: leave future= out.")
        panel = add_future_covariates(panel, future, reader.horizon)
    inputs, scaler = reader.latest(panel)
    inverse = partial(scaler.inverse, series=np.arange(len(panel)))
    going_on = _stream(state["stream"]) if history is None and "stream" in state else None
    if going_on is not None:
        outputs = Stream(sizes, model).forecast(going_on, inputs.get("future"))
    else:
        outputs = _called(model, inputs)
    training.finite(outputs, model)
    found = restored(outputs, sizes.likelihood, levels, state["calibration"], inverse)
    frame = table(panel, found, steps)
    if paths:
        stream = Stream(sizes, model)
        drawn = stream.paths(going_on or stream.start(inputs), paths, inputs.get("future"), seed)
        columns = {f"path {n}": inverse(own)[:, :steps].ravel() for n, own in enumerate(drawn, 1)}
        frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
    return frame


def table(panel: Panel, forecasts: Forecasts, steps: int) -> pd.DataFrame:
    """Forecasts of what follows series, one row for each series, step and target.

    Args:
        panel: the series.
        forecasts: one window each.
        steps: how many of them.
    """
    targets = panel.names["targets"]
    roles = panel.encoding.get("roles", {})
    time = " ".join(map(str, roles.get("time", ())))
    rows = steps * len(targets)
    columns: dict[str, Any] = {}
    for name, keys in zip(roles.get("series", ()), zip(*panel.keys)):
        numbers = len({type(own) for own in keys}) == 1 and not isinstance(keys[0], str)
        columns[name] = np.repeat(np.array(keys, dtype=None if numbers else object), rows)
    stamps = [next_stamps(own, steps, panel.frequency) for own in panel.stamps]
    columns[time or "step"] = stamps[0].append(stamps[1:]).repeat(len(targets))
    if len(targets) > 1:
        columns["target"] = np.tile(np.array(targets, dtype=object), len(panel) * steps)
    columns["forecast"] = forecasts.point[:, :steps].ravel()
    for level, values in (forecasts.quantiles or {}).items():
        columns[f"{level:g}"] = values[:, :steps].ravel()
    return pd.DataFrame(columns)


class BaselineForecasts(Mapping[str, Forecasts]):
    """What baselines forecast for the test part, in the units of the series.

    They are fitted when they are asked for, so that the forecasts of one are in memory at a time.

    Args:
        prepared: the parts as the model takes them, and its data_info.
        levels: of the quantiles.
    """

    def __init__(self, prepared: Any, levels: Sequence[float]) -> None:
        season, lookback = (prepared.data_info[name] for name in ("season", "lookback"))
        parts = [getattr(prepared, name) for name in ("train", "validation", "test")]
        if (
            lookback < season
            and parts[0].panel.lengths.min() >= season + prepared.data_info["horizon"]
        ):
            lookback = season  # the seasonal naive forecast has to look back as far
            reader = replace(SeriesReader.from_state(prepared.state["reader"]), lookback=season)
            parts = [
                reader.examples(part.panel, part.first, stride=part.windows.stride)
                for part in parts
            ]
        self._parts = parts
        self._baselines = baselines.standard(season if season <= lookback else 1, levels)

    def __getitem__(self, name: str) -> Forecasts:
        train, validation, test = self._parts
        found = self._baselines[name].fit(train, validation).predict(test)
        quantiles = {level: test.restored(own) for level, own in (found.quantiles or {}).items()}
        return Forecasts(test.restored(found.point), quantiles)

    def __iter__(self) -> Iterator[str]:
        return iter(self._baselines)

    def __len__(self) -> int:
        return len(self._baselines)


def examples(truth: Truth, forecasts: Forecasts) -> list[dict[str, Any]]:
    """The last forecast of each of a few series and targets, as JSON values, to be drawn.

    Args:
        truth: what came.
        forecasts: of the same windows.
    """
    panel, found = truth.panel, []
    windows = np.flatnonzero(np.append(truth.series[1:] != truth.series[:-1], True))
    targets = panel.names["targets"]
    for window, target in list(itertools.product(windows, range(len(targets))))[:_DRAWN]:
        place, origin = int(truth.series[window]), int(truth.origins[window])
        steps = truth.values.shape[1]
        begin = max(0, origin - _BEFORE * steps)
        stamps = panel.stamps[place][begin : origin + steps]
        title = [panel.ids[place], targets[target] if len(targets) > 1 or not panel.ids[0] else ""]
        quantiles = forecasts.quantiles or {}
        found.append(
            {
                "title": ", ".join(filter(None, title)),
                "stamps": _listed(stamps),
                "history": _numbers(panel.targets[place][begin:origin, target]),
                "forecast": _numbers(forecasts.point[window, :, target]),
                "quantiles": [
                    [level, _numbers(own[window, :, target])] for level, own in quantiles.items()
                ],
                "truth": _numbers(truth.values[window, :, target]),
            }
        )
    return found


def fan(example: Mapping[str, Any]) -> Fan:
    """One of `examples` as it is drawn."""
    stamps = example["stamps"]
    index = pd.DatetimeIndex(stamps) if isinstance(stamps[0], str) else pd.Index(stamps)
    history, point, truth = (
        np.array(example[name], dtype=float) for name in ("history", "forecast", "truth")
    )
    return Fan(
        title=example["title"],
        history=pd.Series(history, index[: len(history)]),
        forecast=pd.Series(point, index[len(history) :]),
        quantiles={level: np.array(own, dtype=float) for level, own in example["quantiles"]},
        truth=truth,
    )


def check_state(model: keras.Model, state: Mapping[str, Any], sizes: Forecaster) -> None:
    """Raise an error unless a forecast can be made with what was loaded, short of making it.

    Args:
        model: the model.
        state: as for `ahead`.
        sizes: those of the model.
    """
    reader, panel = SeriesReader.from_state(state["reader"]), panel_from_state(state["history"])
    data_info = {"lookback": reader.lookback, "horizon": reader.horizon, **reader.columns(panel)}
    wrong = [name for name, size in data_info.items() if state["data_info"][name] != size]
    if wrong:
        raise ValueError(f"data_info and series differ in {', '.join(wrong)}")
    inputs, _ = reader.latest(panel)
    shapes = {name: own.shape[1:] for name, own in inputs.items()}
    expected = {name: tuple(own.shape[1:]) for name, own in model.input.items()}
    if shapes != expected:
        raise ValueError(f"the model has inputs {expected}, and there are {shapes}")
    next_stamps(panel.stamps[0], 1, panel.frequency)
    if state["calibration"] is not None:
        own = Calibration.from_state(state["calibration"])
        if own.offsets.shape != (len(own.levels), sizes.horizon, sizes.targets):
            raise ValueError(f"the calibration has offsets of shape {own.offsets.shape}")
    if "stream" in state:
        _stream(state["stream"])


def tail(panel: Panel, rows: int) -> Panel:
    """The last rows of each series, as many as there are."""
    return panel.cut(np.maximum(panel.lengths - rows, 0), panel.lengths)


def updated(
    model: keras.Model,
    sizes: Forecaster,
    state: Mapping[str, Any],
    rows: Any,
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """The state after new rows; see `Run.update`.

    Args:
        model: trained.
        sizes: those of the model.
        state: as for `ahead`.
        rows: a table of new rows.
        reading: how to read them, where that is not as it was.

    Raises:
        ValueError: if the rows do not go on where the series end, or the model cannot take them.
    """
    reader, panel = SeriesReader.from_state(state["reader"]), panel_from_state(state["history"])
    # A row without a target is a row, unless it is there to tell what is known ahead.
    whole = reader.masked or not panel.names["future"]
    new = read_series(rows, encoding=panel.encoding, whole=whole, **reading)
    grown = append_rows(panel, new)
    kept = tail(grown, reader.rows_needed)
    _rows(reader, kept, np.arange(len(kept)), reader.lookback)  # what it cannot take is refused
    found = {**state, "history": panel_state(kept)}
    if sizes.causal:
        stream = Stream(sizes, model)
        if "stream" in state:
            before = _stream(state["stream"])
        else:
            before = stream.start(_rows(reader, panel, np.arange(len(panel)), sizes.lookback))
        now = _streamed(stream, before, reader, grown, grown.lengths - panel.lengths)
        for part in now.states:
            training.finite(part, model)
        found["stream"] = {name: getattr(now, name) for name in _STATE}
    return found


def _history(data: Any, stored: Panel, reader: SeriesReader, reading: Mapping[str, Any]) -> Panel:
    """Series to go on from, up to their last row if nothing but their targets can be missing."""
    whole = reader.masked and not stored.names["future"]
    panel = read_series(data, encoding=stored.encoding, whole=whole, **reading)
    for name, own in zip(panel.ids, panel.targets):
        if np.isnan(own).all():
            called = f"series {name!r}" if name else "the series"
            raise ValueError(f"{called} is empty: it has no target in any row. Leave it out.")
    return panel


def _called(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a model gives for a few windows, without a graph that is traced for their number."""
    count = len(inputs["history"])
    found = [
        model({name: own[start : start + _BATCH] for name, own in inputs.items()}, training=False)
        for start in range(0, count, _BATCH)
    ]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in found])


def _read(outputs: np.ndarray, likelihood: Likelihood, levels: Sequence[float]) -> Forecasts:
    """What a model gave as forecasts, in its own units."""
    point = likelihood.middle(outputs)
    if likelihood.output == "point":
        return Forecasts(point)
    return Forecasts(
        point, {level: likelihood.quantile(outputs, [level])[..., 0] for level in levels}
    )


def _steps(horizon: int | None, sizes: Forecaster) -> int:
    if horizon is None:
        return sizes.horizon
    whole = isinstance(horizon, int | np.integer) and not isinstance(horizon, bool)
    if not whole or horizon < 1:
        raise ValueError(
            f"horizon must be a whole number above zero. Received: horizon={horizon!r}"
        )
    if horizon > sizes.horizon and sizes.kind != "recursive":
        raise ValueError(
            f"this run forecasts {sizes.horizon:,} steps. Received: horizon={horizon}. Train with "
            f"that horizon, or with model='recursive', which goes as far as it is asked to."
        )
    return int(horizon)


def _levels(
    levels: Sequence[float], sizes: Forecaster, calibrated: Mapping[str, Any] | None
) -> list[float]:
    """Levels that are asked for, where a run has them."""
    low, high, why = 0.0, 1.0, ""
    if calibrated is not None:
        low, high = calibrated["levels"][0], calibrated["levels"][-1]
        why = "; for others make the run with them in its quantiles=, or with calibrate=False"
    elif sizes.output == "quantiles":
        low, high = sizes.quantiles[0], sizes.quantiles[-1]
        why = "; for others make the run with them in its quantiles="
    for level in settings.listed({"quantiles": levels}, "quantiles"):
        number = isinstance(level, int | float | np.number)
        if not number or not 0 < level < 1 or not low <= level <= high:
            raise ValueError(
                f"quantiles must be levels between 0 and 1, here from {low:g} to {high:g}{why}. "
                f"Received: {level!r}"
            )
    return sorted({float(level) for level in levels})


def _check_paths(paths: int, sizes: Forecaster) -> None:
    if not paths:
        return
    settings.require_positive({"paths": paths}, "paths")
    if sizes.kind != "recursive" or sizes.output == "point":
        raise ValueError(
            "paths are drawn step by step, each value after those before it, which takes "
            "model='recursive' and an output that is not 'point'. "
            f"Received: model={sizes.kind!r}, output={sizes.output!r}"
        )


def _stream(values: Mapping[str, Any]) -> State:
    return State(**{**{name: values[name] for name in _STATE}, "states": tuple(values["states"])})


def _listed(stamps: Stamps) -> list[Any]:
    """Stamps as JSON values; those in a time zone as clocks there show them."""
    if isinstance(stamps, pd.DatetimeIndex):
        return [own.isoformat() for own in stamps.tz_localize(None)]
    return [int(own) for own in stamps]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(own) else float(own) for own in values]


def _rows(
    reader: SeriesReader, panel: Panel, series: np.ndarray, rows: int
) -> dict[str, np.ndarray]:
    """The last rows of some series as a model takes them, without what is ahead of them."""
    scaled, _ = reader.scaled(panel)
    blank = [
        np.concatenate([own[:length], np.zeros_like(own[:1])])
        for own, length in zip(scaled.future, scaled.lengths)
    ]
    known = replace(scaled, future=blank).pick(series)
    series_ids: Any = np.array(reader.places(panel))[series] if reader.series_ids else False
    inputs = latest_inputs(known, rows, 1, observed=reader.masked, series=series_ids)
    inputs.pop("future", None)
    return inputs


def _streamed(
    stream: Stream, before: State, reader: SeriesReader, panel: Panel, counts: np.ndarray
) -> State:
    """The state after the last rows of each series, so many of each."""
    now = before
    for count in np.unique(counts[counts > 0]):
        series = np.flatnonzero(counts == count)
        inputs = _rows(reader, panel, series, int(count))
        rows = {name: own for name, own in inputs.items() if name in _ROWS}
        now = _put(now, series, stream.update(_taken(now, series), rows))
    return now


def _taken(state: State, series: np.ndarray) -> State:
    """The state of some of the series."""
    return _joined(lambda own, _: own[series], state, state)


def _put(state: State, series: np.ndarray, new: State) -> State:
    """The state with a new one of some of the series."""

    def put(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        found = np.array(values)
        found[series] = others
        return found

    return _joined(put, state, new)


def _joined(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], one: State, other: State
) -> State:
    """A state made of the arrays of two."""
    return State(
        states=tuple(map(function, one.states, other.states)),
        row={name: function(own, other.row[name]) for name, own in one.row.items()},
        fixed={name: function(own, other.fixed[name]) for name, own in one.fixed.items()},
        centre=function(one.centre, other.centre),
        scale=function(one.scale, other.scale),
    )
