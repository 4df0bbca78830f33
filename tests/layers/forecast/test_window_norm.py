"""What is taken off a window is given back to its forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.layers import Emission, HorizonNorm, WindowNorm
from kerasseq.layers.forecast.window_norm import MODES
from tests.layers.harness import array, arrays, draw


@given(
    st.sampled_from(MODES),
    st.integers(1, 4),
    st.integers(4, 9),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 100),
)
def test_normalising_what_follows_is_undone_by_the_emission(
    mode: str, season: int, lookback: int, horizon: int, masked: bool, seed: int
) -> None:
    history, ahead = draw(3, lookback, 2, seed=seed), draw(3, horizon, 2, seed=seed + 1)
    observed = (draw(3, lookback, 2, seed=seed + 2) > 0).astype("float32")
    given_ = (history * observed, observed) if masked else (history,)
    normalised, centre, scale = WindowNorm(mode, season)(*given_)
    inside = HorizonNorm()(ahead, centre, scale)
    np.testing.assert_allclose(array(Emission()(inside, centre, scale)), ahead, atol=1e-4)
    # The window and what follows are one series, and normalised as one.
    if mode == "seasonal":
        whole = np.concatenate([history, ahead], axis=1)
        off = whole - np.concatenate([array(normalised), array(inside)], axis=1)
        seen = np.concatenate(
            [observed if masked else np.ones_like(history), np.ones_like(ahead)], 1
        )
        both = (seen[:, :-season] * seen[:, season:]).astype(bool)
        np.testing.assert_allclose(off[:, :-season][both], off[:, season:][both], atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "observed", "normalised"),
    [
        ("none", None, [1, 5, 2, 6, 3]),
        ("last", None, [-2, 2, -1, 3, 0]),
        ("last", [1, 1, 1, 1, 0], [-5, -1, -4, 0, 0]),
        ("seasonal", None, [-2, -1, -1, 0, 0]),
        ("seasonal", [1, 1, 1, 0, 0], [-1, 0, 0, 0, 0]),
        ("instance", [1, 1, 0, 0, 0], [-1, 1, 0, 0, 0]),
    ],
)
def test_only_what_was_observed_says_where_a_window_is(
    mode: str, observed: Any, normalised: list[float]
) -> None:
    history = np.array([1.0, 5, 2, 6, 3], "float32")[None, :, None]
    seen = () if observed is None else (np.array(observed, "float32")[None, :, None],)
    result, *_ = WindowNorm(mode, season=2)(history, *seen)
    np.testing.assert_allclose(array(result).ravel(), normalised, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_a_window_that_says_nothing_gives_numbers(mode: str) -> None:
    history = np.zeros((2, 6, 3), "float32")
    for seen in ((), (history,)):
        for part in arrays(WindowNorm(mode, season=4)(history, *seen)):
            assert np.isfinite(part).all()


def test_seasons_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"a season long. Received: 3 timesteps.*season=4"):
        WindowNorm("seasonal", season=4)(draw(2, 3, 1))
    with pytest.raises(ValueError, match=r"`mode` must be one of none.*Received: mode='batch'"):
        WindowNorm("batch")
