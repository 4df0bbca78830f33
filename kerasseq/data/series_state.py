"""Series as JSON values and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.frequency import Stamps
from kerasseq.data.series_panel import Panel

__all__ = ["panel_of", "panel_state"]

_ARRAYS = ("targets", "past", "future")


def panel_state(panel: Panel) -> dict[str, Any]:
    """A panel as JSON values and a few arrays, however many series there are; without its notes.

    Args:
        panel: any series.

    Example:

    >>> from kerasseq.data.series import read_series
    >>> panel = read_series("demo")
    >>> again = panel_of(panel_state(panel))
    >>> again.ids, again.stamps[1].equals(panel.stamps[1])
    (['air passengers', 'sunspots'], True)
    """
    return {
        "ids": list(panel.ids),
        "keys": panel.keys,
        "frequency": panel.frequency,
        "season": panel.season,
        "names": panel.names,
        "encoding": panel.encoding,
        "static": panel.static,
        "lengths": panel.lengths,
        "ahead": np.array([len(own) for own in panel.future], dtype=np.int64),
        "stamps": _stamps_state(panel.stamps),
        "filled": None if panel.filled is None else np.concatenate(panel.filled),
        **{role: np.concatenate(getattr(panel, role)) for role in _ARRAYS},
    }


def panel_of(state: Mapping[str, Any]) -> Panel:
    """The panel that has this state."""
    ends, ahead = np.cumsum(state["lengths"])[:-1], np.cumsum(state["ahead"])[:-1]
    parts: dict[str, Any] = {
        role: np.split(state[role], ahead if role == "future" else ends) for role in _ARRAYS
    }
    filled = state.get("filled")
    return Panel(
        ids=list(state["ids"]),
        keys=[list(own) for own in state.get("keys", [])],
        stamps=_stamps_of(state["stamps"], state["lengths"], ends),
        frequency=state["frequency"],
        season=state["season"],
        static=state["static"],
        names=state["names"],
        encoding=state["encoding"],
        filled=None if filled is None else np.split(filled, ends),
        **parts,
    )


def _stamps_state(stamps: list[Stamps]) -> dict[str, Any]:
    if isinstance(stamps[0], pd.RangeIndex):
        return {
            "starts": np.array([own.start for own in stamps], dtype=np.int64),
            "steps": np.array([own.step for own in stamps], dtype=np.int64),
        }
    zone = stamps[0].tz
    times = [np.asarray(own if zone is None else own.tz_convert(None)) for own in stamps]
    return {"zone": None if zone is None else str(zone), "times": np.concatenate(times)}


def _stamps_of(state: Mapping[str, Any], lengths: np.ndarray, ends: np.ndarray) -> list[Stamps]:
    if "starts" in state:
        return [
            pd.RangeIndex(int(start), int(start + length * step), int(step))
            for start, length, step in zip(state["starts"], lengths, state["steps"])
        ]
    found = [pd.DatetimeIndex(times) for times in np.split(state["times"], ends)]
    if state["zone"] is None:
        return found
    return [own.tz_localize("UTC").tz_convert(state["zone"]) for own in found]
