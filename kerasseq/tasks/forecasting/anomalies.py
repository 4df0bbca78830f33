"""Anomalies: values outside the interval that was forecast for them one step ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pandas as pd

from kerasseq import training
from kerasseq.data.series.new_rows import append_rows
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.reader import SeriesReader
from kerasseq.data.series.state import panel_from_state
from kerasseq.models import Forecaster
from kerasseq.tasks.forecasting import forecasts
from kerasseq.tasks.forecasting.running import run_model

__all__ = ["find_anomalies"]

_CHUNK = 4096  # windows in memory at a time


def find_anomalies(
    model: keras.Model,
    sizes: Forecaster,
    state: Mapping[str, Any],
    rows: Any,
    quantiles: Sequence[float],
    reading: Mapping[str, Any],
    point: str,
) -> pd.DataFrame:
    """Compare values with forecasts one step ahead; see `ForecastRun.anomalies`.

    Args:
        model: the trained model.
        sizes: config of the model.
        state: state of the run: `reader`, `history` and `calibration`.
        rows: a table of series.
        quantiles: levels of the two ends of the interval.
        reading: settings that say how to read `rows` and replace those of the run.
        point: as in `forecasts.in_original_units`.
    """
    levels = _check_interval(quantiles, sizes, state["calibration"])
    reader, stored = SeriesReader.from_state(state["reader"]), panel_from_state(state["history"])
    new = forecasts.read_history(rows, stored, reader, reading)
    panel, first = _with_history(stored, new, reader)
    places = np.repeat(np.arange(len(panel)), panel.lengths - first)
    origins = np.concatenate([np.arange(low, end) for low, end in zip(first, panel.lengths)])
    inputs, scaler = reader.at_any_row(_pad_future(panel, reader.horizon), first)
    chunks = []
    for start in range(0, len(places), _CHUNK):
        series = places[start : start + _CHUNK]
        outputs = run_model(model, inputs(series, origins[start : start + _CHUNK]))
        training.finite(outputs, model)
        chunks.append(
            forecasts.in_original_units(
                outputs[:, :1],
                sizes.likelihood,
                levels,
                state["calibration"],
                lambda values, series=series: scaler.inverse(values, series),  # type: ignore[misc]
                point,
            )
        )
    return _table(panel, first, chunks)


def _check_interval(
    quantiles: Sequence[float], sizes: Forecaster, calibrated: Mapping[str, Any] | None
) -> list[float]:
    """The levels of both ends, checked against the run."""
    if sizes.output == "point" and calibrated is None:
        raise ValueError(
            "this run has no intervals: train with calibrate=True, or with output='quantiles'."
        )
    levels = forecasts.check_levels(quantiles, sizes, calibrated)
    if len(levels) != 2:
        raise ValueError(
            "quantiles must be the two levels between which values are expected, as (0.025, "
            f"0.975). Received: quantiles={tuple(quantiles)!r}"
        )
    return levels


def _with_history(stored: Panel, new: Panel, reader: SeriesReader) -> tuple[Panel, np.ndarray]:
    """The series with rows before the new ones, and the first row of each that is compared.

    New rows of the run's series follow its last rows. Another table has its history in its first
    rows.
    """
    known = {name: place for place, name in enumerate(stored.ids)}
    if all(name in known for name in new.ids) and _follows(stored, new, known):
        places = np.array([known[name] for name in new.ids])
        panel, first = append_rows(stored, new).pick(places), stored.lengths[places]
    else:
        panel, first = new, np.full(len(new), reader.rows_needed)
    for name, length, row in zip(panel.ids, panel.lengths, first):
        if length <= row or row < reader.lookback:
            called = f"series {name!r}" if name else "the series"
            raise ValueError(
                f"{called} has {length:,} rows, and the first {reader.rows_needed:,} are read "
                "before the first forecast: give more rows, or rows that follow the "
                "last one of the run."
            )
    return panel, first


def _follows(stored: Panel, new: Panel, known: Mapping[str, int]) -> bool:
    """Whether the rows of each series begin after the end of the stored ones."""
    if not stored.encoding.get("roles", {}).get("time"):
        return False  # rows without stamps are a table that stands for itself
    return all(
        stamps[0] > stored.stamps[known[name]][-1] for name, stamps in zip(new.ids, new.stamps)
    )


def _pad_future(panel: Panel, horizon: int) -> Panel:
    """Repeat the last future covariates, where they end before the horizon of the last row."""
    if not panel.names["future"]:
        return panel
    missing = [
        max(0, rows + horizon - 1 - len(values))
        for rows, values in zip(panel.lengths, panel.future)
    ]
    future = [
        np.concatenate([values, np.repeat(values[-1:], count, axis=0)])
        for values, count in zip(panel.future, missing)
    ]
    return replace(panel, future=future)


def _table(panel: Panel, first: np.ndarray, chunks: Sequence[Any]) -> pd.DataFrame:
    """A row for each compared value."""
    low, high = chunks[0].quantiles
    names = ("actual", "forecast", f"{low:g}", f"{high:g}", "anomaly")
    columns = forecasts.index_columns(
        panel, [stamps[row:] for stamps, row in zip(panel.stamps, first)], taken=names
    )
    actual = [values[row:].ravel() for values, row in zip(panel.observed, first)]
    values = [
        np.concatenate(actual),
        np.concatenate([chunk.point.ravel() for chunk in chunks]),
        *(
            np.concatenate([chunk.quantiles[level].ravel() for chunk in chunks])
            for level in (low, high)
        ),
    ]
    # A missing value is no anomaly: comparisons with NaN are false.
    outside = (values[0] < values[2]) | (values[0] > values[3])
    return pd.DataFrame({**columns, **dict(zip(names, [*values, outside]))})
