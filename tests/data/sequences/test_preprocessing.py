"""Resampling, gaps, windows, splits and scaling of sequences."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kerasseq.data.sequences.filling import fill_gaps, observed_share
from kerasseq.data.sequences.precision import float_type
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.read import Reading, read_sequences
from kerasseq.data.sequences.reader import SequenceReader
from kerasseq.data.sequences.recordings import Recording, Sequences, assemble
from kerasseq.data.sequences.resampling import resampled
from kerasseq.data.sequences.skeletons import body_coordinates, skeleton
from kerasseq.data.sequences.splits import group_rows, hold_out, make_folds
from kerasseq.data.sequences.windows import cut_windows
from kerasseq.training import Batches


def _sequences(values: list[np.ndarray], **fields: Any) -> Sequences:
    names = [str(row) for row in range(len(values))]
    return Sequences(Ragged.join(values), names, faults=[""] * len(values), **fields)


# Resampling


@given(st.integers(2, 40), st.floats(1, 50), st.floats(1, 50))
def test_a_constant_stays_constant_at_any_rate(steps: int, rate: float, target: float) -> None:
    values = np.full((steps, 2), 3.0, np.float32)
    result = resampled(values, rate, target)
    np.testing.assert_allclose(result, 3.0, rtol=1e-6)
    assert abs(len(result) - steps * target / rate) <= max(1, target / rate)


def test_fast_oscillations_do_not_become_slow_ones() -> None:
    time = np.arange(1000) / 100
    fast = np.sin(2 * np.pi * 24 * time)[:, None].astype(np.float32)
    assert np.abs(resampled(fast, 100, 25)).max() < 0.25  # every fourth value would reach 1
    slow = np.sin(2 * np.pi * 0.5 * time)[:, None].astype(np.float32)
    expected = np.sin(2 * np.pi * 0.5 * (np.arange(250) / 25 + 0.015))
    np.testing.assert_allclose(resampled(slow, 100, 25)[:, 0], expected, atol=1e-3)


def test_missing_values_count_for_nothing() -> None:
    values = np.array([[1.0], [np.nan], [np.nan], [np.nan]], np.float32)
    np.testing.assert_array_equal(resampled(values, 2, 1), [[1.0], [np.nan]])


# Gaps


def test_gaps_are_interpolated_and_ends_repeated() -> None:
    gap = np.nan
    values = np.array([[gap, gap], [2, gap], [gap, gap], [6, gap], [gap, gap]], np.float32)
    expected = [[2, 7], [2, 7], [4, 7], [6, 7], [6, 7]]
    np.testing.assert_array_equal(fill_gaps(values, np.array([0, 7])), expected)
    assert observed_share(values) == pytest.approx(0.2)


def test_nothing_missing_is_no_copy() -> None:
    values = np.ones((3, 2))
    assert fill_gaps(values, np.zeros(2)) is values


# Windows


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 12))
def test_windows_are_views_that_stay_inside(steps: int, window: int, stride: int) -> None:
    values = np.arange(steps, dtype=np.float32)[:, None]
    source = _sequences([values, values + 100], labels=["a", "b"])
    cut = cut_windows(source, window, stride)
    assert cut.values.values is source.values.values
    size = min(window, steps)
    for name, label, group, x in zip(cut.names, cut.labels or [], cut.groups or [], cut.values):
        row, begin = int(name[0]), int(name[2:].split(":")[0])
        assert (label, group) == ("ab"[row], str(row))
        np.testing.assert_array_equal(x[:, 0], np.arange(begin, begin + size) + 100 * row)
    assert len(cut) == 2 * max(1, (steps - window) // stride + 1)


@pytest.mark.parametrize(
    ("labels", "numeric", "expected"),
    [
        ([1.5, 2.0, 4.0, 2.0], None, [1.75, 3.0]),
        ([1, 2, 4, 2], None, [1, 4]),
        ([1, 2, 4, 2], True, [1.5, 3.0]),
        ([1.5, 2.0, 4.0, 2.0], False, [1.5, 4.0]),
        ([1.5, None, None, None], None, [1.5]),
        ([1.5, "no number", 4.0, 2.0], True, ["no number", 3.0]),
    ],
)
def test_a_window_of_numbers_has_their_mean(
    labels: list[object], numeric: bool | None, expected: list[object]
) -> None:
    source = _sequences([np.zeros((4, 1))], labels=[np.array(labels, dtype=object)])
    assert cut_windows(source, 2, None, numeric).labels == expected


def test_a_window_has_the_most_frequent_label() -> None:
    labels = [np.array(["a", "a", "b", None, "b", "b", None, None], dtype=object)]
    cut = cut_windows(_sequences([np.zeros((8, 1))], labels=labels), 3, 3)
    assert cut.labels == ["a", "b"]
    cut = cut_windows(_sequences([np.zeros((8, 1))], labels=labels), 2, 2)
    assert cut.labels == ["a", "b", "b"]
    assert "left out: 1 windows without a label" in cut.notes


# Splits


@given(st.integers(0, 5), st.integers(3, 8))
def test_a_group_is_never_on_both_sides(seed: int, groups: int) -> None:
    names = [str(row % groups) for row in range(40)]
    labels = [f"{row // 4 % 3}" for row in range(40)]
    pairs = [hold_out(labels, names, 0.3, seed), *make_folds(labels, names, 3, seed)]
    for keep, held in pairs:
        assert {names[i] for i in keep}.isdisjoint(names[i] for i in held)
        assert sorted([*keep, *held]) == list(range(40))
        assert 0 < len(held) < 30


def test_a_constant_group_is_refused() -> None:
    match = r"belong to the only group, 'x', .* name another column by groups=, or leave"
    with pytest.raises(ValueError, match=match):
        hold_out(["a", "b"] * 5, ["x"] * 10, 0.2, 0)


def test_groups_to_score_on() -> None:
    keep, held = group_rows(["1", "2", "1", "3"], ["1"])
    assert group_rows(["1", "2", "1", "3"], [1])[1].tolist() == [0, 2]
    assert (keep.tolist(), held.tolist()) == ([1, 3], [0, 2])
    for groups, chosen in (
        (["1", "2"], ["3"]),
        (["1", "1"], ["1"]),
        (["1", "2"], []),
        (None, ["1"]),
    ):
        with pytest.raises(ValueError, match=r"test_groups must name some of the groups"):
            group_rows(groups, chosen)


def test_a_class_with_one_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="one sequence alone of class 'b', and at least 2"):
        hold_out(["a"] * 9 + ["b"], None, 0.2, 0)


def test_numbers_are_split_at_random() -> None:
    keep, held = hold_out(list(np.arange(20.0)), None, 0.2, 0, numeric=True)
    assert (len(keep), len(held)) == (16, 4)


# Scaling and batches

_FLOATS = st.floats(-100, 100, width=32)


@given(
    st.lists(
        arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(2)), elements=_FLOATS),
        min_size=1,
        max_size=5,
    )
)
def test_scaling_is_by_mean_and_deviation_of_the_training_part(values: list[np.ndarray]) -> None:
    every = np.concatenate(values).astype(np.float64)
    reader = SequenceReader.fit(Ragged.join(values))
    np.testing.assert_allclose(reader.mean, every.mean(axis=0), atol=1e-3)
    deviation = every.std(axis=0)
    constant = deviation < 1e-5 * np.maximum(np.abs(every.mean(axis=0)), 1e-3)
    np.testing.assert_allclose(
        reader.deviation[~constant], deviation[~constant], rtol=1e-3, atol=1e-4
    )
    assert np.isfinite(reader.scaled(values[0])).all()


def test_differences_and_own_means_are_channels_of_the_scaled_sequence() -> None:
    values = [np.array([[1.0], [3.0], [8.0]], np.float32), np.array([[2.0], [2.0]], np.float32)]
    reader = SequenceReader.fit(Ragged.join(values), differences=True)
    steps = np.array([2.0, 5.0, 0.0]).std()
    np.testing.assert_allclose(reader.scaled(values[0])[:, 1], np.array([0, 2, 5]) / steps)
    assert reader.width == 2
    centred = SequenceReader.fit(Ragged.join(values), normalize="sequence")
    np.testing.assert_allclose(centred.scaled(values[0]), centred.scaled(values[0] + 50), atol=1e-5)


@given(st.integers(0, 99), st.sampled_from([1e5, 5e6, 1e9, 1.7e12]))
def test_a_large_offset_takes_no_change_from_the_scaled_sequence(seed: int, offset: float) -> None:
    random = np.random.default_rng(seed)
    plain = [np.round(random.normal(0, 2, (n, 2)), 2) for n in (3, 9, 30)]
    moved = [np.add(x, (0.0, offset)) for x in plain]
    expected, reader = (
        SequenceReader.fit(
            read_sequences(data, Reading(label=list("aba"))).values, differences=True
        )
        for data in (plain, moved)
    )
    new = read_sequences(moved, Reading(learn=False, shape=(2,), dtype=reader.mean.dtype))
    for original, sequence in zip(plain, new.values, strict=True):
        scaled = reader.scaled(sequence)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled, expected.scaled(original), atol=0.01)


def test_ordinary_numbers_are_float32() -> None:
    steps = np.arange(10.0)[:, None]
    for values in (
        steps,
        np.sin(steps / 100) + 100,
        np.full((9, 1), 0.1),
        steps.astype(int) + 2**30,
    ):
        for data in ([values] * 3, np.stack([values] * 3)):
            kept = read_sequences(data, Reading(label=list("aba"))).values.values.dtype
            assert kept == (np.float64 if values.max() > 1e6 else np.float32)
    levels = [np.full((5, 1), 1e9 + row) for row in range(3)]  # constant within each sequence
    assert float_type(levels) == np.float64
    rare = np.repeat([0.0, 1.0], 10**5)[:, None]  # the mean change of all timesteps is small
    assert float_type([rare, np.full((4, 1), np.nan)]) == np.float32


def test_frames_become_numbers_up_to_one() -> None:
    frames = np.full((2, 4, 4, 3), 255, np.uint8)
    reader = SequenceReader.fit(Ragged.join([frames]))
    assert reader.scaled(frames).max() == 1


def test_batches_are_padded_to_similar_lengths_alone() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 100, 64)
    values = [np.full((n, 2), n, np.float32) for n in lengths]
    source = _sequences(values, labels=["a", "b"] * 32)
    reader = SequenceReader.fit(source.values, classes=["a", "b"])
    examples = reader.examples(source, source.labels, np.arange(64, dtype=np.float32))
    seen = []
    for inputs, targets, weights in Batches(examples, 8, seed=1):
        padded, sizes = inputs["sequences"], inputs["lengths"]
        assert padded.shape[1] <= max(8, 1.5 * sizes.max())
        for row, size in enumerate(sizes):
            assert (padded[row, size:] == 0).all()
            expected = reader.scaled(np.full((size, 2), size, np.float32))
            np.testing.assert_array_equal(padded[row, :size], expected)
        assert targets.shape == (len(sizes), 1)
        seen += weights.astype(int).tolist()
        assert all(lengths[int(w)] == size for w, size in zip(weights, sizes))
    assert sorted(seen) == list(range(64))


# Skeletons


def test_place_and_size_of_a_body_do_not_matter() -> None:
    positions = np.random.default_rng(0).normal(size=(5, 20, 3))
    expected = body_coordinates(positions)
    np.testing.assert_allclose(body_coordinates(3 * positions + 7), expected, atol=1e-5)
    hip = expected.reshape(5, 20, 3)[:, 6]
    np.testing.assert_array_equal(hip[0], 0)
    path = positions[:, 6] - positions[0, 6]
    ratio = hip[1:] / path[1:]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-4)


def test_rows_of_joints_become_frames() -> None:
    rows = np.arange(24.0).reshape(6, 4) + 1
    assert skeleton(rows, 3).shape == (2, 9)
    unseen = np.where(np.arange(6)[:, None] == 4, 0, rows)
    assert np.isnan(skeleton(unseen, 3)[1]).any()
    for bad, match in ((rows[:5], "5 rows are not a multiple"), (rows[:, :2], "has 2 numbers")):
        with pytest.raises(ValueError, match=match):
            skeleton(bad, 3)


def test_a_rate_that_fills_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at 1e\+12 timesteps per second"):
        resampled(np.ones((5, 2), np.float32), 1, 1e12)


def _at_rates(rates: list[float]) -> Any:
    recordings = [
        Recording(str(row), np.ones((40, 1)), label="a", rate=rate)
        for row, rate in enumerate(rates)
    ]
    return assemble(recordings, "data", learn=True)


def test_clocks_that_drift_have_one_note() -> None:
    drifting = np.random.default_rng(0).uniform(47.5, 52.5, 60).tolist()
    source = _at_rates(drifting)
    assert source.rate == pytest.approx(50, abs=1)
    (note,) = source.notes
    assert re.fullmatch(r"\d+ and \d\d more: resampled from 47.\d\d-52.\d\d to [\d.]+ .*", note)
    assert _at_rates([100.0, 25.0, 100.0, 50.0]).rate == 100  # most
    assert _at_rates([25.0, 100.0, 50.0]).rate == 50  # none repeats: the median
    assert _at_rates([20.0, 40.0, 40.0]).notes == [
        "0: resampled from 20 to 40 timesteps per second"
    ]


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.35, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("numeric", [False, True])
def test_a_part_has_its_share(fraction: float, numeric: bool) -> None:
    labels = list(range(200)) if numeric else list("ab" * 100)
    groups = [f"g{row // 5}" for row in range(200)]
    for chosen in (groups, None):
        keep, held = hold_out(labels, chosen, fraction, 0, numeric=numeric)
        assert sorted([*keep, *held]) == list(range(200))
        assert len(held) == pytest.approx(200 * fraction, abs=5 if chosen else 0.5)
        if chosen:
            assert {groups[row] for row in keep}.isdisjoint(groups[row] for row in held)


@pytest.mark.parametrize("fraction", [0.35, 0.6, 0.9])
def test_a_large_part_of_groups_of_one_class_each_leaves_some_of_each_class(
    fraction: float,
) -> None:
    groups = [str(row // 6) for row in range(72)]
    labels = ["abc"[row // 6 % 3] for row in range(72)]
    keep, held = hold_out(labels, groups, fraction, 0)
    assert {labels[row] for row in keep} == {labels[row] for row in held} == set("abc")
    assert len(held) == pytest.approx(72 * min(fraction, 0.75), abs=9)


@pytest.mark.parametrize("fraction", [0.2, 0.25])
def test_a_part_of_one_in_several_is_a_fold(fraction: float) -> None:
    labels, groups = np.arange(43.0).tolist(), [str(row // 3) for row in range(43)]
    folds = round(1 / fraction)
    for chosen in (groups, None):
        expected = make_folds(labels, chosen, folds, 3, numeric=True)[0]
        part = hold_out(labels, chosen, fraction, 3, numeric=True)
        assert all(map(np.array_equal, part, expected))
