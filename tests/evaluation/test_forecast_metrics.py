"""Scores of forecasts are what their formulas say, and their intervals hold what they should."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

from kerasseq.data.series.read import read_series
from kerasseq.evaluation import metrics
from kerasseq.evaluation.forecast_metrics import (
    Forecasts,
    crps,
    intervals,
    naive_errors,
    pinball,
    score,
)

LEVELS = (0.1, 0.5, 0.9)
SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(1, 3))


def _drawn(
    seed: int, shape: tuple[int, int, int], missing: float = 0.2, levels: tuple[float, ...] = LEVELS
) -> tuple[np.ndarray, Forecasts, dict[str, Any]]:
    """Truth with gaps, forecasts of it, and what else a score takes."""
    random = np.random.default_rng(seed)
    truth = random.normal(2, 3, shape)
    truth[random.random(shape) < missing] = np.nan
    truth.flat[0] = 1.0
    point = random.normal(2, 2, shape)
    spread = np.abs(random.normal(1, 1, shape))
    quantiles = {q: point + spread * stats.norm.ppf(q) for q in levels}
    count = int(random.integers(1, 4))
    insample = [random.normal(2, 3, (int(random.integers(9, 30)), shape[2])) for _ in range(count)]
    for own in insample:
        own[random.random(own.shape) < missing / 2] = np.nan
    series = np.sort(random.integers(0, count, shape[0]))
    return truth, Forecasts(point, quantiles), {"insample": insample, "series": series}


def _naive(own: np.ndarray, season: int, power: int) -> float:
    """The error of the seasonal naive forecast over a training part, by the book."""
    apart = [abs(own[t] - own[t - season]) ** power for t in range(season, len(own))]
    apart = [value for value in apart if not math.isnan(value)]
    return float(np.mean(apart)) if apart and sum(apart) else math.nan


def _by_the_book(
    truth: np.ndarray, forecasts: Forecasts, insample: list[np.ndarray], series: Any, season: int
) -> dict[str, float]:
    """Each metric, one number at a time."""
    found: dict[str, list[float]] = {}
    quantiles = forecasts.quantiles or {}

    def add(name: str, value: float) -> None:
        if not math.isnan(value):
            found.setdefault(name, []).append(value)

    for w, h, c in np.ndindex(truth.shape):
        y, f = truth[w, h, c], forecasts.point[w, h, c]
        if math.isnan(y):
            continue
        add("mae", abs(y - f))
        add("rmse", (y - f) ** 2)
        add("smape", 200 * abs(y - f) / (abs(y) + abs(f)) if abs(y) + abs(f) else 0)
        add("mase", abs(y - f) / _naive(insample[series[w]][:, c], season, 1))
        losses = []
        for q, values in quantiles.items():
            error = y - values[w, h, c]
            losses.append(q * error if error >= 0 else (q - 1) * error)
        add("pinball", float(np.mean(losses)))
        low, high = quantiles[0.1][w, h, c], quantiles[0.9][w, h, c]
        add("coverage", low <= y <= high)
        add("width", high - low)
    for w, c in np.ndindex(truth.shape[0], truth.shape[2]):
        errors = (truth - forecasts.point)[w, :, c]
        errors = errors[~np.isnan(errors)]
        if len(errors):
            add(
                "rmsse",
                math.sqrt(np.mean(errors**2) / _naive(insample[series[w]][:, c], season, 2)),
            )
    values = {name: float(np.mean(own)) for name, own in found.items()}
    return {**values, "rmse": math.sqrt(values["rmse"])}


@given(st.integers(0, 10_000), SHAPES, st.integers(1, 4))
def test_values_are_those_of_their_formulas(
    seed: int, shape: tuple[int, int, int], season: int
) -> None:
    truth, forecasts, more = _drawn(seed, shape)
    found = score(truth, forecasts, season=season, resamples=0, **more).values
    expected = _by_the_book(truth, forecasts, season=season, **more)
    assert found.keys() == expected.keys() | {"crps"}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


@given(st.integers(0, 10_000), SHAPES)
def test_values_are_those_of_scikit_learn(seed: int, shape: tuple[int, int, int]) -> None:
    truth, forecasts, _ = _drawn(seed, shape, missing=0)
    found = score(truth, forecasts, resamples=0).values
    y, f = truth.ravel(), forecasts.point.ravel()
    assert found["mae"] == pytest.approx(mean_absolute_error(y, f))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(y, f))
    quantiles = forecasts.quantiles or {}
    losses = [mean_pinball_loss(y, own.ravel(), alpha=q) for q, own in quantiles.items()]
    assert found["pinball"] == pytest.approx(np.mean(losses))


@given(st.integers(0, 10_000), SHAPES, st.floats(0.01, 100))
def test_another_unit_changes_what_is_in_that_unit(
    seed: int, shape: tuple[int, int, int], unit: float
) -> None:
    truth, forecasts, more = _drawn(seed, shape)
    before = score(truth, forecasts, resamples=0, **more).values
    quantiles = {q: unit * own for q, own in (forecasts.quantiles or {}).items()}
    scaled = {**more, "insample": [unit * own for own in more["insample"]]}
    after = score(
        unit * truth, Forecasts(unit * forecasts.point, quantiles), resamples=0, **scaled
    ).values
    for name in ("mae", "rmse", "pinball", "crps", "width"):
        assert after[name] == pytest.approx(unit * before[name]), name
    for name in ("smape", "mase", "rmsse", "coverage"):
        assert after[name] == pytest.approx(before[name]), name


@given(st.integers(0, 10_000), SHAPES)
def test_details_are_scores_of_parts(seed: int, shape: tuple[int, int, int]) -> None:
    truth, forecasts, more = _drawn(seed, shape)
    quantiles = forecasts.quantiles or {}
    details = score(truth, forecasts, resamples=0, **more).details
    assert json.loads(json.dumps(details, allow_nan=False)) == details

    def part(index: Any) -> dict[str, float]:
        own = Forecasts(forecasts.point[index], {q: v[index] for q, v in quantiles.items()})
        insample = more["insample"]
        if index[2] != slice(None):
            insample = [values[:, index[2]] for values in insample]
        if np.isnan(truth[index]).all():  # or there is none
            return {}
        series = more["series"][index[0]]
        return score(truth[index], own, insample=insample, series=series, resamples=0).values

    every = slice(None)
    parts = {
        "by_step": [(every, slice(i, i + 1), every) for i in range(shape[1])],
        "by_target": [(every, every, slice(i, i + 1)) for i in range(shape[2])],
        "by_series": [(more["series"] == i, every, every) for i in range(len(more["insample"]))],
    }
    for kind, indices in parts.items():
        for place, index in enumerate(indices):
            expected = part(index)
            for name, values in details[kind].items():
                assert len(values) == len(indices)
                assert values[place] == (
                    pytest.approx(expected[name]) if name in expected else None
                ), (kind, name)
    assert "rmsse" not in details["by_step"]


def test_how_often_the_truth_is_below_each_quantile() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.0, np.nan]).reshape(5, 1, 1)
    quantiles = {0.9: np.full((5, 1, 1), 3.0), 0.1: np.full((5, 1, 1), 1.5), 0.4: truth * 0 + 2.0}
    quantiles[0.4][4] = 2.0
    details = score(truth, Forecasts(np.ones((5, 1, 1)), quantiles), resamples=0).details
    assert details["coverage_by_level"] == {"levels": [0.1, 0.4, 0.9], "shares": [0.25, 0.5, 0.75]}
    assert details["nominal_coverage"] == 0.8


def test_point_forecasts_have_no_scores_of_quantiles() -> None:
    truth, forecasts, _ = _drawn(0, (4, 3, 2))
    found = score(truth, Forecasts(forecasts.point), resamples=0)
    assert list(found.values) == ["mae", "rmse", "smape"]
    assert found.details.keys() == {"by_step", "by_series", "by_target"}


def test_levels_without_a_counterpart_have_no_interval() -> None:
    truth, forecasts, _ = _drawn(0, (4, 3, 2), levels=(0.5, 0.9))
    found = score(truth, forecasts, resamples=0)
    assert "pinball" in found.values
    assert not {"coverage", "width"} & found.values.keys()
    assert "nominal_coverage" not in found.details


def test_nothing_forecast_as_nothing_is_no_error() -> None:
    found = score(np.zeros((2, 2, 1)), Forecasts(np.zeros((2, 2, 1))), resamples=0)
    assert found.values == {"mae": 0, "rmse": 0, "smape": 0}


def test_what_never_varies_has_no_scaled_errors() -> None:
    truth, point = np.ones((2, 3, 1)), np.zeros((2, 3, 1))
    level, slope = np.ones((9, 1)), np.arange(9.0)[:, None]
    both = score(truth, Forecasts(point), insample=[level, slope], series=np.array([0, 1]))
    assert both.values["mase"] == both.values["rmsse"] == 1
    assert both.details["by_series"]["mase"] == [None, 1]
    alone = score(truth, Forecasts(point), insample=[level], resamples=0)
    assert not {"mase", "rmsse"} & alone.values.keys()
    short = score(truth, Forecasts(point), insample=[slope], season=9, resamples=0)
    assert not {"mase", "rmsse"} & short.values.keys()


def test_naive_errors_pass_over_what_is_missing() -> None:
    own = np.array([[1.0], [np.nan], [4.0], [6.0], [5.0]])
    (absolute,), (squared,) = naive_errors([own])
    assert absolute.tolist() == [1.5]  # of 2 and 1
    assert squared.tolist() == [2.5]
    assert naive_errors([own], season=2)[0].tolist() == [[2.0]]  # of 3 and 1


# CRPS


TENTHS = st.integers(-50, 50).map(lambda number: number / 10)


@given(st.lists(TENTHS, min_size=1, max_size=6), TENTHS, st.integers(0, 1000))
def test_crps_is_the_integral_of_the_squared_distance(
    values: list[float], truth: float, seed: int
) -> None:
    values = sorted(values)
    levels = np.sort(np.random.default_rng(seed).uniform(0.01, 0.99, len(values)))
    found = crps(np.array([truth]), {q: np.array([v]) for q, v in zip(levels, values)})

    def distribution(x: float) -> float:
        if x < values[0]:
            return 0.0
        return 1.0 if x >= values[-1] else float(np.interp(x, values, levels))

    knots = sorted({*values, truth})
    expected = sum(
        integrate.quad(lambda x: (distribution(x) - (x >= truth)) ** 2, low, high)[0]
        for low, high in pairwise(knots)
    )
    assert found[0] == pytest.approx(expected, abs=1e-6)


@given(st.floats(-4, 4))
def test_crps_of_many_quantiles_is_that_of_the_distribution(truth: float) -> None:
    levels = np.arange(1, 1000) / 1000
    quantiles = dict(zip(levels, stats.norm.ppf(levels)[:, None]))
    # Gneiting and Raftery 2007, equation (5).
    density, below = stats.norm.pdf(truth), stats.norm.cdf(truth)
    exact = truth * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi)
    assert crps(np.array([truth]), quantiles)[0] == pytest.approx(exact, abs=2e-3)


def test_crps_of_a_single_quantile_is_the_absolute_error() -> None:
    truth = np.array([1.0, 5.0])
    assert crps(truth, {0.5: np.array([3.0, 3.0])}).tolist() == [2.0, 2.0]


def test_crps_prefers_the_right_spread() -> None:
    truth = np.random.default_rng(0).normal(size=20_000)
    levels = np.arange(1, 20) / 20
    found = {
        scale: crps(
            truth, {q: np.full_like(truth, scale * stats.norm.ppf(q)) for q in levels}
        ).mean()
        for scale in (0.5, 1.0, 2.0)
    }
    assert min(found, key=found.__getitem__) == 1.0
    assert found[1.0] == pytest.approx(1 / math.sqrt(math.pi), abs=0.01)


@given(st.floats(-5, 5), st.floats(0.01, 0.99))
def test_the_pinball_loss_is_least_at_the_quantile(shift: float, level: float) -> None:
    truth = np.linspace(-3, 3, 601)
    best = np.quantile(truth, level, method="inverted_cdf")
    at = pinball(truth, np.full_like(truth, best), level).mean()
    elsewhere = pinball(truth, np.full_like(truth, best + shift), level).mean()
    assert elsewhere >= at - 1e-9


def test_intervals_are_pairs_of_levels_from_the_outermost_in() -> None:
    levels = (0.95, 0.05, 0.3, 0.5, 0.7, 0.9, 0.1, 0.2)
    assert intervals(levels) == [(0.05, 0.95), (0.1, 0.9), (0.3, 0.7)]
    assert intervals((0.5,)) == []


# Intervals


def test_a_resample_is_scored_as_the_blocks_it_is_made_of() -> None:
    truth, forecasts, more = _drawn(4, (41, 3, 2))
    more["insample"] = more["insample"][:1] * 2
    more["series"] = series = np.repeat([0, 1], [20, 21])
    found = score(truth, forecasts, season=2, block=4, resamples=3, seed=9, **more)
    # Five blocks of four of the first series; of the second, one that has five.
    blocks = [np.arange(4 * i, 4 * i + 4) for i in range(5)]
    blocks += [
        np.arange(low, high) for low, high in zip((20, 25, 29, 33, 37), (25, 29, 33, 37, 41))
    ]
    random = np.random.default_rng(9)
    quantiles = forecasts.quantiles or {}
    for number in range(3):
        drawn = np.concatenate([blocks[i] for i in random.integers(0, 10, 10)])
        again = score(
            truth[drawn],
            Forecasts(forecasts.point[drawn], {q: own[drawn] for q, own in quantiles.items()}),
            insample=more["insample"],
            series=series[drawn],
            season=2,
            resamples=0,
        )
        assert found.samples.keys() == again.values.keys()
        for name, value in again.values.items():
            assert found.samples[name][number] == pytest.approx(value), name


def test_the_windows_of_a_series_need_not_lie_together() -> None:
    truth, forecasts, _ = _drawn(4, (40, 2, 1))
    series = np.arange(40) % 2
    together = np.argsort(series, kind="stable")
    quantiles = {q: own[together] for q, own in (forecasts.quantiles or {}).items()}
    one = score(truth, forecasts, series=series, resamples=20)
    other = score(
        truth[together],
        Forecasts(forecasts.point[together], quantiles),
        series=series[together],
        resamples=20,
    )
    for name, values in one.samples.items():
        np.testing.assert_allclose(other.samples[name], values, err_msg=name)


def test_windows_that_overlap_have_wider_intervals_than_windows_by_themselves() -> None:
    random = np.random.default_rng(0)
    errors = np.convolve(random.normal(size=620), np.ones(20) / 20, "valid")[:600].reshape(-1, 1, 1)
    forecasts = Forecasts(np.zeros_like(errors))

    def width(block: int) -> float:
        low, high = score(errors, forecasts, block=block).interval()["mae"]
        return high - low

    assert width(20) > 2 * width(1)


def test_intervals_of_errors_that_last_cover_what_they_estimate() -> None:
    covered = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        errors = np.convolve(random.normal(size=1009), np.ones(10) / np.sqrt(10), "valid")
        truth = errors.reshape(-1, 1, 1)
        found = score(truth, Forecasts(np.zeros_like(truth)), block=20, resamples=300, seed=seed)
        low, high = found.interval()["mae"]
        covered += low < np.sqrt(2 / np.pi) < high
    assert 48 <= covered <= 60


def test_few_blocks_have_no_intervals() -> None:
    truth, forecasts, more = _drawn(0, (31, 4, 1))
    more["series"] = np.zeros(31, int)
    assert score(truth, forecasts, **more).samples == {}
    assert score(truth, forecasts, block=1, **more).interval()["mae"]
    assert "mae" in score(truth[:, :3], Forecasts(forecasts.point[:, :3]), **more).samples


def test_scores_of_the_same_windows_are_paired() -> None:
    truth, forecasts, _ = _drawn(3, (200, 2, 1))
    good = score(truth, Forecasts(np.nan_to_num(truth, nan=2.0) + 0.5))
    poor = score(truth, forecasts)
    found = metrics.compare(good, poor, "mae", higher_is_better=False)
    assert found.outcome == "beats"
    assert found.low < found.difference < found.high


# Known figures


def test_air_passengers_repeated_from_the_last_year() -> None:
    passengers = read_series("demo").targets[0]
    train, test = passengers[:-36], passengers[-36:]
    repeated = np.tile(train[-12:], (3, 1))
    found = score(test[None], Forecasts(repeated[None]), insample=[train], season=12)
    assert found.values["mase"] == pytest.approx(1.97, abs=0.005)
    assert found.samples == {}


@pytest.mark.thorough
def test_m4_hourly_repeated_from_the_last_day(shared_data: Path) -> None:
    folder = shared_data / "m4"
    if not folder.exists():
        pytest.skip(f"there is no {folder}")
    train = read_series(folder / "Hourly-train.csv", season=24)
    test = read_series(folder / "Hourly-test.csv", encoding=train.encoding)
    repeated = np.stack([np.tile(own[-24:], (2, 1)) for own in train.targets])
    found = score(
        np.stack(test.targets),
        Forecasts(repeated),
        insample=train.targets,
        series=np.arange(len(train)),
        season=24,
    )
    # Those of the organisers, for their sNaive.
    assert found.values["smape"] == pytest.approx(13.912, abs=0.001)
    assert found.values["mase"] == pytest.approx(1.193, abs=0.001)
    low, high = found.interval()["smape"]
    assert 12 < low < 13.912 < high < 16


# What is refused


@pytest.mark.parametrize("shape", [(3, 2), (2, 2, 1), (3, 3, 1)])
def test_shapes_that_do_not_agree_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received"):
        score(np.zeros((3, 2, 1)), Forecasts(np.zeros(shape)))


def test_quantiles_of_another_shape_or_level_are_refused() -> None:
    point = np.zeros((3, 2, 1))
    with pytest.raises(ValueError, match=r"shape of the point forecasts, \(3, 2, 1\)"):
        Forecasts(point, {0.5: np.zeros((3, 2))})
    with pytest.raises(ValueError, match="levels between 0 and 1"):
        Forecasts(point, {10: point})


def test_nothing_observed_is_refused() -> None:
    for truth in (np.full((3, 2, 1), np.nan), np.zeros((0, 2, 1))):
        with pytest.raises(ValueError, match="nothing to score"):
            score(truth, Forecasts(np.zeros_like(truth)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("quantile", [False, True])
def test_forecasts_that_are_not_finite_are_refused(bad: float, quantile: bool) -> None:
    truth = np.zeros((3, 2, 1))
    broken = truth.copy()
    broken[1, 0] = bad
    forecasts = Forecasts(truth, {0.5: broken}) if quantile else Forecasts(broken)
    with pytest.raises(ValueError, match="must be finite"):
        score(truth, forecasts)
