"""Frequencies are seen in spite of gaps, on the wall clock and across month ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.series.frequency import (
    format_stamp,
    infer_frequency,
    most_common_step,
    next_stamps,
    positions,
    season_of,
)
from tests.thorough import covering

FREQUENCIES = [
    "250ms", "s", "5min", "15min", "90min", "h", "6h", "D", "2D", "10D", "B", "W-SUN", "W-WED",
    "2W-FRI", "MS", "ME", "BMS", "BME", "2MS", "6ME", "QS-JAN", "QS-FEB", "QE-DEC", "QE-NOV",
    "YS-JAN", "YS-APR", "YE-DEC", "YE-JUN",
]  # fmt: skip
ZONES = [None, "Europe/Berlin"]


def _places(stamps: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    return positions(stamps, stamps[np.zeros(len(stamps), dtype=int)], frequency)


@pytest.mark.parametrize(("frequency", "zone"), covering(FREQUENCIES, ZONES))
@settings(max_examples=5)
@given(data=st.data())
def test_a_frequency_is_seen_in_spite_of_gaps(
    frequency: str, zone: str | None, data: st.DataObject
) -> None:
    # Over a change of the clocks where there are days of steps, and of a leap year.
    whole = pd.date_range("2019-10-20", periods=60, freq=frequency, tz=zone)
    lost = data.draw(st.sets(st.integers(1, 58), max_size=8))
    stamps = whole.delete(sorted(lost))
    order = data.draw(st.permutations(range(len(stamps))))
    assert infer_frequency(stamps[list(order)]) == frequency
    expected = [i for i in range(60) if i not in lost]
    assert _places(stamps, frequency).tolist() == expected


@pytest.mark.parametrize(("frequency", "zone"), covering(FREQUENCIES, ZONES))
def test_stamps_go_on_as_they_were(frequency: str, zone: str | None) -> None:
    whole = pd.date_range("2020-01-15 00:00", periods=30, freq=frequency, tz=zone)
    assert next_stamps(whole[:20], 10, frequency).equals(whole[20:])


def test_steps_that_are_counted_go_on() -> None:
    assert list(next_stamps(pd.RangeIndex(0, 50, 10), 2, None)) == [50, 60]


def test_a_time_of_day_is_kept() -> None:
    stamps = pd.date_range("2024-03-28 09:30", periods=6, freq="D", tz="Europe/Berlin")
    assert infer_frequency(stamps) == "D"
    assert _places(stamps, "D").tolist() == list(range(6))
    assert format_stamp(next_stamps(stamps, 1, "D")[0]) == "2024-04-03 09:30+02:00"


def test_series_with_different_days_or_times_are_each_on_their_own_grid() -> None:
    a = pd.date_range("2024-01-01 00:30", periods=3, freq="h")
    b = pd.date_range("2024-01-02 00:00", periods=3, freq="h")
    starts = a[[0, 0, 0]].append(b[[0, 0, 0]])
    assert positions(a.append(b), starts, "h").tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("stamp", "frequency"),
    [
        ("2024-01-08 01:00", "D"),
        ("2024-01-06", "B"),
        ("2024-02-02", "MS"),
        ("2024-01-05 00:30", "h"),
    ],
)
def test_a_stamp_beside_the_grid_has_no_place(stamp: str, frequency: str) -> None:
    start = "2024-01-01"
    assert _places(pd.DatetimeIndex([start, stamp]), frequency).tolist() == [0, -1]


def test_weekends_make_the_difference_between_days_and_business_days() -> None:
    assert infer_frequency(pd.date_range("2024-01-01", periods=5, freq="D")) == "D"
    assert infer_frequency(pd.date_range("2024-01-01", periods=15, freq="B")) == "B"
    six_days = pd.date_range("2024-01-01", periods=28, freq="D")
    assert infer_frequency(six_days[six_days.day_of_week < 6]) == "D"


def test_monthly_stamps_at_odd_days_are_no_month_ends() -> None:
    stamps = pd.DatetimeIndex([f"2024-{month:02}-15" for month in range(1, 13)])
    assert np.all(_places(stamps, infer_frequency(stamps)) == -1)


def test_one_stamp_has_no_frequency() -> None:
    with pytest.raises(ValueError, match=r"at least two different stamps .* Received: 1"):
        infer_frequency(pd.DatetimeIndex(["2024-01-01", "2024-01-01"]))


@pytest.mark.parametrize(
    ("frequency", "steps"),
    [
        ("h", 24), ("2h", 12), ("5h", 1), ("min", 1440), ("30min", 48), ("s", 3600), ("10ms", 1),
        ("D", 7), ("2D", 1), ("B", 5), ("W-MON", 52), ("2W-MON", 26), ("MS", 12), ("ME", 12),
        ("3MS", 4), ("QE-DEC", 4), ("2QS-JAN", 2), ("YS-JAN", 1), (None, 1),
    ],
)  # fmt: skip
def test_seasons(frequency: str | None, steps: int) -> None:
    assert season_of(frequency) == steps


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31 06:00", "2024-01-31 06:00"),
        ("2024-01-31 10:00:30", "2024-01-31 10:00:30"),
        ("2024-01-31 10:30", "2024-01-31 10:30"),
    ],
)
def test_stamps_are_shown_without_what_is_zero(stamp: str, text: str) -> None:
    assert format_stamp(pd.Timestamp(stamp)) == text
    assert format_stamp(7) == "7"


def test_the_step_of_numbers() -> None:
    assert most_common_step(np.array([5, 15, 25, 45])) == 10
    assert most_common_step(np.array([5])) == 1
