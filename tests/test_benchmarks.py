"""Benchmarks are stopped and run again; the tables of pages come from the rows they wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from benchmarks import forecasting, kernels, readme, rivals, rows, startup, statistical_models
from kerasseq import registry
from kerasseq.params import catalogue


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rows, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_a_row_is_measured_once_and_then_found(results: Path) -> None:
    calls = []

    def measure() -> rows.Row:
        calls.append(1)
        return {"accuracy": 0.5}

    first = rows.measured("mine", {"data": "mr", "folds": (1, 2)}, measure, seed=3)
    again = rows.measured("mine", {"data": "mr", "folds": (1, 2)}, measure, seed=3)
    assert first == again == rows.load("mine")[0]
    assert len(calls) == 1
    assert (results / "mine.jsonl").read_text().count("\n") == 1


def test_another_seed_or_setting_is_another_row(results: Path) -> None:
    for setting, seed in [({"a": 1}, 0), ({"a": 1}, 1), ({"a": 2}, 0)]:
        rows.measured("mine", setting, lambda: {"x": 1}, seed=seed)
    assert [(row["setting"], row["seed"]) for row in rows.load("mine")] == [
        ({"a": 1}, 0), ({"a": 1}, 1), ({"a": 2}, 0)
    ]  # fmt: skip


def test_a_measurement_that_fails_leaves_no_row(results: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        rows.measured("mine", {}, lambda: {"x": 1 / 0})
    assert rows.load("mine") == []


def test_a_row_says_where_it_was_measured(results: Path) -> None:
    row = rows.measured("mine", {}, lambda: {})
    assert {"commit", "versions", "processor", "date", "seed", "setting", "result"} <= row.keys()
    assert row["versions"]["python"] == sys.version.partition(" ")[0]


def _table(measured: list[rows.Row], part: str = "all") -> str:
    return rows.markdown(["data", "mean"], [[part, len(measured)]])


def test_tables_are_rewritten_between_their_marks(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    module = ModuleType("benchmarks.mine")
    module.table = _table  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.mine", module)
    rows.measured("mine", {}, lambda: {})
    page = tmp_path / "README.md"
    page.write_text(
        "before\n<!-- table:mine -->\nold\n<!-- /table -->\n"
        "between\n<!-- table:mine/mr -->\n<!-- /table -->\nafter\n"
    )
    other = tmp_path / "other.md"
    other.write_text("no table\n")
    monkeypatch.setattr(readme, "PAGES", [page, other])

    assert readme.main(["--check"]) == 1
    assert "old" in page.read_text()
    told = capsys.readouterr().out
    assert "README.md" in told
    assert "other.md" not in told
    assert "python -m benchmarks.readme" in told
    assert readme.main([]) == 0
    assert page.read_text() == (
        "before\n<!-- table:mine -->\n| data | mean |\n| --- | ---: |\n| all | 1 |\n"
        "<!-- /table -->\nbetween\n<!-- table:mine/mr -->\n| data | mean |\n| --- | ---: |\n| mr "
        "| 1 |\n<!-- /table -->\nafter\n"
    )
    assert other.read_text() == "no table\n"
    assert readme.main(["--check"]) == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


def test_a_table_without_rows_says_what_to_run(results: Path) -> None:
    with pytest.raises(ValueError, match=r"python -m benchmarks\.startup"):
        readme.rewrite("<!-- table:startup -->\n<!-- /table -->")


def test_a_page_in_docs_is_rewritten_too() -> None:
    assert {"README.md", "benchmarks.md", "layers.md"} <= {page.name for page in readme.PAGES}


def test_the_table_of_cells_comes_from_their_specs() -> None:
    table = readme.rewrite("<!-- table:cells -->\n<!-- /table -->")
    names = [spec.name for spec in catalogue.specs()]
    assert [name for name in names if f"\n| {name} |" not in table] == []


def test_the_table_of_recipes_has_each_recipe_beside_a_baseline() -> None:
    lines = readme.rewrite("<!-- table:recipes -->\n<!-- /table -->").splitlines()[3:-1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [line[0] for line in cells] == [f"[`{n}`](docs/{n}.md)" for n in registry.builtin()]
    assert all(all(line) for line in cells)
    score, baseline, published = next(line for line in cells if "forecasting" in line[0])[4:]
    assert float(score) == pytest.approx(0.405, abs=0.001)
    assert baseline.startswith("0.408")
    assert "SegRNN 0.416" in published


def test_a_recipe_without_rows_is_not_measured_yet(results: Path) -> None:
    assert readme.rewrite("<!-- table:recipes -->\n<!-- /table -->").count(
        "not measured yet"
    ) == len(registry.builtin())


def test_kernels_are_summed_up_by_backend_and_gaps_are_named() -> None:
    setting = {"kernel": "auto", "cores": 2, "group": "train", "cell": "lstm"}
    measured = [
        {
            "setting": {**setting, "shape": [1, 2, 3, units]},
            "result": {"against": {"keras.layers": {"ratio": ratio}}},
            "processor": "some, 2 cores",
        }
        for units, ratio in ((4, 2.0), (5, 8.0))
    ]
    table = kernels.table(measured, "backends")
    assert "| TensorFlow | training step | 2 | 4.00x | 2.00x | 8.00x |" in table
    assert "| JAX | inference | 0 | not measured yet |  |  |" in table


def test_startup_is_shown_above_bare_python() -> None:
    result = {startup.BARE: 0.010, "`import kerasseq`": 0.014}
    table = startup.table([{"result": result}])
    assert table.splitlines()[-1] == "| `import kerasseq` | 14 ms | 4 ms |"


class _Repeats:
    """A stand-in for a model of statsforecast: the mean of the rows that it was fitted on."""

    def __init__(self, season_length: int) -> None:
        self.season = season_length

    def fit(self, values: np.ndarray) -> None:
        self.mean = values.mean()

    def predict(self, h: int, level: list[int]) -> dict[str, np.ndarray]:
        ahead = np.full(h, self.mean)
        return {"mean": ahead, "lo-80": ahead - self.season, "hi-80": ahead + self.season}

    def forward(self, y: np.ndarray, h: int, level: list[int]) -> dict[str, np.ndarray]:
        ahead = np.full(h, y[-1])
        return {"mean": ahead, "lo-80": ahead - 1, "hi-80": ahead + 1}


def test_a_statistical_model_is_fitted_once_and_follows_the_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = ModuleType("statsforecast")
    library.models = SimpleNamespace(Repeats=_Repeats)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "statsforecast", library)
    monkeypatch.setattr(statistical_models.metadata, "version", lambda name: "1.0")
    windows, forecasts = str(tmp_path / "windows.npz"), str(tmp_path / "forecasts.npz")
    np.savez(
        windows, values=[1.0, 3.0, 7.0, 10.0, 30.0, 60.0], lengths=[3, 3], fitted=[2, 1],
        series=[0, 1, 1], origins=[2, 1, 2], horizon=1, season=4,
    )  # fmt: skip
    statistical_models.main(windows, "Repeats", forecasts)
    with np.load(forecasts) as file:
        assert file["mean"].tolist() == [[2.0], [10.0], [30.0]]
        assert file["low"].tolist() == [[-2.0], [6.0], [29.0]]
    assert json.loads(capsys.readouterr().out)["statsforecast"] == "1.0"


def test_rivals_stand_beside_the_recipe(results: Path) -> None:
    task = forecasting.SMALL["small-sunspots"]
    result = {"test": {"mae": 19.5, "coverage": 0.8}, "seconds": 3.2}
    rows.measured("forecasting", forecasting.setting_of(task), lambda: result)
    rival = {"test": {"mae": 21.25, "coverage": 0.75}, "seconds": 90.4}
    setting = {**forecasting.setting_of(task), "model": "AutoETS"}
    rows.measured("rivals", setting, lambda: rival)
    line = rivals.table(rows.load("rivals")).splitlines()[-1]
    expected = ["Sunspots, 12 months", "19.5 (80%, 3.2 s)", "", "21.25 (75%, 90.4 s)", "", ""]
    assert line == f"| {' | '.join(expected)} |"


@pytest.mark.thorough
def test_operations_of_a_step_are_those_of_its_products() -> None:
    from benchmarks import interop

    model, x, _ = interop.forecaster()
    first, second = 2 * 14 * 96 + 3 * 32 * 96, 3 * 32 * 96 + 3 * 32 * 96  # of x no gradient
    assert interop._operations(model, x) == 2 * (256 * 120 * (first + second) + 256 * 3 * 32)
