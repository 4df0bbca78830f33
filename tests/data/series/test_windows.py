"""Windows are what slices of the series are, and see nothing that they should not."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import windows as benchmark
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.read import read_series
from kerasseq.data.series.splits import chronological
from kerasseq.data.series.windows import Windows, latest_inputs

ROOT = Path(__file__).parents[2]


def _panel(
    *lengths: int, targets: int = 2, past: int = 0, future: int = 0, ahead: int = 0, static: int = 0
) -> Panel:
    """Series of numbers that say where they stand: series, column and row."""

    def numbers(base: int, steps: int, columns: int) -> list[np.ndarray]:
        return [
            base + 1e4 * i + 1e3 * np.arange(columns) + np.arange(length + steps)[:, None]
            for i, length in enumerate(lengths)
        ]

    return Panel(
        ids=[f"s{i}" for i in range(len(lengths))] if len(lengths) > 1 else [""],
        stamps=[pd.date_range("2024-01-01", periods=length, freq="D") for length in lengths],
        frequency="D",
        season=7,
        targets=numbers(0, 0, targets),
        past=numbers(100_000, 0, past),
        future=numbers(200_000, ahead, future),
        static=np.arange(len(lengths) * static, dtype=float).reshape(len(lengths), static),
        names={
            "targets": [f"y{i}" for i in range(targets)],
            "past": [f"p{i}" for i in range(past)],
            "future": [f"f{i}" for i in range(future)],
            "static": [f"s{i}" for i in range(static)],
        },
    )


def _expected(
    panel: Panel, lookback: int, horizon: int, stride: int, first: list[int], last: list[int]
) -> list[tuple[int, int]]:
    """Series and origin of each window, by the book."""
    return [
        (i, origin)
        for i in range(len(panel))
        for origin in range(max(first[i], lookback), last[i] - horizon + 1, stride)
    ]


@given(
    lengths=st.lists(st.integers(20, 40), min_size=1, max_size=4),
    lookback=st.integers(1, 9),
    horizon=st.integers(1, 5),
    stride=st.integers(1, 4),
    columns=st.tuples(*[st.integers(0, 2)] * 3),
    data=st.data(),
)
def test_windows_are_slices(
    lengths: list[int],
    lookback: int,
    horizon: int,
    stride: int,
    columns: tuple[int, int, int],
    data: st.DataObject,
) -> None:
    past, future, static = columns
    panel = _panel(*lengths, past=past, future=future, ahead=3, static=static)
    first = [data.draw(st.integers(0, 12)) for _ in lengths]
    last = [data.draw(st.integers(18, length)) for length in lengths]
    windows = Windows(
        panel, lookback, horizon, stride, first=first, last=last, series=True, dtype="float64"
    )
    places = _expected(panel, lookback, horizon, stride, first, last)
    assert len(windows) == len(places)
    rows = data.draw(st.lists(st.integers(0, len(places) - 1), min_size=1, max_size=5))
    inputs, targets = windows.batch(np.array(rows))
    names = {"history", "series"}
    names |= {"past"} if past + future else set()
    names |= {"future"} if future else set()
    names |= {"static"} if static else set()
    assert inputs.keys() == names
    for row, (i, origin) in enumerate(places[n] for n in rows):
        before, after = slice(origin - lookback, origin), slice(origin, origin + horizon)
        np.testing.assert_array_equal(inputs["history"][row], panel.targets[i][before])
        np.testing.assert_array_equal(targets[row], panel.targets[i][after])
        assert inputs["series"][row] == i
        if past + future:
            known = np.concatenate([panel.past[i][before], panel.future[i][before]], axis=1)
            np.testing.assert_array_equal(inputs["past"][row], known)
        if future:
            np.testing.assert_array_equal(inputs["future"][row], panel.future[i][after])
        if static:
            np.testing.assert_array_equal(inputs["static"][row], panel.static[i])


def test_inputs_are_float32_and_numbers_of_series_int32() -> None:
    panel = _panel(30, 30, past=1, future=1, static=1)
    panel.targets[0][3] = np.nan
    inputs, targets = Windows(panel, 4, 2, series=True).batch(np.arange(3))
    kinds = {name: values.dtype for name, values in inputs.items()}
    assert kinds.pop("series") == np.int32
    assert set(kinds) == {"history", "observed", "past", "future", "static"}
    assert set(kinds.values()) == {targets.dtype} == {np.dtype("float32")}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_no_part_sees_what_comes_after_it(part: str) -> None:
    panel = _panel(60, 80, past=2, future=1)
    split = chronological(panel, 10, 0.25)
    first, last = split.rows(part)
    marked = _panel(60, 80, past=2, future=1)
    for i, end in enumerate(last):
        marked.targets[i][end:] = 1e9
        marked.past[i][end:] = 1e9
        marked.future[i][end:] = 1e9
    windows = Windows(marked, 8, 4, first=first, last=last)
    inputs, targets = windows.batch(np.arange(len(windows)))
    for values in (*inputs.values(), targets):
        assert values.max() < 1e9
    # And nothing that the part has is left out: its last row is a target.
    series, _ = windows.places(np.arange(len(windows)))
    for i, end in enumerate(last):
        assert targets[series == i].max() == np.float32(panel.targets[i][end - 1].max())


def test_only_the_targets_of_a_part_are_its_own() -> None:
    panel = _panel(60)
    split = chronological(panel, 10, 15)
    whole = Windows(panel, 8, 4)
    seen = {}
    for part in ("train", "validation", "test"):
        windows = whole.part(*split.rows(part))
        inputs, targets = windows.batch(np.arange(len(windows)))
        seen[part] = set(targets[..., 0].ravel().tolist())
        context = windows.inputs(np.zeros(1, int), split.rows(part)[0] + 8 * (part == "train"))
        assert inputs["history"][0].tolist() == context["history"][0].tolist()
    assert seen["train"] == set(range(8, 35))
    assert seen["validation"] == set(range(35, 45))
    assert seen["test"] == set(range(45, 60))


def test_parts_share_their_memory() -> None:
    panel = _panel(1000)
    windows = Windows(panel, 8, 4, dtype="float64")
    before = [values.copy() for values in panel.targets]
    panel.targets[0][:] = 7  # a single series of the right precision is not copied at all
    part = windows.part([100], [200], stride=3)
    inputs, targets = part.batch(np.arange(len(part)))
    assert np.all(inputs["history"] == 7)
    assert np.all(targets == 7)
    assert len(part) == (100 - 4) // 3 + 1
    assert not np.all(before[0] == 7)


def test_what_was_not_observed_is_zero_and_told() -> None:
    panel = _panel(30)
    panel.targets[0][4:6, 1] = np.nan
    windows = Windows(panel, 5, 3)
    inputs, targets = windows.batch(np.array([0, 20]))
    assert inputs["history"][0, :, 1].tolist() == [1000, 1001, 1002, 1003, 0]
    assert inputs["observed"][0, :, 1].tolist() == [1, 1, 1, 1, 0]
    assert inputs["observed"][:, :, 0].min() == 1
    assert np.isnan(targets[0]).tolist() == [[False, True], [False, False], [False, False]]
    assert not np.isnan(targets[1]).any()
    assert np.isnan(panel.targets[0][4, 1])  # ours are copies


def test_whether_observations_are_told_can_be_settled() -> None:
    panel = _panel(30)
    assert "observed" not in Windows(panel, 5, 3).batch(np.arange(2))[0]
    told = Windows(panel, 5, 3, observed=True).batch(np.arange(2))[0]["observed"]
    assert told.shape == (2, 5, 2)
    assert np.all(told == 1)
    panel.targets[0][4] = np.nan
    with pytest.raises(ValueError, match="made for series without missing targets"):
        Windows(panel, 5, 3, observed=False)


def test_a_covariate_that_there_is_not_yet_is_zero() -> None:
    panel = _panel(30, past=1)
    panel.past[0][:3] = np.nan
    inputs, _ = Windows(panel, 5, 3).batch(np.array([0, 3]))
    assert inputs["past"][0, :, 0].tolist() == [0, 0, 0, 100_003, 100_004]
    assert inputs["past"][1].min() > 0


def test_the_latest_window_of_each_series() -> None:
    panel = _panel(30, 40, past=1, future=2, ahead=6)
    inputs = latest_inputs(panel, 5, 6, dtype="float64")
    for i in range(2):
        np.testing.assert_array_equal(inputs["history"][i], panel.targets[i][-5:])
        np.testing.assert_array_equal(inputs["past"][i, :, :1], panel.past[i][-5:])
        np.testing.assert_array_equal(inputs["past"][i, :, 1:], panel.future[i][-11:-6])
        np.testing.assert_array_equal(inputs["future"][i], panel.future[i][-6:])
    assert "series" not in inputs
    assert latest_inputs(panel, 5, 6, series=[7, 3])["series"].tolist() == [7, 3]


def test_future_covariates_that_end_too_soon() -> None:
    panel = _panel(30, 40, future=1, ahead=3)
    with pytest.raises(
        ValueError,
        match=r"series 's0': future covariates \(f0\) are not known at 2024-02-03, and horizon=6 "
        "needs them up to 2024-02-05",
    ):
        latest_inputs(panel, 5, 6)
    # Where targets are known, so are they.
    Windows(panel, 5, 6)


def test_a_series_too_short_is_named_with_what_would_work() -> None:
    panel = _panel(60, 20, 40)
    with pytest.raises(
        ValueError,
        match="series 's1' is too short for lookback=18 and horizon=5: there are 20 steps to learn "
        "from, and the longest lookback that works is 15",
    ):
        Windows(panel, 18, 5)
    assert len(Windows(panel, 15, 5)) == 41 + 1 + 21
    with pytest.raises(ValueError, match="the longest horizon that works with lookback=1 is 19"):
        Windows(panel, 18, 30)
    with pytest.raises(
        ValueError, match=r"from row 50 to row 60 is too short for horizon=12\. .* 10"
    ):
        Windows(_panel(60), 5, 12, first=[50])
    with pytest.raises(
        ValueError, match="series 's1' has 20 steps, and lookback=30 steps are needed"
    ):
        latest_inputs(panel, 30, 5)


@pytest.mark.parametrize("name", ["lookback", "horizon", "stride"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_sizes_are_whole_numbers_above_zero(name: str, value: Any) -> None:
    arguments = {"lookback": 2, "horizon": 1, name: value}
    with pytest.raises(ValueError, match=f"{name} must be a whole number above zero. Received"):
        Windows(_panel(30), **arguments)


@pytest.mark.parametrize("row", [-1, 25])
def test_there_are_no_windows_beyond_the_last(row: int) -> None:
    windows = Windows(_panel(30), 4, 2)
    assert len(windows) == 25
    with pytest.raises(IndexError, match="there are windows 0 to 24"):
        windows.batch(np.array([row]))


def test_windows_are_those_of_keras() -> None:
    pytest.importorskip("tensorflow")
    import keras

    panel = _panel(40)
    windows = Windows(panel, 6, 1)
    inputs, targets = windows.batch(np.arange(len(windows)))
    values = panel.targets[0].astype("float32")
    theirs = keras.utils.timeseries_dataset_from_array(
        values[:-1], values[6:], sequence_length=6, batch_size=100
    )
    for history, following in theirs:
        np.testing.assert_array_equal(inputs["history"], history)
        np.testing.assert_array_equal(targets[:, 0], following)


def test_the_benchmark_shows_how_many_times_as_fast() -> None:
    result = {
        "windows_per_second": {"kerasseq": 3000.0, "keras": 1000.0},
        "peak_mebibytes": {"kerasseq": 500.0, "keras": 700.0},
    }
    setting = {"rows": 1000, "columns": 8, "lookback": 96, "batch": 32}
    shown = benchmark.table([{"setting": setting, "result": result}]).splitlines()[-1]
    assert shown == "| 1,000 × 8, 96, 32 | 3,000/s | 1,000/s | 3.0 times | 500 MiB | 700 MiB |"


def test_memory_does_not_grow_with_the_windows() -> None:
    panel = _panel(1_000_000, targets=0).scaled({})
    panel = replace(panel, targets=[np.zeros((1_000_000, 8), np.float32)])
    tracemalloc.start()
    try:
        windows = Windows(panel, 512, 24)
        parts = [windows.part(first=[start]) for start in range(0, 900_000, 100_000)]
        for row in (0, len(windows) // 2, len(windows) - 32):
            windows.batch(np.arange(row, row + 32))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(windows) == len(parts[0]) == 1_000_000 - 512 - 23
    one_batch = 32 * (512 + 24) * 8 * 4
    assert peak < 10 * one_batch + 10e6  # the series have 32 MB, their windows 16 GB


TEN_MILLION = """
import resource
import numpy as np
import pandas as pd
from kerasseq.data.series.scaling import Scaler
from kerasseq.data.series.read import read_series
from kerasseq.data.series.splits import chronological
from kerasseq.data.series.windows import Windows

random = np.random.default_rng(0)
values = random.standard_normal((10_000_000, 8), dtype=np.float32)
frame = pd.DataFrame(values, columns=list("abcdefgh"))
frame.index = pd.date_range("2024-01-01", periods=len(frame), freq="s")
panel = read_series(frame)
del values, frame
split = chronological(panel, 0.1, 0.1)
scaler = Scaler.fit("standard", split.cut(panel, "train")[0].targets)
panel = panel.scaled({"targets": scaler})
windows = Windows(panel, 512, 24)
train, test = windows.part(*split.rows("train")), windows.part(*split.rows("test"))
total = 0.0
for _ in range(300):
    inputs, targets = train.batch(random.integers(0, len(train), 256))
    total += float(inputs["history"].sum()) + float(targets.sum())
assert np.isfinite(total)
print(len(train), len(test), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory is told in other units")
def test_ten_million_rows_take_less_than_two_gigabytes() -> None:
    found = subprocess.run(
        [sys.executable, "-c", TEN_MILLION], cwd=ROOT, capture_output=True, text=True, check=True
    )
    train, test, kibibytes = map(int, found.stdout.split())
    assert (train, test) == (8_000_000 - 512 - 23, 1_000_000 - 23)
    assert kibibytes * 1024 < 2e9


@pytest.mark.parametrize("stride", [1, 2, 5])
def test_independent_windows_do_not_overlap(stride: int) -> None:
    panel = read_series(
        pd.DataFrame({"series": ["a"] * 40 + ["b"] * 23, "y": np.arange(63.0)}), target="y"
    )
    windows = Windows(panel, lookback=4, horizon=3, stride=stride)
    series, origins = windows.places(np.arange(len(windows)))
    count = 0
    for one in (0, 1):
        free = 0
        for origin in origins[series == one]:
            if origin >= free:
                count, free = count + 1, origin + 3
    assert windows.independent == count
