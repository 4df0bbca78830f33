"""Stamps that are nearly even become even, and a note says so; others stay irregular."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.data.series.snapping import snap_stamps

RANDOM = np.random.default_rng(0)


def _table(stamps: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"time": stamps, "y": np.arange(len(stamps)) ** 2.0})


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_months_on_any_day_are_months(zone: str | None) -> None:
    months = pd.date_range("2021-01-01", periods=30, freq="MS")
    days = months + pd.to_timedelta(RANDOM.integers(13, 17, 30), unit="D")
    panel = read_series(_table(days.tz_localize(zone)))
    assert (panel.frequency, panel.season) == ("MS", 12)
    assert panel.stamps[0].equals(months.tz_localize(zone))
    assert any("one stamp a month, on day 14 to 17" in note for note in panel.notes)


@pytest.mark.parametrize("day", ["MS", "ME"])
def test_months_on_their_first_or_last_day_stay_there(day: str) -> None:
    stamps = pd.date_range("2021-01-01", periods=30, freq=day)
    assert read_series(_table(stamps)).stamps[0].equals(stamps)


@pytest.mark.parametrize("step", ["min", "15min", "h", "D"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_stamps_that_jitter_count_as_even(step: str, zone: str | None) -> None:
    if step == "D" and zone:
        pytest.skip("days of a zone may have 23 hours")
    even = pd.date_range("2024-01-01", periods=50, freq=step, tz=zone)
    jitter = pd.to_timedelta(RANDOM.integers(-4, 5, 50), unit="s")
    panel = read_series(_table(even + jitter))
    assert panel.frequency == step
    assert panel.stamps[0].equals(even)
    assert any("s off even steps" in note for note in panel.notes)


def test_new_rows_are_moved_like_the_first() -> None:
    even = pd.date_range("2024-01-01", periods=50, freq="h")
    panel = read_series(_table(even))
    jitter = pd.to_timedelta([2, 0, -1], unit="s")
    new = read_series(_table(even[10:13] + jitter), encoding=panel.encoding)
    assert new.stamps[0].equals(even[10:13])


def test_a_gap_between_stamps_that_jitter_is_a_gap() -> None:
    even = pd.date_range("2024-01-01", periods=50, freq="h").delete(20)
    jitter = pd.to_timedelta(RANDOM.integers(-4, 5, 49), unit="s")
    with pytest.raises(ValueError, match="has a gap: 2024-01-01 20:00 is missing"):
        read_series(_table(even + jitter))


def test_two_stamps_in_one_step_or_far_from_any_stay() -> None:
    twice = pd.DatetimeIndex(["2024-01-10", "2024-02-10", "2024-02-20", "2024-03-20", "2024-04-20"])
    hours = pd.date_range("2024-01-01", periods=9, freq="h") + pd.Timedelta("10min")
    for stamps in (twice, hours):
        assert snap_stamps(stamps, np.zeros(len(stamps), int)) is None
    assert read_series(_table(hours)).stamps[0].equals(hours)
    with pytest.raises(ValueError, match="resample='MS'"):
        read_series(_table(twice))
