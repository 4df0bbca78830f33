"""Series come back from JSON values and arrays as they were."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.data.series.state import panel_from_state, panel_state
from kerasseq.io.digest import digest


def _table(stamps: Any) -> pd.DataFrame:
    values = np.arange(2.0 * len(stamps))
    table = pd.DataFrame({"when": [*stamps, *stamps], "y": values, "x": values**2})
    return table.assign(
        series=np.repeat(["a", "b"], len(stamps)), size=np.repeat([1, 2], len(stamps))
    )


@pytest.mark.parametrize(
    "stamps",
    [
        pd.date_range("2024-01-31", periods=9, freq="ME"),
        pd.date_range("2024-03-30", periods=50, freq="h", tz="Europe/Berlin"),
        pd.date_range("2024-03-30", periods=9, freq="D", tz="UTC"),
        range(10, 100, 10),
    ],
    ids=["months", "hours", "days", "steps"],
)
def test_a_panel_comes_back(stamps: Any) -> None:
    table = _table(stamps)
    table.loc[3, "y"] = np.nan
    panel = read_series(table, time="when", target="y", past="x", static="size", fill="mask")
    panel = panel.cut([2, 0], panel.lengths)
    state = panel_state(panel)
    json.dumps({n: v for n, v in state.items() if n in ("ids", "names", "encoding", "season")})
    again = panel_from_state(state)
    assert digest(again) == digest(panel)
    assert again.keys == panel.keys == [["a"], ["b"]]
    for one, other in zip(again.stamps, panel.stamps):
        assert one.equals(other)
        assert getattr(one, "tz", None) == getattr(other, "tz", None)


def test_a_panel_knows_what_was_filled_in() -> None:
    table = _table(range(9))
    table.loc[[3, 12], "y"] = np.nan
    panel = read_series(table, time="when", target="y", fill="linear")
    again = panel_from_state(panel_state(panel))
    assert digest(again) == digest(panel)
    assert again.filled is not None
    assert [np.flatnonzero(own).tolist() for own in again.filled] == [[3], [3]]


def test_the_fingerprint_of_stamps_has_their_zone() -> None:
    days = pd.date_range("2024-01-01", periods=3)
    zones = [days, days.tz_localize("UTC"), days.tz_localize("Europe/Berlin"), days + days.freq]
    assert len({digest(own) for own in (*zones, pd.RangeIndex(3), pd.RangeIndex(1, 4))}) == 6
    assert digest(pd.RangeIndex(3)) == digest(pd.RangeIndex(3))
