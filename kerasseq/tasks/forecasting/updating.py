"""The state of a forecaster, and its update by new rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kerasseq import training
from kerasseq.data.series.frequency import next_stamps
from kerasseq.data.series.new_rows import append_rows
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.read import read_series
from kerasseq.data.series.reader import SeriesReader
from kerasseq.data.series.state import panel_from_state, panel_state
from kerasseq.data.series.windows import latest_inputs
from kerasseq.models import Forecaster, State, Stream
from kerasseq.tasks.forecasting.conformal import Calibration

__all__ = ["check_state", "last_rows", "load_stream", "update_state"]

_ROW_INPUTS = ("history", "observed", "past")
_STATE_FIELDS = ("states", "row", "fixed", "centre", "scale")


def update_state(
    model: keras.Model,
    sizes: Forecaster,
    state: Mapping[str, Any],
    rows: Any,
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """Append new rows to the state; see `ForecastRun.update`.

    Args:
        model: the trained model.
        sizes: config of the model.
        state: as for `forecast_ahead`.
        rows: a table of new rows.
        reading: settings that say how to read `rows` and replace those of the run.

    Returns:
        The new state.

    Raises:
        ValueError: if the rows do not follow the end of the series, or the model cannot read them.
    """
    reader, panel = SeriesReader.from_state(state["reader"]), panel_from_state(state["history"])
    # A row without targets counts as a row, unless it only holds future covariates.
    keep_empty = reader.masked or not panel.names["future"]
    new = read_series(rows, encoding=panel.encoding, whole=keep_empty, **reading)
    extended = append_rows(panel, new)
    history = last_rows(extended, reader.rows_needed)
    # Raises for rows that the model cannot read.
    _last_rows(reader, history, np.arange(len(history)), reader.lookback)
    result = {**state, "history": panel_state(history)}
    if sizes.causal:
        stream = Stream(sizes, model)
        if "stream" in state:
            stream_state = load_stream(state["stream"])
        else:
            stream_state = stream.start(
                _last_rows(reader, panel, np.arange(len(panel)), sizes.lookback)
            )
        new_stream_state = _update_stream(
            stream, stream_state, reader, extended, extended.lengths - panel.lengths
        )
        for values in new_stream_state.states:
            training.finite(values, model)
        result["stream"] = {name: getattr(new_stream_state, name) for name in _STATE_FIELDS}
    return result


def check_state(model: keras.Model, state: Mapping[str, Any], sizes: Forecaster) -> None:
    """Raise an error unless model and state of a saved run are consistent, without forecasting.

    Args:
        model: the model.
        state: as for `forecast_ahead`.
        sizes: config of the model.
    """
    reader, panel = SeriesReader.from_state(state["reader"]), panel_from_state(state["history"])
    data_info = {"lookback": reader.lookback, "horizon": reader.horizon, **reader.columns(panel)}
    wrong = [name for name, size in data_info.items() if state["data_info"][name] != size]
    if wrong:
        raise ValueError(f"data_info and series differ in {', '.join(wrong)}")
    inputs, _ = reader.latest(panel)
    shapes = {name: values.shape[1:] for name, values in inputs.items()}
    expected = {name: tuple(tensor.shape[1:]) for name, tensor in model.input.items()}
    if shapes != expected:
        raise ValueError(f"the model has inputs {expected}, and the reader gives {shapes}")
    next_stamps(panel.stamps[0], 1, panel.frequency)
    if state["calibration"] is not None:
        calibration = Calibration.from_state(state["calibration"])
        expected_shape = (len(calibration.levels), sizes.horizon, sizes.targets)
        for name, values in (("offsets", calibration.offsets), ("factors", calibration.factors)):
            if values is not None and values.shape != expected_shape:
                raise ValueError(f"the calibration has {name} of shape {values.shape}")
    if "stream" in state:
        load_stream(state["stream"])


def last_rows(panel: Panel, rows: int) -> Panel:
    """The last rows of each series, or all of a shorter series."""
    return panel.cut(np.maximum(panel.lengths - rows, 0), panel.lengths)


def load_stream(values: Mapping[str, Any]) -> State:
    """The recurrent state from saved values."""
    return State(
        **{**{name: values[name] for name in _STATE_FIELDS}, "states": tuple(values["states"])}
    )


def _last_rows(
    reader: SeriesReader, panel: Panel, series: np.ndarray, rows: int
) -> dict[str, np.ndarray]:
    """Model inputs of the last rows of some series, without future covariates after them."""
    scaled, _ = reader.scaled(panel)
    future = [
        np.concatenate([values[:length], np.zeros_like(values[:1])])
        for values, length in zip(scaled.future, scaled.lengths)
    ]
    without_future = replace(scaled, future=future).pick(series)
    series_ids: Any = np.array(reader.places(panel))[series] if reader.series_ids else False
    inputs = latest_inputs(without_future, rows, 1, observed=reader.masked, series=series_ids)
    inputs.pop("future", None)
    return inputs


def _update_stream(
    stream: Stream, state: State, reader: SeriesReader, panel: Panel, counts: np.ndarray
) -> State:
    """The recurrent state after the last `counts` rows of each series."""
    new_state = state
    for count in np.unique(counts[counts > 0]):
        series = np.flatnonzero(counts == count)
        inputs = _last_rows(reader, panel, series, int(count))
        rows = {name: values for name, values in inputs.items() if name in _ROW_INPUTS}
        new_state = _put_series(
            new_state, series, stream.update(_take_series(new_state, series), rows)
        )
    return new_state


def _take_series(state: State, series: np.ndarray) -> State:
    """The recurrent state of some series."""
    return _combine(lambda values, _: values[series], state, state)


def _put_series(state: State, series: np.ndarray, new: State) -> State:
    """The recurrent state, with the state of some series replaced."""

    def put(values: np.ndarray, replacement: np.ndarray) -> np.ndarray:
        result = np.array(values)
        result[series] = replacement
        return result

    return _combine(put, state, new)


def _combine(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], first: State, second: State
) -> State:
    """A recurrent state whose arrays are a function of the arrays of two states."""
    return State(
        states=tuple(map(function, first.states, second.states)),
        row={name: function(values, second.row[name]) for name, values in first.row.items()},
        fixed={name: function(values, second.fixed[name]) for name, values in first.fixed.items()},
        centre=function(first.centre, second.centre),
        scale=function(first.scale, second.scale),
    )
