"""Scalers are fitted on what they are given, and go back to where they came from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import StandardScaler

from kerasseq.data.series.scaling import KINDS, Scaler

BENT = ("log", "boxcox")
STRAIGHT = tuple(kind for kind in KINDS if kind not in BENT)
POSITIVE = st.floats(1e-3, 1e6)
ANY = st.floats(-1e6, 1e6)


FEWER = settings(max_examples=30)


def _arrays(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[np.ndarray]]:
    """Series of two columns, some of them with gaps."""
    gaps = st.one_of(values, st.just(np.nan))
    one = st.integers(1, 30).flatmap(lambda n: hnp.arrays(np.float64, (n, 2), elements=gaps))
    return st.lists(one, min_size=1, max_size=4)


def _check_inverse(scaler: Scaler, arrays: list[np.ndarray]) -> None:
    largest = max(np.nanmax(np.abs(values), initial=1) for values in arrays)
    for i, values in enumerate(arrays):
        back = scaler.inverse(scaler.transform(values, i), i)
        np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-12 * largest)


@pytest.mark.parametrize("kind", STRAIGHT)
@FEWER
@given(arrays=_arrays(ANY), per_series=st.booleans())
def test_what_is_scaled_comes_back(kind: str, arrays: list[np.ndarray], per_series: bool) -> None:
    _check_inverse(Scaler.fit(kind, arrays, per_series), arrays)


@pytest.mark.parametrize("kind", BENT)
@FEWER
@given(arrays=_arrays(st.one_of(st.just(0.0), POSITIVE)), per_series=st.booleans())
def test_what_is_bent_comes_back(kind: str, arrays: list[np.ndarray], per_series: bool) -> None:
    _check_inverse(Scaler.fit(kind, arrays, per_series), arrays)


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(arrays=_arrays(POSITIVE), per_series=st.booleans())
def test_a_state_is_json_and_the_whole_scaler(
    kind: str, arrays: list[np.ndarray], per_series: bool
) -> None:
    scaler = Scaler.fit(kind, arrays, per_series, only=[True, False])
    again = Scaler.from_state(json.loads(json.dumps(scaler.state())))
    for i, values in enumerate(arrays):
        np.testing.assert_array_equal(again.transform(values, i), scaler.transform(values, i))
    np.testing.assert_array_equal(again.adapt(arrays[0]).location, scaler.adapt(arrays[0]).location)


@given(arrays=_arrays(ANY))
def test_none_changes_nothing(arrays: list[np.ndarray]) -> None:
    scaler = Scaler.fit("none", arrays, per_series=True)
    for i, values in enumerate(arrays):
        np.testing.assert_array_equal(scaler.transform(values, i), values)


def _series(seed: int = 0, rows: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).lognormal([1, 5], [1, 0.5], (rows, 2))


def test_standard_is_that_of_scikit_learn() -> None:
    values = _series()
    values[3, 0] = np.nan
    expected = StandardScaler().fit_transform(values)
    np.testing.assert_allclose(Scaler.fit("standard", [values]).transform(values), expected)


def test_robust_centres_the_median_and_is_not_moved_by_outliers() -> None:
    values = np.random.default_rng(0).normal(5, 2, (10_000, 1))
    values[:50] = 1e9
    scaled = Scaler.fit("robust", [values]).transform(values)
    assert np.median(scaled) == pytest.approx(0, abs=1e-9)
    assert scaled[50:].std() == pytest.approx(1, abs=0.05)


def test_robust_does_with_series_that_are_mostly_zero() -> None:
    values = np.zeros((100, 1))
    values[::10] = 5
    assert Scaler.fit("robust", [values]).transform(values).max() == pytest.approx(5 / values.std())


def test_mean_divides_by_the_mean_magnitude() -> None:
    values = np.array([[-1.0], [3.0], [np.nan]])
    scaled = Scaler.fit("mean", [values]).transform(values)
    np.testing.assert_array_equal(scaled, [[-0.5], [1.5], [np.nan]])


def test_boxcox_takes_the_power_that_the_values_have() -> None:
    normal = np.random.default_rng(0).normal(10, 1, (5000, 1))
    assert Scaler.fit("boxcox", [np.exp(normal / 3)]).power.item() == pytest.approx(0, abs=0.1)
    assert Scaler.fit("boxcox", [normal**2]).power.item() == pytest.approx(0.5, abs=0.11)


def test_log_takes_the_logarithm_of_whole_numbers_plus_one() -> None:
    counts = np.array([[0.0], [9.0], [99.0]])
    scaler = Scaler.fit("log", [counts])
    assert scaler.transform(counts).std() == pytest.approx(1)
    logs = np.log([1, 10, 100])
    np.testing.assert_allclose(
        scaler.transform(counts)[:, 0], (logs - logs.mean()) / logs.std(), atol=1e-12
    )


@pytest.mark.parametrize("kind", BENT)
def test_what_is_never_negative_comes_back_so(kind: str) -> None:
    scaler = Scaler.fit(kind, [_series()])
    assert np.all(scaler.inverse(np.full((1, 2), -1e3)) >= 0)
    assert np.all(np.isfinite(scaler.inverse(np.full((1, 2), 9.0))))


@pytest.mark.parametrize("kind", BENT)
def test_logarithms_of_what_is_negative_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"scaling='{kind}' is for values .* there is -1"):
        Scaler.fit(kind, [np.array([[2.5], [-1.0]])])
    scaler = Scaler.fit(kind, [np.array([[2.0], [3.0], [50.0]])])
    with pytest.raises(ValueError, match=f"scaling='{kind}' cannot take -3"):
        scaler.transform(np.array([[1.0], [-3.0]]))


@pytest.mark.parametrize("kind", BENT)
def test_what_was_fitted_above_zero_takes_a_later_zero(kind: str) -> None:
    arrays = [100 * _series(), _series() / 1e6]
    scaler = Scaler.fit(kind, arrays, per_series=True)
    for place in (0, 1):
        zero = scaler.transform(np.zeros((1, 2)), place)
        assert np.all(zero > -12)  # deviations: far off, and within what a model can do with
        np.testing.assert_allclose(scaler.inverse(zero, place), 0, atol=1e-12)
    with pytest.raises(ValueError, match=f"scaling='{kind}' cannot take -1e-06"):
        scaler.transform(np.full((1, 2), -1e-6), 1)


def test_room_for_a_later_zero_changes_little_where_values_are_far_from_it() -> None:
    values = np.random.default_rng(0).uniform(50, 150, (200, 1))
    logs = np.log(values)
    expected = (logs - logs.mean()) / logs.std()
    assert np.abs(Scaler.fit("log", [values]).transform(values) - expected).max() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_does_not_vary_stays_finite(kind: str) -> None:
    values = np.full((20, 1), 0.1)
    scaled = Scaler.fit(kind, [values]).transform(values + 1)
    assert np.all(np.abs(scaled) < 100)


def test_series_have_figures_of_their_own_if_asked_for() -> None:
    arrays = [_series(), 100 * _series(1)]
    scaler = Scaler.fit("standard", arrays, per_series=True)
    for i, values in enumerate(arrays):
        scaled = scaler.transform(values, i)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(scaled.std(axis=0), 1)
    alike = Scaler.fit("standard", arrays)
    together = np.concatenate([alike.transform(values, i) for i, values in enumerate(arrays)])
    np.testing.assert_allclose(together.std(axis=0), 1)


def test_a_series_without_values_has_the_figures_of_all() -> None:
    arrays = [_series(), np.full((5, 2), np.nan), np.empty((0, 2))]
    own, alike = (Scaler.fit("standard", arrays, per_series) for per_series in (True, False))
    for place in (1, 2):
        np.testing.assert_allclose(own.location[place], alike.location[0])


def test_rows_of_several_series_and_other_axes() -> None:
    arrays = [_series(), 100 * _series(1)]
    scaler = Scaler.fit("boxcox", arrays, per_series=True)
    batch = np.stack([arrays[1][:7], arrays[0][:7], arrays[1][7:14]])
    scaled = scaler.transform(batch, np.array([1, 0, 1]))
    for row, place in enumerate([1, 0, 1]):
        np.testing.assert_array_equal(scaled[row], scaler.transform(batch[row], place))
    quantiles = np.stack([scaled, scaled + 1], axis=-1)
    back = scaler.inverse(quantiles, np.array([1, 0, 1]), axis=2)
    np.testing.assert_allclose(back[..., 0], batch)


@pytest.mark.parametrize("kind", KINDS)
def test_a_series_never_seen_is_scaled_by_its_own_history(kind: str) -> None:
    new = 1000 * _series(2)
    scaler = Scaler.fit(kind, [_series(), _series(1)], per_series=True)
    expected = Scaler.fit(kind, [new], per_series=True).transform(new)
    np.testing.assert_array_equal(scaler.adapt(new).transform(new), expected)
    np.testing.assert_array_equal(scaler.adapt([_series(), new]).transform(new, 1), expected)
    alike = Scaler.fit(kind, [_series()])
    assert alike.adapt(new) is alike


def test_only_some_columns_are_scaled() -> None:
    values = _series()
    scaler = Scaler.fit("log", [values], only=[True, False])
    scaled = scaler.transform(values - [[0, 1e9]])
    np.testing.assert_array_equal(scaled[:, 1], values[:, 1] - 1e9)
    assert scaled[:, 0].std() == pytest.approx(1)


def test_kinds_are_named() -> None:
    with pytest.raises(ValueError, match=r"scaling must be one of 'standard'.* Received: 'minmax'"):
        Scaler.fit("minmax", [_series()])
