"""Theta and exponential smoothing forecast each series by itself, from the rows before a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.data.series.reader import Part, SeriesExamples, SeriesReader
from kerasseq.data.series.splits import chronological
from kerasseq.tasks.forecasting import series_baselines
from kerasseq.tasks.forecasting.series_baselines import (
    ExponentialSmoothing,
    SeriesBaseline,
    Theta,
)

BASELINES = [Theta, ExponentialSmoothing]


def _follow(baseline: SeriesBaseline, values: np.ndarray, horizon: int) -> np.ndarray:
    """Forecasts after the last value of each column, (columns, horizon)."""
    steps, columns = values.shape
    ahead = baseline.follow(values, np.full(columns, steps))
    return ahead(np.full(columns, steps), np.arange(columns), horizon)


def _examples(
    table: pd.DataFrame, season: int, scaling: str = "standard", horizon: int = 6
) -> list[SeriesExamples]:
    named = "name" if "name" in table else None
    targets = [name for name in ("y", "z") if name in table]
    panel = read_series(table, series=named, time="step", target=targets, season=season)
    split = chronological(panel, 0.2, 0.2, horizon)
    parts = Part.split(panel, split, 8, horizon, series_baselines.HISTORY)
    reader = SeriesReader.fit(
        parts[0].panel, scaling, True, lookback=8, horizon=horizon, lags=(), cycles=(),
        masked=parts[0].masked, series_ids=False,
    )  # fmt: skip
    return [reader.examples(part.panel, part.first) for part in parts]


# Theta


def test_theta_is_the_mean_of_the_line_and_of_the_smoothed_line_of_twice_the_curvature() -> None:
    values = np.random.default_rng(0).normal(size=60).cumsum() + 0.3 * np.arange(60)
    found = _follow(Theta(), values[:, None], 4)[0]
    time = np.arange(1, 61)
    slope, level = np.polyfit(time, values, 1)
    line = level + slope * time
    candidates = []
    for alpha in np.linspace(0.05, 1, 20):  # of the 20 rates, the chosen one gives these forecasts
        smoothed = 2 * values[0] - line[0]
        for value in 2 * values - line:
            smoothed += alpha * (value - smoothed)
        candidates.append((level + slope * np.arange(61, 65) + smoothed) / 2)
    assert min(np.abs(own - found).max() for own in candidates) < 0.05


@pytest.mark.parametrize("multiplicative", [True, False])
def test_theta_takes_a_season_out_and_puts_it_back(multiplicative: bool) -> None:
    season = np.tile([0.5, 1.0, 1.5, 1.0], 12)
    level = 10.0 + 0.1 * np.arange(48)
    values = level * season if multiplicative else season - 3
    found = _follow(Theta(4), values[:, None], 8)[0]
    later = 10.0 + 0.1 * np.arange(48, 56)
    expected = later * season[:8] if multiplicative else season[:8] - 3
    # With half of the drift, the forecast falls behind the line.
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.05)


def test_theta_leaves_noise_without_a_season_alone() -> None:
    values = np.random.default_rng(1).normal(size=(80, 1))
    np.testing.assert_array_equal(_follow(Theta(4), values, 3), _follow(Theta(1), values, 3))


# Exponential smoothing


@pytest.mark.parametrize("kind", ["plain", "additive", "multiplicative"])
def test_smoothing_chooses_the_season_that_there_is(kind: str) -> None:
    steps = np.arange(96)
    index = np.tile([0.6, 1.0, 1.5, 0.9], 24)
    noise = np.random.default_rng(2).normal(size=96)
    line = 20 + 0.5 * steps
    values = {
        "plain": line + noise,
        "additive": line + 20 * (index - 1) + noise,
        "multiplicative": line * index + 0.1 * noise,
    }[kind]
    later = 20 + 0.5 * np.arange(96, 104)
    expected = {
        "plain": later,
        "additive": later + 20 * (index[:8] - 1),
        "multiplicative": later * index[:8],
    }[kind]
    found = _follow(ExponentialSmoothing(4), values[:, None], 8)[0]
    np.testing.assert_allclose(found, expected, atol=2.5)


def test_values_of_zero_and_short_series_have_no_multiplicative_season() -> None:
    values = np.random.default_rng(3).poisson(1.0, size=(40, 3)).astype(float)
    baseline = ExponentialSmoothing(6)
    known = np.array([40, 40, 7])
    ahead = baseline.follow(values, known)(np.array([40, 40, 7]), np.arange(3), 5)
    assert np.isfinite(ahead).all()


# Both


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("steps", [2, 9, 15])
def test_series_shorter_than_two_seasons_have_none(
    baseline: type[SeriesBaseline], steps: int
) -> None:
    values = np.random.default_rng(6).uniform(1, 2, size=(steps, 2))
    found = _follow(baseline(12), values, 4)
    np.testing.assert_array_equal(found, _follow(baseline(1), values, 4))


@pytest.mark.parametrize("baseline", BASELINES)
def test_columns_do_not_touch_each_other(baseline: type[SeriesBaseline]) -> None:
    random = np.random.default_rng(4)
    values = random.uniform(1, 2, size=(50, 3)) + np.tile([0, 1, 2, 1, 0], 10)[:, None]
    values[7:9, 1] = np.nan
    whole = _follow(baseline(5), values, 6)
    for column in range(3):
        alone = _follow(baseline(5), values[:, [column]], 6)
        np.testing.assert_allclose(whole[[column]], alone)


@pytest.mark.parametrize("baseline", BASELINES)
def test_nothing_after_an_origin_counts(baseline: type[SeriesBaseline]) -> None:
    values = np.random.default_rng(5).uniform(1, 2, size=(60, 1))
    found = baseline(4).follow(values, np.array([30]))(np.array([40]), np.array([0]), 3)
    values[40:] = 99.0
    again = baseline(4).follow(values, np.array([30]))(np.array([40]), np.array([0]), 3)
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("scaling", ["standard", "log"])
def test_windows_of_many_series_and_targets_are_forecast_in_scaled_units(
    baseline: type[SeriesBaseline], scaling: str
) -> None:
    steps = np.arange(80)
    wave = np.tile([1.0, 2.0, 3.0, 2.0], 20)
    table = pd.concat(
        pd.DataFrame({"name": name, "step": steps[:length], "y": factor * wave[:length]}).assign(
            z=lambda rows: 5 + rows["y"]
        )
        for name, factor, length in (("a", 1.0, 80), ("b", 10.0, 60))
    )
    train, validation, test = _examples(table, 4, scaling)
    forecasts = baseline(4).fit(train, validation).predict(test)
    point = test.in_original_units(forecasts.point)
    np.testing.assert_allclose(point, test.targets.values, rtol=0.02)
    assert point.shape == (len(test), 6, 2)
    assert list(forecasts.quantiles or {}) == [0.1, 0.5, 0.9]


def test_many_columns_are_tried_with_fewer_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_baselines, "_MANY", 2)
    monkeypatch.setattr(series_baselines, "_COLUMNS", 2)
    values = np.tile([1.0, 2.0, 3.0, 2.0], 12)[:, None] * [1.0, 2.0, 3.0]
    found = _follow(ExponentialSmoothing(4), values, 4)
    np.testing.assert_allclose(found, np.outer([1.0, 2.0, 3.0], [1, 2, 3, 2]), rtol=1e-6)


def test_air_passengers() -> None:
    panel = read_series("demo").pick([0])
    values = panel.targets[0]
    for baseline, most in ((Theta(12), 40), (ExponentialSmoothing(12), 25)):
        found = _follow(baseline, values[:108], 36)[0]
        assert np.abs(found - values[108:, 0]).mean() < most  # seasonal naive: 60


def test_a_part_without_context_is_followed_from_its_first_row() -> None:
    table = pd.DataFrame({"step": range(60), "y": np.arange(60.0)})
    train, validation, test = _examples(table, 1)
    short = SeriesExamples(test.windows, test.panel, test.scaler, test.first)
    point = Theta().fit(train, validation).predict(short).point
    found = replace(test.targets, values=short.in_original_units(point)).values
    np.testing.assert_allclose(found, test.targets.values, atol=3)


def test_smoothing_follows_a_long_part_without_diverging() -> None:
    random = np.random.default_rng(0)
    steps = np.arange(6000)
    level = 20 + 0.05 * random.normal(size=6000).cumsum()
    values = level * (1 + 0.5 * np.sin(steps * np.pi / 2)) + random.normal(size=6000)
    forecast = ExponentialSmoothing(4).follow(values[:, None], np.array([60]))
    origins = np.arange(60, 5990)
    ahead = forecast(origins, np.zeros_like(origins), 4)
    assert np.abs(ahead - values[origins[:, None] + np.arange(4)]).mean() < 3


@pytest.mark.parametrize("fine", [False, True])
def test_rates_are_within_the_usual_bounds(fine: bool) -> None:
    for rates in series_baselines._rates(12, fine):
        assert (rates.trend <= rates.level).all()
        assert (rates.season <= 1 - rates.level + 1e-9).all()
        assert len(rates.level) > 10
