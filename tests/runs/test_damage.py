"""A damaged folder of a run is refused in words that name each wrong file, or still answers."""

from __future__ import annotations

import contextlib
import functools
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.runs import saved
from tests.golden.replay import GOLDEN, RUNS, answer, read

FILES = ("run.json", "state.json", "metrics.json", "history.json")
NAMES = sorted(path.stem for path in RUNS.glob("*.json"))
FEW = 12  # damages of a run, unless all are asked for
OTHERS: tuple[Any, ...] = (None, True, 7, 2.5, "text", [], {}, ["text"], {"text": 1})
Place = tuple[str | int, ...]

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the runs are of TensorFlow"
)


@pytest.fixture(autouse=True)
def _beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in calls and settings are relative to the goldens; models are loaded once."""
    monkeypatch.chdir(GOLDEN)
    monkeypatch.setattr(saved, "_model", _model)


_load = saved._model


@functools.cache
def _of_bytes(content: bytes, path: Path) -> Any:
    return _load(path)


def _model(path: Path) -> Any:
    return _of_bytes(path.read_bytes(), RUNS / path.parent.name / path.name)


def _keys(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all keys in JSON values; of a list, those in its first and last item."""
    if isinstance(value, dict):
        for name, own in value.items():
            yield (*place, name)
            yield from _keys(own, (*place, name))
    elif isinstance(value, list) and value:
        for number in sorted({0, len(value) - 1}):
            yield from _keys(value[number], (*place, number))


def _damages(name: str) -> list[tuple[str, Place, str, Any]]:
    """File, place, and what is done there: removed, or another value."""
    found = []
    for file in FILES:
        values = read(RUNS / name / file)
        for place in _keys(values):
            found.append((file, place, "removed", None))
            own = functools.reduce(lambda value, key: value[key], place, values)
            found += [(file, place, "retyped", other) for other in OTHERS if other != own]
            found += [(file, place, "nested", other) for other in ([own], {"inside": own})]
    return found


def _damage(folder: Path, file: str, place: Place, how: str, other: Any) -> None:
    values = read(RUNS / folder.name / file)
    inside = functools.reduce(lambda value, key: value[key], place[:-1], values)
    if how == "removed":
        del inside[place[-1]]
    else:
        inside[place[-1]] = other
    (folder / file).write_text(json.dumps(values))


def _ends_well(folder: Path, calls: list[Any], where: str) -> bool:
    """Whether the run answers; else the error names the folder, in one line."""
    try:
        run = kerasseq.load(folder)
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert str(folder) in said, where
        assert "\n" not in said, where
        return False
    run.summary()
    with contextlib.suppress(ValueError):  # lists of different lengths, which are not checked
        run.figures()
    for call in calls:
        try:
            answer(run, call)
        except ValueError:  # such as a setting that says how data is read
            continue
    return True


def _fuzz(name: str, damages: list[tuple[str, Place, str, Any]], folder: Path) -> None:
    calls = read(RUNS / f"{name}.json")
    # Each verb once, and the quickest: what is answered is tested with the goldens.
    first = [*{call["verb"]: call for call in reversed(calls)}.values()]
    calls = [call for call in first if call["verb"] != "backtest"]
    shutil.copytree(RUNS / name, folder)
    assert _ends_well(folder, calls, "unharmed"), kerasseq.load(folder)
    told = []
    for damage in damages:
        _damage(folder, *damage)
        try:
            _ends_well(folder, calls, str(damage))
        except Exception as error:
            told.append(f"{damage}: {type(error).__name__}: {error}")
        shutil.copyfile(RUNS / name / damage[0], folder / damage[0])
    assert told == [], "\n".join(told)


@pytest.mark.parametrize("name", NAMES)
def test_some_damages_of_a_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _fuzz(name, random.Random(0).sample(_damages(name), FEW), tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_damages_of_a_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _fuzz(name, _damages(name), tmp_path / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(RUNS / "sentiment", tmp_path / "sentiment")
    return tmp_path / "sentiment"


def test_each_wrong_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _damage(folder, "state.json", ("data_info", "classes"), "retyped", "two")
    _damage(folder, "metrics.json", ("epochs",), "removed", None)
    _damage(folder, "run.json", ("settings", "units"), "retyped", "many")
    (folder / "history.json").write_text("[1]")
    monkeypatch.setattr(saved, "_model", _load)
    (folder / "model.keras").write_bytes(b"")
    with pytest.raises(ValueError, match="is damaged") as info:
        kerasseq.load(folder)
    said = str(info.value)
    for part in (
        "state.json is damaged: data_info.classes must be a whole number, and is 'two'",
        "metrics.json is damaged: it lacks epochs",
        "run.json is damaged: units must be a whole number above zero. Received: units='many'",
        "history.json is damaged: it must be a mapping, and is a list of 1",
        "model.keras is damaged: it cannot be read as a Keras model",
    ):
        assert part in said


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 500 + "]" * 500])
def test_values_nested_very_deep(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(ValueError, match=rf"{file} (is not valid JSON|has values nested more)"):
        kerasseq.load(folder)


def test_the_run_of_another_recipe(folder: Path) -> None:
    _damage(folder, "run.json", ("recipe",), "retyped", "forecasting")
    with pytest.raises(ValueError, match=r"state.json is damaged.*metrics.json is damaged"):
        kerasseq.load(folder)


def test_the_settings_of_another_run(folder: Path) -> None:
    _damage(folder, "run.json", ("settings", "units"), "retyped", 5)
    with pytest.raises(ValueError, match=r"do not go together.*the model has 592 parameters"):
        kerasseq.load(folder)


@pytest.mark.parametrize("command", ["show", "predict", "evaluate"])
def test_the_shell_says_it_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    _damage(folder, "state.json", ("classes",), "removed", None)
    data = {"show": [], "predict": ["a text"], "evaluate": ["demo"]}[command]
    assert main([command, str(folder), *data]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "state.json is damaged: it lacks classes" in err


@pytest.mark.parametrize("name", ["continuing_subword_prefix", "unk_token", "merges"])
def test_what_the_tokenizers_library_panics_at_is_an_error(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sentiment-subwords"
    shutil.copytree(RUNS / folder.name, folder)
    place = ("encoder", "tokenizer", "model", name)
    _damage(folder, "state.json", place, "retyped", "text")
    with pytest.raises(ValueError, match=rf"state.json is damaged: .*{name} must be"):
        kerasseq.load(folder)
