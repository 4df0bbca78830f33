"""Public benchmark series, where they are there, are read as they are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.data.series.scaling import Scaler
from kerasseq.data.series.splits import chronological
from kerasseq.data.series.windows import Windows
from tests.thorough import first_of

WEATHER = ("DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir")


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return path


@pytest.mark.parametrize(
    ("horizon", "mse", "mae"),
    first_of([(96, 1.295, 0.713), (192, 1.325, 0.733), (336, 1.323, 0.744), (720, 1.339, 0.756)]),
)
def test_repeating_the_last_value_has_the_published_error_on_etth1(
    shared_data: Path, horizon: int, mse: float, mae: float
) -> None:
    panel = read_series(_there(shared_data / "ett" / "ETTh1.csv"))
    assert (panel.frequency, panel.targets[0].shape) == ("h", (17_420, 7))
    split = chronological(panel.cut([0], [14_400]), 2880, 2880, horizon)
    train, _ = split.cut(panel, "train")
    assert len(train.targets[0]) == 8640
    scaler = Scaler.fit("standard", train.targets)
    first, last = split.rows("test")
    windows = Windows(panel.scaled({"targets": scaler}), 336, horizon, first=first, last=last)
    assert len(windows) == 2881 - horizon
    # The published figures leave out the last windows, those that fill no batch of 32.
    inputs, targets = windows.batch(np.arange(len(windows) // 32 * 32))
    errors = targets - inputs["history"][:, -1:]
    assert (errors**2).mean() == pytest.approx(mse, abs=0.0007)
    assert np.abs(errors).mean() == pytest.approx(mae, abs=0.0007)


def test_air_passengers_and_sunspots_are_those_of_the_demo(shared_data: Path) -> None:
    demo = read_series("demo")
    for i, name in enumerate(("airline-passengers", "monthly-sunspots")):
        panel = read_series(_there(shared_data / "series" / f"{name}.csv"))
        assert (panel.frequency, panel.season) == ("MS", 12)
        np.testing.assert_array_equal(panel.targets[0], demo.targets[i])
        assert panel.stamps[0].equals(demo.stamps[i])


def test_daily_temperatures_lack_the_last_day_of_leap_years(shared_data: Path) -> None:
    path = _there(shared_data / "series" / "daily-min-temperatures.csv")
    with pytest.raises(ValueError, match="has a gap: 1984-12-31 is missing after 1984-12-30"):
        read_series(path)
    panel = read_series(path, fill="linear")
    assert panel.lengths.tolist() == [3652]
    assert panel.stamps[0][-1] == pd.Timestamp("1990-12-31")


def test_pollution_with_its_weather(shared_data: Path) -> None:
    path = _there(shared_data / "series" / "pollution.csv")
    panel = read_series(path, target="pm2.5", past=WEATHER)
    assert (panel.frequency, panel.lengths.tolist()) == ("h", [43_824])
    assert panel.stamps[0][-1] == pd.Timestamp("2014-12-31 23:00")
    assert np.isnan(panel.targets[0]).sum() == 2067
    assert not np.isnan(panel.past[0]).any()
    winds = [name for name in panel.names["past"] if name.startswith("cbwd=")]
    assert winds == ["cbwd=NE", "cbwd=NW", "cbwd=SE", "cbwd=cv"]
    np.testing.assert_array_equal(panel.past[0][:, ~panel.numeric("past")].sum(axis=1), 1)
    windows = Windows(panel, 168, 24)
    inputs, targets = windows.batch(np.array([0, 20_000]))
    assert inputs["observed"][0, :24].max() == 0
    assert inputs["past"].shape == (2, 168, 10)
    assert targets.shape == (2, 24, 1)


@pytest.mark.thorough
def test_m4_hourly_with_one_series_per_row(shared_data: Path) -> None:
    train = read_series(_there(shared_data / "m4" / "Hourly-train.csv"), season=24)
    test = read_series(_there(shared_data / "m4" / "Hourly-test.csv"), encoding=train.encoding)
    assert train.ids == test.ids == [f"H{i}" for i in range(1, 415)]
    assert sorted(set(train.lengths)) == [700, 960]
    assert set(test.lengths) == {48}
    assert test.season == 24
    scores = []
    for own, actual in zip(train.targets, test.targets):
        naive = np.tile(own[-24:], (2, 1))
        scores.append(200 * np.mean(np.abs(naive - actual) / (np.abs(naive) + np.abs(actual))))
    assert np.mean(scores) == pytest.approx(13.9, abs=0.05)
