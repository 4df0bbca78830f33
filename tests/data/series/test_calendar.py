"""What the calendar tells: as fine as the steps and as long as the series, however far ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.calendar import CYCLES, add_calendar, calendar_features, cycles
from kerasseq.data.series.read import read_series


@pytest.mark.parametrize(
    ("frequency", "steps", "expected"),
    [
        ("h", 24 * 400, ["hour", "weekday", "day of year"]),
        ("h", 24 * 10, ["hour", "weekday"]),
        ("15min", 96, ["hour"]),
        ("15min", 95, []),
        ("s", 1000, []),
        ("D", 400, ["weekday", "day of year"]),
        ("B", 20, ["weekday"]),
        ("W-SUN", 60, ["day of year"]),
        ("MS", 12, ["month"]),
        ("ME", 11, []),
        ("QE-DEC", 8, ["month"]),
        ("YS-JAN", 30, []),
    ],
)
def test_cycles_are_those_that_steps_resolve_and_the_series_covers(
    frequency: str, steps: int, expected: list[str]
) -> None:
    short = pd.date_range("2023-01-01", periods=2, freq=frequency)
    stamps = pd.date_range("2023-01-01", periods=steps, freq=frequency)
    assert cycles([short, stamps], frequency) == expected


def test_steps_that_are_counted_have_no_calendar() -> None:
    assert cycles([pd.RangeIndex(0, 1000)], None) == []
    assert calendar_features(pd.RangeIndex(0, 5), None)[0].shape == (5, 0)
    with pytest.raises(ValueError, match="steps that are counted have no calendar"):
        calendar_features(pd.RangeIndex(0, 5), None, ["hour"])


@pytest.mark.parametrize("name", CYCLES)
def test_a_cycle_is_a_turn_of_the_circle(name: str) -> None:
    stamps = pd.date_range("2024-01-01", "2024-12-31 23:00", freq="h")
    values, names = calendar_features(stamps, "h", [name])
    assert names == [f"{name} sine", f"{name} cosine"]
    np.testing.assert_allclose((values**2).sum(axis=1), 1)
    angles = np.unwrap(np.arctan2(values[:, 0], values[:, 1]))
    assert np.all(np.diff(angles) >= -1e-9)
    turns = {"hour": 366, "weekday": 366 / 7, "day of year": 1, "month": 1}[name]
    assert angles[-1] / (2 * np.pi) == pytest.approx(turns, rel=0.15)


def test_hours_are_those_of_the_clock_on_the_wall() -> None:
    stamps = pd.date_range("2024-03-29", periods=5, freq="D", tz="Europe/Berlin")
    values, _ = calendar_features(
        stamps.tz_convert("UTC").tz_convert("Europe/Berlin"), "h", ["hour"]
    )
    np.testing.assert_allclose(values, [[0, 1]] * 5, atol=1e-12)


def test_quarters_of_an_hour_are_told_apart() -> None:
    values, _ = calendar_features(pd.date_range("2024-01-01", periods=96, freq="15min"), "15min")
    assert len(np.unique(values.round(9), axis=0)) == 96


def test_unknown_cycles_are_refused() -> None:
    with pytest.raises(ValueError, match=r"calendar features are 'hour', .* Received: 'moon'"):
        calendar_features(pd.date_range("2024", periods=5), "D", ["moon"])


def test_a_panel_gets_them_ahead_of_its_end() -> None:
    panel = add_calendar(read_series("demo"), ahead=12)
    assert panel.names["future"] == ["month sine", "month cosine"]
    assert [len(own) for own in panel.future] == [156, 2832]
    np.testing.assert_allclose(panel.future[0][144:], panel.future[0][:12])


def test_other_covariates_say_how_far_ahead() -> None:
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=48, freq="h"),
            "y": [*np.arange(40.0) ** 2, *[None] * 8],
            "holiday": np.arange(48) % 5,
        }
    )
    panel = add_calendar(read_series(frame, target="y", future="holiday"), ahead=100)
    assert panel.names["future"] == ["holiday", "hour sine", "hour cosine"]
    assert panel.future[0].shape == (48, 3)
    np.testing.assert_array_equal(panel.future[0][:, 0], frame["holiday"])


def test_a_short_history_has_the_cycles_that_are_asked_for() -> None:
    panel = read_series("demo")
    short = panel.cut([100, 100], [105, 105])
    assert add_calendar(short, 3).names["future"] == []
    assert add_calendar(short, 3, ["month"]).future[1].shape == (8, 2)
