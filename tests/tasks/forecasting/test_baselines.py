"""Baselines forecast what they say, and the linear one is that of the books and the papers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from kerasseq.data.series.panel import Panel
from kerasseq.data.series.read import read_series
from kerasseq.data.series.scaling import Scaler
from kerasseq.data.series.splits import chronological
from kerasseq.data.series.windows import Windows
from kerasseq.evaluation.forecast_metrics import Forecasts, score
from kerasseq.tasks.forecasting import baselines
from kerasseq.tasks.forecasting.baselines import (
    Baseline,
    Drift,
    LastValue,
    NLinear,
    SeasonalNaive,
    standard,
)


def _panel(*series: np.ndarray) -> Panel:
    """Series of (time, targets)."""
    return Panel(
        ids=[f"s{i}" for i in range(len(series))],
        stamps=[pd.RangeIndex(len(own)) for own in series],
        frequency=None,
        season=1,
        targets=list(series),
        past=[own[:, :0] for own in series],
        future=[own[:, :0] for own in series],
        static=np.zeros((len(series), 0)),
        names={"targets": list(map(str, range(series[0].shape[1]))), "past": [], "future": []},
    )


def _windows(values: np.ndarray, lookback: int, horizon: int) -> Windows:
    return Windows(_panel(values), lookback, horizon, dtype="float64")


def _parts(windows: Windows, validation: int, test: int) -> tuple[Windows, Windows, Windows]:
    return (
        windows.part(last=[validation]),
        windows.part(first=[validation], last=[test]),
        windows.part(first=[test]),
    )


def _walk(length: int, targets: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(length, targets)).cumsum(axis=0)


def _point(baseline: Baseline, history: np.ndarray, horizon: int) -> np.ndarray:
    """The forecast of one window, (horizon, targets); NaN was not observed."""
    seen = ~np.isnan(history)
    return baseline.point(np.where(seen, history, 0)[None], seen[None], horizon)[0]


# By the book

VALUES = st.lists(
    st.one_of(st.none(), st.integers(-9, 9)).map(lambda v: np.nan if v is None else float(v)),
    min_size=1,
    max_size=12,
)


@given(VALUES, st.integers(1, 9))
def test_the_last_value_is_the_last_observed_one(values: list[float], horizon: int) -> None:
    seen = [value for value in values if value == value]
    found = _point(LastValue(), np.array(values)[:, None], horizon)
    assert found.ravel().tolist() == [seen[-1] if seen else 0] * horizon


@given(VALUES, st.integers(1, 9), st.integers(1, 12))
def test_the_seasonal_naive_value_is_one_or_more_seasons_old(
    values: list[float], horizon: int, season: int
) -> None:
    season = min(season, len(values))
    expected = []
    seen = [value for value in values if value == value]
    whole = len(values) // season * season  # what lies in whole seasons
    for step in range(horizon):
        place = len(values) - season + step % season
        same = [values[i] for i in range(place, len(values) - whole - 1, -season)]
        same = [value for value in same if value == value]
        expected.append(same[0] if same else seen[-1] if seen else 0)
    found = _point(SeasonalNaive(season), np.array(values)[:, None], horizon)
    assert found.ravel().tolist() == expected


@given(VALUES, st.integers(1, 9))
def test_drift_goes_on_along_the_line(values: list[float], horizon: int) -> None:
    places = [i for i, value in enumerate(values) if value == value]
    first, last = (places[0], places[-1]) if places else (0, 0)
    slope = (values[last] - values[first]) / (last - first) if first < last else 0
    end = values[last] if places else 0
    expected = [end + slope * (len(values) + step - last) for step in range(horizon)]
    found = _point(Drift(), np.array(values)[:, None], horizon)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-12)


def test_targets_have_values_of_their_own() -> None:
    history = np.array([[1.0, 10.0], [np.nan, 20.0], [3.0, np.nan]])
    assert _point(LastValue(), history, 2).tolist() == [[3, 20], [3, 20]]
    assert _point(SeasonalNaive(2), history, 3).tolist() == [[3, 20], [3, 20], [3, 20]]
    assert _point(SeasonalNaive(3), history, 3).tolist() == [[1, 10], [3, 20], [3, 20]]
    assert _point(Drift(), history, 2).tolist() == [[4, 40], [5, 50]]


def test_a_season_longer_than_the_lookback_is_refused() -> None:
    with pytest.raises(ValueError, match="season=5 is longer than the lookback, 4 steps"):
        _point(SeasonalNaive(5), np.zeros((4, 1)), 2)


def test_missing_rows_reach_baselines_as_missing() -> None:
    values = _walk(60)
    values[57:] = np.nan
    train, validation, _ = _parts(_windows(values, 6, 2), 40, 50)
    # The last window looks back on row 57, and its targets are unknown.
    last = Windows(_panel(values), 6, 2, first=[58], dtype="float64")
    found = LastValue().fit(train, validation).predict(last)
    assert found.point.ravel().tolist() == [values[56, 0]] * 2


# NLinear


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_the_linear_map_is_that_of_scikit_learn(
    seed: int, lookback: int, horizon: int, targets: int
) -> None:
    values = _walk(200, targets, seed)
    train, validation, test = _parts(_windows(values, lookback, horizon), 120, 160)
    baseline = NLinear().fit(train, validation)
    assert isinstance(baseline, NLinear)

    def rows(windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inputs, ahead = windows.batch(np.arange(len(windows)))
        last = inputs["history"][:, -1:]
        lags, ahead = (
            np.concatenate([own[..., i] for i in range(targets)])
            for own in (inputs["history"] - last, ahead - last)
        )
        return lags, ahead, np.concatenate([last[..., i] for i in range(targets)])

    lags, ahead, _ = rows(train)
    scale = (lags - lags.mean(axis=0)).var(axis=0).mean()
    if lookback == 1:
        assert scale == 0
        expected = ahead.mean(axis=0)[None]
    else:
        maps = [
            Ridge(alpha=penalty * scale * len(lags)).fit(lags, ahead)
            for penalty in 10.0 ** np.arange(3, -9, -1)
        ]
        seen, later, _ = rows(validation)
        losses = [((own.predict(seen).reshape(later.shape) - later) ** 2).mean() for own in maps]
        losses.append(((ahead.mean(axis=0) - later) ** 2).mean())
        chosen = int(np.argmin(losses))
        if chosen == len(maps):
            assert baseline.penalty == np.inf
            expected = ahead.mean(axis=0)[None]
        else:
            assert baseline.penalty == pytest.approx(maps[chosen].alpha / len(lags))
            expected = maps[chosen].predict(rows(test)[0]).reshape(-1, horizon)
    found = baseline.predict(test).point
    stacked = np.concatenate([found[..., i] for i in range(targets)])
    np.testing.assert_allclose(stacked, expected + rows(test)[2], atol=1e-8)


def test_what_follows_linearly_is_found_exactly() -> None:
    time = np.arange(400.0)
    waves = np.stack([np.sin(time / 5), 3 * np.cos(time / 5 + 1)], axis=1)
    train, validation, test = _parts(_windows(waves, 8, 12), 200, 300)
    found = NLinear().fit(train, validation).predict(test)
    _, truth = test.batch(np.arange(len(test)))
    np.testing.assert_allclose(found.point, truth, atol=1e-4)


def test_without_noise_to_shrink_from_it_is_least_squares() -> None:
    values = _walk(5000)
    windows = _windows(values, 3, 1)
    train, validation, test = _parts(windows, 4000, 4500)
    inputs, ahead = train.batch(np.arange(len(train)))
    lags = inputs["history"][..., 0]
    plain = LinearRegression().fit(lags - lags[:, -1:], ahead[..., 0] - lags[:, -1:])
    new = test.batch(np.arange(len(test)))[0]["history"][..., 0]
    expected = plain.predict(new - new[:, -1:]) + new[:, -1:]
    found = NLinear().fit(train, validation).predict(test).point[..., 0]
    np.testing.assert_allclose(found, expected, atol=0.05)


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_another_unit_gives_the_same_forecasts_in_it(shift: float, unit: float) -> None:
    values = _walk(150, 2)
    for baseline in standard(season=4).values():
        first, second = (
            baseline.fit(*_parts(own, 90, 120)[:2]).predict(own.part(first=[120]))
            for own in (_windows(values, 5, 3), _windows(unit * values + shift, 5, 3))
        )
        tolerance = 1e-6 * (abs(shift) + unit)
        np.testing.assert_allclose(second.point, unit * first.point + shift, atol=tolerance)
        for level, own in (first.quantiles or {}).items():
            found = (second.quantiles or {})[level]
            np.testing.assert_allclose(found, unit * own + shift, atol=tolerance)


def test_the_linear_map_chooses_the_lookback_of_the_validation_windows() -> None:
    season = np.tile(np.random.default_rng(0).normal(size=20), 40)[:, None]
    train, validation, test = _parts(_windows(season, 24, 6), 500, 650)
    found = NLinear(lookbacks=(6, 12, 24)).fit(train, validation)
    assert isinstance(found, NLinear)
    assert found.weights.shape == (24, 6)  # the season has 20 steps
    _, truth = test.batch(np.arange(len(test)))
    np.testing.assert_allclose(found.predict(test).point, truth, atol=1e-4)
    shorter = Windows(_panel(_walk(300)), 24, 2, dtype="float64")
    parts = _parts(shorter, 200, 250)
    by_choice = NLinear(lookbacks=(4,)).fit(*parts[:2])
    assert isinstance(by_choice, NLinear)
    same = Windows(_panel(_walk(300)), 4, 2, first=[24], dtype="float64")
    alone = NLinear().fit(same.part([24], [200]), same.part([200], [250]))
    assert isinstance(alone, NLinear)
    np.testing.assert_allclose(by_choice.weights, alone.weights, atol=1e-9)


def test_windows_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    train, validation, test = _parts(_windows(_walk(300, 2), 12, 4), 200, 250)
    whole = NLinear().fit(train, validation).predict(test)
    monkeypatch.setattr(baselines, "_BATCH", 500)
    seen = []

    class Watched:
        independent = train.independent

        def __len__(self) -> int:
            return len(train)

        def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
            seen.append(len(rows))
            return train.batch(rows)

    parts = NLinear().fit(Watched(), validation).predict(test)
    assert max(seen) * (12 + 4) * 2 <= 500
    assert sum(seen) >= len(train)
    np.testing.assert_allclose(parts.point, whole.point, atol=1e-10)


def test_of_very_many_windows_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _walk(2000)
    train, validation, test = _parts(_windows(values, 4, 2), 1500, 1700)
    whole = NLinear().fit(train, validation).predict(test)
    monkeypatch.setattr(baselines, "_LEARNED", 400)
    monkeypatch.setattr(baselines, "_CALIBRATED", 200)
    some = NLinear().fit(train, validation).predict(test)
    assert not np.array_equal(some.point, whole.point)
    np.testing.assert_allclose(some.point, whole.point, atol=0.5)


def test_windows_with_a_gap_ahead_teach_nothing() -> None:
    values = np.sin(np.arange(300.0) / 5)[:, None]
    gaps = values.copy()
    gaps[40:80:3] = np.nan
    whole = _parts(_windows(values, 8, 6), 200, 250)
    holed = _parts(_windows(gaps, 8, 6), 200, 250)
    # Windows look back on gaps too, and fill them in: from row 88 on, none does.
    kept = Windows(_panel(gaps), 8, 6, first=[88], last=[200], dtype="float64")
    found = NLinear().fit(kept, holed[1]).predict(whole[2])
    _, truth = whole[2].batch(np.arange(len(whole[2])))
    np.testing.assert_allclose(found.point, truth, atol=1e-5)
    after = NLinear().fit(holed[0], holed[1]).predict(whole[2])
    np.testing.assert_allclose(after.point, truth, atol=0.1)


def test_without_a_whole_window_it_is_the_last_value() -> None:
    values = _walk(100)
    values[1:80:2] = np.nan
    windows = Windows(_panel(values), 5, 3, dtype="float64")
    train, validation, test = windows.part(last=[60]), windows.part([60], [80]), windows.part([90])
    found = NLinear().fit(train, validation).predict(test)
    expected = LastValue().fit(train, validation).predict(test)
    np.testing.assert_array_equal(found.point, expected.point)


# Quantiles


@pytest.mark.parametrize("name", standard(season=4))
def test_quantiles_cover_what_they_say(name: str) -> None:
    values = _walk(9000)
    train, validation, test = _parts(_windows(values, 4, 3), 3000, 6000)
    found = standard(season=4, levels=(0.1, 0.5, 0.9))[name].fit(train, validation).predict(test)
    _, truth = test.batch(np.arange(len(test)))
    scored = score(truth, found, resamples=0)
    shares = scored.details["coverage_by_level"]["shares"]
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.04)
    widths = np.array(scored.details["by_step"]["width"])
    if name == "seasonal naive":  # it is four steps from all of them
        np.testing.assert_allclose(widths, widths.mean(), rtol=0.02)
    else:  # a random walk is the less certain the further it goes
        assert (np.diff(widths) > 0.5).all()


def test_levels_are_those_that_were_asked_for() -> None:
    train, validation, test = _parts(_windows(_walk(100), 4, 3), 60, 80)
    for baseline in standard(season=1, levels=(0.9, 0.25)).values():
        found = baseline.fit(train, validation).predict(test)
        assert list(found.quantiles or {}) == [0.25, 0.9]


def test_a_season_of_one_step_adds_nothing() -> None:
    assert "seasonal naive" in standard(season=2)
    assert "seasonal naive" not in standard(season=1)


# Known figures


def test_air_passengers() -> None:
    panel = read_series("demo").pick([0])
    windows = Windows(panel, 36, 36)
    train, validation, test = _parts(windows, 72, 108)
    (insample,) = (own[:108] for own in panel.targets)
    _, truth = test.batch(np.arange(1))
    found = {
        name: score(truth, own.fit(train, validation).predict(test), insample=[insample], season=12)
        for name, own in standard(season=12).items()
    }
    mase = {name: own.values["mase"] for name, own in found.items()}
    assert mase["seasonal naive"] == pytest.approx(1.97, abs=0.005)
    assert mase["nlinear"] < mase["seasonal naive"] < mase["last value"]


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return path


@pytest.mark.thorough
def test_seasonal_naive_on_m4_hourly(shared_data: Path) -> None:
    folder = _there(shared_data / "m4")
    train = read_series(folder / "Hourly-train.csv", season=24)
    test = read_series(folder / "Hourly-test.csv", encoding=train.encoding)
    whole = _panel(*(np.concatenate(own) for own in zip(train.targets, test.targets)))
    windows = Windows(whole, 48, 48, dtype="float64")
    found = SeasonalNaive(24).fit(
        windows.part(last=train.lengths - 48), windows.part(train.lengths - 48, train.lengths)
    )
    scored = score(
        np.stack(test.targets),
        found.predict(windows.part(first=train.lengths)),
        insample=train.targets,
        series=np.arange(len(train)),
        season=24,
    )
    assert scored.values["smape"] == pytest.approx(13.9, abs=0.05)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("horizon", "mse", "mae"),
    [(96, 0.374, 0.394), (192, 0.408, 0.415), (336, 0.429, 0.427), (720, 0.440, 0.453)],
)
def test_the_linear_map_is_as_good_on_etth1_as_the_published_one(
    shared_data: Path, horizon: int, mse: float, mae: float
) -> None:
    panel = read_series(_there(shared_data / "ett" / "ETTh1.csv")).cut([0], [14_400])
    split = chronological(panel, 2880, 2880, horizon)
    scaler = Scaler.fit("standard", split.cut(panel, "train")[0].targets)
    windows = Windows(panel.scaled({"targets": scaler}), 336, horizon)
    train, validation, test = (
        windows.part(*split.rows(part)) for part in ("train", "validation", "test")
    )
    assert len(test) == 2881 - horizon
    point = NLinear().fit(train, validation).predict(test).point
    _, truth = test.batch(np.arange(len(test)))
    found = score(truth, Forecasts(point), resamples=0).values
    # The best penalty is a little better than where gradient descent stops.
    assert mse - 0.01 < found["rmse"] ** 2 <= mse
    assert mae - 0.01 < found["mae"] <= mae


# What they stand on


def test_numbers_need_no_backend() -> None:
    code = (
        "import sys, kerasseq.tasks.forecasting.baselines; "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
