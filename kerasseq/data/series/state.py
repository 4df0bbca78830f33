"""Convert a panel of series to JSON values and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
import pandas as pd

from kerasseq.data.series.frequency import Stamps
from kerasseq.data.series.panel import Encoding, Names, Panel
from kerasseq.io.schema import Array, Length, Limits

__all__ = ["PanelState", "panel_from_state", "panel_state"]

_ARRAYS = ("targets", "past", "future")
_Numbers = Annotated[np.ndarray, Array("f", 2, missing=True)]  # (time of all series, columns)
_Whole = Annotated[np.ndarray, Array("i", 1)]
_Counts = Annotated[np.ndarray, Array("i", 1, above=-1)]
_Lengths = Annotated[np.ndarray, Array("i", 1, above=0)]


class _Steps(TypedDict):
    """Stamps that are whole numbers: first stamp and step of each series."""

    starts: _Whole
    steps: _Lengths


class _Times(TypedDict):
    """Stamps that are points in time, concatenated over all series."""

    zone: str | None
    times: Annotated[np.ndarray, Array("M", 1)]


class PanelState(TypedDict):
    """The JSON values and arrays of a panel; runs of earlier versions lack the last two."""

    ids: Annotated[list[str], Length(1)]
    frequency: str | None
    season: Annotated[int, Limits(least=1)]
    names: Names
    encoding: Encoding
    static: _Numbers
    lengths: _Lengths
    ahead: _Counts
    stamps: _Steps | _Times
    targets: _Numbers
    past: _Numbers
    future: _Numbers
    keys: NotRequired[list[list[str | int | float | None]]]
    filled: NotRequired[Annotated[np.ndarray, Array("b", 2)] | None]


def panel_state(panel: Panel) -> dict[str, Any]:
    """Convert a panel to JSON values and a few arrays; its notes are left out.

    The number of arrays does not depend on the number of series: these are concatenated.

    Args:
        panel: any series.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = read_series("demo")
    >>> again = panel_from_state(panel_state(panel))
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
        "ahead": np.array([len(values) for values in panel.future], dtype=np.int64),
        "stamps": _stamps_state(panel.stamps),
        "filled": None if panel.filled is None else np.concatenate(panel.filled),
        **{role: np.concatenate(getattr(panel, role)) for role in _ARRAYS},
    }


def panel_from_state(state: Mapping[str, Any]) -> Panel:
    """Restore a panel from the value of `panel_state`.

    Raises:
        ValueError: if the sizes of the arrays do not agree.
    """
    _check_sizes(state)
    ends, ahead = np.cumsum(state["lengths"])[:-1], np.cumsum(state["ahead"])[:-1]
    parts: dict[str, Any] = {
        role: np.split(state[role], ahead if role == "future" else ends) for role in _ARRAYS
    }
    filled = state.get("filled")
    return Panel(
        ids=list(state["ids"]),
        keys=[list(key) for key in state.get("keys", [])],
        stamps=_stamps_from_state(state["stamps"], state["lengths"], ends),
        frequency=state["frequency"],
        season=state["season"],
        static=state["static"],
        names=state["names"],
        encoding=state["encoding"],
        filled=None if filled is None else np.split(filled, ends),
        **parts,
    )


def _check_sizes(state: Mapping[str, Any]) -> None:
    """Raise a ValueError unless arrays have a row for each step and a column for each name."""
    series = len(state["ids"])
    steps, ahead = (sum(state[name].tolist()) for name in ("lengths", "ahead"))
    stamps, filled = state["stamps"], state.get("filled")
    rows = {
        "targets": steps,
        "past": steps,
        "future": ahead,
        "static": series,
    }
    expected = {name: (size, len(state["names"][name])) for name, size in rows.items()}
    shapes = {name: state[name].shape for name in expected}
    if filled is not None:
        expected["filled"], shapes["filled"] = expected["targets"], filled.shape
    lists = {"lengths": state["lengths"], "ahead": state["ahead"]}
    lists |= {name: stamps[name] for name in ("starts", "steps") if name in stamps}
    lists |= {"keys": state["keys"]} if state.get("keys") else {}
    sizes = {name: len(entries) for name, entries in lists.items()}
    expected_sizes = dict.fromkeys(sizes, series)
    if "times" in stamps:
        sizes["times"], expected_sizes["times"] = len(stamps["times"]), steps
    if expected != shapes or sizes != expected_sizes:
        wrong = [name for name in expected if expected[name] != shapes[name]]
        wrong += [name for name in sizes if sizes[name] != expected_sizes[name]]
        raise ValueError(f"history has {', '.join(wrong)} of another size than its series")


def _stamps_state(stamps: list[Stamps]) -> dict[str, Any]:
    if isinstance(stamps[0], pd.RangeIndex):
        return {
            "starts": np.array([index.start for index in stamps], dtype=np.int64),
            "steps": np.array([index.step for index in stamps], dtype=np.int64),
        }
    zone = stamps[0].tz
    times = [np.asarray(index if zone is None else index.tz_convert(None)) for index in stamps]
    return {"zone": None if zone is None else str(zone), "times": np.concatenate(times)}


def _stamps_from_state(
    state: Mapping[str, Any], lengths: np.ndarray, ends: np.ndarray
) -> list[Stamps]:
    if "starts" in state:
        return [
            pd.RangeIndex(int(start), int(start + length * step), int(step))
            for start, length, step in zip(state["starts"], lengths, state["steps"])
        ]
    stamps = [pd.DatetimeIndex(times) for times in np.split(state["times"], ends)]
    if state["zone"] is None:
        return stamps
    return [index.tz_localize("UTC").tz_convert(state["zone"]) for index in stamps]
