"""Notebooks stand in the repository with their output, and run from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 500_000

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(path, as_version=4)


@every_notebook
def test_is_a_valid_and_small_file(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(_read(path))
    assert path.stat().st_size < LARGEST


@every_notebook
def test_is_stored_with_its_output_and_no_error(path: Path) -> None:
    cells = [cell for cell in _read(path).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells if cell.source.strip())
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert [output.evalue for output in outputs if output.output_type == "error"] == []


@every_notebook
def test_is_stored_without_warnings(path: Path) -> None:
    cells = [cell for cell in _read(path).cells if cell.cell_type == "code"]
    streams = [o for cell in cells for o in cell.outputs if o.output_type == "stream"]
    told = [o.text for o in streams if o.name == "stderr" or "WARNING" in o.text]
    assert told == []


@every_notebook
def test_imports_recipes_by_their_installed_name(path: Path) -> None:
    source = "\n".join(cell.source for cell in _read(path).cells if cell.cell_type == "code")
    assert "kerasseq" in source
    assert "from recipes" not in source
    assert "import recipes" not in source


@pytest.mark.notebook
@every_notebook
def test_runs_in_its_quick_setting(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip("nbclient")
    # What the notebooks ask to train on less, and the checkout for a kernel that runs elsewhere.
    monkeypatch.setenv("KERASSEQ_QUICK", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    notebook = _read(path)
    nbclient.NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in cells)
