"""Sequence classification from arrays to a saved run, and one clear sentence for what cannot be."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.data.sequences.read import Reading, read_sequences
from kerasseq.data.sequences.recordings import LeftOut
from kerasseq.io import schema
from kerasseq.recipes import sequence_classification
from kerasseq.recipes.sequence_classification import SequenceClassificationSettings
from kerasseq.settings import check
from kerasseq.tasks import perform
from kerasseq.tasks.sequence_classification import SequenceRun
from kerasseq.tasks.sequence_classification.stream import Stream

TASK = kerasseq.sequence_classification.task
SMALL: dict[str, Any] = {
    **{"units": 6, "depth": 1, "epochs": 1, "final": "train", "quiet": True, "dropout": 0.0},
    **{"jitter": 0.0, "scaling": 0.0, "batch_size": 16, "convolutions": 0},
    **{"differences": False, "time_warp": 0.0, "cropping": 0.0},
}
LEARNING: dict[str, Any] = {**SMALL, "epochs": 12, "learning_rate": 0.03}


def _waves(rows: int = 90, seed: int = 0, classes: int = 3) -> tuple[list[np.ndarray], list[str]]:
    """Waves of two channels and unequal lengths; the class is their frequency."""
    random = np.random.default_rng(seed)
    values, labels = [], []
    for row in range(rows):
        time = np.arange(random.integers(12, 24))
        speed = (0.2, 0.5, 1.1)[row % classes]
        wave = np.stack([np.sin(speed * time), np.cos(speed * time)], axis=1)
        values.append((3 * wave + 5 + random.normal(0, 0.2, wave.shape)).astype(np.float32))
        labels.append(("slow", "middle", "fast")[row % classes])
    return values, labels


@pytest.fixture(scope="module")
def run() -> SequenceRun:
    return sequence_classification(_waves(), **LEARNING, causal=True)


@pytest.fixture(scope="module")
def folder(run: SequenceRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def regression() -> SequenceRun:
    values, _ = _waves()
    sizes = [100 + float(x[-1, 0]) + 0.1 * len(x) for x in values]
    return sequence_classification(values, label=sizes, **LEARNING)


# The whole life


def test_it_learns_and_tells_how_good_it_is(run: SequenceRun) -> None:
    assert run.metrics["test"]["accuracy"] > 0.8
    names = ["majority", "1-NN, time warping", "statistics + logistic regression"]
    assert [*run.metrics["baselines"]] == names
    assert run.metrics["baselines"]["majority"]["accuracy"] < 0.5
    assert "the strongest baseline" in run.metrics["verdict"]
    assert run.metrics["rows"] == {"train": 54, "validation": 18, "test": 18}
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert run.settings["label"] is None


@pytest.mark.thorough
def test_a_fresh_process_predicts_the_same(run: SequenceRun, folder: Path, tmp_path: Path) -> None:
    values, _ = _waves(5, seed=3)
    np.savez(tmp_path / "0.npz", values=values[0])
    np.savetxt(tmp_path / "1.csv", values[1], delimiter=",")
    files = [str(tmp_path / "0.npz"), str(tmp_path / "1.csv"), str(tmp_path / "gone.csv")]
    code = f"import kerasseq; print(kerasseq.load({str(folder)!r}).predict({files}).to_json())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    answer = pd.read_json(__import__("io").StringIO(result.stdout.splitlines()[-1]))
    expected = run.predict(files)
    assert answer["sequence"].tolist() == ["0.npz", "1.csv", "gone.csv"]
    np.testing.assert_allclose(answer[["fast", "slow"]], expected[["fast", "slow"]], atol=1e-6)
    alone = run.predict(values[:2])
    np.testing.assert_allclose(expected["fast"][:2], alone["fast"], atol=1e-6)
    note = answer["note"][2]
    assert note.startswith("there is no file or folder")
    assert note.endswith("class shares of the training part")
    np.testing.assert_allclose(answer.loc[2, ["fast", "middle", "slow"]].sum(), 1, atol=1e-6)


def test_the_shell_answers_each_sequence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values, _ = _waves(2)
    np.save(tmp_path / "good.npy", values[0])
    np.save(tmp_path / "bad.npy", np.ones((4, 5)))
    files = [str(tmp_path / "good.npy"), str(tmp_path / "bad.npy")]
    assert main(["predict", str(folder), *files, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sequence,label,fast,middle,slow,note"
    assert "it has 5 channels, and 2 are expected: class shares" in lines[2]
    assert main(["predict", str(folder), files[1], "--strict"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot read 1 of 1 rows" in error


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_bit_for_bit(run: SequenceRun) -> None:
    again = sequence_classification(_waves(), **LEARNING, causal=True)
    pairs = zip(again.model.get_weights(), run.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert again.metrics["test"] == run.metrics["test"]


def test_padding_and_the_rest_of_a_batch_change_no_prediction(run: SequenceRun) -> None:
    values, _ = _waves(9, seed=4)
    among = run.predict(values)["fast"]
    alone = [run.predict([x])["fast"].item() for x in values[:3]]
    np.testing.assert_allclose(among[:3], alone, atol=1e-6)


def test_evaluate_agrees_with_predict(run: SequenceRun) -> None:
    values, labels = _waves(12, seed=5)
    scores = run.evaluate((values, labels))
    assert scores["rows"] == 12
    assert scores["test"]["accuracy"] == np.mean(run.predict(values)["label"] == labels)
    with pytest.raises(ValueError, match="'new' were not in the training data"):
        run.evaluate((values, ["new"] * 12))
    with pytest.raises(ValueError, match="every sequence needs a label"):
        run.evaluate(values)


# Streams


def test_a_stream_equals_the_whole(folder: Path) -> None:
    loaded = SequenceRun.load(folder)
    values, _ = _waves(1, seed=6)
    stream = loaded.stream()
    for begin in range(0, len(values[0]), 5):
        answer = stream.update(values[0][begin : begin + 5])
        so_far = loaded.predict([values[0][: begin + 5]])
        expected = so_far.loc[0, ["fast", "middle", "slow"]].tolist()
        np.testing.assert_allclose([*answer["probabilities"].values()], expected, atol=1e-5)
        assert answer["label"] == so_far["label"].item()
    assert answer["timesteps"] == len(values[0])
    first = stream.update(values[0][0])
    stream.reset()
    assert stream.update(values[0][0]) != first
    assert stream.timesteps == 1


@pytest.mark.thorough
def test_a_stream_says_what_it_takes(run: SequenceRun, regression: SequenceRun) -> None:
    with pytest.raises(ValueError, match=r"samples must be \(2,\), or \(timesteps, 2\).*\(3,\)"):
        run.stream().update([1, 2, 3])
    with pytest.raises(ValueError, match=r"samples must be finite, or NaN .* Received: -inf"):
        run.stream().update([1, -np.inf])
    with pytest.raises(ValueError, match="train it with causal=True"):
        regression.stream()
    with_gap = run.stream()
    with_gap.update([[4.0, 5.0], [np.nan, 6.0]])
    whole = run.stream()
    assert whole.update([[4.0, 5.0], [4.0, 6.0]])["probabilities"] == pytest.approx(
        with_gap.update([[1.0, 1.0]])["probabilities"], abs=1
    )


def test_a_stream_of_one_channel_takes_a_list_of_its_samples() -> None:
    values = [x[:, :1] for x in _waves(12)[0]]
    run = sequence_classification((values, list("ab") * 6), **SMALL, causal=True)
    one, other = run.stream(), run.stream()
    assert one.update(values[0][:, 0]) == other.update(values[0])
    with pytest.raises(ValueError, match="samples must be finite"):
        one.update([1.0, 1e300])


def test_a_causal_model_that_cannot_follow_a_stream_is_noted() -> None:
    for normalize, count in (("sequence", 1), ("channel", 0)):
        settings = SequenceClassificationSettings(**SMALL, causal=True, normalize=normalize)
        _, prepared = perform.prepare(TASK, TASK.load(_waves(), settings), settings)
        assert sum("run.stream() cannot follow" in note for note in prepared.notes) == count


def test_a_stream_takes_the_channels_of_a_table_by_name(run: SequenceRun) -> None:
    state = {**run.state, "channels": ["x", "y"]}
    named = Stream(dataclasses.replace(run, state=state))
    values = _waves(1, seed=6)[0][0][:4]
    expected = run.stream().update(values)["probabilities"]
    table = pd.DataFrame(values, columns=["x", "y"])
    for samples in (values, table, table[["y", "x"]].assign(time=0)):
        named.reset()
        assert named.update(samples)["probabilities"] == expected
    named.reset()
    first = run.stream().update(values[0])["probabilities"]
    row = table.assign(label="a")[["label", "y", "x"]].iloc[0]
    assert named.update(row)["probabilities"] == first
    with pytest.raises(ValueError, match=r"the columns 'x', 'y', each once.*: 'x', 'z'"):
        named.update(table.rename(columns={"y": "z"}))
    assert run.stream().update(table)["probabilities"] == expected


@pytest.mark.thorough
def test_a_large_offset_changes_no_answer_of_a_run_and_its_stream(tmp_path: Path) -> None:
    values, labels = _waves()
    moved = [x.astype(np.float64) + 1e9 for x in values]
    plain = sequence_classification((values, labels), **LEARNING, causal=True)
    run = sequence_classification((moved, labels), **LEARNING, causal=True)
    assert run.metrics["test"]["accuracy"] == plain.metrics["test"]["accuracy"]
    loaded = kerasseq.load(run.save(tmp_path / "run"))
    expected = plain.predict(values[:4])["fast"]
    np.testing.assert_allclose(loaded.predict(moved[:4])["fast"], expected, atol=1e-3)
    np.testing.assert_allclose(
        loaded.predict([moved[0][:1]]).iloc[0, 2:5].astype(float),
        plain.predict([values[0][:1]]).iloc[0, 2:5].astype(float),
        atol=1e-3,
    )
    answer = loaded.stream().update(moved[0])["probabilities"]["fast"]
    np.testing.assert_allclose(answer, expected[0], atol=1e-3)
    assert loaded.evaluate((moved, labels))["rows"] == 90


# Regression


@pytest.mark.thorough
def test_numbers_with_a_fraction_are_a_regression(regression: SequenceRun, tmp_path: Path) -> None:
    assert next(iter(regression.metrics["test"])) == "r2"
    assert [*regression.metrics["baselines"]] == ["mean", "statistics + ridge regression"]
    assert "the labels are numbers: a regression" in regression.notes
    values, _ = _waves(4, seed=7)
    among = regression.predict([*values, "gone.csv"])
    answers = regression.predict([*values, np.zeros((0, 2))])
    assert among["prediction"].tolist() == answers["prediction"].tolist()
    assert answers.columns.tolist() == ["sequence", "prediction", "note"]
    assert answers["prediction"].between(90, 115).all()
    assert answers["note"].tolist()[3:] == ["", "it has no timesteps: mean of the training part"]
    loaded = kerasseq.load(regression.save(tmp_path / "run"))
    np.testing.assert_allclose(loaded.predict(values)["prediction"], answers["prediction"][:4])
    plots = sorted(path.name for path in (tmp_path / "run" / "plots").iterdir())
    assert plots == ["curves.png", "predictions.png"]
    targets = [float(x[-1, 0]) + 101.3 for x in values]
    error = np.abs(loaded.predict(values)["prediction"] - targets).mean()
    scores = loaded.evaluate((values, targets))["test"]
    assert scores["mean_absolute_error"] == pytest.approx(error)
    for bad, match in (
        ("tall", "needs numbers as labels. Received: the label 'tall'"),
        (np.inf, "every label must be a number of a size below .* Received: the label inf"),
    ):
        with pytest.raises(ValueError, match=match):
            loaded.evaluate((values, [*targets[:3], bad]))


def test_whole_numbers_are_classes_unless_told_otherwise() -> None:
    values, _ = _waves(30)
    settings = SequenceClassificationSettings(label=[1, 2, 3] * 10)
    assert not TASK.load(values, settings).numeric
    settings = SequenceClassificationSettings(label=[1, 2, 3] * 10, target="number")
    assert TASK.load(values, settings).numeric


# Parts


def _parts(data: Any, **changes: Any) -> Any:
    settings = SequenceClassificationSettings(**{**SMALL, **changes})
    return perform.prepare(TASK, TASK.load(data, settings), settings)[0]


def test_groups_are_never_on_both_sides() -> None:
    values, labels = _waves()
    subjects = [f"s{row // 9}" for row in range(90)]
    parts = _parts(values, label=labels, groups=subjects)
    sides = [{*part.groups} for part in (parts.train, parts.validation, parts.test)]
    assert all(one.isdisjoint(other) for one in sides for other in sides if one is not other)
    parts = _parts(values, label=labels, groups=subjects, test_groups=["s1", "s4"])
    assert {*parts.test.groups} == {"s1", "s4"}
    with pytest.raises(ValueError, match="belong to the only group, 'x'"):
        _parts(values, label=labels, groups=["x"] * 90)


def test_of_two_groups_one_is_scored_and_the_end_of_the_other_stops() -> None:
    values, labels = _waves()
    parts = _parts((values, labels), groups=["x", "y"] * 45, test_groups=["y"])
    assert {*parts.train.groups} == {*parts.validation.groups} == {"x"}
    assert len(parts.validation) == 12
    assert parts.train.values.starts.max() < parts.validation.values.starts.max()
    note = "there is one group alone beside the test part, 'x': the validation part has the last"
    assert any(each.startswith(note) for each in parts.notes)


def test_groups_take_the_place_of_an_official_test_part() -> None:
    source = TASK.load(_waves(), SequenceClassificationSettings(**SMALL, groups=["x", "y"] * 45))
    source.test = source.take(np.arange(10))
    parts = _parts(source, test_groups=["y"])
    assert {*parts.test.groups} == {"y"}
    assert "test_groups= in place of the test part of 10 sequences" in parts.notes


def test_groups_may_be_numbers() -> None:
    values, labels = _waves()
    changes: dict[str, Any] = {"groups": [row // 9 for row in range(90)], "test_groups": [3]}
    check(SequenceClassificationSettings(**changes))
    parts = _parts(values, label=labels, **changes)
    assert {*parts.test.groups} == {"3"}


def test_columns_of_new_files_are_put_in_the_order_of_training(
    run: SequenceRun, tmp_path: Path
) -> None:
    values, _ = _waves(1)
    pd.DataFrame(values[0][:, ::-1], columns=["y", "x"]).to_csv(tmp_path / "0.csv", index=False)
    state = {**run.state, "channels": ["x", "y"]}
    new = TASK.unlabelled([str(tmp_path / "0.csv")], state, run.resolved)
    np.testing.assert_allclose(new.examples.sequences[0], values[0], rtol=1e-5)


def test_a_label_for_some_timesteps_leaves_out_no_window(run: SequenceRun) -> None:
    values = np.concatenate(_waves(10)[0])[:100]
    table = pd.DataFrame({"x": values[:, 0], "y": values[:, 1]})
    table["label"] = ["slow"] * 10 + ["fast"] * 10 + [None] * 80
    reading = {"channels": ["x", "y"], "label": "label"}
    state = {**run.state, "channels": ["x", "y"], "reading": reading}
    settings = dataclasses.replace(run.resolved, window=20, stride=10)
    assert len(TASK.unlabelled(table, state, settings).rows) == 9
    scored = TASK.read(table, state, settings, {})
    assert (len(scored), scored.remarks) == (2, ["left out: 7 windows without a label"])


def test_what_was_left_out_is_known_by_its_type(run: SequenceRun) -> None:
    values, labels = _waves(2)
    notes = [LeftOut("3 windows were dropped"), "left out of this is nothing"]
    source = dataclasses.replace(
        read_sequences((values, labels), Reading(learn=False, shape=(2,))), notes=notes
    )
    assert TASK.read(source, run.state, run.resolved, {}).remarks == ["3 windows were dropped"]


def test_new_tables_need_neither_labels_nor_groups(run: SequenceRun) -> None:
    values, labels = _waves(2)
    table = pd.concat(
        pd.DataFrame({"take": row, "x": x[:, 0], "y": x[:, 1], "kind": label, "who": "s"})
        for row, (x, label) in enumerate(zip(values, labels, strict=True))
    )
    roles = {"sequence": "take", "label": "kind", "groups": "who"}
    reading = {**roles, "step": None, "channels": ["x", "y"]}
    settings = dataclasses.replace(run.resolved, **roles)
    state = {**run.state, "channels": ["x", "y"], "reading": reading}
    for new in (table, table.drop(columns=["kind", "who"])):
        answered = TASK.unlabelled(new, state, settings)
        assert (answered.rows, answered.reasons) == (["0", "1"], ["", ""])
        np.testing.assert_allclose(answered.examples.sequences[1], values[1])
    assert len(TASK.read(table, state, settings, {})) == 2
    with pytest.raises(ValueError, match="no such column: label='kind'"):
        TASK.read(table.drop(columns="kind"), state, settings, {})


def test_groups_on_both_sides_of_separate_data_are_said() -> None:
    time = np.tile(np.arange(4), 60)
    sequence = np.repeat(np.arange(60), 4)
    table = pd.DataFrame(
        {"sequence": sequence, "step": time, "subject": sequence // 2 % 5, "x": time % 3}
    ).assign(label=np.where(sequence % 2, "a", "b"))
    parts = _parts(table, test=table[sequence < 4])
    assert any("groups that the training and the test part share: 2" in n for n in parts.notes)
    without = table.drop(columns="subject")
    parts = _parts(without, window=2, test=without[sequence < 4])
    assert not any("groups" in note for note in parts.notes)


def test_one_recording_is_split_by_time() -> None:
    labels = np.repeat(["walk", "sit", "run", "walk", "run", "sit"], 50)
    table = pd.DataFrame({"x": np.arange(300) % 7, "label": labels})
    parts = _parts(table, window=10, stride=5)
    counts = [len(part) for part in (parts.train, parts.validation, parts.test)]
    last = "recordings are too few to be held out as a whole: the {} part has the last windows of"
    for name in ("test", "validation"):
        assert any(note.startswith(last.format(name)) for note in parts.notes)
    assert sum("scores tell less of new recordings" in note for note in parts.notes) == 1
    spans = [
        {step for start in part.values.starts for step in range(start, start + 10)}
        for part in (parts.train, parts.validation, parts.test)
    ]
    assert all(one.isdisjoint(other) for one in spans for other in spans if one is not other)
    assert all({*part.labels} == {"walk", "sit", "run"} for part in (parts.train, parts.test))
    assert sum(counts) < 59
    with pytest.raises(ValueError, match=r"belong to the only group, 'x'.* pass validation="):
        _parts(table.assign(who="x"), window=10, groups="who")


def test_labels_of_a_part_that_are_not_known_name_the_part() -> None:
    values, labels = _waves()
    with pytest.raises(ValueError, match=r"^test=: the classes 'new' were not in"):
        _parts((values, labels), test=(values[:2], ["new", "slow"]))


def test_a_part_of_its_own_and_the_scaling_of_the_training_part_alone() -> None:
    test = _waves(9, seed=8)
    settings = SequenceClassificationSettings(**SMALL, test=test)
    source = TASK.load(_waves(), settings)
    parts, prepared = perform.prepare(TASK, source, settings)
    assert (len(parts.test), len(parts.train)) == (9, 67)
    every = np.concatenate([*parts.train.values])
    np.testing.assert_allclose(prepared.state["mean"], every.mean(axis=0), rtol=1e-5)
    assert TASK.settings_to_json(settings)["test"] == "9 sequences and their labels"


def test_the_folders_of_parts_are_the_parts(tmp_path: Path) -> None:
    values, labels = _waves()
    for part, rows in (("train", 45), ("val", 9), ("test", 12)):
        for row, (x, label) in enumerate(zip(values[:rows], labels)):
            (tmp_path / part / label).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / part / label / f"{row}.npy", x)
    parts = _parts(tmp_path)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (45, 9, 12)
    for name in ("validation", "test"):
        with pytest.raises(ValueError, match=f"data has an official {name} part: leave {name}="):
            _parts(tmp_path, **{name: (values[:9], labels[:9])})


def test_missing_values_are_interpolated_and_said() -> None:
    values, labels = _waves()
    values[0] = np.where(np.arange(len(values[0]))[:, None] < 5, np.nan, values[0])
    settings = SequenceClassificationSettings(**SMALL)
    _, prepared = perform.prepare(TASK, TASK.load((values, labels), settings), settings)
    assert any("of the values are missing, and interpolated" in note for note in prepared.notes)
    batch, *_ = prepared.train.batch(np.arange(len(prepared.train)))
    assert np.isfinite(batch["sequences"]).all()


def test_class_weights_give_all_classes_the_same_total() -> None:
    values, labels = _waves()
    settings = SequenceClassificationSettings(**SMALL, class_weights=True)
    data = (values[:60] + values[60::3], labels[:60] + labels[60::3])
    _, prepared = perform.prepare(TASK, TASK.load(data, settings), settings)
    totals = np.bincount(prepared.train.targets, prepared.train.weights)
    np.testing.assert_allclose(totals, totals[0], rtol=1e-5)


# Bad data and settings


@pytest.mark.parametrize(
    ("data", "changes", "match"),
    [
        (lambda v, y: (v, ["a"] * 89 + ["b"]), {}, "alone of class 'b'.* or pass window="),
        (lambda v, y: (v, ["a"] * 90), {}, "at least two classes"),
        (lambda v, y: (v, [f"{i}" for i in range(90)]), {}, "90 different labels for 90 sequences"),
        (lambda v, y: v, {}, "the sequences have no labels. Pass label="),
        (lambda v, y: ([*v[:-1], v[0][:, :1]], y), {}, "1 of 90 sequences cannot be used: 89"),
        (lambda v, y: [], {"label": []}, "holds no sequences"),
        (lambda v, y: (v, y), {"pooling": "median"}, "pooling must be one of last"),
        (lambda v, y: (v, y), {"stride": 2}, "pass window= too"),
        (lambda v, y: (v, y), {"image_size": 10**6}, "scaled to 1,000,000 by 1,000,000 pixels"),
        (lambda v, y: (v, y), {"test_groups": ["a"]}, "test_groups must name some of the groups"),
        (lambda v, y: (v, y), {"test_groups": ["a"], "test": ([], [])}, "leave one of them out"),
        (lambda v, y: 3, {}, "data must be an array.*Received: int"),
        (lambda v, y: (v, y), {"target": "number"}, "needs numbers as labels.*'slow'"),
    ],
)
def test_one_sentence_for_what_cannot_be(data: Any, changes: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        sequence_classification(data(*_waves()), **{**SMALL, **changes})


def test_faults_of_settings_are_told_together() -> None:
    with pytest.raises(ValueError, match=r"2 settings are wrong: .*units.*validation"):
        sequence_classification(_waves(), units=0, validation=2.0)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"shares": [0.1, 0.1, 0.1]}, "shares of the classes add up to 0.3"),
        ({"classes": ["slow", "slow", "fast"]}, "classes has a name twice"),
        ({"channels": ["x", "x"]}, "channels has a name twice"),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(
    run: SequenceRun, changes: Any, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        TASK.check_saved(run.model, {**run.state, **changes}, run.resolved, run.metrics)


def test_metrics_of_other_rows_and_settings_of_another_run_are_refused(run: SequenceRun) -> None:
    reliability = {**run.metrics["reliability"], "rows": [3]}
    for changes, match in (
        ({"confusion": [[9] * 3] * 3}, "confusion is of 81 rows, and 18 were scored"),
        ({"reliability": reliability}, "reliability is of 3 rows, and 18 were scored"),
        ({"test": {**run.metrics["test"], "accuracy": 0.123}}, "the accuracy is 0.123, and that"),
        ({"baselines": {"majority": {}}}, "the metrics lack accuracy of majority"),
    ):
        with pytest.raises(ValueError, match=match):
            TASK.check_saved(run.model, run.state, run.resolved, {**run.metrics, **changes})
    other = dataclasses.replace(run.resolved, differences=True)
    with pytest.raises(ValueError, match="the setting differences=True contradicts the state"):
        TASK.check_saved(run.model, run.state, other, run.metrics)
    schema.check(run.state, TASK.state_type())
    data_info = {**run.state["data_info"], "timesteps": 10**12}
    with pytest.raises(ValueError, match="timesteps"):
        schema.check({**run.state, "data_info": data_info}, TASK.state_type())


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("test", {"accuracy": 1.5}, "test.accuracy must be at least 0 and at most 1"),
        ("test", {"log_loss": -1.0}, "test.log_loss must be at least 0"),
        ("test", {"r2": 2.0}, "test.r2 must be at most 1"),
        ("interval", {"macro_f1": [0.9, 0.1]}, "interval.macro_f1 must begin below its end"),
        ("interval", {"accuracy": [0.5, None]}, r"interval.accuracy\[1\] must be a finite number"),
        ("baselines", {"majority": {"accuracy": -0.1}}, "baselines.majority.accuracy must be at"),
    ],
)
def test_damaged_scores_are_refused(run: SequenceRun, name: str, value: Any, match: str) -> None:
    schema.check(run.metrics, TASK.metrics_type())
    with pytest.raises(ValueError, match=match):
        schema.check({**run.metrics, name: value}, TASK.metrics_type())


@pytest.mark.thorough
def test_classes_have_columns_of_their_names_unless_these_are_taken() -> None:
    values, labels = _waves(30)
    names = {"slow": "sequence", "middle": "note", "fast": "label"}
    run = sequence_classification((values, [names[label] for label in labels]), **SMALL)
    answers = run.predict(values[:2])
    assert answers.columns.tolist() == ["sequence", "label", "label_", "note_", "sequence_", "note"]
    np.testing.assert_allclose(answers[["label_", "note_", "sequence_"]].sum(axis=1), 1, atol=1e-5)


# The demo, images and frames


def test_images_are_read_row_by_row(tmp_path: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for label, tone in (("dark", 40), ("light", 200)):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(8):
            pixels = np.clip(random.normal(tone, 20, (7, 5)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.png")
    settings = SequenceClassificationSettings(**SMALL)
    source = TASK.load(tmp_path / "images", settings)
    assert source.values.shape == (5,)
    assert {*source.values.lengths.tolist()} == {7}
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "images" / "dark" / "9.png")
    with pytest.raises(ValueError, match="it has 9 channels, and 5 are expected"):
        TASK.load(tmp_path / "images", settings)
    same = SequenceClassificationSettings(**SMALL, image_size=6)
    assert TASK.load(tmp_path / "images", same).values.shape == (6,)


def _videos(place: Path) -> Path:
    """A folder of videos, in which a line moves to the right or to the left."""
    from PIL import Image

    random = np.random.default_rng(0)
    for label in ("left", "right"):
        for video in range(6):
            folder = place / "videos" / label / f"{video}"
            folder.mkdir(parents=True)
            for step in range(3 + video % 2):
                pixels = random.integers(0, 40, (8, 8)).astype(np.uint8)
                pixels[:, step if label == "left" else 7 - step] = 255
                Image.fromarray(pixels).save(folder / f"{step}.png")
    return place / "videos"


@pytest.mark.thorough
def test_frames_of_videos_pass_a_network_that_is_trained_too(tmp_path: Path) -> None:
    run = sequence_classification(_videos(tmp_path), **{**SMALL, "validation": 0.3}, causal=True)
    assert run.state["data_info"]["shape"] == [8, 8, 1]
    answers = run.predict([str(tmp_path / "videos" / "left" / "0"), str(tmp_path / "gone")])
    assert answers["sequence"].tolist() == ["0", "gone"]
    assert answers["note"][0] == ""
    frame, stream = np.zeros((8, 8, 1), np.uint8), run.stream()
    assert stream.update(frame.tolist())["timesteps"] == 1
    for bad in (frame - 1.0, frame.astype(int) + 300, frame + 0.5):
        with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
            stream.update(bad)


@pytest.mark.thorough
def test_the_search_needs_nothing_special(tmp_path: Path) -> None:
    result = kerasseq.tune(
        "sequence_classification", _waves(45), trials=2, epochs=1, depth=1,
        space={"cell": ["gru", "mingru"], "units": [3, 4]}, tuner="random", quiet=True,
        out=tmp_path / "search",
    )  # fmt: skip
    assert len(result.trials) >= 2
    assert keras.backend.backend() in ("tensorflow", "jax", "torch")


def test_a_network_whose_weights_are_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"weights of mobilenet_v2 are not in .*models"):
        sequence_classification(tmp_path, encoder="mobilenet_v2")
    with pytest.raises(ValueError, match="there is no network 'mobile'"):
        sequence_classification(tmp_path, encoder="mobile")


@pytest.mark.thorough
def test_a_frozen_network_reads_frames_and_is_saved(tmp_path: Path) -> None:
    videos = _videos(tmp_path)
    network = {"encoder": "mobilenet_v2", "weights": None, "image_size": 32}
    with pytest.raises(
        ValueError, match="encoder= reads the frames of videos, and data has none, as CLASS"
    ):
        sequence_classification(_waves(), **network, **SMALL)
    run = sequence_classification(videos, **network, **{**SMALL, "validation": 0.3}, causal=True)
    assert run.state["data_info"]["shape"] == [1280]
    entries = [str(videos / "left" / "0"), str(videos / "right" / "1"), str(tmp_path / "gone")]
    answers = run.predict(entries)
    assert answers["note"].map(bool).tolist() == [False, False, True]
    again = kerasseq.load(run.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.predict(entries), answers)
    assert again.evaluate(videos)["rows"] == 12

    from PIL import Image

    paths = sorted((videos / "left" / "0").iterdir())
    frames = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    np.testing.assert_allclose(
        again.predict([frames, frames[:1].astype(int)])[["left", "right"]].to_numpy()[0],
        answers.loc[0, ["left", "right"]].to_numpy(dtype=float),
        atol=1e-5,
    )
    settings = SequenceClassificationSettings(**network, label=["a", "b"])
    source = TASK.load([frames, frames[:1]], settings)
    np.testing.assert_allclose(source.values[1], source.values[0][:1], atol=1e-5)
    assert source.extractor is not None
    stream = again.stream()
    for frame in frames:
        answer = stream.update(frame)
    expected = answers.loc[0, ["left", "right"]].to_numpy(dtype=float)
    np.testing.assert_allclose([*answer["probabilities"].values()], expected, atol=1e-4)
    with pytest.raises(ValueError, match=r"samples must be \(height, width, 3\)"):
        stream.update(frames[0, :, :, 0])


@pytest.mark.parametrize(("sequences", "momentum"), [(959, None), (960, 0.99)])
def test_weights_are_averaged_where_an_epoch_has_thirty_steps(
    sequences: int, momentum: float | None
) -> None:
    settings, _ = TASK.resolve({"sequences": sequences}, SequenceClassificationSettings(0))
    assert settings.ema_momentum == momentum
    fixed = SequenceClassificationSettings(0, ema_momentum=0.5)
    assert TASK.resolve({"sequences": sequences}, fixed)[0].ema_momentum == 0.5
