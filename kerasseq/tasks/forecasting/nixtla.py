"""Forecasts in the columns of Nixtla's libraries."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from kerasseq.data.series.rows import series_id

__all__ = ["backtest_to_nixtla", "to_nixtla"]

_MODEL = "kerasseq"  # name of the columns of forecasts


def to_nixtla(frame: pd.DataFrame, series: int, several: bool) -> pd.DataFrame:
    """Convert a table of forecasts to the columns of Nixtla's libraries.

    Args:
        frame: columns that identify the series, the time, the target if there are several, the
            forecast, one for each quantile, named by its level, and one for each path; notes are
            left out; see
            `kerasseq.tasks.forecasting.forecasts.table`.
        series: number of columns that identify the series.
        several: whether there are several targets; each is then a series by itself.

    Returns:
        `unique_id`, `ds`, `kerasseq` and for each interval `kerasseq-lo-80` and `kerasseq-hi-80`,
        by its probability in percent; a quantile without a counterpart is `kerasseq-q-0.3`, the
        median `kerasseq-median`.

    Example:

    >>> frame = pd.DataFrame({"shop": ["a"], "day": [1], "forecast": [5.0], "0.1": [3], "0.9": [8]})
    >>> to_nixtla(frame, series=1, several=False).columns.tolist()
    ['unique_id', 'ds', 'kerasseq', 'kerasseq-lo-80', 'kerasseq-hi-80']
    """
    place = series + 1 + several
    keys = frame.iloc[:, [*range(series), *range(series + 1, place)]]
    ids = [series_id(key) for key in keys.itertuples(index=False, name=None)]
    columns = {"unique_id": ids, "ds": frame.iloc[:, series], _MODEL: frame.iloc[:, place]}
    others = [name for name in frame.columns[place + 1 :] if name != "note"]
    levels = [name for name in others if not name.startswith("path ")]
    for name in others:
        kind = _interval(float(name), map(float, levels)) if name in levels else name
        columns[f"{_MODEL}-{kind}"] = frame[name]
    return pd.DataFrame(columns)


def backtest_to_nixtla(frame: pd.DataFrame, series: int, several: bool) -> pd.DataFrame:
    """Convert the forecasts of a backtest to the columns of Nixtla's `cross_validation`.

    Args:
        frame: the `forecasts` of a `kerasseq.tasks.forecasting.backtest.Backtest`.
        series: number of columns that identify the series.
        several: whether there are several targets.

    Returns:
        The columns of `to_nixtla`, with `cutoff` and `y`, the actual value, after `ds`.
    """
    result = to_nixtla(frame.drop(columns=["fold", "cutoff", "actual"]), series, several)
    result.insert(2, "cutoff", frame["cutoff"])
    result.insert(3, "y", frame["actual"])
    return result


def _interval(level: float, levels: Iterable[float]) -> str:
    """Name of a quantile: the end of an interval if the other end is there too."""
    if level == 0.5:
        return "median"
    if round(1 - level, 9) not in {round(other, 9) for other in levels}:
        return f"q-{level:g}"
    return f"{'lo' if level < 0.5 else 'hi'}-{round(100 * abs(1 - 2 * level), 6):g}"
