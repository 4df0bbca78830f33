"""Few recordings are split by time, without an overlap of parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import Sequences
from kerasseq.data.sequences.splits import hold_out, make_folds
from kerasseq.data.sequences.time_splits import needs_time
from kerasseq.data.sequences.windows import cut_windows


def _windows(*labels: list[str], window: int = 4, stride: int = 4) -> Sequences:
    """Windows of recordings with a label for each timestep."""
    values = [np.zeros((len(each), 1), np.float32) for each in labels]
    source = Sequences(
        Ragged.join(values),
        [f"r{row}" for row in range(len(labels))],
        [np.array(each, dtype=object) for each in labels],
    )
    return cut_windows(source, window, stride)


def _split(windows: Sequences, fraction: float = 0.25, **how: Any) -> Any:
    return hold_out(
        windows.labels or [], windows.groups, fraction, 0, windows=windows.values, **how
    )


@given(st.integers(0, 99), st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_parts_of_a_recording_follow_each_other_and_do_not_overlap(
    seed: int, window: int, stride: int, count: int
) -> None:
    random = np.random.default_rng(seed)
    # Each recording has classes of its own, in turns.
    labels = [
        np.repeat(random.permutation([f"{row}a", f"{row}b"] * 4), 12).tolist()
        for row in range(count)
    ]
    windows = _windows(*labels, window=window, stride=stride)
    starts, lengths = windows.values.starts, windows.values.lengths
    pairs = [_split(windows), *make_folds(
        windows.labels or [], windows.groups, 3, 0, windows=windows.values
    )]  # fmt: skip
    for keep, held in pairs:
        covered = [{*range(s, s + n)} for s, n in zip(starts, lengths, strict=True)]
        inside = set().union(*(covered[row] for row in held))
        assert all(covered[row].isdisjoint(inside) for row in keep)
        others = {*range(len(windows))} - {*keep, *held}
        assert all(covered[row] & inside for row in others)
        assert len({*keep} & {*held}) == 0
    keep, held = pairs[0]
    for label in {*(windows.labels or [])}:
        of_class = [row for row in range(len(windows)) if (windows.labels or [])[row] == label]
        assert 0 < len({*held} & {*of_class}) <= np.ceil(0.25 * len(of_class))
        last_kept = max(starts[row] for row in keep if row in of_class)
        assert last_kept < min(starts[row] for row in held if row in of_class)
    assert sorted(row for _, fold in pairs[1:] for row in fold) == [*range(len(windows))]


def test_each_recording_gives_its_end() -> None:
    windows = _windows(["a"] * 32, ["b"] * 16)
    keep, held = _split(windows)
    assert (keep.tolist(), held.tolist()) == ([0, 1, 2, 3, 4, 5, 8, 9, 10], [6, 7, 11])


def test_numbers_are_split_by_time_too() -> None:
    windows = _windows([str(step) for step in range(32)])
    keep, held = _split(windows, numeric=True)
    assert (keep.tolist(), held.tolist()) == ([*range(6)], [6, 7])
    assert not needs_time(list("abcd"), list("1122"), 2, numeric=True)


def test_recordings_are_held_out_as_a_whole_where_they_suffice() -> None:
    windows = _windows(*[["a"] * 8 + ["b"] * 8] * 3)
    keep, held = _split(windows)
    groups = windows.groups or []
    assert {groups[row] for row in keep}.isdisjoint(groups[row] for row in held)
    assert len(keep) + len(held) == len(windows)
    with pytest.raises(ValueError, match="belong to the only group, 'x'"):
        hold_out(["a", "b"] * 5, ["x"] * 10, 0.2, 0)  # a subject, of which no part is held out


def test_too_few_windows_are_one_sentence() -> None:
    match = "too few windows of class 'b' to split the recording by time.*smaller window="
    with pytest.raises(ValueError, match=match):
        _split(_windows(["a"] * 40 + ["b"] * 8, window=6, stride=1), 0.4)
    with pytest.raises(ValueError, match=r"too few windows of class 'a', 'b' beside .* smaller"):
        _split(_windows(["a"] * 4 + ["b"] * 4), among=" beside the test part")
