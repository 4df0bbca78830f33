"""Calibrated quantiles are what their levels say, on windows like those of the calibration."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kerasseq.evaluation.forecast_metrics import Forecasts
from kerasseq.tasks.forecasting.conformal import Calibration, least_windows

LEVELS = (0.1, 0.5, 0.9)


def _quantiles(point: np.ndarray, spread: np.ndarray | float) -> Forecasts:
    return Forecasts(point, {q: point + spread * stats.norm.ppf(q) for q in LEVELS})


def _flat(shape: tuple[int, int, int]) -> Forecasts:
    return Forecasts(np.zeros(shape))


def _above(errors: np.ndarray, level: float) -> list[float]:
    """The offsets of a level from point forecasts with these errors."""
    (found,) = Calibration.fit(errors, _flat(errors.shape), (level,)).offsets
    return list(found.ravel())


def _lists(forecasts: Forecasts) -> dict[float, list[float]]:
    return {q: own.ravel().tolist() for q, own in (forecasts.quantiles or {}).items()}


@pytest.mark.parametrize(
    ("count", "rank"),
    # (n + 1) times 0.8, rounded up: 80, 80.8, 48 and 40.8.
    [(99, 80), (100, 81), (59, 48), (50, 41)],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_around_a_point_offsets_are_errors_of_the_corrected_rank(
    count: int, rank: int, sign: int
) -> None:
    errors = np.random.default_rng(0).permutation(np.arange(1.0, count + 1)).reshape(-1, 1, 1)
    found = Calibration.fit(7 + sign * errors, Forecasts(np.full_like(errors, 7)), LEVELS)
    assert found.offsets.ravel().tolist() == [-rank, 0, rank]


def test_intervals_are_moved_by_how_far_outside_the_truth_is() -> None:
    truth = np.concatenate([np.arange(-99.0, 0), np.arange(2.0, 202, 2)]).reshape(-1, 1, 1)
    ends = {q: np.full(truth.shape, value) for q, value in ((0.1, -9.0), (0.5, 0.0), (0.9, 20.0))}
    found = Calibration.fit(truth, Forecasts(ends[0.5], ends))
    outside = sorted(max(-9 - y, y - 20) for y in truth.ravel())
    reach = outside[160 - 1]  # 200 times 0.8, among 199
    assert found.offsets.ravel().tolist() == [-reach, 0, reach]


def test_levels_without_a_counterpart_are_moved_by_themselves() -> None:
    truth = np.arange(1.0, 100).reshape(-1, 1, 1)
    ends = {q: np.full(truth.shape, 7.0) for q in (0.2, 0.5, 0.9)}
    found = Calibration.fit(truth, Forecasts(ends[0.5], ends))
    assert found.offsets.ravel().tolist() == [13, 0, 83]  # to 20 and to 90


def test_steps_and_targets_have_offsets_of_their_own() -> None:
    errors = np.arange(1.0, 100)[:, None, None] * np.array([[1, 10], [100, 1000]])
    found = Calibration.fit(errors, _flat(errors.shape), (0.1, 0.9))
    assert found.offsets[1].tolist() == [[80, 800], [8000, 80_000]]
    np.testing.assert_array_equal(found.offsets[0], -found.offsets[1])


@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9]), st.booleans())
def test_an_interval_holds_as_much_as_theory_promises(
    seed: int, level: float, quantiles: bool
) -> None:
    """Over draws of both parts, between the level and that and 1 / (n + 1) more."""
    random = np.random.default_rng(seed)
    draws, count = 5000, 60  # each target is a draw by itself
    truth = random.gamma(2, 3, (count + 1, 1, draws))
    point, low, high = random.normal(size=truth.shape), (1 - level) / 2, (1 + level) / 2
    ends = {low: point - 1, high: point * 2 + 3} if quantiles else {}
    seen = Forecasts(point[:-1], {q: own[:-1] for q, own in ends.items()})
    new = Forecasts(point[-1:], {q: own[-1:] for q, own in ends.items()})
    found = Calibration.fit(truth[:-1], seen, (low, high)).apply(new).quantiles
    assert found is not None
    below, above = found.values()
    share = ((below <= truth[-1:]) & (truth[-1:] <= above)).mean()
    noise = 5 * math.sqrt(level * (1 - level) / draws)
    assert level - noise <= share <= level + 1 / (count + 1) + noise


@pytest.mark.parametrize("spread", [0.2, 1.0, 5.0])
def test_intervals_that_are_wrong_are_put_right(spread: float) -> None:
    random = np.random.default_rng(0)
    shape = (4000, 3, 2)
    truth = random.normal(size=shape)
    forecasts = _quantiles(np.zeros(shape), spread)
    seen, new = (
        Forecasts(
            forecasts.point[part], {q: v[part] for q, v in (forecasts.quantiles or {}).items()}
        )
        for part in (slice(2000), slice(2000, None))
    )
    found = Calibration.fit(truth[:2000], seen).apply(new).quantiles or {}
    for level, own in found.items():
        assert (truth[2000:] <= own).mean() == pytest.approx(level, abs=0.015)


def test_right_quantiles_stay_where_they_are() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(20_000, 2, 1))
    calibration = Calibration.fit(truth, _quantiles(np.zeros_like(truth), 1.0))
    np.testing.assert_allclose(calibration.offsets, 0, atol=0.05)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 5), st.integers(1, 2))
def test_quantiles_are_in_order(seed: int, windows: int, horizon: int, targets: int) -> None:
    random = np.random.default_rng(seed)
    shape = (windows, horizon, targets)
    calibration = Calibration.fit(
        random.normal(size=shape), _quantiles(random.normal(size=shape), random.random(shape))
    )
    new = _quantiles(random.normal(size=shape), random.random(shape) / 10)
    found = calibration.apply(new).quantiles or {}
    assert list(found) == list(LEVELS)
    assert (np.diff(np.stack(list(found.values())), axis=0) >= 0).all()


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 50))
def test_another_unit_gives_the_same_quantiles_in_it(seed: int, shift: float, unit: float) -> None:
    random = np.random.default_rng(seed)
    truth, point = random.normal(size=(2, 70, 2, 1))
    one = Calibration.fit(truth, _quantiles(point, 0.5)).apply(_quantiles(point, 0.5))
    other = Forecasts(
        unit * point + shift,
        {q: unit * own + shift for q, own in (_quantiles(point, 0.5).quantiles or {}).items()},
    )
    two = Calibration.fit(unit * truth + shift, other).apply(other)
    for level, own in (two.quantiles or {}).items():
        np.testing.assert_allclose(own, unit * (one.quantiles or {})[level] + shift, atol=1e-9)


def test_what_was_not_observed_does_not_count() -> None:
    errors = np.arange(1.0, 100).reshape(-1, 1, 1)
    gaps = np.insert(errors, [0, 30, 30, 99], np.nan, axis=0)
    found = Calibration.fit(gaps, _flat(gaps.shape), LEVELS)
    assert found.offsets.ravel().tolist() == [-80, 0, 80]


def test_a_step_with_few_errors_borrows_those_of_its_neighbours() -> None:
    # Thirty windows: a step has too few, with those beside it there are enough.
    errors = np.tile(np.array([1.0, 2.0, 30.0, 400.0])[:, None], (30, 1, 1))
    assert _above(errors, 0.9) == [2, 30, 400, 400]
    many = np.tile(errors, (2, 1, 1))
    assert _above(many, 0.9) == [1, 2, 30, 400]
    # A level further out needs more.
    assert _above(many, 0.995) == [2, 30, 400, 400]


def test_a_single_window_gives_all_steps_the_same_offsets() -> None:
    assert _above(np.array([3.0, 1.0, -2.0]).reshape(1, 3, 1), 0.75) == [2, 2, 2]


def test_too_few_windows_that_do_not_overlap_share_an_offset_and_never_narrow() -> None:
    """Three windows are too few for 80%, which takes four, and enough for 60%."""
    random = np.random.default_rng(0)
    levels = (0.1, 0.2, 0.5, 0.8, 0.9)
    truth = random.normal(size=(100, 3, 1)) * np.array([[1.0], [2.0], [3.0]])
    for spread in (0.1, 10.0):
        ends = {q: spread * stats.norm.ppf(q) + np.zeros_like(truth) for q in levels}
        forecasts = Forecasts(np.zeros_like(truth), ends)
        free, few, four = (
            Calibration.fit(truth, forecasts, independent=n).offsets[..., 0] for n in (None, 3, 4)
        )
        np.testing.assert_array_equal(four, free)
        np.testing.assert_array_equal(few[1:4], free[1:4])
        assert len(set(few[4])) == 1
        assert few[4, 0] == -few[0, 0] >= 0
        outside = np.sort(np.abs(truth.ravel()) - ends[0.9].ravel())
        assert few[4, 0] == pytest.approx(max(outside[241 - 1], 0))  # 301 times 0.8, rounded up
    assert (free[4] < 0).all()
    assert (few[4] == 0).all()


def test_point_forecasts_of_few_windows_have_the_same_interval_at_each_step() -> None:
    errors = np.tile(np.array([1.0, 2.0, 3.0])[:, None], (60, 1, 1))
    by_step = Calibration.fit(errors, _flat(errors.shape), (0.1, 0.9), independent=4)
    assert by_step.offsets[1].ravel().tolist() == [1, 2, 3]
    together = Calibration.fit(errors, _flat(errors.shape), (0.1, 0.9), independent=3)
    assert together.offsets[1].ravel().tolist() == [3, 3, 3]


@pytest.mark.parametrize(("probability", "windows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_the_least_number_of_windows_has_an_error_of_the_rank(
    probability: float, windows: int
) -> None:
    assert least_windows(probability) == windows
    assert round((windows + 1) * probability, 9) <= windows
    assert windows * probability > windows - 1


def test_a_step_without_any_error_takes_those_around_it() -> None:
    errors = np.tile(np.array([1.0, np.nan, 3.0])[:, None], (99, 1, 1))
    assert _above(errors, 0.9) == [1, 3, 3]


def test_a_target_without_any_error_stays_where_it_is() -> None:
    errors = np.stack([np.arange(99.0), np.full(99, np.nan)], axis=-1)[:, None]
    assert _above(errors, 0.9) == [79, 0]


# Levels and steps that were not calibrated


@pytest.fixture
def calibration() -> Calibration:
    errors = np.arange(1.0, 100)[:, None, None] * np.array([[1.0], [10.0]])
    return Calibration.fit(errors, _flat(errors.shape), LEVELS)


def test_levels_in_between_are_interpolated(calibration: Calibration) -> None:
    found = calibration.apply(_flat((1, 2, 1)), levels=(0.8, 0.1, 0.7))
    assert _lists(found) == {
        0.1: [-80, -800],
        0.7: pytest.approx([40, 400]),
        0.8: pytest.approx([60, 600]),
    }
    quantiles = {0.3: np.ones((1, 2, 1)), 0.9: np.full((1, 2, 1), 2.0)}
    found = calibration.apply(Forecasts(np.zeros((1, 2, 1)), quantiles))
    assert _lists(found) == {0.3: pytest.approx([-39, -399]), 0.9: [82, 802]}


@pytest.mark.parametrize("level", [0.05, 0.95])
def test_levels_beyond_are_refused(calibration: Calibration, level: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.1 to 0\.9.*Received: "):
        calibration.apply(_flat((1, 2, 1)), levels=(0.5, level))


def test_fewer_steps_and_more(calibration: Calibration) -> None:
    assert _lists(calibration.apply(_flat((1, 1, 1)), (0.9,))) == {0.9: [80]}
    assert _lists(calibration.apply(_flat((1, 4, 1)), (0.9,))) == {0.9: [80, 800, 800, 800]}


def test_the_state_is_json(calibration: Calibration) -> None:
    again = Calibration.from_state(json.loads(json.dumps(calibration.state())))
    np.testing.assert_array_equal(again.offsets, calibration.offsets)
    np.testing.assert_array_equal(again.levels, calibration.levels)


def test_forecasts_keep_their_precision(calibration: Calibration) -> None:
    found = calibration.apply(Forecasts(np.zeros((1, 2, 1), np.float32)))
    assert {own.dtype for own in (found.quantiles or {}).values()} == {np.dtype("float32")}


# What is refused


def test_shapes_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: \(3, 2, 1\) and \(3, 2, 2\)"):
        Calibration.fit(np.zeros((3, 2, 1)), _flat((3, 2, 2)))


@pytest.mark.parametrize("levels", [(), (0.0,), (0.5, 1.0), (10, 50, 90)])
def test_levels_that_are_none_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="levels must be between 0 and 1"):
        Calibration.fit(np.zeros((3, 2, 1)), _flat((3, 2, 1)), levels)


def test_nothing_observed_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to calibrate on"):
        Calibration.fit(np.full((3, 2, 1), np.nan), _flat((3, 2, 1)))


def _bands(shape: tuple[int, int, int], low: float, high: float) -> Forecasts:
    """Quantiles whose distances from the point grow with the step."""
    growth = np.arange(1.0, shape[1] + 1)[:, None]
    point = np.zeros(shape)
    return Forecasts(point, {0.1: point - low * growth, 0.5: point, 0.9: point + high * growth})


def test_stretched_intervals_cover_the_errors_of_another_method() -> None:
    random = np.random.default_rng(0)
    shape = (2000, 6, 2)
    scale = np.arange(1.0, 7)[:, None] * np.array([1.0, 10.0])
    forecasts = _bands(shape, 0.3, 0.6)
    errors = random.normal(size=shape) * scale
    calibration = Calibration.stretch(errors, forecasts)
    found = calibration.apply(forecasts).quantiles or {}
    covered = (found[0.1] <= errors) & (errors <= found[0.9])
    assert covered.mean(axis=(0, 1)) == pytest.approx([0.8, 0.8], abs=0.01)
    np.testing.assert_allclose(found[0.9][0, 5], 6 * found[0.9][0, 0], rtol=0.05)
    np.testing.assert_allclose(found[0.9], -2 * found[0.1])
    assert (found[0.5] == 0).all()


def test_steps_are_stretched_as_errors_grow() -> None:
    random = np.random.default_rng(0)
    errors = random.normal(size=(2000, 12, 1))  # as large at each step as at the others
    forecasts = _bands(errors.shape, 0.1, 0.1)
    found = Calibration.stretch(errors, forecasts).apply(forecasts).quantiles or {}
    covered = ((found[0.1] <= errors) & (errors <= found[0.9])).mean(axis=(0, 2))
    assert covered[0] > 0.5  # a fifth with one factor for all steps
    assert covered[1:] == pytest.approx(np.full(11, 0.8), abs=0.1)


def test_a_worse_model_has_wider_intervals_and_none_is_narrowed() -> None:
    errors = np.random.default_rng(0).normal(size=(500, 3, 1))
    forecasts = _bands(errors.shape, 0.2, 0.2)
    factors = [Calibration.stretch(errors, forecasts, ratio).factors for ratio in (1.5, 3.0, 0.01)]
    ends = [0, 2]  # without the median
    np.testing.assert_allclose(np.array(factors[1])[ends], 2 * np.array(factors[0])[ends])
    assert np.min(np.array(factors[0])[ends]) > 1
    assert (np.array(factors[2]) == 1).all()


def test_factors_are_saved_and_those_of_other_levels_lie_between() -> None:
    errors = np.random.default_rng(0).normal(size=(500, 3, 1))
    calibration = Calibration.stretch(errors, _bands(errors.shape, 0.1, 0.1))
    state = json.loads(json.dumps(calibration.state()))
    again = Calibration.from_state(state)
    assert again.state() == calibration.state()
    new = Forecasts(np.full((1, 3, 1), 7.0), {0.3: np.full((1, 3, 1), 6.0)})
    factor = (1 + np.array(state["factors"])[0]) / 2  # halfway from 0.1 to the median
    found = again.apply(new).quantiles or {}
    np.testing.assert_allclose(found[0.3][0], 7 - factor)


def test_a_level_without_a_counterpart_is_stretched_on_its_side() -> None:
    errors = np.concatenate([np.full(80, -100.0), np.arange(1.0, 21)]).reshape(-1, 1, 1)
    point = np.zeros_like(errors)
    calibration = Calibration.stretch(errors, Forecasts(point, {0.5: point, 0.9: point + 1.0}))
    assert np.ravel(calibration.factors).tolist() == [1.0, 11.0]  # 101 times 0.9, rounded up


def test_quantiles_without_width_are_not_stretched_to_infinity() -> None:
    errors = np.random.default_rng(0).normal(size=(50, 2, 1))
    forecasts = _bands(errors.shape, 1.0, 1.0)
    assert forecasts.quantiles is not None
    forecasts.quantiles[0.9][:25] = 0
    factors = np.array(Calibration.stretch(errors, forecasts).factors)
    assert np.isfinite(factors).all()
    assert factors.max() < 200
