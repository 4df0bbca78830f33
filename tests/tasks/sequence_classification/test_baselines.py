"""Baselines of sequence classification agree with their definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.reader import SequenceReader
from kerasseq.data.sequences.recordings import Sequences
from kerasseq.tasks.sequence_classification import baselines


def _warped_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Dynamic time warping without a limit, by the recurrence of Sakoe and Chiba."""
    cost = np.full((len(one) + 1, len(two) + 1), np.inf)
    cost[0, 0] = 0
    for i, a in enumerate(one, 1):
        for j, b in enumerate(two, 1):
            before = min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
            cost[i, j] = ((a - b) ** 2).sum() + before
    return float(np.sqrt(cost[-1, -1]))


@given(st.integers(0, 100))
def test_the_nearest_neighbour_is_that_of_the_recurrence(seed: int) -> None:
    random = np.random.default_rng(seed)
    known, new = ([random.normal(size=(n, 2)) for n in random.integers(2, 6, 4)] for _ in "ab")
    nearest = baselines.nearest(known, new)
    for sequence, number in zip(new, nearest):
        distances = [_warped_distance(sequence, other) for other in known]
        # Within the band of so short sequences almost every path is allowed.
        assert distances[number] <= min(distances) * 1.3 + 1e-9


def test_speed_does_not_matter_to_the_nearest_neighbour() -> None:
    shapes = [np.sin(np.linspace(0, turns, 40))[:, None] for turns in (3, 6, 9)]
    slow = [np.repeat(shape, 2, axis=0) for shape in shapes]
    assert baselines.nearest(shapes, slow).tolist() == [0, 1, 2]


def test_long_sequences_are_averaged_first() -> None:
    long = [np.full((5000, 1), level) for level in (0.0, 1.0)]
    assert baselines.nearest(long, [np.full((4000, 1), 0.9)]).tolist() == [1]


def test_statistics_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=(9, 2))
    row = baselines.statistics([values])[0].reshape(-1)
    np.testing.assert_allclose(row[:2], values.mean(axis=0))
    np.testing.assert_allclose(row[2:4], values.std(axis=0))
    np.testing.assert_allclose(row[8:10], np.median(values, axis=0))
    assert np.isfinite(baselines.statistics([values[:1]])).all()


def test_too_many_sequences_are_cut_to_some_of_each_class() -> None:
    values = [np.full((4, 1), row % 3, np.float32) for row in range(90)]
    labels = ["abc"[row % 3] for row in range(90)]
    source = Sequences(Ragged.join(values), [str(row) for row in range(90)], labels)
    reader = SequenceReader.fit(source.values, classes=list("abc"))
    few = source.take(np.arange(3))
    original = baselines.MOST_DIFFERENCES
    try:
        baselines.MOST_DIFFERENCES = 3 * 16 * 0.4 * 12
        answers = baselines.predictions(reader, source, few)
    finally:
        baselines.MOST_DIFFERENCES = original
    name = "1-NN, time warping (12 training sequences)"
    assert [*answers] == ["majority", name, "statistics + logistic regression"]
    assert answers[name].argmax(axis=1).tolist() == [0, 1, 2]
