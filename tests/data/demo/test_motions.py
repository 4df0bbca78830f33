"""The demo motions are the same for everybody, and need an eye for time."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kerasseq.data.demo.motions import CHANNELS, RATE, demo_motions


def test_they_are_always_the_same() -> None:
    (first, *labels), (second, *others) = demo_motions(), demo_motions()
    assert labels == others
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_they_have_unequal_lengths_and_twelve_channels_of_finite_metres() -> None:
    sequences, _, _ = demo_motions()
    lengths = [len(sequence) for sequence in sequences]
    assert min(lengths) >= 1.6 * RATE
    assert max(lengths) <= 3 * RATE
    assert len({*lengths}) > 10
    assert {sequence.shape[1] for sequence in sequences} == {len(CHANNELS)}
    assert {sequence.dtype.name for sequence in sequences} == {"float32"}
    assert all(np.abs(sequence).max() < 15 for sequence in sequences)


def test_every_subject_makes_every_motion_as_often() -> None:
    _, motions, subjects = demo_motions()
    counts = Counter(zip(subjects, motions, strict=True))
    assert len(counts) == len({*subjects}) * len({*motions})
    assert {*counts.values()} == {3}


def test_hands_clap_together_and_swing_in_turn() -> None:
    sequences, motions, _ = demo_motions()
    left, right = CHANNELS.index("left hand x"), CHANNELS.index("right hand x")
    correlations: dict[str, list[float]] = {"clap": [], "swing": []}
    for sequence, motion in zip(sequences, motions, strict=True):
        if motion in correlations:
            moving = sequence[RATE:]  # after the hands are raised
            pair = np.corrcoef(moving[:, left], moving[:, right])
            correlations[motion].append(pair[0, 1])
    assert np.mean(correlations["clap"]) < -0.5
    assert np.mean(correlations["swing"]) > 0.5


def test_sitting_down_ends_low_and_standing_up_begins_low() -> None:
    sequences, motions, _ = demo_motions()
    head = CHANNELS.index("head y")
    for sequence, motion in zip(sequences, motions, strict=True):
        change = sequence[-3:, head].mean() - sequence[:3, head].mean()
        if motion == "sit down":
            assert change < -0.1
        if motion == "stand up":
            assert change > 0.1
