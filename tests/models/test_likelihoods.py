"""Losses are the likelihoods of SciPy, skip what was not observed, and are read off alike."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_pinball_loss

from kerasseq.models.likelihoods import (
    DistributionLoss,
    Likelihood,
    PointLoss,
    QuantileLoss,
    mean_weights,
)

LEVELS = (0.1, 0.4, 0.5, 0.9)
MEAN_LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
SHAPE = (3, 4, 2)


def _drawn(output: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Targets and a forecast of them."""
    random = np.random.default_rng(seed)
    targets, where = random.poisson(3.0, SHAPE), random.normal(3.0, 1.0, SHAPE)
    spread = random.uniform(0.1, 2.0, SHAPE)
    forecasts = {
        "point": where,
        "quantiles": np.sort(random.normal(3.0, 1.0, (*SHAPE, len(LEVELS))), axis=-1),
        "normal": np.stack([where, spread], axis=-1),
        "student_t": np.stack([where, spread, 2 + 10 * spread], axis=-1),
        "negative_binomial": np.stack([np.abs(where), spread], axis=-1),
    }
    return targets.astype("float32"), forecasts[output].astype("float32")


def _value(loss: keras.losses.Loss, targets: np.ndarray, forecast: np.ndarray) -> float:
    return float(keras.ops.convert_to_numpy(loss(targets, forecast)))


def _expected(output: str, targets: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    p = np.moveaxis(forecast.astype(float), -1, 0)
    if output == "normal":
        return -stats.norm(p[0], p[1]).logpdf(targets)
    if output == "student_t":
        return -stats.t(p[2], p[0], p[1]).logpdf(targets)
    return -stats.nbinom(1 / p[1], 1 / (1 + p[0] * p[1])).logpmf(targets)


@pytest.mark.parametrize("output", ["normal", "student_t", "negative_binomial"])
def test_losses_are_negative_log_likelihoods(output: str) -> None:
    targets, forecast = _drawn(output)
    expected = _expected(output, targets, forecast).mean()
    assert _value(Likelihood(output).loss(), targets, forecast) == pytest.approx(expected, rel=1e-5)


@given(st.floats(1e-2, 1e4), st.floats(2e-3, 10.0), st.integers(0, 10_000))
def test_counts_of_any_size_have_their_likelihood(mean: float, spread: float, count: int) -> None:
    forecast = np.array([[[[mean, spread]]]], "float32")
    targets = np.array([[[count]]], "float32")
    expected = float(_expected("negative_binomial", targets, forecast)[0, 0, 0])
    value = _value(DistributionLoss("negative_binomial"), targets, forecast)
    assert value == pytest.approx(expected, rel=1e-3, abs=0.05)


def test_the_pinball_loss_is_that_of_scikit_learn() -> None:
    targets, forecast = _drawn("quantiles")
    expected = np.mean([
        mean_pinball_loss(targets.ravel(), forecast[..., i].ravel(), alpha=level)
        for i, level in enumerate(LEVELS)
    ])  # fmt: skip
    assert _value(QuantileLoss(LEVELS), targets, forecast) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("mse", keras.losses.MeanSquaredError()),
        ("mae", keras.losses.MeanAbsoluteError()),
        ("huber", keras.losses.Huber()),
    ],
)
def test_point_losses_are_those_of_keras(error: str, expected: keras.losses.Loss) -> None:
    targets, forecast = _drawn("point")
    value = _value(PointLoss(error), targets, forecast)
    assert value == pytest.approx(_value(expected, targets, forecast), rel=1e-5)


ALL = [
    *(Likelihood("point", error=error) for error in ("mse", "mae", "huber")),
    Likelihood("quantiles", LEVELS),
    *(Likelihood(output) for output in ("normal", "student_t", "negative_binomial")),
]


@pytest.mark.parametrize("likelihood", ALL, ids=lambda one: f"{one.output}-{one.error}")
def test_what_was_not_observed_does_not_count(likelihood: Likelihood) -> None:
    targets, forecast = _drawn(likelihood.output)
    loss = likelihood.loss()
    some = targets.copy()
    some[1], some[0, 2:] = np.nan, np.nan
    known = ~np.isnan(some)
    expected = np.mean([
        _value(loss, targets[i, j, k][None, None, None], forecast[i, j, k][None, None, None])
        for i, j, k in zip(*np.nonzero(known))
    ])  # fmt: skip
    assert _value(loss, some, forecast) == pytest.approx(expected, rel=1e-4)
    assert _value(loss, np.full_like(targets, np.nan), forecast) == 0.0


@pytest.mark.parametrize("likelihood", ALL, ids=lambda one: f"{one.output}-{one.error}")
def test_losses_come_back_from_their_config(likelihood: Likelihood) -> None:
    loss = likelihood.loss()
    again = type(loss).from_config(loss.get_config())
    targets, forecast = _drawn(likelihood.output)
    assert _value(again, targets, forecast) == _value(loss, targets, forecast)


@pytest.mark.parametrize("output", ["normal", "student_t", "negative_binomial", "quantiles"])
def test_draws_have_the_quantiles_and_the_mean_that_are_read_off(output: str) -> None:
    likelihood = Likelihood(output, LEVELS)
    _, forecast = _drawn(output)
    draws = likelihood.sample(forecast, 20_000, seed=1)
    assert draws.shape == (20_000, *SHAPE)
    for level in (0.1, 0.45, 0.9):
        below = likelihood.quantile(forecast, [level])[..., 0]
        assert np.mean(draws <= below, axis=0).min() > level - 0.02
        assert np.mean(draws < below, axis=0).max() < level + 0.02
    median, mean = np.median(draws, axis=0), draws.mean(axis=0)
    near = 1 if output == "negative_binomial" else 0.1  # the first has whole quantiles
    np.testing.assert_allclose(likelihood.median(forecast), median, rtol=0.1, atol=near)
    if output != "quantiles":  # draws have no tails
        np.testing.assert_allclose(likelihood.mean(forecast), mean, rtol=0.1, atol=0.1)
    np.testing.assert_array_equal(draws, likelihood.sample(forecast, 20_000, seed=1))


def test_quantiles_of_a_model_of_quantiles_are_its_own() -> None:
    _, forecast = _drawn("quantiles")
    value = Likelihood("quantiles", LEVELS).quantile(forecast, LEVELS)
    np.testing.assert_allclose(value, forecast, rtol=1e-6)


@pytest.mark.parametrize(
    ("distribution", "within"),
    [
        (stats.norm(10, 3), 1e-9),
        (stats.expon(), 0.02),
        (stats.lognorm(0.5), 0.01),
        (stats.lognorm(1), 0.02),
        (stats.gamma(0.5), 0.02),
        (stats.poisson(3), 0.03),
    ],
    ids=["normal", "exponential", "lognormal", "skewed lognormal", "gamma", "poisson"],
)
def test_the_mean_of_quantiles_is_near_that_of_their_distribution(
    distribution: Any, within: float
) -> None:
    quantiles = distribution.ppf(MEAN_LEVELS)
    likelihood = Likelihood("quantiles", MEAN_LEVELS)
    assert likelihood.mean(quantiles) == pytest.approx(distribution.mean(), rel=within)
    # What was scaled is scaled back before the mean is taken.
    assert likelihood.mean(np.log1p(quantiles), np.expm1) == pytest.approx(
        likelihood.mean(quantiles)
    )


@pytest.mark.parametrize("levels", [(0.5,), (0.1, 0.9), (0.0249, 0.025, 0.5, 0.975, 0.9751)])
def test_the_mean_of_a_constant_is_the_constant(levels: tuple[float, ...]) -> None:
    weights = mean_weights(levels)
    assert weights.sum() == pytest.approx(1)
    assert np.abs(weights).max() < 1.5


def test_a_point_forecast_is_its_mean_and_median_and_has_no_more() -> None:
    _, forecast = _drawn("point")
    point = Likelihood()
    assert point.median(forecast) is point.mean(forecast) is forecast
    for ask in (lambda: point.quantile(forecast, [0.5]), lambda: point.sample(forecast, 3)):
        with pytest.raises(ValueError, match="A point forecast has no distribution"):
            ask()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PointLoss("rmse"), "`error` must be one of mse, mae, huber.*error='rmse'"),
        (lambda: DistributionLoss("gamma"), "`distribution` must be one of normal.*'gamma'"),
    ],
)
def test_losses_that_there_are_not_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
