"""Parts follow one another in time and leave nothing out; folds roll forward up to the test."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.series.read import Panel, read_series
from kerasseq.data.series.splits import chronological, drop_short, rolling

PARTS = ("train", "validation", "test")


def _panel(*lengths: int) -> Panel:
    frames = [
        pd.DataFrame(
            {
                "series": f"s{i}",
                "day": pd.date_range("2024-01-01", periods=length, freq="D"),
                "y": np.arange(length) ** 2,
            }
        )
        for i, length in enumerate(lengths)
    ]
    return read_series(pd.concat(frames))


@given(
    lengths=st.lists(st.integers(42, 80), min_size=1, max_size=4),
    validation=st.one_of(st.integers(4, 10), st.floats(0.1, 0.3), st.just("2024-01-20")),
    test=st.one_of(st.integers(4, 10), st.floats(0.1, 0.3), st.just(pd.Timestamp("2024-02-01"))),
)
def test_parts_follow_one_another(lengths: list[int], validation: Any, test: Any) -> None:
    split = chronological(_panel(*lengths), validation, test, horizon=4)
    bounds = [split.train, split.validation, split.test, split.end]
    assert np.all(np.diff(bounds, axis=0) >= 4)
    assert np.all(split.train == 0)
    assert split.end.tolist() == lengths
    for part, begin, end in zip((validation, test), bounds[1:], bounds[2:]):
        size = end - begin
        if isinstance(part, int):
            assert np.all(size == part)
        elif isinstance(part, float):
            np.testing.assert_allclose(size, part * np.array(lengths), atol=0.5)
        else:
            assert np.all(begin == (pd.Timestamp(part) - pd.Timestamp("2024-01-01")).days)


def test_without_a_test_part() -> None:
    split = chronological(_panel(50), 0.2, 0)
    assert (split.validation.tolist(), split.test.tolist(), split.end.tolist()) == (
        [40],
        [50],
        [50],
    )


def test_a_part_is_cut_with_its_context() -> None:
    panel = _panel(50, 60)
    split = chronological(panel, 10, 5)
    part, first = split.cut(panel, "validation", context=8)
    assert part.lengths.tolist() == [18, 18]
    assert first.tolist() == [8, 8]
    assert part.targets[1][8, 0] == 45**2
    whole, first = split.cut(panel, "train", context=8)
    assert (whole.lengths.tolist(), first.tolist()) == ([35, 45], [0, 0])


@pytest.mark.parametrize("part", [1.0, -0.1, -3, True, None, "soon"])
@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_part_is_a_share_a_length_or_a_stamp(name: str, part: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a share .* Received: {name}="):
        chronological(_panel(50), **{"validation": 5, "test": 5, name: part})


def test_a_part_too_short_is_named() -> None:
    with pytest.raises(
        ValueError,
        match="series 's1' has 20 steps, from 2024-01-01 to 2024-01-20, of which the train part "
        "gets 5: too few for horizon=6",
    ):
        chronological(_panel(50, 20), 8, 7, horizon=6)
    with pytest.raises(ValueError, match="of which the test part gets 0"):
        chronological(_panel(50), 8, "2025-01-01")
    with pytest.raises(ValueError, match="test cannot begin with a stamp where steps are counted"):
        chronological(read_series(pd.DataFrame({"y": range(50)})), 8, "2024-01-01")


def test_a_share_is_no_less_than_the_horizon() -> None:
    split = chronological(_panel(100), 0.1, 0.2, horizon=12)
    assert [row.tolist() for row in (split.validation, split.test)] == [[68], [80]]


@given(
    lengths=st.lists(st.integers(8, 40), min_size=1, max_size=3),
    parts=st.tuples(*[st.one_of(st.integers(2, 9), st.sampled_from([0.1, 0.3]))] * 2),
    lookback=st.integers(1, 4),
)
def test_the_longest_horizon_that_works_is_told(
    lengths: list[int], parts: tuple[Any, Any], lookback: int
) -> None:
    panel = _panel(*lengths)
    with pytest.raises(ValueError, match="too few for horizon=40, and") as caught:
        chronological(panel, *parts, horizon=40, lookback=lookback)
    found = re.search(r"the longest horizon that works is (\d+)\. Give that,", str(caught.value))
    longest = int(found[1]) if found else 0

    def works(horizon: int) -> bool:
        try:
            split = chronological(panel, *parts, horizon=horizon)
        except ValueError:
            return False
        return bool(np.all(split.validation - split.train >= horizon + lookback))

    assert longest == max((steps for steps in range(1, 40) if works(steps)), default=0)


def test_stamps_go_by_the_time_zone_of_the_series() -> None:
    stamps = pd.date_range("2024-01-01", periods=50, freq="D", tz="Asia/Tokyo")
    panel = read_series(pd.DataFrame({"time": stamps, "y": np.arange(50) ** 2}))
    assert chronological(panel, "2024-02-01", "2024-02-10").validation.tolist() == [31]


@given(
    lengths=st.lists(st.integers(60, 200), min_size=1, max_size=3),
    count=st.integers(2, 6),
    steps=st.one_of(st.none(), st.integers(1, 30)),
)
def test_folds_roll_forward_up_to_the_test_part(
    lengths: list[int], count: int, steps: int | None
) -> None:
    split = chronological(_panel(*lengths), 0.1, 0.2)
    folds = [rolling(split, (k, count), steps) for k in range(count)]
    for fold, following in itertools.pairwise(folds):
        np.testing.assert_array_equal(fold.test, following.validation)
    np.testing.assert_array_equal(folds[-1].test, split.test)
    for fold in folds:
        width = fold.test - fold.validation
        assert np.all(width >= 1)
        assert np.all(fold.validation - fold.train >= width)
        np.testing.assert_array_equal(fold.end, fold.test)  # the test part stays out of it


@pytest.mark.parametrize("fold", [(3, 3), (-1, 3), (0, 1)])
def test_there_are_only_so_many_folds(fold: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="fold must be"):
        rolling(chronological(_panel(50)), fold)


def test_more_folds_than_steps() -> None:
    with pytest.raises(ValueError, match="too few steps for 40 folds"):
        rolling(chronological(_panel(50)), (0, 40))


def test_all_series_that_are_too_short_are_named_or_dropped() -> None:
    lengths = {"a": 100, "b": 5, "c": 90, "d": 3}
    table = pd.DataFrame(
        {"series": np.repeat([*lengths], [*lengths.values()]), "y": np.arange(198.0) ** 2}
    )
    panel = read_series(table)
    with pytest.raises(ValueError, match=r"series 'b' has 5 .* So are 'd': short='drop' leaves"):
        chronological(panel, 10, 10, horizon=4)
    kept = drop_short(panel, 10, 10, horizon=4)
    assert kept.ids == ["a", "c"]
    assert kept.notes[-1] == "2 series are too short for horizon=4 and left out: 'b', 'd'"
    assert len(chronological(kept, 10, 10, horizon=4).end) == 2
    assert drop_short(kept, 10, 10, horizon=4) is kept
    assert drop_short(panel, 100, 100, horizon=4) is panel
