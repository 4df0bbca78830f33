"""Public holidays are a covariate that is known ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.data.series import public_holidays
from kerasseq.data.series.calendar import add_calendar
from kerasseq.data.series.public_holidays import check_place, check_steps, holiday_feature
from kerasseq.data.series.read import read_series
from kerasseq.recipes import forecasting

pytest.importorskip("holidays")


def _on_holidays(stamps: pd.DatetimeIndex, place: str) -> list[str]:
    values, names = holiday_feature(stamps, place)
    assert values.shape == (len(stamps), 1)
    assert names == [f"holiday {place}"]
    return [f"{stamp:%m-%d %H}" for stamp in stamps[values[:, 0] == 1]]


def test_days_of_a_country_and_of_a_subdivision() -> None:
    days = pd.date_range("2024-10-01", "2024-12-31")
    assert _on_holidays(days, "DE") == ["10-03 00", "12-25 00", "12-26 00"]
    assert _on_holidays(days, "DE-BY") == ["10-03 00", "11-01 00", "12-25 00", "12-26 00"]


def test_hours_are_those_of_the_time_zone_of_the_series() -> None:
    hours = pd.date_range("2024-05-01", periods=4, freq="12h", tz="Europe/Berlin")
    assert _on_holidays(hours, "DE") == ["05-01 00", "05-01 12"]
    assert _on_holidays(hours.tz_convert("UTC"), "DE") == ["05-01 10", "05-01 22"]


def test_they_are_known_as_far_ahead_as_the_horizon() -> None:
    days = pd.date_range("2024-12-20", "2024-12-24")
    panel = add_calendar(read_series(pd.DataFrame({"day": days, "y": np.arange(5.0)})), 3, (), "DE")
    assert panel.names["future"] == ["holiday DE"]
    assert panel.future[0].ravel().tolist() == [0, 0, 0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("place", "match"),
    [
        ("XX", "holidays must be the code of a country, such as 'DE' or 'DE-BY'.*'XX'"),
        ("DE-XX", "must be a subdivision of DE: .*BY.*Received: holidays='DE-XX'"),
    ],
)
def test_places_that_are_not_known(place: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        check_place(place)


def test_steps_are_at_most_a_day() -> None:
    for frequency in ("15min", "h", "D", "B"):
        check_steps(frequency, "DE")
    for frequency in ("W-SUN", "MS", None):
        with pytest.raises(ValueError, match="at most a day apart"):
            check_steps(frequency, "DE")


def test_without_the_package_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_holidays, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kerasseq\[holidays\]'"):
        forecasting("demo", holidays="DE")


def test_a_run_learns_and_forecasts_with_them(tmp_path: Path) -> None:
    days = pd.date_range("2022-01-01", periods=400)
    random, (on_holiday, _) = np.random.default_rng(0), holiday_feature(days, "DE")
    table = pd.DataFrame({"day": days, "y": random.normal(size=400) - 5 * on_holiday[:, 0]})
    small: dict[str, Any] = {"horizon": 3, "lookback": 7, "units": 4, "epochs": 1, "quiet": True}
    run = forecasting(table, holidays="DE", final="train", calendar=False, **small)
    assert run.state["data_info"]["future"] == 1
    loaded = kerasseq.load(run.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(loaded.forecast(), run.forecast())
    with pytest.raises(ValueError, match="a run of forecasting with holidays cannot be exported"):
        run.export(tmp_path / "exported")
    with pytest.raises(ValueError, match="have no stamps, but counted steps"):
        forecasting(table[["y"]], holidays="DE", **small)
