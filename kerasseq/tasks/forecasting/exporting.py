"""The preprocessing of an exported run of forecasting, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.panel import Panel
from kerasseq.data.series.state import panel_from_state
from kerasseq.formatting.columns import distinct_names
from kerasseq.models import Forecaster

__all__ = ["preprocessing"]

_MONTHS = {
    pd.offsets.MonthBegin: (1, False),
    pd.offsets.MonthEnd: (1, True),
    pd.offsets.QuarterBegin: (3, False),
    pd.offsets.QuarterEnd: (3, True),
    pd.offsets.YearBegin: (12, False),
    pd.offsets.YearEnd: (12, True),
}


def preprocessing(state: Mapping[str, Any], sizes: Forecaster) -> dict[str, Any]:
    """The values that `standalone.py` reads.

    Args:
        state: the state of a run.
        sizes: the config of its model.

    Raises:
        ValueError: if the tables of the run cannot be read without kerasseq.
    """
    reader, panel = state["reader"], panel_from_state(state["history"])
    encoding = panel.encoding
    roles = {role: [*map(str, names)] for role, names in encoding["roles"].items()}
    if reader.get("holidays") is not None:
        raise _refusal("with holidays")
    _check(encoding, roles)
    levels = [0.0, 1.0]
    if state["calibration"] is not None:
        levels = state["calibration"]["levels"]
    elif sizes.output == "quantiles":
        levels = [*sizes.quantiles]
    # A state that new rows have updated knows more than the last rows.
    has_rows = "stream" not in state and len(panel.keys) == len(panel)
    return {
        **{name: reader[name] for name in ("lookback", "horizon", "masked", "series_ids")},
        **{name: reader[name] for name in ("lags", "cycles", "ids", "scalers")},
        "roles": roles,
        "categories": encoding["categories"],
        "fill": encoding["fill"],
        "steps": None if panel.frequency is None else _steps(panel.frequency),
        "columns": distinct_names(
            [*roles["series"], " ".join(roles["time"]) or "step"], ("target", "forecast")
        ),
        "output": sizes.output,
        "learned": [*sizes.quantiles],
        "levels": [levels[0], levels[-1]],
        "calibration": state["calibration"],
        "history": [_series(panel, place) for place in range(len(panel))] if has_rows else None,
    }


def _check(encoding: Mapping[str, Any], roles: Mapping[str, list[str]]) -> None:
    """Raise a ValueError for tables that the stand-alone module does not read."""
    reasons = {
        "a row for each series": encoding["folded"],
        "stamps in several columns": len(roles["time"]) > 1,
        "stamps in a time zone": encoding["timezone"] is not None,
    }
    if reason := next((words for words, holds in reasons.items() if holds), None):
        raise _refusal(f"that read a table with {reason}")


def _steps(frequency: str) -> dict[str, Any]:
    """The arguments of `Steps` in `standalone.py` for a pandas offset alias."""
    offset = to_offset(frequency)
    if isinstance(offset, pd.offsets.Day):
        return {"unit": "days", "count": offset.n}
    if isinstance(offset, pd.offsets.Week):
        return {"unit": "days", "count": 7 * offset.n, "weekday": offset.weekday}
    if type(offset) is pd.offsets.BusinessDay:
        return {"unit": "weekdays", "count": offset.n}
    if isinstance(offset, pd.offsets.Tick) and pd.Timedelta(offset).value % 1000 == 0:
        return {"unit": "microseconds", "count": pd.Timedelta(offset).value // 1000}
    if type(offset) not in _MONTHS:
        raise _refusal(f"with the frequency {frequency!r}")
    cycle, end = _MONTHS[type(offset)]
    month = getattr(offset, "startingMonth", getattr(offset, "month", 1))
    anchor = {} if cycle == 1 else {"cycle": cycle, "month": month}
    return {"unit": "months", "count": cycle * offset.n, "end": end, **anchor}


def _series(panel: Panel, place: int) -> dict[str, Any]:
    """The last rows of one series."""
    stamps = panel.stamps[place]
    if isinstance(stamps, pd.DatetimeIndex):
        first: dict[str, Any] = {"first": stamps[0].isoformat()}
    else:
        first = {"first": int(stamps.start), "step": int(stamps.step)}
    arrays = {role: getattr(panel, role)[place] for role in ("targets", "past", "future", "static")}
    return {
        "key": panel.keys[place],
        **first,
        **{role: _numbers(values) for role, values in arrays.items()},
    }


def _numbers(values: np.ndarray) -> list[Any]:
    """Numbers as JSON values, null for NaN."""
    numbers = values.astype(object)
    numbers[np.isnan(values)] = None
    result: list[Any] = numbers.tolist()
    return result


def _refusal(reason: str) -> ValueError:
    return ValueError(
        f"a run of forecasting {reason} cannot be exported with its preprocessing. "
        "kerasseq.export(run.model, path) writes the model alone."
    )
