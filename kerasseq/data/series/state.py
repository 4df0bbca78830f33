"""Series as JSON values and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
import pandas as pd

from kerasseq.data.series.frequency import Stamps
from kerasseq.data.series.panel import Encoding, Names, Panel
from kerasseq.io.schema import Array, Length, Limits

__all__ = ["PanelState", "panel_of", "panel_state"]

_ARRAYS = ("targets", "past", "future")
_Numbers = Annotated[np.ndarray, Array("f", 2, missing=True)]  # (time of all series, columns)
_Whole = Annotated[np.ndarray, Array("i", 1)]
_Counts = Annotated[np.ndarray, Array("i", 1, above=-1)]
_Lengths = Annotated[np.ndarray, Array("i", 1, above=0)]


class _Steps(TypedDict):
    """Stamps that are whole numbers: where each series begins, and its step."""

    starts: _Whole
    steps: _Lengths


class _Times(TypedDict):
    """Stamps that are times, of all series in a row."""

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
    """A panel as JSON values and a few arrays, however many series there are; without its notes.

    Args:
        panel: any series.

    Example:

    >>> from kerasseq.data.series.read import read_series
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
    """The panel that has this state.

    Raises:
        ValueError: if parts of the state do not go together.
    """
    _check_sizes(state)
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


def _check_sizes(state: Mapping[str, Any]) -> None:
    """Raise a ValueError unless arrays have a row for each step, and a column for each name."""
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
    found = {name: state[name].shape for name in expected}
    if filled is not None:
        expected["filled"], found["filled"] = expected["targets"], filled.shape
    each = {"lengths": state["lengths"], "ahead": state["ahead"]}
    each |= {name: stamps[name] for name in ("starts", "steps") if name in stamps}
    each |= {"keys": state["keys"]} if state.get("keys") else {}
    sizes = {name: len(own) for name, own in each.items()}
    wanted = dict.fromkeys(sizes, series)
    if "times" in stamps:
        sizes["times"], wanted["times"] = len(stamps["times"]), steps
    if expected != found or sizes != wanted:
        wrong = [name for name in expected if expected[name] != found[name]]
        wrong += [name for name in sizes if sizes[name] != wanted[name]]
        raise ValueError(f"history has {', '.join(wrong)} of another size than its series")


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
