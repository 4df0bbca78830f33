"""A Run is a folder: it comes back as it was, or says in one sentence why not."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from kerasseq import registry
from kerasseq.runs import ClassificationRun, Run, load, versions
from tests.toy import ToyRun, numbers, toy

ROOT = Path(__file__).parents[2]
PAIRS = np.array([[1.0, 0.0], [0.0, 2.0]], dtype=np.float32)


@pytest.fixture(scope="module")
def made() -> Run:
    return toy()


@pytest.fixture(scope="module")
def saved(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


def _change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


# There and back


def test_a_saved_run_comes_back_as_it_was(made: Run, folder: Path) -> None:
    again = load(folder)
    assert (again.recipe, again.settings, again.state) == (made.recipe, made.settings, made.state)
    assert (again.metrics, again.history, again.notes) == (made.metrics, made.history, made.notes)
    assert again.folder == folder
    assert again.predict(PAIRS).equals(made.predict(PAIRS))


def test_a_fresh_process_predicts_the_same(made: Run, folder: Path) -> None:
    code = f"""
import sys
import numpy as np
import kerasseq
import tests.toy
print(kerasseq.load({str(folder)!r}).predict(np.array({PAIRS.tolist()}, "float32")).to_json())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found == json.loads(made.predict(PAIRS).to_json())


def test_the_record_says_what_wrote_it(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text())
    assert record["format"] == 2
    assert record["recipe"] == "toy"
    assert record["settings"]["units"] == 3
    assert record["versions"] == versions()
    assert {"python", "keras", "backend", "numpy", record["versions"]["backend"]} <= {
        *record["versions"]
    }


def test_a_save_that_fails_leaves_nothing(
    made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> Any:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(ToyRun, "figures", fail)
        with pytest.raises(OSError, match="disk full"):
            made.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    made.save(tmp_path / "run")
    with monkeypatch.context() as broken:
        broken.setattr(ToyRun, "figures", fail)
        with pytest.raises(OSError, match="disk full"):
            made.save(tmp_path / "run", overwrite=True)
    assert load(tmp_path / "run").metrics == made.metrics  # the run that was there


def test_nothing_is_left_beside_what_was_written(folder: Path) -> None:
    assert [path for path in folder.rglob("*") if path.name.startswith(".")] == []


def test_a_run_is_not_replaced_unasked(made: Run, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"holds a run already.*overwrite=True"):
        made.save(folder)
    assert made.save(str(folder), overwrite=True) == folder
    assert load(folder).metrics == made.metrics


def test_a_folder_of_something_else_is_not_written_to(made: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="is not empty, and no run"):
            made.save(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# Folders that are no runs


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not a run: it has no run.json"):
        load(tmp_path)


def test_an_interrupted_run(tmp_path: Path) -> None:
    import keras

    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy(out=tmp_path, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=stop)])
    with pytest.raises(ValueError, match=r"interrupted after epoch 1.*same settings.*to go on"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["model.keras", "state.json", "metrics.json", "history.json"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing: restore it"):
        load(folder)


@pytest.mark.parametrize("name", ["run.json", "state.json", "metrics.json", "history.json"])
def test_a_file_that_was_cut_off(folder: Path, name: str) -> None:
    text = (folder / name).read_text()
    (folder / name).write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=rf"{name} is damaged: it is not valid JSON .*Restore it"):
        load(folder)


@pytest.mark.parametrize("record", [[], {}, {"format": "one"}, 3])
def test_a_record_of_something_else(folder: Path, record: Any) -> None:
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"run.json is not the record of a run"):
        load(folder)


@pytest.mark.parametrize("name", ["recipe", "settings", "data", "notes"])
def test_a_record_without_an_entry(folder: Path, name: str) -> None:
    record = json.loads((folder / "run.json").read_text())
    missing = {n: v for n, v in record.items() if n != name}
    for damaged, fault in ((missing, f"it lacks {name}"), ({**record, name: 3}, f"{name} must be")):
        (folder / "run.json").write_text(json.dumps(damaged))
        with pytest.raises(ValueError, match=rf"run.json is damaged: {fault}"):
            load(folder)


def test_a_run_of_format_1_has_the_names_of_today(made: Run, folder: Path) -> None:
    old = {name: own for name, own in made.settings.items() if name not in ("final", "optimizer")}
    old = {"clip" if name == "clipnorm" else name: own for name, own in old.items()}
    _change(folder / "run.json", format=1, settings=old)
    again = load(folder)
    assert again.settings["clipnorm"] == 1.0
    assert again.resolved.optimizer == "adam"
    assert again.predict(PAIRS).equals(made.predict(PAIRS))
    assert toy(out=folder).settings == again.settings  # the same run, not trained again


def test_a_class_loads_its_own_runs(made: Run, folder: Path) -> None:
    assert type(ToyRun.load(folder)) is ToyRun
    with pytest.raises(ValueError, match=r"is a run of toy, a ToyRun: .* Expected: Classification"):
        ClassificationRun.load(folder)


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.98])
def test_a_corrupt_model(folder: Path, keep: float) -> None:
    path = folder / "model.keras"
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(
        ValueError, match=r"model.keras is damaged: it cannot be read as a Keras model. Restore"
    ) as info:
        load(folder)
    assert "\n" not in str(info.value)


def test_a_model_file_of_something_else(folder: Path) -> None:
    (folder / "model.keras").write_text("no model")
    with pytest.raises(ValueError, match=r"model.keras is damaged"):
        load(folder)


def test_a_recipe_that_is_not_here(folder: Path) -> None:
    _change(folder / "run.json", recipe="juggling")
    with pytest.raises(
        ValueError,
        match=r"recipe 'juggling', which .*captioning, .*sentiment, .*register",
    ):
        load(folder)


def test_a_newer_format(folder: Path) -> None:
    _change(folder / "run.json", format=3)
    with pytest.raises(ValueError, match=r"newer kerasseq \(format 3; .*up to 2\): upgrade"):
        load(folder)


# Use


def test_new_data_is_scored(made: Run) -> None:
    found = made.evaluate(numbers(50, seed=3))
    assert found["rows"] == 50
    assert found["test"].keys() == found["interval"].keys() == {"error"}
    low, high = found["interval"]["error"]
    assert low < found["test"]["error"] < high


def test_reading_settings_are_checked(made: Run) -> None:
    with pytest.raises(ValueError, match=r"evaluate takes settings .* Received: units="):
        made.evaluate(numbers(50), units=3)


def test_the_summary_has_every_number(made: Run, capsys: pytest.CaptureFixture[str]) -> None:
    made.summary()
    shown = capsys.readouterr().out
    assert "toy: 30 test rows" in shown
    scores = [made.metrics["test"], *made.metrics["baselines"].values()]
    for value in [score["error"] for score in scores] + made.metrics["interval"]["error"]:
        assert f"{value:.3f}" in shown
    for name in ("mean", "difference", "95% interval", "13 parameters", "epoch"):
        assert name in shown
    assert "loses to difference" in " ".join(shown.split())


def test_the_summary_fits_a_narrow_terminal(
    made: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    Console(width=80).print(made)
    shown = capsys.readouterr().out
    assert f"{made.metrics['test']['error']:.3f}" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_notebook_gets_a_table(made: Run) -> None:
    html = made._repr_html_()
    assert html.count("<tr>") == 2
    assert f">{made.metrics['test']['error']:.3f}</td>" in html
    assert "loses to difference" in html


def test_html_is_escaped(made: Run) -> None:
    odd = replace(made, metrics={**made.metrics, "verdict": "a < b"})
    assert "a &lt; b" in odd._repr_html_()


def test_a_run_says_what_it_is(made: Run) -> None:
    assert repr(made) == f"<Run of toy: error {made.metrics['test']['error']:.3f}>"


def test_arguments_that_are_true_or_false_are_nothing_else() -> None:
    checked = []
    for name in registry.builtin():
        for method, function in inspect.getmembers(registry.task(name).run, inspect.isfunction):
            if hasattr(function, "__wrapped__"):  # a context, which checks nothing until entered
                continue
            parameters = inspect.signature(function).parameters
            needed = {n: MagicMock() for n, own in parameters.items() if own.default is own.empty}
            for flag in [n for n, own in parameters.items() if own.annotation == "bool"]:
                with pytest.raises(ValueError, match=f"{flag} must be True or False. .*'yes'"):
                    function(**{**needed, flag: "yes"})
                checked.append((name, method))
    assert {("sentiment", "predict"), ("forecasting", "backtest")} <= {*checked}
