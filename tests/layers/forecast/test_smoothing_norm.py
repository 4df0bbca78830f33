"""A window is smoothed by the equations, and its forecast is that of exponential smoothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.layers import SmoothingNorm
from kerasseq.layers.forecast.smoothing_norm import COEFFICIENTS, SMOOTHED
from tests.layers.harness import array
from tests.thorough import examples


def _layer(mode: str, horizon: int, season: int, shares: dict[str, Any]) -> SmoothingNorm:
    """A layer for two targets with these coefficients."""
    layer = SmoothingNorm(mode, horizon, season)
    layer.build((None, 99, 2))
    logits = {name: np.log(share / (1 - np.array(share))) for name, share in shares.items()}
    layer.set_weights([logits[name] / 10 for name in COEFFICIENTS])
    return layer


def _by_hand(
    values: np.ndarray, mode: str, horizon: int, season: int, shares: dict[str, float]
) -> tuple[np.ndarray, ...]:
    """Normalised history, centre and scale of one window of one target, value by value."""
    multiplicative, oldest = mode == "multiplicative" and season > 1, len(values) % season
    recent = values[oldest:]
    seasons = recent.reshape(-1, season).mean(axis=1)
    slope = np.polyfit(np.arange(len(seasons)), seasons, 1)[0] / season
    steps = np.arange(len(recent))
    line = recent.mean() + slope * (steps - steps.mean())
    if season == 1:
        index = [0.0]
    elif multiplicative:
        index = list((recent / line).reshape(-1, season).mean(axis=0))
        index = [each / np.mean(index) for each in index]
    else:
        index = list((recent - line).reshape(-1, season).mean(axis=0))
        index = [each - np.mean(index) for each in index]
    first, level, plain, errors = list(index), line[0] - slope, [], []
    for place, value in enumerate(recent):
        phase = place % season
        plain.append(value / index[phase] if multiplicative else value - index[phase])
        before = level + slope
        errors.append(plain[-1] - before)
        level = before + shares["level"] * errors[-1]
        if season > 1:
            about = value / level if multiplicative else value - level
            index[phase] += shares["season"] * (about - index[phase])
    begins = first[season - oldest :]
    begin = [value / i if multiplicative else value - i for value, i in zip(values, begins)]
    history = np.array([*begin, *plain]) - level
    history /= np.sqrt(np.mean(history**2) + 1e-5)
    powers = shares["damping"] ** np.arange(1, horizon + 1)
    centre = level + shares["trend"] * slope * powers.cumsum()
    ahead = np.resize(index, horizon)
    scale = np.sqrt((np.mean(np.square(errors)) + 1e-5) * np.arange(1, horizon + 1))
    if multiplicative:
        return history, centre * ahead, scale * ahead
    return history, centre + ahead, scale


@pytest.mark.parametrize("mode", SMOOTHED)
@given(season=st.integers(1, 4), rest=st.integers(0, 3), seed=st.integers(0, 99))
@examples(20)
def test_states_are_those_of_the_equations(mode: str, season: int, rest: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    lookback, horizon = 3 * season + min(rest, season - 1), 6
    history = random.uniform(2, 3, size=(2, lookback, 2)).astype("float32")
    shares = {name: random.uniform(0.1, 0.9, size=2) for name in COEFFICIENTS}
    found = [array(part) for part in _layer(mode, horizon, season, shares)(history)]
    for row in range(2):
        for target in range(2):
            own = {name: float(share[target]) for name, share in shares.items()}
            expected = _by_hand(history[row, :, target].astype(float), mode, horizon, season, own)
            for part, by_hand in zip(found, expected):
                np.testing.assert_allclose(part[row, :, target], by_hand, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("mode", SMOOTHED)
def test_a_line_with_a_season_goes_on(mode: str) -> None:
    steps, season = np.arange(36), np.resize([-0.5, 0.0, 0.5], 36)
    values = (10 + 0.5 * steps) * (1 + season) if mode == "multiplicative" else steps + 9 * season
    whole = np.stack([values, 2 * values], axis=1)[None].astype("float32")
    shares = {"level": 0.3, "season": 0.3, "trend": 1 - 1e-6, "damping": 1 - 1e-6}
    shares = {name: np.full(2, share) for name, share in shares.items()}
    _, centre, _ = _layer(mode, 6, 3, shares)(whole[:, :30])
    tolerance = {"rtol": 0.03} if mode == "multiplicative" else {"atol": 1e-2}
    np.testing.assert_allclose(array(centre), whole[:, 30:], **tolerance)


@pytest.mark.parametrize("mode", SMOOTHED)
@pytest.mark.parametrize("season", [1, 3])
def test_the_unit_of_a_window_is_that_of_its_forecast(mode: str, season: int) -> None:
    history = np.random.default_rng(0).uniform(20, 30, size=(2, 9, 2)).astype("float32")
    layer = SmoothingNorm(mode, 4, season)
    once, doubled = layer(history), layer(2 * history)
    np.testing.assert_allclose(array(doubled[0]), array(once[0]), rtol=1e-3, atol=1e-3)
    for part in (1, 2):
        np.testing.assert_allclose(array(doubled[part]), 2 * array(once[part]), rtol=1e-3)
    if mode == "additive":
        np.testing.assert_allclose(array(layer(history + 5)[1]), array(once[1]) + 5, rtol=1e-4)


def test_missing_values_are_the_mean_of_their_phase() -> None:
    history = np.array([1.0, 5, 2, 6, 9, 7], "float32")[None, :, None]
    observed = np.array([1.0, 1, 1, 1, 0, 1], "float32")[None, :, None]
    layer = SmoothingNorm("additive", 3, 2)
    normalised, centre, _ = layer(history, observed)
    filled = history.copy()
    filled[0, 4] = 1.5  # of 1 and 2
    expected, same, _ = layer(filled)
    np.testing.assert_allclose(array(centre), array(same), rtol=1e-5)
    np.testing.assert_allclose(array(normalised), array(expected) * observed, atol=1e-5)
    nothing = layer(history, np.zeros_like(observed))
    assert all(np.isfinite(array(part)).all() for part in nothing)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"`mode` must be one of .*Received: mode='last'"):
        SmoothingNorm("last", 3)
    with pytest.raises(ValueError, match=r"at least two seasons\. Received: 7 timesteps"):
        SmoothingNorm("additive", 3, 4)(np.zeros((1, 7, 1)))
