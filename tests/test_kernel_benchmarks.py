"""Kernels are timed in turns, against rivals that compute the same, and held against targets."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import kernels, race, rows, targets
from benchmarks.race import Entry, Failure
from benchmarks.targets import Target

OURS, KERAS, TORCH = race.OURS, kernels.KERAS, kernels.TORCH
TINY = (2, 3, 2, 4)


def _ratio(ratio: float) -> dict[str, float]:
    return {"ratio": ratio, "low": ratio, "high": ratio}


def _row(cell: str = "lstm", shape: Sequence[int] = TINY, **result: Any) -> rows.Row:
    setting = {"group": "train", "cell": cell, "shape": [*shape], "kernel": "auto", "cores": 2}
    found = {
        "milliseconds": {OURS: 1.0, KERAS: 2.0},
        "against": {KERAS: _ratio(2.0)},
        "kernel": "scan",
        **result,
    }
    return {"setting": setting, "result": found, "processor": "Abacus, 2 cores", "commit": "c0ffee"}


# Arithmetic


def test_twice_and_half_as_fast_cancel_out() -> None:
    assert targets.geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    assert targets.geometric_mean([1.0, 8.0, 27.0]) == pytest.approx(6.0)


def test_quartiles_hold_the_middle_half() -> None:
    assert targets.quartiles([5.0, 1.0, 3.0, 2.0, 4.0]) == (2.0, 4.0)
    assert targets.quartiles([7.0]) == (7.0, 7.0)


def test_a_ratio_is_of_the_medians_and_its_range_of_the_rounds() -> None:
    ours, theirs = [1.0, 2.0, 100.0, 2.0, 2.0], [4.0, 4.0, 4.0, 6.0, 900.0]
    assert targets.against(ours, theirs) == {"ratio": 2.0, "low": 2.0, "high": 4.0}


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9), st.floats(0.1, 10))
def test_a_rival_that_is_always_so_much_slower_has_that_ratio(
    ours: list[float], factor: float
) -> None:
    found = targets.against(ours, [factor * seconds for seconds in ours])
    assert found == pytest.approx(_ratio(factor), rel=1e-3)


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([2.0, 2.0], "met"),
        ([4.0, 0.9], "mean missed by 5.1%; lowest missed by 10.0%"),
        ([4.0, 1.0], "met"),
        ([1.5, 1.5], "mean missed by 25.0%"),
        ([2.0, 1.9999999], "mean missed by 0.1%"),
        ([5.0, 0.5], "mean missed by 20.9%; lowest missed by 50.0%"),
    ],
)
def test_a_missed_target_says_by_how_much(ratios: list[float], said: str) -> None:
    target = Target("train", KERAS, "steps", mean=2.0, least=1.0)
    assert targets.verdict(target, ratios) == said
    assert targets.asked(target) == "mean 2x, each 1x"


def test_every_target_is_measured_and_every_group_has_one() -> None:
    measured = {
        (case.group, entry.library)
        for case in kernels.cases(list(kernels.GROUPS))
        for entry in case.entries("auto", kernels.BACKENDS)
        if entry.timed and entry.library != OURS
    }
    assert {(target.group, target.rival) for target in targets.TARGETS} == measured


# Which benchmarks there are


def test_the_grid_has_every_cell_at_every_shape_once() -> None:
    found = [(case.cell, case.shape) for case in kernels.cases(["train"])]
    assert len(found) == len(set(found)) == 3 * 9


def test_other_shapes_replace_those_of_a_group() -> None:
    assert {case.shape for case in kernels.cases(["train", "linear", "memory"], [TINY])} == {TINY}
    assert [case.data for case in kernels.cases(["epoch"], [TINY])] == ["demo", "long"]


def test_what_is_not_installed_is_left_out_and_named_so() -> None:
    case = kernels.Case("train", "lstm", TINY)
    entries = case.entries("auto", ["tensorflow"])
    assert [entry.library for entry in entries] == [OURS, KERAS]
    assert case.setting(entries, "auto", 3)["against"] == [KERAS]
    both = case.entries("auto", ["tensorflow", "torch"])
    assert case.setting(both, "auto", 3)["against"] == [KERAS, TORCH]
    assert kernels.Case("torch", "lstm", TINY).entries("auto", ["tensorflow"]) == []


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_weights_go_to_pytorch_and_back(cell: str) -> None:
    from benchmarks.contenders import to_keras, to_torch

    gates = {"lstm": 4, "gru": 3, "simple_rnn": 1}[cell]
    random = np.random.default_rng(0)
    bias = (2, 4 * gates) if cell == "gru" else (4 * gates,)
    weights = [random.standard_normal(shape) for shape in ((2, 4 * gates), (4, 4 * gates), bias)]
    there = to_torch(cell, weights)
    assert [array.shape for array in there] == [(4 * gates, 2), (4 * gates, 4)] + 2 * [(4 * gates,)]
    for weight, back in zip(weights, to_keras(cell, there), strict=True):
        np.testing.assert_array_equal(weight, back)


def test_the_share_of_a_product_counts_a_backward_pass_as_two_forward_passes() -> None:
    row = _row(shape=(2, 3, 2, 4), gemm=1e-3)  # a megaflop a second
    macs = 2 * 3 * (2 + 4) * 16
    assert kernels.gemm_share(row) == pytest.approx(2 * 3 * macs / 1e3)  # in a millisecond
    row["setting"]["group"] = "infer"
    assert kernels.gemm_share(row) == pytest.approx(2 * macs / 1e3)
    assert kernels.gemm_share(_row()) is None
    assert "| 346% |" in kernels.details([_row(gemm=1e-3)], "train")


# The race


class Runner:
    """Stands in for a worker: gives what it is told to, and writes down when it ran."""

    version = "1.0"
    backend = "tensorflow"
    alive = True

    def __init__(self, seconds: dict[str, list[float]], arrays: dict[str, Any]) -> None:
        self.seconds = {name: iter(each) for name, each in seconds.items()}
        self.arrays = arrays
        self.ran: list[str] = []

    def ask(self, do: str, name: str = "", **message: Any) -> dict[str, Any]:
        if do == "add" and message["folder"]:
            np.savez(Path(message["folder"]) / f"{name}.npz", *self.arrays[name])
            return {"arrays": ["outputs", "inputs"]}
        if do == "gemm":
            return {"gflops": 100.0}
        if do == "block":
            assert message["steps"] == 7
            self.ran.append(name)
            return {"seconds": next(self.seconds[name])}
        return {"steps": 7, "kernel": "scan" if name == OURS else None}

    def cpu_seconds(self) -> float:
        return 0.0


class Team(race.Crew):
    """A crew of one stand-in."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._workers["tensorflow"] = runner  # type: ignore[assignment]


def _entries(**second: Any) -> list[Entry]:
    return [Entry(OURS, "tensorflow", {}), Entry(KERAS, "tensorflow", {}, **second)]


def test_contenders_take_turns_in_alternating_order() -> None:
    arrays = [np.ones((2, 2)), np.ones(3)]
    runner = Runner(
        {OURS: [1e-3, 2e-3, 1e-3], KERAS: [2e-3, 3e-3, 8e-3]}, {OURS: arrays, KERAS: arrays}
    )
    result = race.race(_entries(), Team(runner), rounds=3)
    assert runner.ran == [OURS, KERAS, KERAS, OURS, OURS, KERAS]
    assert result["milliseconds"] == {OURS: 1.0, KERAS: 3.0}
    assert result["against"][KERAS]["ratio"] == 3.0
    assert result["kernel"] == "scan"
    assert result["versions"] == {"tensorflow": "1.0"}
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ([np.full(2, 1.001), np.ones(3)], "outputs: keras.layers is apart"),
        ([np.ones(2), np.array([1.0, 1.0, np.nan])], "the gradient of inputs: keras.layers"),
        ([np.ones(2), np.ones(4)], "shape"),
    ],
)
def test_contenders_that_disagree_are_not_timed(theirs: list[np.ndarray], said: str) -> None:
    runner = Runner({}, {OURS: [np.ones(2), np.ones(3)], KERAS: theirs})
    with pytest.raises(Failure, match=said):
        race.race(_entries(), Team(runner), rounds=1)
    assert runner.ran == []


def test_a_rival_that_computes_something_else_is_timed_all_the_same() -> None:
    runner = Runner({OURS: [1e-3], KERAS: [8e-3]}, {OURS: [np.ones(2), np.ones(3)]})
    result = race.race(_entries(compared=False), Team(runner), rounds=1)
    assert result["against"] == {KERAS: _ratio(8.0)}


def test_a_difference_is_measured_by_the_largest_value() -> None:
    ours, theirs = np.array([100.0, 1.0]), np.array([100.0, 1.5])
    assert race.differences([ours, np.zeros(2)], [theirs, np.zeros(2)]) == [0.005, 0.0]


# What is shown


def test_the_summary_holds_ratios_against_their_targets() -> None:
    measured = [_row(), _row("gru", against={KERAS: _ratio(4.5), TORCH: _ratio(0.5)})]
    keras, torch = kernels.summary(measured).splitlines()[2:]
    assert keras == (
        "| training step, TensorFlow | `keras.layers` | 2 | 3.00x | 2.00x | 4.50x "
        "| mean 2.5x, each 1x | met |"
    )
    assert torch.endswith("| 1 | 0.50x | 0.50x | 0.50x | mean 1x | mean missed by 50.0% |")


def test_a_page_has_the_newest_rows_of_the_kernel_that_is_chosen() -> None:
    old, new = _row(), _row(against={KERAS: _ratio(3.0)})
    forced = _row(against={KERAS: _ratio(9.0)})
    forced["setting"]["kernel"] = "native"
    page = kernels.table([old, new, forced], "train")
    line = "| lstm (2, 3, 2, 4) | scan | 1 |  | 2 | 3.00x | 3.00 to 3.00 |"
    assert page.splitlines()[2:] == [line, "", "Measured on: Abacus, 2 cores (2 in use)."]
    assert "3.00x" in kernels.table([old, new, forced])


def test_a_group_that_asks_for_a_kernel_shows_the_rows_of_that_kernel() -> None:
    rows_of_group = [_row(), _row(against={KERAS: _ratio(9.0)})]
    for row, kernel in zip(rows_of_group, ("scan", "auto"), strict=True):
        row["setting"] |= {"group": "jax_scan", "kernel": kernel}
    page = kernels.table(rows_of_group, "jax_scan")
    assert "2.00x" in page
    assert "9.00x" not in page


def test_a_csv_has_a_line_per_rival(tmp_path: Path) -> None:
    result = {
        "milliseconds": {OURS: 1.0, KERAS: 2.0, TORCH: 0.5},
        "against": {KERAS: _ratio(2.0), TORCH: _ratio(0.5)},
    }
    kernels.write_csv(tmp_path / "k.csv", [_row(**result)])
    with (tmp_path / "k.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["rival"], float(line["theirs"])) for line in lines] == [(KERAS, 2), (TORCH, 0.5)]
    assert {line["processor"] for line in lines} == {"Abacus, 2 cores"}
    assert [lines[0][name] for name in ("batch", "time", "inputs", "units")] == [*"2324"]


# From the shell


@pytest.mark.thorough
def test_what_fails_is_told_and_what_runs_leaves_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setattr(kernels, "_backends", lambda: ["tensorflow"])
    options = ["--shape", "2,3,2,4", "--rounds", "1", "--kernel", "associative"]
    assert kernels.main([*options, "--only", "train", "linear", "--cell", "lstm", "mingru"]) == 1
    out, err = capfd.readouterr()
    assert "train lstm (2, 3, 2, 4): FAILED: ValueError: kernel='associative' cannot run" in err
    assert "torch, which is not installed here" in err
    (row,) = rows.load("kernels")
    assert (row["setting"]["group"], row["setting"]["cell"]) == ("linear", "mingru")
    assert row["result"]["kernel"] == "associative"
    assert set(row["result"]["milliseconds"]) == {OURS, KERAS}
    assert all(taken > 0 for taken in row["result"]["milliseconds"].values())
    assert "| mingru (2, 3, 2, 4) | associative | " in out
    assert "| mingru, training step, against an LSTM | `keras.layers` | 1 | " in out

    assert kernels.main([*options, "--only", "linear"]) == 0
    assert rows.load("kernels") == [row]  # found, not measured again
