"""Exponential smoothing follows the equations of the books, for many columns at a time."""

from __future__ import annotations

import numpy as np
import pytest

from kerasseq.tasks.forecasting import smoothing
from kerasseq.tasks.forecasting.smoothing import Rates, Start

RANDOM = np.random.default_rng(0)


def _by_hand(
    values: np.ndarray,
    level: float,
    trend: float,
    season: list[float],
    rates: list[float],
    multiplicative: bool,
) -> tuple[float, list[float]]:
    """The sum of squared errors and the next six forecasts, value by value, of one series.

    Holt and Winters' equations with weights, not with errors as they are computed.
    """  # fmt: skip
    alpha, beta, damping, gamma = rates
    season, squares = list(season), 0.0
    for value in values:
        index = season.pop(0)
        base = level + damping * trend
        forecast = base * index if multiplicative else base + index
        if np.isnan(value):
            value = forecast
        squares += (value - forecast) ** 2
        plain = value / index if multiplicative else value - index
        new = alpha * plain + (1 - alpha) * base
        trend = damping * trend + (beta / alpha) * (new - base)
        again = value / base if multiplicative else value - base
        season.append(gamma * again + (1 - gamma) * index)
        level = new
    ahead, base, factor = [], level, 1.0
    for step in range(6):
        factor *= damping
        base += factor * trend
        index = season[step % len(season)]
        ahead.append(base * index if multiplicative else base + index)
    return squares, ahead


@pytest.mark.parametrize("multiplicative", [False, True])
def test_states_and_forecasts_are_those_of_holt_and_winters(multiplicative: bool) -> None:
    values = RANDOM.uniform(5, 9, size=(11, 2))
    values[4, 1] = np.nan
    season = RANDOM.uniform(0.8, 1.2, size=(4, 2))
    begin = Start(np.array([6.0, 7.0]), np.array([0.1, -0.2]), season, multiplicative)
    rates = Rates(*np.array([[0.5, 0.3], [0.1, 0.2], [0.9, 1.0], [0.3, 0.05]]))
    smoothed = smoothing.smooth(values, begin, rates)
    squares = smoothing.squares(
        values, begin, Rates(*(getattr(rates, name)[None] for name in vars(rates))), np.full(2, 11)
    )
    for steps in (0, 3, 11):
        found = smoothed.forecast(np.array([steps, steps]), np.array([0, 1]), 6)
        for column in (0, 1):
            own = [getattr(rates, name)[column] for name in vars(rates)]
            begins = (begin.level[column], begin.trend[column], list(season[:, column]))
            sum_of_squares, ahead = _by_hand(values[:steps, column], *begins, own, multiplicative)
            np.testing.assert_allclose(found[column], ahead)
            if steps == 11:
                np.testing.assert_allclose(squares[0, column], sum_of_squares)


def test_errors_after_the_known_steps_do_not_count() -> None:
    values = RANDOM.normal(size=(9, 2))
    begin = Start(np.zeros(2), np.zeros(2), np.zeros((1, 2)))
    rates = Rates(np.array([[0.5]]), *np.zeros((3, 1, 1)))
    whole = smoothing.squares(values, begin, rates, np.array([5, 9]))
    values[5:, 0] = 99.0
    np.testing.assert_array_equal(smoothing.squares(values, begin, rates, np.array([5, 9])), whole)


@pytest.mark.parametrize("multiplicative", [False, True])
def test_a_line_with_a_season_is_started_exactly(multiplicative: bool) -> None:
    steps, season = np.arange(1.0, 13.0), np.tile([0.8, 1.0, 1.1, 1.1], 3)
    line = 10 + 2 * steps
    values = (line * season if multiplicative else line + season)[:, None]
    begin = smoothing.start(values, np.array([12]), 4, multiplicative)
    zero = np.zeros(1)
    found = smoothing.smooth(values, begin, Rates(zero, zero, zero + 1, zero))
    ahead = found.forecast(np.array([0]), np.array([0]), 12)
    # The mean of a season of products is not that of the line, nearly.
    np.testing.assert_allclose(ahead[0], values[:, 0], rtol=0.05 if multiplicative else 1e-9)


def test_a_start_uses_the_known_steps_alone() -> None:
    values = RANDOM.uniform(1, 2, size=(40, 2))
    known = np.array([9, 40])
    for season in (1, 4):
        before = smoothing.start(values, known, season, False)
        changed = values.copy()
        changed[9:, 0] = 99.0
        after = smoothing.start(changed, known, season, False)
        assert before.level[0] == after.level[0]
        np.testing.assert_array_equal(before.season[:, 0], after.season[:, 0])
