"""Layers are held against float64, and timed as long as there is time; what fails leaves no row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops

from benchmarks import gpu, parity, race, rows
from benchmarks.gpu import Piece
from benchmarks.race import OURS, Failure
from kerasseq import cells
from tests.cells import statement
from tests.cells.harness import BACKEND
from tests.thorough import first_of

DEVICE = {"kind": "gpu", "name": "Abacus", "versions": {"backend": "torch", "torch": "9.9"}}
PARITY = Piece(gpu.PARITY, "torch", "lstm", (5, 6, 3, 4), options={"form": "right"})
RACE = Piece("cudnn", "torch", "lstm", (2, 5, 3, 4))


# What is measured


@pytest.mark.parametrize("backend", gpu.BACKENDS)
def test_every_cell_and_mask_is_held_against_float64_and_every_target_has_rows(
    backend: str,
) -> None:
    plan = gpu.pieces([backend], gpu.FULL)
    assert all(count == 1 for count in Counter(repr(piece.setting) for piece in plan).values())
    held = {(piece.cell, piece.options["form"]) for piece in plan if piece.group == gpu.PARITY}
    assert held == {(cell, form) for cell in cells.names() for form in parity.FORMS}
    timed = {(piece.group, piece.entries[1].library) for piece in plan if piece.group != gpu.PARITY}
    assert timed == {(target.group, target.rival) for target in gpu.TARGETS}
    assert {piece.cell for piece in plan[:15]} == set(gpu.BASIC)  # the most telling first


def test_keras_is_known_to_loop_with_a_mask_and_for_a_gru_on_jax() -> None:
    plan = gpu.pieces(gpu.BACKENDS, gpu.FULL)
    on_cudnn = {(p.backend, p.cell, p.masked) for p in plan if p.group == "cudnn"}
    assert on_cudnn == {
        ("torch", "lstm", False),
        ("torch", "gru", False),
        ("jax", "lstm", False),
    }


def test_a_linear_cell_runs_against_an_lstm_that_it_is_not_compared_with() -> None:
    ours, theirs = Piece("linear", "jax", "lru", (2, 40, 3, 4)).entries
    assert (ours.library, ours.task["cell"]) == (OURS, "lru")
    assert (theirs.library, theirs.task["cell"], theirs.compared) == (gpu.KERAS, "lstm", False)


# How it goes


class Worker:
    """Stands in for a process: gives the replies that it is told to, errors raised."""

    alive = True

    def __init__(self, **replies: Any) -> None:
        self.replies = {"device": DEVICE, **replies}
        self.asked: list[str] = []

    def ask(self, do: str, **message: Any) -> Any:
        self.asked.append(do)
        reply = self.replies[do]
        if isinstance(reply, Exception):
            raise reply
        return reply

    def kill(self) -> None:
        self.alive = False


def session(worker: Worker, out: Path | None = None, seconds: float = 1e3) -> gpu.Session:
    made = race.Crew()
    made._workers["torch"] = worker  # type: ignore[assignment]
    found = gpu.Session(made, out, lambda: seconds)
    found.devices["torch"] = DEVICE
    return found


def found(worst: float = 1e-6, **others: Any) -> dict[str, Any]:
    passed = worst <= race.TOLERANCE
    return {"worst": worst, "passed": passed, "kernel": "fused", "cudnn": True, **others}


def test_a_row_is_written_at_once_and_not_measured_again(tmp_path: Path) -> None:
    out = tmp_path / "gpu.jsonl"
    first = session(Worker(parity=found()), out)
    gpu.run(first, [PARITY])
    (row,) = rows.read(out)
    assert row["device"] == "Abacus"
    assert row["versions"]["torch"] == "9.9"
    assert row["setting"]["options"] == {"form": "right"}
    again = Worker(parity=Failure("asked again"))
    second = session(again, out)
    gpu.run(second, [PARITY])
    assert second.measured == [row]
    assert again.asked == []


def test_what_fails_leaves_no_row_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    worker = Worker(parity=Failure("RuntimeError: no such\nkernel"))
    made = session(worker, tmp_path / "gpu.jsonl")
    gpu.run(made, [PARITY, PARITY])
    assert made.failed == [f"{PARITY.name}: RuntimeError: no such kernel"] * 2
    assert "FAILED" in capsys.readouterr().err
    assert rows.read(tmp_path / "gpu.jsonl") == []
    assert worker.alive


def test_a_process_whose_gpu_is_broken_is_ended() -> None:
    fault = Failure("CUDA error: an illegal memory access")
    worker = Worker(parity=fault, device=fault)
    gpu.run(session(worker), [PARITY])
    assert not worker.alive


def test_nothing_is_begun_without_time() -> None:
    worker = Worker()
    made = session(worker, seconds=gpu.LEAST - 1)
    gpu.run(made, [PARITY, RACE])
    assert made.skipped == [PARITY.name, RACE.name]
    assert worker.asked == []


def test_a_process_that_does_not_answer_is_ended() -> None:
    with pytest.raises(Failure, match="no answer to 'hello' within 0 s"):
        race.Worker("torch", race.Place(patience=lambda: 0.0))


@pytest.mark.parametrize(("wanted", "options"), [("GPU", []), ("CPU", ["--cpu"])])
def test_without_a_device_it_says_so_in_a_line(
    wanted: str,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(gpu.Session, "look", lambda self, backend: None)
    assert gpu.main(options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"No {wanted} that JAX or PyTorch sees: nothing was measured.\n"


# What is shown


def _row(piece: Piece, result: dict[str, Any]) -> rows.Row:
    return {
        "setting": piece.setting,
        "result": result,
        "device": "Abacus",
        "versions": DEVICE["versions"],
    }


def test_results_stand_beside_their_targets() -> None:
    against = {gpu.KERAS: {"ratio": 0.9, "low": 0.8, "high": 1.0}}
    raced = {"milliseconds": {OURS: 2.0, gpu.KERAS: 1.8}, "against": against, "kernel": "fused"}
    raced |= {"cudnn": True, "rival": {"cudnn": False, "notes": []}}
    page = gpu.table([_row(RACE, raced), _row(PARITY, found(worst=2e-3))])
    assert "| torch | 1 | 0.90x | 0.90x | each 0.97x | lowest missed by 7.2% |" in page
    assert "| float64 | torch | 1 | 2.0e-03 | 2.0e-03 | at most 0.0001 | missed by 1 rows |" in page
    assert "| torch |  | fused (cuDNN) | 2 | `keras.layers` | 1.8 | 0.90x | 0.80 to 1.00 |" in page
    assert "| lstm | torch | fused (cuDNN) |  | 2.0e-03 |  |  |  |" in page
    assert page.endswith("Measured on: Abacus, torch 9.9.")


# What float64 says


def test_masks_have_the_form_of_their_names() -> None:
    right, left, gaps, empty = (parity.mask_of(form, 8, 11) for form in parity.FORMS[1:])
    assert parity.mask_of("none", 8, 11) is None
    assert (np.diff(right.astype(int), axis=1) <= 0).all()
    assert (np.diff(left.astype(int), axis=1) >= 0).all()
    assert (np.abs(np.diff(gaps.astype(int), axis=1)).sum(axis=1) > 1).any()
    for mask in (right, left):
        assert mask.any(axis=1).all()
        assert not mask.all()
    assert not empty[-1].any()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "form"),
    first_of([("gru", "empty"), ("lru", "empty"), ("gru", "none"), ("lru", "none")]),
)
def test_the_statement_over_jax_is_that_over_numpy(kind: str, form: str) -> None:
    pytest.importorskip("jax")
    cell = cells.get(kind)(4)
    cell.build((None, 3))
    draw = np.random.default_rng(0)
    weights = [draw.normal(size=weight.shape) for weight in cell.weights]
    cell.set_weights(weights)
    mask = parity.mask_of(form, 5, 6)
    mask = np.ones((5, 6), bool) if mask is None else mask
    states = [draw.normal(size=(5, n)) for n in cell.state_size]
    draws = [np.ones((5, 6, 4)), *map(np.ones_like, states)]
    exact = [np.asarray(weight, "float64") for weight in cell.get_weights()]
    start = parity.StartValues(exact, draw.normal(size=(5, 6, 3)), states, draws)
    for backwards in (False, True):
        one = parity.Direction(cell, backwards, False)
        outputs, *rest = parity._statement([one], start, True)(mask)
        expected = statement.run(
            cell, start.inputs, mask=mask, states=states, go_backwards=backwards
        )
        np.testing.assert_allclose(outputs, expected.outputs, rtol=1e-12, atol=1e-12)
        for new, state in zip(rest, expected.states):
            np.testing.assert_allclose(new, state, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="GPUs are measured on JAX and PyTorch")
@pytest.mark.parametrize("way", [{"depth": 2, "bidirectional": True}, {"return_sequences": False}])
def test_a_layer_passes_and_a_wrong_one_is_far_off(
    way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = parity.Case("indrnn", (5, 6, 3, 4), "empty", **way)
    result = parity.measured(case)
    assert result["passed"]
    assert result["worst"] < 1e-5
    assert {"outputs", "state 0", "gradient of inputs", "gradient of state 0"} <= set(
        result["apart"]
    )
    parity._subject.cache_clear()
    kind = cells.get("indrnn")
    monkeypatch.setattr(kind, "project", lambda cell, x: ops.matmul(x, cell.kernel) + 1e-3)
    assert not parity.measured(case)["passed"]
    parity._subject.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("backend", gpu.BACKENDS)
def test_the_whole_runs_on_a_cpu(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip(backend)
    out = tmp_path / "gpu.jsonl"
    options = ["--cpu", "--backend", backend, "--out", str(out), "--minutes", "3"]
    assert gpu.main([*options, "--cell", "indrnn", "gru", "--log", str(tmp_path / "log")]) == 0
    groups = Counter(row["setting"]["group"] for row in rows.read(out))
    assert {gpu.PARITY, "loops", "cells"} <= set(groups)
    assert "indrnn" in capsys.readouterr().out
