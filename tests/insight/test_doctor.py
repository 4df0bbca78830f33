"""What is there is shown, and what is missing with its remedy."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from kerasseq.insight import doctor
from kerasseq.kernels import native
from tests.cells.harness import BACKEND

ROOT = Path(__file__).parents[2]


def found() -> dict[str, tuple[str, str]]:
    return {part: (what, remedy) for part, what, remedy in doctor.examine().rows}


def test_machine_packages_and_backend_are_shown() -> None:
    rows = found()
    assert rows["Python"] == (platform.python_version(), "")
    for part in ("processor", "vector instructions", "keras", "numpy", "C++ compiler", "device"):
        assert rows[part][0]
    assert rows["backend"] == (BACKEND, "")
    assert int(rows["processors to use"][0]) >= 1


def test_the_extension_is_tried_under_the_backend_that_runs() -> None:
    rows = found()
    works = native.status() is None
    assert rows["extension"][0].startswith("works") == works
    for name in ("tensorflow", "torch", "jax"):
        what, remedy = rows[f"extension under {name}"]
        if name == BACKEND:
            assert what == ("works" if works else "no extension")
        else:
            assert (what, remedy) == (
                *("not tried", f"KERAS_BACKEND={name} kerasseq doctor tries it"),
            )


def test_a_missing_extension_has_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "status", lambda: "it was not built; install a compiler")
    assert found()["extension"] == ("it was not built", "install a compiler")


def test_a_missing_compiler_has_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    what, remedy = found()["C++ compiler"]
    assert what == "none"
    assert "install GCC or Clang" in remedy


def test_an_extension_that_computes_something_else_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = native.run

    def wrong(cell: object, sequence: object) -> object:
        last, outputs, states = run(cell, sequence)  # type: ignore[arg-type]
        return last + 0.5, outputs, states

    if native.status() is not None:
        pytest.skip("the extension is not built")
    monkeypatch.setattr(native, "run", wrong)
    what, remedy = found()[f"extension under {BACKEND}"]
    assert what.startswith("computes something else: 0.5")
    assert "kernel='scan'" in remedy


def test_a_backend_that_is_missing_is_a_row() -> None:
    hidden = "import sys; sys.modules['torch'] = None; from kerasseq.cli import main; "
    result = subprocess.run(
        [sys.executable, "-c", hidden + "raise SystemExit(main(['doctor', '--format', 'csv']))"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "KERAS_BACKEND": "torch"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    row = next(line for line in result.stdout.splitlines() if line.startswith("backend,"))
    assert "torch does not start" in row
    assert "pip install torch" in row
