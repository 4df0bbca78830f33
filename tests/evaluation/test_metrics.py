"""Scores are scikit-learn's, and their intervals hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from kerasseq.evaluation import metrics


def _drawn(seed: int, rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.7), rows)
    truth = np.array([random.choice(classes, p=row) for row in probabilities])
    return truth, probabilities


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 6))
def test_values_are_those_of_scikit_learn(seed: int, rows: int, classes: int) -> None:
    truth, probabilities = _drawn(seed, rows, classes)
    predicted = probabilities.argmax(axis=1)
    score = metrics.classification(truth, probabilities, resamples=0)
    assert score.values["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    f1 = f1_score(truth, predicted, average="macro", zero_division=0)
    assert score.values["macro_f1"] == pytest.approx(f1)
    loss = log_loss(truth, probabilities, labels=range(classes))
    assert score.values["log_loss"] == pytest.approx(loss)
    assert (
        score.details["confusion"]
        == confusion_matrix(truth, predicted, labels=range(classes)).tolist()
    )
    assert score.samples == {}


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(2, 5))
def test_a_resample_is_scored_as_the_rows_it_is_made_of(seed: int, rows: int, classes: int) -> None:
    truth, probabilities = _drawn(seed, rows, classes)
    score = metrics.classification(truth, probabilities, resamples=3, seed=seed)
    random = np.random.default_rng(seed)
    for number in range(3):
        drawn = random.integers(0, rows, rows)
        again = metrics.classification(truth[drawn], probabilities[drawn], resamples=0)
        for name, value in again.values.items():
            assert score.samples[name][number] == pytest.approx(value, abs=1e-12), name


def test_calibration_error_of_known_bins() -> None:
    # Four rows at .9, of which two are right; six at .6, of which all are.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 6)
    truth = np.array([0, 0, 1, 1] + [0] * 6)
    expected = 0.4 * abs(0.9 - 0.5) + 0.6 * abs(0.6 - 1.0)
    assert metrics.calibration_error(truth, probabilities) == pytest.approx(expected)
    bins = metrics.reliability(truth, probabilities)
    assert bins["rows"] == [6, 4]
    assert bins["accuracy"] == [1.0, 0.5]
    np.testing.assert_allclose(bins["confidence"], [0.6, 0.9])


def test_full_confidence_is_in_the_last_bin() -> None:
    bins = metrics.reliability(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]), bins=10)
    assert bins == {"rows": [2], "confidence": [1.0], "accuracy": [1.0]}


def test_intervals_are_as_wide_as_theory_has_them() -> None:
    truth, probabilities = _drawn(3, 2000, 2)
    score = metrics.classification(truth, probabilities)
    low, high = score.interval()["accuracy"]
    accuracy = score.values["accuracy"]
    expected = 2 * 1.96 * np.sqrt(accuracy * (1 - accuracy) / 2000)
    assert low < accuracy < high
    assert high - low == pytest.approx(expected, rel=0.1)


def test_intervals_cover_what_they_estimate() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        values = random.normal(size=80)
        found = metrics.bootstrap(
            lambda drawn, values=values: {"mean": float(drawn @ values / 80)}, 80, 300, seed
        )
        low, high = metrics.Score({}, found).interval()["mean"]
        covered += low < 0 < high
    assert 86 <= covered <= 100


def test_equal_seeds_give_equal_resamples() -> None:
    truth, probabilities = _drawn(1, 50, 3)
    one, two, other = (
        metrics.classification(truth, probabilities, resamples=20, seed=seed) for seed in (5, 5, 6)
    )
    for name in one.samples:
        np.testing.assert_array_equal(one.samples[name], two.samples[name])
    assert not np.array_equal(one.samples["log_loss"], other.samples["log_loss"])


def test_a_score_is_level_with_itself() -> None:
    score = metrics.classification(*_drawn(1, 50, 2))
    found = metrics.compare(score, score, "accuracy")
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    assert found.outcome == "is level with"


def test_without_resamples_there_is_an_order_and_no_interval() -> None:
    truth, probabilities = _drawn(1, 50, 2)
    good = metrics.classification(truth, probabilities, resamples=0)
    poor = metrics.classification(truth, np.full_like(probabilities, 0.5))
    found = metrics.compare(good, poor, "log_loss", higher_is_better=False)
    back = metrics.compare(poor, good, "log_loss", higher_is_better=False)
    assert (found.outcome, back.outcome) == ("is ahead of", "is behind")
    assert not found.certain
    assert np.isnan([found.low, found.high]).all()
    assert found.difference == -back.difference > 0
    assert metrics.compare(good, good, "log_loss").outcome == "is level with"


@pytest.mark.parametrize(("metric", "higher_is_better"), [("accuracy", True), ("log_loss", False)])
def test_better_predictions_beat_worse_ones(metric: str, higher_is_better: bool) -> None:
    truth, probabilities = _drawn(1, 500, 2)
    good = metrics.classification(truth, probabilities)
    poor = metrics.classification(truth, np.full_like(probabilities, 0.5))
    found = metrics.compare(good, poor, metric, higher_is_better=higher_is_better)
    assert found.outcome == "beats"
    assert found.low > 0
    back = metrics.compare(poor, good, metric, higher_is_better=higher_is_better)
    assert back.outcome == "loses to"
    assert back.difference == pytest.approx(-found.difference)


@pytest.mark.parametrize("shape", [(0, 2), (3, 2), (4,)])
def test_shapes_that_do_not_agree_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received"):
        metrics.classification(np.zeros(4 if shape[0] else 0, int), np.ones(shape) / 2)
