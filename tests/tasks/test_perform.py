"""The life that all recipes have, on one that is not about texts."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.settings import declarations_of, restrict_to
from kerasseq.tasks import perform
from kerasseq.tasks.base import Prepared, Task
from kerasseq.tasks.perform import prepare, train
from tests.damages import CASES, DAMAGES
from tests.thorough import first_of, is_thorough
from tests.toy import TASK, Toy, ToyRun, ToySettings, numbers, toy

TOP = [
    *("recipe", "test", "interval", "baselines", "parameters", "macs", "seconds", "seed"),
    "versions",
]


def _data(**changes: Any) -> tuple[Prepared, Any]:
    """The prepared data, and the settings."""
    settings = ToySettings(**changes)
    return prepare(TASK, numbers(), settings)[1], settings


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def plain() -> ToyRun:
    """A run of the toy as it is."""
    return toy()


@pytest.fixture(scope="module")
def longer() -> ToyRun:
    """A run of five epochs that nothing interrupted."""
    return toy(epochs=5)


@pytest.fixture(scope="module")
def refitted() -> ToyRun:
    """A run whose weights were refitted on all rows."""
    return toy(final="all")


# The life


def test_every_recipe_has_the_same_top_of_its_metrics(plain: ToyRun) -> None:
    run = plain
    assert list(run.metrics)[: len(TOP)] == TOP
    assert run.metrics["recipe"] == "toy"
    assert run.metrics["baselines"].keys() == {"mean", "difference"}
    assert run.metrics["parameters"] == TASK.count({"width": 2}, ToySettings())
    assert run.metrics["macs"] == TASK.macs({"width": 2}, ToySettings())
    assert run.metrics["rows"] == {"train": 30, "validation": 30, "test": 30}
    low, high = run.metrics["interval"]["error"]
    assert low < run.metrics["test"]["error"] < high
    assert run.metrics["versions"]["keras"] == keras.__version__
    assert json.loads(json.dumps(run.metrics)) == run.metrics


def test_the_verdict_is_on_the_strongest_baseline(plain: ToyRun) -> None:
    # The other baseline is exact, and of an error less is better.
    assert "loses to difference" in plain.metrics["verdict"]


def test_equal_arguments_give_equal_runs_bit_for_bit(plain: ToyRun) -> None:
    one, two, other = plain, toy(), toy(seed=1)
    assert _same(one.model, two.model)
    assert one.metrics["test"] == two.metrics["test"]
    assert not _same(one.model, other.model)


def test_data_cannot_depend_on_settings_of_later_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    def split(self: Toy, source: Any, settings: Any, **options: Any) -> Any:
        return settings.units

    monkeypatch.setattr(Toy, "split", split)
    with pytest.raises(AttributeError, match=r"must not depend on units.* stage='prepare'"):
        toy()
    assert restrict_to(ToySettings(), "split", "prepare").scale is True


def test_what_was_found_is_told_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    run = toy(quiet=False)
    shown = capsys.readouterr().err.splitlines()
    assert shown[:2] == run.notes == ["90 rows", run.notes[1]]
    assert shown[2].startswith("epoch 1/2")


def test_notes_do_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = Toy.split

    def noted(self: Toy, *args: Any, **options: Any) -> Any:
        return replace(split(self, *args, **options), notes=["left out: \x1b[2J.txt"])

    monkeypatch.setattr(Toy, "split", noted)
    run = toy(quiet=False)
    assert "left out: \\u001b[2J.txt\n" in capsys.readouterr().err
    assert run.notes[0] == "left out: \x1b[2J.txt"


def test_a_quiet_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    toy()
    assert capsys.readouterr() == ("", "")


def test_a_run_is_neither_compiled_nor_carries_an_optimiser(plain: ToyRun) -> None:
    model = plain.model
    assert not model.compiled
    assert len(model.variables) == len(model.weights) + 1  # the dropout's generator


@pytest.mark.thorough
def test_callbacks_are_called() -> None:
    seen = []
    toy(callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda n, logs: seen.append(n))])
    assert seen == [0, 1]


def test_a_schedule_of_keras_is_written_down() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.5)
    assert toy(schedule=schedule).settings["schedule"]["config"]["decay_steps"] == 10


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", True),
        ("patience", 0),
        ("batch_size", -1),
        ("learning_rate", 0),
        ("learning_rate", "fast"),
        ("clipnorm", -1.0),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", None),
        ("units", 0),
        ("schedule", "linear"),
        ("optimizer", "newton"),
        ("weight_decay", -0.1),
        ("final", "test"),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .*Received: {name}="):
        toy(out=tmp_path / "run", **{name: value})
    assert not (tmp_path / "run").exists()


def test_gradients_may_go_unclipped() -> None:
    assert toy(clipnorm=None).settings["clipnorm"] is None


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"2 settings are wrong: units .*; epochs .*"):
        toy(units=0, epochs=0)


def test_an_unknown_setting_gets_its_new_name_or_the_nearest() -> None:
    with pytest.raises(TypeError, match="'clip' was renamed to 'clipnorm'"):
        toy(clip=1.0)
    with pytest.raises(TypeError, match=r"no setting 'unit'. Did you mean 'units'"):
        toy(unit=4)


def test_options_are_no_part_of_what_a_run_is(plain: ToyRun) -> None:
    settings = plain.settings
    options = {name for name, own in declarations_of(ToySettings).items() if own.stage == "option"}
    assert options == {"data", "out", "callbacks", "warm_start", "quiet"}
    assert {*settings} == {*declarations_of(ToySettings)} - options


def test_all_unknown_settings_are_told_at_once() -> None:
    with pytest.raises(TypeError, match=r"no setting 'epoch'.*no setting 'finals'"):
        toy(epoch=1, finals=2)


def test_a_new_name_is_one_that_the_recipe_has() -> None:
    with pytest.raises(TypeError, match="no setting 'tied'"):
        toy(tied=True)


# Optimizers


def test_an_optimizer_object_goes_with_no_setting_that_it_brings() -> None:
    own = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match=r"2 settings are wrong: .*own schedule: .*own clipnorm"):
        toy(optimizer=own, clipnorm=1.0, schedule="constant")  # their defaults


def test_an_optimizer_may_be_named(plain: ToyRun) -> None:
    assert not _same(toy(optimizer="sgd").model, plain.model)
    assert _same(toy(optimizer="Adam").model, plain.model)


def test_an_optimizer_object_brings_its_own_rate_and_stays_as_it_was(plain: ToyRun) -> None:
    own = keras.optimizers.Adam(0.05, global_clipnorm=1.0)
    run, again = toy(optimizer=own), toy(optimizer=own)
    assert _same(run.model, plain.model)
    assert _same(run.model, again.model)
    assert not own.built
    assert run.settings["optimizer"]["class_name"] == "Adam"
    assert json.loads(json.dumps(run.settings)) == run.settings
    with pytest.raises(ValueError, match=r"brings its own learning_rate: leave learning_rate= out"):
        toy(optimizer=own, learning_rate=0.1)


def test_equal_optimizers_of_a_process_are_the_same_setting(tmp_path: Path) -> None:
    first = toy(optimizer=keras.optimizers.SGD(0.05), out=tmp_path / "run")
    again = toy(optimizer=keras.optimizers.SGD(0.05), out=tmp_path / "run")  # loaded
    assert again.settings == first.settings
    with pytest.raises(ValueError, match="give the same settings"):
        toy(optimizer=keras.optimizers.SGD(0.06), out=tmp_path / "run")


def test_weight_decay_spares_biases() -> None:
    start = _Start()
    run = toy(optimizer="sgd", learning_rate=1e-9, weight_decay=1e8, epochs=1, callbacks=[start])
    before, after = start.weights, {own.path: np.asarray(own) for own in run.model.weights}
    np.testing.assert_allclose(after["out/bias"], before["out/bias"], atol=1e-6)
    assert np.abs(after["out/kernel"]).max() < 0.9 * np.abs(before["out/kernel"]).max()


# The last fit


def test_weights_may_be_refitted_on_the_validation_part_too(plain: ToyRun) -> None:
    run = toy(final="validation")
    both = prepare(TASK, numbers(), ToySettings(), learn="validation")[1]
    assert len(both.train) == 60
    epochs = run.metrics["epochs"]["kept"]
    settings = ToySettings()
    model = train(
        TASK, both, settings, refit=True, stop_rule=perform.stop_after(epochs), quiet=True
    ).model
    assert _same(run.model, model)
    assert run.metrics["rows"] == {"train": 60, "validation": 30, "test": 30}
    assert run.metrics["test"] != plain.metrics["test"]
    assert run.notes[-1].startswith("weights refitted on the training and validation part")


def test_weights_may_be_refitted_on_all_rows_with_the_scores_of_before(
    plain: ToyRun, refitted: ToyRun
) -> None:
    run = refitted
    assert run.metrics["test"] == plain.metrics["test"]
    assert run.history == plain.history
    assert not _same(run.model, plain.model)
    assert "which has not seen the test part" in run.notes[-1]


@pytest.mark.thorough
def test_an_interrupted_refit_goes_on(refitted: ToyRun, tmp_path: Path) -> None:
    calls = []

    def stop(logs: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_train_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        toy(final="all", out=tmp_path / "run", callbacks=[callback])
    resumed = toy(final="all", out=tmp_path / "run")
    assert _same(resumed.model, refitted.model)
    assert resumed.metrics["test"] == refitted.metrics["test"]
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert not names & {"checkpoint.npz", "refit.npz"}


# Folders


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert toy(out=folder).folder == folder
    return folder


def test_a_run_with_a_folder_is_a_folder(finished: Path) -> None:
    found = sorted(str(path.relative_to(finished)) for path in finished.rglob("*"))
    assert found == [
        "history.json",
        "metrics.json",
        "model.keras",
        "plots",
        "plots/curves.png",
        "run.json",
        "state.json",
    ]


def test_a_run_without_a_folder_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert toy().folder is None
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(longer: ToyRun, tmp_path: Path) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        toy(epochs=5, out=tmp_path / "run", callbacks=[callback])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]
    resumed = toy(epochs=5, out=tmp_path / "run")
    assert resumed.history == longer.history
    assert _same(resumed.model, longer.model)
    assert resumed.metrics["test"] == longer.metrics["test"]
    assert not (tmp_path / "run" / "checkpoint.npz").exists()


@pytest.mark.thorough
def test_a_killed_process_leaves_what_is_needed_to_go_on(longer: ToyRun, tmp_path: Path) -> None:
    code = f"""
import os, signal, keras
from tests.toy import toy
class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2 and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
toy(epochs=5, out={str(tmp_path / "run")!r}, callbacks=[Kill()])
"""
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
    resumed = toy(epochs=5, out=tmp_path / "run")
    assert resumed.history == longer.history
    assert _same(resumed.model, longer.model)


def test_a_finished_run_is_loaded_and_not_trained_again(
    plain: ToyRun, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {path: path.stat().st_mtime_ns for path in finished.rglob("*.json")}
    again = toy(out=finished, quiet=False)
    assert "loaded, not trained again" in capsys.readouterr().err
    assert again.folder == finished
    assert again.metrics == json.loads((finished / "metrics.json").read_text())
    assert _same(again.model, plain.model)
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*.json")} == written


@pytest.mark.parametrize(
    ("which", "what"), [("finished", "a run"), ("interrupted", "an interrupted run")]
)
def test_another_run_in_the_folder_is_left_alone(
    which: str, what: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(request.getfixturevalue(which), tmp_path / "run")
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    with pytest.raises(ValueError, match=rf"run holds {what} with units=3: give the same"):
        toy(out=tmp_path / "run", units=4)
    with pytest.raises(ValueError, match=rf"run holds {what} with other data: give the same"):
        toy(numbers(seed=1), out=tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty, and no run"):
        toy(out=tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        toy(out=tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "name",
    first_of([".new.1@elsewhere.0123.checkpoint.npz", ".checkpoint.npz.new", ".new.model.keras"]),
)
def test_what_a_run_killed_in_its_first_checkpoint_left_is_no_obstacle(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"half of it")
    toy(out=tmp_path)
    left = {path.name for path in tmp_path.glob(".*")}
    assert left <= {name}
    assert not left or "elsewhere" in name  # where somebody may still be writing it


HOLD = """
import sys
from pathlib import Path
from kerasseq.io import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holding(folder: Path) -> Any:
    """A process that writes to a folder, until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.thorough
def test_a_folder_that_another_process_writes_to_is_refused_at_the_start(
    plain: ToyRun, tmp_path: Path
) -> None:
    seen: list[str] = []
    watching = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append("begun"))
    with _holding(tmp_path / "run") as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=r"another process writes to .*run: wait until it"):
            toy(out=tmp_path / "run", callbacks=[watching])
        with pytest.raises(ValueError, match=r"another process writes to"):
            replace(plain).save(tmp_path / "run")
        assert seen == []
        other.communicate("")
    toy(out=tmp_path / "run", callbacks=[watching])
    assert seen == ["begun"]


@pytest.mark.thorough
def test_a_run_keeps_other_processes_out_until_it_ends(tmp_path: Path) -> None:
    told: list[str] = []

    def other(logs: Any) -> None:
        process = _holding(tmp_path / "run")
        told.append(process.communicate("")[1])

    toy(out=tmp_path / "run", callbacks=[keras.callbacks.LambdaCallback(on_train_begin=other)])
    assert "another process writes to" in told[0]
    other(None)
    assert told[1] == ""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was interrupted after its first epoch."""

    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    folder = tmp_path_factory.mktemp("interrupted") / "run"
    with pytest.raises(KeyboardInterrupt):
        toy(out=folder, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=stop)])
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("damage", CASES)
def test_a_damaged_checkpoint_is_told_and_training_begins_anew(
    damage: str, interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    DAMAGES[damage](folder / "checkpoint.npz")
    seen: list[int] = []
    counting = keras.callbacks.LambdaCallback(on_epoch_end=lambda n, logs: seen.append(n))
    toy(out=folder, callbacks=[counting])
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "checkpoint.npz is damaged" in line] == told
    assert len(told) == 1
    assert told[0].endswith("training begins anew")
    assert seen == [0, 1]
    assert not (folder / "checkpoint.npz").exists()


@pytest.mark.parametrize("damage", ["empty", "halved", "no state"])
def test_a_damaged_checkpoint_is_no_run_and_loading_says_so(
    damage: str, interrupted: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    DAMAGES[damage](folder / "checkpoint.npz")
    with pytest.raises(ValueError, match=r"checkpoint.npz is damaged"):
        kerasseq.load(folder)


def test_a_checkpoint_that_is_too_large_is_told_and_stays(
    interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    monkeypatch.setenv("KERASSEQ_MAX_BYTES", "1000")
    with pytest.raises(ValueError, match=r"checkpoint\.npz holds .* set the environment variable"):
        toy(out=folder)
    assert (folder / "checkpoint.npz").exists()


def test_a_disk_that_cannot_be_read_is_no_damage(
    interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **options: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    shutil.copytree(interrupted, tmp_path / "run")
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(OSError, match="Input/output error"):
        toy(out=tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint.npz").exists()


@pytest.mark.thorough
def test_a_folder_may_be_given_from_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run = toy(out="~/runs/x")
    assert run.folder == tmp_path / "runs" / "x"
    assert kerasseq.load("~/runs/x").metrics == run.metrics
    assert run.save("~/again") == tmp_path / "again"
    assert toy(warm_start="~/again").metrics["rows"] == run.metrics["rows"]
    assert not (tmp_path / "~").exists()


def test_an_empty_text_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (lambda: toy(out=""), lambda: kerasseq.load(""), lambda: toy(warm_start="")):
        with pytest.raises(ValueError, match="must be a path, and not an empty text"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_before_training_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> Any:
        raise ValueError("no such width")

    with pytest.raises(ValueError, match="data must be a dict"):
        toy("nothing", out=tmp_path / "run")
    monkeypatch.setattr(Toy, "build", fail)
    with pytest.raises(ValueError, match="no such width"):
        toy(out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_after_training_can_be_gone_on_from(
    plain: ToyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> Any:
        raise RuntimeError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr(Toy, "score", fail)
        with pytest.raises(RuntimeError, match="no memory"):
            toy(out=tmp_path / "run")
    seen: list[int] = []
    counting = keras.callbacks.LambdaCallback(on_epoch_end=lambda n, logs: seen.append(n))
    run = toy(out=tmp_path / "run", callbacks=[counting])
    assert seen == []  # no epoch was left to train
    assert run.metrics["test"] == plain.metrics["test"]


# Parts by themselves


def test_training_needs_no_test_part() -> None:
    data = prepare(TASK, numbers(), ToySettings(), test=False)[1]
    assert data.test is None
    trained = train(TASK, data, ToySettings(), quiet=True)
    assert len(trained.trained.history["val_loss"]) == 2
    assert trained.model.count_params() == TASK.count(data.data_info, ToySettings())


def test_weights_start_from_the_initial_values_of_the_data() -> None:
    seen = []

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            seen.append(self.model.get_layer("out").get_weights()[1].item())

    train(TASK, *_data(), callbacks=[Start()], quiet=True)
    assert seen == [0.25]


# Warm starts


class _Start(keras.callbacks.Callback):
    """Keeps the weights that training starts from."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.weights = {weight.path: np.asarray(weight).copy() for weight in self.model.weights}


def test_a_warm_start_begins_with_the_earlier_weights(
    plain: ToyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(plain).save(tmp_path / "run")
    folder = tmp_path / "run"
    for source in (plain, str(folder), *([folder] if is_thorough() else [])):
        start = _Start()
        toy(warm_start=source, callbacks=[start], seed=5, quiet=False)
        assert "4 of 4 weights copied" in capsys.readouterr().err
        for weight in plain.model.weights:
            np.testing.assert_array_equal(start.weights[weight.path], np.asarray(weight))


def test_a_warm_start_takes_what_has_the_same_shape(
    plain: ToyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    start = _Start()
    toy(warm_start=plain, units=5, callbacks=[start], quiet=False)
    assert "1 of 4 weights copied" in capsys.readouterr().err
    np.testing.assert_array_equal(start.weights["out/bias"], plain.model.get_weights()[3])


@pytest.mark.thorough
def test_a_warm_start_copies_named_rows_by_name(plain: ToyRun) -> None:
    earlier = replace(plain, state={**plain.state, "names": ["b", "c"]})
    start, fresh = _Start(), _Start()
    toy(callbacks=[fresh])
    toy(warm_start=earlier, callbacks=[start])
    kernel = start.weights["hidden/kernel"]
    np.testing.assert_array_equal(kernel[1], earlier.model.get_weights()[0][0])  # "b"
    np.testing.assert_array_equal(kernel[0], fresh.weights["hidden/kernel"][0])  # "a" is new


def test_a_warm_start_from_nowhere_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        toy(warm_start=tmp_path / "nowhere")


# Training for a search


def _two_epochs(history: Any) -> bool:
    return len(history["loss"]) >= 2


def test_training_stops_when_it_is_told_that_it_is_enough(tmp_path: Path) -> None:
    data, settings = _data(epochs=5, patience=5)
    checkpoint = tmp_path / "checkpoint.npz"
    short: dict[str, Any] = {"stop_rule": _two_epochs, "checkpoint": checkpoint, "quiet": True}
    trained = train(TASK, data, settings, **short).trained
    assert len(trained.history["loss"]) == 2
    again = train(TASK, data, settings, **short).trained  # not one epoch more
    assert again.resumed_after == 2
    assert again.history == trained.history
    longer = train(TASK, data, settings, checkpoint=checkpoint, quiet=True)
    whole = train(TASK, data, settings, quiet=True)
    assert longer.trained.resumed_after == 2
    assert longer.trained.history == whole.trained.history
    assert _same(longer.model, whole.model)


def test_training_on_all_there_is_keeps_the_last_epoch() -> None:
    settings = ToySettings(epochs=4, patience=1, learning_rate=3.0)  # to get worse by
    data = prepare(TASK, numbers(), settings, test=False, learn="validation")[1]
    assert len(data.train) == 60
    found = train(TASK, data, settings, refit=True, quiet=True)
    assert found.trained.history.keys() == {"loss"}
    assert found.trained.best_epoch == len(found.trained.history["loss"]) == 4
    last: list[Any] = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda n, logs: last.append([np.asarray(w) for w in keep.model.weights])
    )
    train(TASK, data, settings, refit=True, callbacks=[keep], quiet=True)
    assert all(np.array_equal(a, b) for a, b in zip(found.model.get_weights(), last[-1]))


def test_a_task_that_lacks_a_part_cannot_be_made() -> None:
    class Half(Toy):
        score = Task.score

    with pytest.raises(TypeError, match="score"):
        Half("half", ToySettings)
