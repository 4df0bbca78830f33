"""A damaged folder of a run is refused in words that name each wrong file, or still answers."""

from __future__ import annotations

import functools
import json
import math
import random
import resource
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.runs import saved
from tests.golden.replay import GOLDEN, RUNS, read
from tests.thorough import first_of, is_thorough

FILES = ("run.json", "state.json", "metrics.json", "history.json")
ARRAYS = "state.npz"
NAMES = sorted(path.stem for path in RUNS.glob("*.json"))
FEW = 12 if is_thorough() else 5  # damages of a run, unless all are asked for
MANY = 12  # keys of one mapping
#: Entries that say how data is read, and in which unit: verbs tell what is wrong with the data,
#: or that a model gives no finite numbers.
READING = (
    *("images", "captions", "features", "fine_tune", "'text'", "'label'", "classes", "roles"),
    *("'reading'", "'sentence'", "'token'", "'scheme'"),
    *("'test'", "'validation'", "'time'", "'target'", "'series'", "'ids'", "'keys'"),
    *("'channels'", "'sequence'", "'step'", "'groups'", "'rate'", "'window'"),
    *("'location'", "'scale'", "'shift'", "'past'", "'future'", "'static'", "'folded'"),
    "negative",  # times of a history, which new rows then do not continue
)
GIB = 2**30
DEEP = "nested 100,000 deep"
OTHERS: tuple[Any, ...] = (
    *(None, True, 0, -1, 2.5, 10**12, 2**70, math.nan, math.inf),
    *("", "text", [], {}, ["text"], {"text": 1}, DEEP),
)
NEXT = pd.DataFrame(
    {"month": ["2022-01-01"] * 2, "sold": [25.0, 240.0], "shop": ["north", "south"]}
)
#: Verbs that no golden answer is of.
FURTHER: dict[str, list[dict[str, Any]]] = {
    "forecasting": [
        {"verb": "backtest", "arguments": {"folds": 1, "data": "data/series.csv"}},
        {"verb": "update", "arguments": {"rows": NEXT}},
        {"verb": "forecast", "arguments": {}},
    ]
}
Place = tuple[str | int, ...]
Damage = Callable[[Path], None]  # of the folder of a run

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the runs are of TensorFlow"
)


@pytest.fixture(autouse=True)
def _beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in calls and settings are relative to the goldens; models are loaded once."""
    monkeypatch.chdir(GOLDEN)
    monkeypatch.setattr(saved, "_read_model", _model)


_load = saved._read_model


@functools.cache
def _of_bytes(content: bytes, path: Path) -> Any:
    return _load(path)


def _model(path: Path) -> Any:
    return _of_bytes(path.read_bytes(), RUNS / path.parent.name / path.name)


def _keys(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all keys in JSON values; the first and the last one of many that are alike."""
    pairs = [*(value.items() if isinstance(value, dict) else enumerate(value))]
    alike = len({type(own) for _, own in pairs}) == 1
    if isinstance(value, list) or (alike and len(pairs) > MANY):
        pairs = [*pairs[:1], *pairs[1:][-1:]]
    for name, own in pairs:
        yield (*place, name)
        if isinstance(own, dict | list):
            yield from _keys(own, (*place, name))


def _changed(file: str, place: Place, how: str, other: Any = None) -> Damage:
    """Another value at a place of a JSON file, or none at all."""

    def damage(folder: Path) -> None:
        values = read(RUNS / folder.name / file)
        inside = functools.reduce(lambda value, key: value[key], place[:-1], values)
        if how == "removed":
            del inside[place[-1]]
        else:
            inside[place[-1]] = other
        text = json.dumps(values)
        (folder / file).write_text(text.replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000))

    return damage


def _rewritten(name: str, array: Any) -> Damage:
    """Another array under a name, or under another name."""

    def damage(folder: Path) -> None:
        with np.load(RUNS / folder.name / ARRAYS) as file:
            arrays = {own: file[own] for own in file.files}
        own = arrays.pop(name)
        if array is not None:
            changed = array(own)
            arrays |= changed if isinstance(changed, dict) else {name: changed}
        np.savez(folder / ARRAYS, allow_pickle=True, **arrays)

    return damage


def _cut_off(name: str) -> Damage:
    def damage(folder: Path) -> None:
        with (
            zipfile.ZipFile(RUNS / folder.name / ARRAYS) as old,
            zipfile.ZipFile(folder / ARRAYS, "w") as new,
        ):
            for member in old.namelist():
                content = old.read(member)
                new.writestr(member, content[:-1] if member == f"{name}.npy" else content)

    return damage


def _float(array: np.ndarray) -> np.dtype:
    return array.dtype if array.dtype.kind == "f" else np.dtype(float)


_ARRAYS: dict[str, Any] = {
    "removed": None,
    "renamed": lambda own: {"other": own},
    "text": lambda own: np.full(own.shape, "text"),
    "objects": lambda own: np.full(own.shape, None),
    "whole numbers": lambda own: own.astype("datetime64[us]" if own.dtype.kind == "M" else int),
    "negative": lambda own: np.full(own.shape, -1).astype(own.dtype),
    "large": lambda own: np.full(own.shape, 2**62).astype(own.dtype),
    "numbers": lambda own: np.zeros(own.shape),
    "times": lambda own: np.full(own.shape, "NaT", "datetime64[us]"),
    "yes and no": lambda own: np.zeros(own.shape, bool),
    "NaN": lambda own: np.full(own.shape, np.nan, own.dtype if own.dtype.kind == "f" else float),
    "infinite": lambda own: np.full(
        own.shape, np.inf, own.dtype if own.dtype.kind == "f" else float
    ),
    "empty": lambda own: np.zeros((0,) * own.ndim, own.dtype),
    "without rows": lambda own: own[:0],
    "of fewer rows": lambda own: own[:-1],
    "of a single number": lambda own: np.zeros((), own.dtype),
    "of another dimension": lambda own: own[None],
}


def _damages(name: str) -> list[tuple[str, str, Damage]]:
    """The file, what is damaged in it, and the damage."""
    found = []
    for file in FILES:
        values = read(RUNS / name / file)
        for place in _keys(values):
            own = functools.reduce(lambda value, key: value[key], place, values)
            others = [other for other in OTHERS if type(other) is not type(own) or other != own]
            found.append((file, f"{place} removed", _changed(file, place, "removed")))
            found += [
                (file, f"{place} is {other!r}"[:200], _changed(file, place, "retyped", other))
                for other in (*others, [own], {"inside": own})
            ]
    if (RUNS / name / ARRAYS).exists():
        with np.load(RUNS / name / ARRAYS) as arrays:
            for own in arrays.files:
                found += [
                    (ARRAYS, f"{own} {how}", _rewritten(own, array))
                    for how, array in _ARRAYS.items()
                ]
                found.append((ARRAYS, f"{own} cut off", _cut_off(own)))
    return found


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
    run.figures()
    for call in calls:
        try:
            getattr(run, call["verb"])(**call["arguments"])
        except (ValueError, FileNotFoundError):
            if not any(name in where for name in READING):
                raise
    return True


def _fuzz(name: str, damages: list[tuple[str, str, Damage]], folder: Path) -> None:
    calls = read(RUNS / f"{name}.json")
    # Each verb once, and the quickest: what is answered is tested with the goldens.
    calls = [*{call["verb"]: call for call in reversed(calls)}.values()]
    calls += FURTHER.get(name.split("-")[0], [])
    shutil.copytree(RUNS / name, folder)
    assert _ends_well(folder, calls, "unharmed"), kerasseq.load(folder)
    told = []
    for file, what, damage in damages:
        damage(folder)
        asked = calls if file in ("run.json", "state.json", ARRAYS) else []
        try:
            _ends_well(folder, asked, f"{file}: {what}")
        except Exception as error:
            told.append(f"{file}: {what}: {type(error).__name__}: {error}")
        shutil.copyfile(RUNS / name / file, folder / file)
    assert told == [], "\n".join(told)


@pytest.mark.parametrize("name", first_of(sorted(NAMES, key="sentiment".__ne__)))
def test_some_damages_of_a_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _fuzz(name, random.Random(0).sample(_damages(name), FEW), tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_damages_of_a_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _fuzz(name, _damages(name), tmp_path / name)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < 4 * GIB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(RUNS / "sentiment", tmp_path / "sentiment")
    return tmp_path / "sentiment"


def test_each_wrong_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _changed("state.json", ("data_info", "classes"), "retyped", "two")(folder)
    _changed("metrics.json", ("epochs",), "removed")(folder)
    _changed("run.json", ("settings", "units"), "retyped", "many")(folder)
    (folder / "history.json").write_text("[1]")
    monkeypatch.setattr(saved, "_read_model", _load)
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


@pytest.mark.parametrize(
    ("name", "file", "place", "other", "told"),
    [
        ("sentiment", "metrics.json", ("seconds",), math.inf, "seconds must be a finite number"),
        ("sentiment", "metrics.json", ("seconds",), math.nan, "seconds must be a finite number"),
        ("sentiment", "metrics.json", ("rows", "test"), -1, "rows.test must be at least 0"),
        ("sentiment", "metrics.json", ("epochs", "kept"), 999, "epochs cannot be epoch 999 of"),
        ("sentiment", "history.json", ("loss",), [1.0], "lists of one length: accuracy has 2"),
        ("sentiment", "metrics.json", ("confusion", 0), [1], "confusion must have 2 columns"),
        ("sentiment", "metrics.json", ("reliability", "rows"), [1], "rows has 1 ent.*confidence 4"),
        (
            "sentiment",
            "state.json",
            ("encoder", "length"),
            10**9,
            "encoder.length must be .*104857",
        ),
        (
            "sentiment",
            "state.json",
            ("encoder", "length"),
            9,
            "data_info.length is 6, and there are 9",
        ),
        ("sentiment", "state.json", ("ngrams", "bits"), 10**9, "ngrams.bits must be at .*most 60"),
        ("sentiment", "state.json", ("ngrams", "bits"), 60, "2 tokens of 60 bits"),
        ("sentiment", "state.json", ("ngrams", "width"), 10**9, "in rows of 1,000,000,000"),
        ("sentiment-numbers", "state.json", ("shares",), [], "shares are of 0 of 3 classes"),
        (
            "captioning",
            "state.json",
            ("data_info", "inputs"),
            [],
            "data_info.inputs must have 1 to 3 entries",
        ),
        (
            "captioning",
            "state.json",
            ("data_info", "network", "size"),
            32,
            "data_info.network.size is 32",
        ),
        ("captioning", "metrics.json", ("examples",), [], "plots show 0 images"),
        ("captioning", "run.json", ("settings", "beam"), 10**12, "beam_width must be .* to 1000"),
        ("forecasting", "state.json", ("reader", "lookback"), 2**40, "reader.lookback must be at"),
        (
            "forecasting",
            "metrics.json",
            ("examples", 0, "truth"),
            [],
            "a value for each step in each",
        ),
        (
            "forecasting",
            "metrics.json",
            ("error_by_step",),
            {},
            "error_by_step must have 1 or more",
        ),
        ("sentiment", "metrics.json", ("parameters",), 999, "999 in metrics.json, and 592 in mod"),
        ("sentiment", "metrics.json", ("seed",), 7, "the seed is 7 in metrics.json, and 0 in run"),
        ("sentiment", "metrics.json", ("epochs", "kept"), 0, "epochs cannot be epoch 0 of 2"),
        ("sentiment", "metrics.json", ("interval",), {}, "interval lacks accuracy"),
        ("sentiment", "metrics.json", ("interval", "accuracy"), [], "must be a list of 2"),
        ("sentiment", "metrics.json", ("interval", "accuracy"), [1.0, 0.5], "begin below its end"),
        ("sentiment", "metrics.json", ("interval", "f2"), [0.0, 1.0], "interval of f2, and no"),
        ("sentiment", "metrics.json", ("interval", "accuracy"), [0.1, 0.2], "outside its interval"),
        ("sentiment", "metrics.json", ("test", "log_loss"), -1, "log_loss must be at least 0"),
        ("sentiment", "metrics.json", ("test", "accuracy"), 0.9, "that of the confusion matrix"),
        ("sentiment", "history.json", ("val_loss", 0), -1, r"val_loss\[0\] cannot be below zero"),
        (
            "sequences-regression",
            "metrics.json",
            ("test", "mean_absolute_error"),
            0.05,
            "error is 0.05, and that of examples 0.06",
        ),
        ("sequences", "metrics.json", ("epochs", "trained"), 9, "9 in metrics.*4 in history"),
        ("sequences", "run.json", ("settings", "stride"), 5, "pass window= too"),
        ("tagging", "metrics.json", ("interval", "f1"), [0.1, 0.2], "f1 1.0 outside its interval"),
        ("captioning", "metrics.json", ("test", "cider"), -1, "cider must be at least 0"),
        ("forecasting", "metrics.json", ("test", "mae"), -1, "test.mae cannot be below zero"),
        (
            "forecasting",
            "run.json",
            ("settings", "quantiles"),
            [0.9, 0.1],
            "quantiles must be levels",
        ),
    ],
)
def test_values_of_the_right_type_that_cannot_be(
    name: str, file: str, place: Place, other: Any, told: str, tmp_path: Path
) -> None:
    folder = tmp_path / name
    shutil.copytree(RUNS / name, folder)
    _changed(file, place, "retyped", other)(folder)
    with pytest.raises(ValueError, match=rf"{file}.*{told}"):
        kerasseq.load(folder)


def test_a_column_of_times_may_be_named_by_a_number(tmp_path: Path) -> None:
    folder = tmp_path / "forecasting"
    shutil.copytree(RUNS / "forecasting", folder)
    _changed("state.json", ("history", "encoding", "roles", "time", 0), "retyped", 7)(folder)
    assert "7" in kerasseq.load(folder).forecast().columns


def test_the_file_of_arrays_is_blamed_for_what_is_wrong_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "captioning-features"
    shutil.copytree(RUNS / folder.name, folder)
    _cut_off("1")(folder)
    with pytest.raises(ValueError, match=r"state\.npz is damaged: .*array .?1") as info:
        kerasseq.load(folder)
    assert "state.json" not in str(info.value)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 500 + "]" * 500])
def test_values_nested_very_deep(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(
        ValueError, match=rf"{file} is damaged: it (is not valid JSON|has values nested more)"
    ):
        kerasseq.load(folder)


def test_the_run_of_another_recipe(folder: Path) -> None:
    _changed("run.json", ("recipe",), "retyped", "forecasting")(folder)
    with pytest.raises(ValueError, match=r"state.json is damaged.*metrics.json is damaged"):
        kerasseq.load(folder)


def test_the_settings_of_another_run(folder: Path) -> None:
    _changed("run.json", ("settings", "units"), "retyped", 5)(folder)
    with pytest.raises(ValueError, match=r"do not go together.*the model has 592 parameters"):
        kerasseq.load(folder)


@pytest.mark.parametrize("command", ["show", "predict", "evaluate"])
def test_the_shell_says_it_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    _changed("state.json", ("classes",), "removed")(folder)
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
    _changed("state.json", place, "retyped", "text")(folder)
    with pytest.raises(ValueError, match=rf"state.json is damaged: .*{name} must be"):
        kerasseq.load(folder)
