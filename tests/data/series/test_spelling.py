"""Numbers are read as people write them, and in no case that has two meanings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.series.spelling import convert_spelled


@pytest.mark.parametrize(
    ("text", "numbers", "manner"),
    [
        (["2,6", "-0,5", "13"], [2.6, -0.5, 13], "with decimal commas"),
        (["1.234,5 €", "9,9 €"], [1234.5, 9.9], "with decimal commas and without '€'"),
        (["1,234.5", "3"], [1234.5, 3], "with commas between thousands"),
        (["999", "12,345,678"], [999, 12345678], "with commas between thousands"),
        (["$1,200", "$3.5"], [1200, 3.5], "with commas between thousands and without '$'"),
        (["12 %", "7%", None], [12, 7, np.nan], "without '%'"),
        (["1 234", "n/a", "5"], [1234, np.nan, 5], "without spaces"),
    ],
    ids=str,
)
def test_numbers_as_people_write_them(text: list[Any], numbers: list[float], manner: str) -> None:
    frame, notes = convert_spelled(pd.DataFrame({"x": text}))
    np.testing.assert_array_equal(frame["x"], numbers)
    assert notes == [f"column 'x' is read {manner}"]


@pytest.mark.parametrize(
    "values",
    [
        ["1,234", "5,678"],  # thousands or decimals
        ["1", "2.5", "NA"],
        ["2024-01-01", "2024-01-02"],
        ["18.00.00", "19.00.00"],
        ["2024 01", "2024 02"],
        ["S1", "S2"],
        ["1,5", "oops"],
        [1.5, 2.5],
        [None, None],
    ],
    ids=str,
)
def test_other_columns_stay_as_they_are(values: list[Any]) -> None:
    frame = pd.DataFrame({"x": values})
    converted, notes = convert_spelled(frame)
    pd.testing.assert_frame_equal(converted, frame)
    assert notes == []


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_every_number_in_either_style_comes_back(numbers: list[float]) -> None:
    """A number with two decimals after the sign of the style has one meaning."""
    english = [f"{number:,.2f}" for number in [*numbers, 1234.5]]
    german = [text.translate(str.maketrans(",.", ".,")) for text in english]
    expected = [round(number, 2) for number in [*numbers, 1234.5]]
    for text in (english, german):
        frame, _ = convert_spelled(pd.DataFrame({"x": text}))
        np.testing.assert_allclose(frame["x"].astype(float), expected, atol=1e-6)
