"""Numbers that may mark missing values are asked about, and no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.markers import marker_note
from kerasseq.data.series.read import read_series


@pytest.mark.parametrize(
    ("marker", "low", "high"),
    [(-200, 0, 12), (-200, 647, 2040), (-999, -30, 40), (9999, 980, 1040), (999, 0, 360)],
)
def test_a_marker_is_named_with_the_other_values(marker: float, low: float, high: float) -> None:
    values = np.array([low, marker, high, np.nan, marker])
    said = f"'x' holds {marker} in 2 rows, and else {low} to {high}: if it marks missing values"
    assert said in (marker_note(values, "x") or "")


@pytest.mark.parametrize(
    "values",
    [[-200, -500, 100], [999, 0, 800], [-99, -40, 60], [-1, 0, 5], [999, 999], [np.nan], [1e4, 1]],
    ids=str,
)
def test_a_value_like_others_is_no_marker(values: list[float]) -> None:
    assert marker_note(np.array(values, dtype=float), "x") is None


def test_notes_of_a_table_ask_about_markers() -> None:
    days = pd.date_range("2024-01-01", periods=9)
    frame = pd.DataFrame({"day": days, "y": np.arange(9) ** 2, "rain": [-999.0, *range(8)]})
    notes = read_series(frame, target="y", past="rain").notes
    assert [note for note in notes if "marks missing values" in note] == [
        "column 'rain' holds -999 in 1 rows, and else 0 to 7: if it marks missing values, leave "
        "these fields empty"
    ]
