"""The Gaussian process says what scikit-learn's says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from kerasseq.tuning.gaussian import GaussianProcess


def _points(seed: int, count: int, dimensions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, asked = rng.random((count, dimensions)), rng.random((7, dimensions))
    return x, np.cos(3 * x).sum(axis=1) + 0.1 * rng.random(count), asked


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 20), st.integers(1, 6))
def test_it_is_that_of_scikit_learn(seed: int, count: int, dimensions: int) -> None:
    x, y, asked = _points(seed, count, dimensions)
    theirs = GaussianProcessRegressor(
        Matern(nu=2.5), alpha=1e-4, n_restarts_optimizer=20, normalize_y=True, random_state=seed
    ).fit(x, y)
    ours = GaussianProcess(1e-4, seed).fit(x, y)
    asked = np.concatenate([asked, x])
    for mine, their in zip(
        ours.predict(asked, return_std=True), theirs.predict(asked, return_std=True), strict=True
    ):
        np.testing.assert_allclose(mine, their, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.predict(asked), theirs.predict(asked), rtol=1e-6)


def test_before_it_learns_it_knows_nothing() -> None:
    mean, deviation = GaussianProcess().predict(np.array([[0.3], [0.7]]), return_std=True)
    assert mean.tolist() == [0.0, 0.0]
    assert deviation.tolist() == [1.0, 1.0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_scores_are_what_it_expects_everywhere() -> None:
    process = GaussianProcess(seed=1).fit(np.array([[0.0], [0.5], [1.0]]), np.full(3, 4.0))
    np.testing.assert_allclose(process.predict(np.array([[0.2]])), 4.0)
