"""Scores of predicted numbers agree with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from kerasseq.evaluation.regression_metrics import regression


@given(st.integers(0, 1000), st.integers(2, 30))
def test_scores_are_those_of_scikit_learn(seed: int, rows: int) -> None:
    truth, predicted = np.random.default_rng(seed).normal(size=(2, rows))
    values = regression(truth, predicted, resamples=0).values
    assert values["r2"] == pytest.approx(r2_score(truth, predicted))
    assert values["mean_absolute_error"] == pytest.approx(mean_absolute_error(truth, predicted))
    expected = root_mean_squared_error(truth, predicted)
    assert values["root_mean_squared_error"] == pytest.approx(expected)


def test_intervals_hold_the_scores_and_examples_are_kept() -> None:
    truth = np.arange(50.0)
    score = regression(truth, truth + np.sin(truth))
    for name, (low, high) in score.interval().items():
        assert low <= score.values[name] <= high
    assert score.details["examples"]["truth"] == truth.tolist()


def test_equal_targets_have_a_score() -> None:
    assert regression(np.ones(3), np.ones(3), resamples=0).values["r2"] == 1
    assert regression(np.ones(3), np.zeros(3), resamples=0).values["r2"] == 0


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        regression(np.ones(3), np.ones(2))
