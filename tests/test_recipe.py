"""The life that all recipes have, on one that is not about texts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import recipe, registry
from kerasseq.recipe import OPTIONS, TRAINING, Prepared, digest, train
from tests import toy as toys
from tests.toy import SETTINGS, STAGES, Toy, numbers, toy

TOP = [
    *("recipe", "test", "interval", "baselines", "parameters", "macs", "seconds", "seed"),
    "versions",
]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a Run find the toy by its name."""
    known = registry.names()
    monkeypatch.setattr(registry, "names", lambda: [*known, "toy"])
    monkeypatch.setattr(registry, "stages", lambda name: toys.STAGES)
    STAGES.seen.clear()


def _prepared(**changes: Any) -> Prepared:
    settings = {**SETTINGS, **changes}
    return STAGES.prepare(STAGES.split(numbers(), settings), settings)


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# The life


def test_every_recipe_has_the_same_top_of_its_metrics() -> None:
    run = toy()
    assert list(run.metrics)[: len(TOP)] == TOP
    assert run.metrics["recipe"] == "toy"
    assert run.metrics["baselines"].keys() == {"mean", "difference"}
    assert run.metrics["parameters"] == STAGES.count({"width": 2}, SETTINGS)
    assert run.metrics["macs"] == STAGES.macs({"width": 2}, SETTINGS)
    assert run.metrics["rows"] == {"train": 30, "validation": 30, "test": 30}
    low, high = run.metrics["interval"]["error"]
    assert low < run.metrics["test"]["error"] < high
    assert run.metrics["versions"]["keras"] == keras.__version__
    assert json.loads(json.dumps(run.metrics)) == run.metrics


def test_the_verdict_is_on_the_strongest_baseline() -> None:
    # The other baseline is exact, and of an error less is better.
    assert "loses to difference" in toy().metrics["verdict"]


def test_equal_arguments_give_equal_runs_bit_for_bit() -> None:
    one, two, other = toy(), toy(), toy(seed=1)
    assert _same(one.model, two.model)
    assert one.metrics["test"] == two.metrics["test"]
    assert not _same(one.model, other.model)


def test_prepare_sees_the_settings_that_it_names_and_no_others() -> None:
    toy()
    assert STAGES.seen == [Toy.prepares, Toy.prepares]


def test_what_was_found_is_told_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    run = toy(quiet=False)
    shown = capsys.readouterr().err.splitlines()
    assert shown[:2] == run.notes == ["90 rows", run.notes[1]]
    assert shown[2].startswith("epoch 1/2")


def test_a_quiet_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    toy()
    assert capsys.readouterr() == ("", "")


def test_a_run_is_neither_compiled_nor_carries_an_optimiser() -> None:
    model = toy().model
    assert not model.compiled
    assert len(model.variables) == len(model.weights) + 1  # the dropout's generator


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
        ("clip", -1.0),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", None),
        ("units", 0),
        ("schedule", "linear"),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .*Received: {name}="):
        toy(out=tmp_path / "run", **{name: value})
    assert not (tmp_path / "run").exists()


def test_gradients_may_go_unclipped() -> None:
    assert toy(clip=None).settings["clip"] is None


def test_the_settings_that_recipes_share_are_no_options() -> None:
    assert set(TRAINING).isdisjoint(OPTIONS)


# Folders


def test_a_run_with_a_folder_is_a_folder(tmp_path: Path) -> None:
    run = toy(out=tmp_path / "run")
    assert run.folder == tmp_path / "run"
    found = sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*"))
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


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        toy(epochs=5, out=tmp_path / "run", callbacks=[callback])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]
    resumed, whole = toy(epochs=5, out=tmp_path / "run"), toy(epochs=5)
    assert resumed.history == whole.history
    assert _same(resumed.model, whole.model)
    assert resumed.metrics["test"] == whole.metrics["test"]
    assert not (tmp_path / "run" / "checkpoint.npz").exists()


def test_a_killed_process_leaves_what_is_needed_to_go_on(tmp_path: Path) -> None:
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
    root = Path(__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
    resumed, whole = toy(epochs=5, out=tmp_path / "run"), toy(epochs=5)
    assert resumed.history == whole.history
    assert _same(resumed.model, whole.model)


def test_a_finished_run_is_loaded_and_not_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = toy(out=tmp_path / "run")
    written = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.json")}
    again = toy(out=tmp_path / "run", quiet=False)
    assert "loaded, not trained again" in capsys.readouterr().err
    assert again.metrics == first.metrics
    assert _same(again.model, first.model)
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.json")} == written


@pytest.mark.parametrize("interrupted", [False, True])
def test_another_run_in_the_folder_is_left_alone(tmp_path: Path, interrupted: bool) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1 and interrupted:
            raise KeyboardInterrupt

    try:
        toy(
            out=tmp_path / "run",
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=stop)],
        )
    except KeyboardInterrupt:
        assert interrupted
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    what = "an interrupted run" if interrupted else "a run"
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
    "name", [".checkpoint.npz.new", ".new.model.keras", ".new.1@elsewhere.0123.checkpoint.npz"]
)
def test_what_a_run_killed_in_its_first_checkpoint_left_is_no_obstacle(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"half of it")
    toy(out=tmp_path)
    left = {path.name for path in tmp_path.glob(".*")}
    assert left <= {name}
    assert not left or "elsewhere" in name  # where somebody may still be writing it


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert run.metrics["test"] == toy().metrics["test"]


# Stages by themselves


def test_training_needs_no_test_part() -> None:
    parts = STAGES.split(numbers(), SETTINGS, test=False)
    prepared = STAGES.prepare(parts, SETTINGS)
    assert prepared.test is None
    model, trained = train(STAGES, prepared, SETTINGS, quiet=True)
    assert len(trained.history["val_loss"]) == 2
    assert model.count_params() == STAGES.count(prepared.facts, SETTINGS)


def test_weights_start_from_what_prepare_says() -> None:
    seen = []

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            seen.append(self.model.get_layer("out").get_weights()[1].item())

    train(STAGES, _prepared(), SETTINGS, callbacks=[Start()], quiet=True)
    assert seen == [0.25]


# Warm starts


class _Start(keras.callbacks.Callback):
    """Keeps the weights that training starts from."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.weights = {weight.path: np.asarray(weight).copy() for weight in self.model.weights}


def test_a_warm_start_begins_with_the_earlier_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = toy()
    earlier.save(tmp_path / "run")
    for source in (earlier, tmp_path / "run", str(tmp_path / "run")):
        start = _Start()
        toy(warm_start=source, callbacks=[start], seed=5, quiet=False)
        assert "4 of 4 weights copied" in capsys.readouterr().err
        for weight in earlier.model.weights:
            np.testing.assert_array_equal(start.weights[weight.path], np.asarray(weight))


def test_a_warm_start_takes_what_has_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    earlier, start = toy(), _Start()
    toy(warm_start=earlier, units=5, callbacks=[start], quiet=False)
    assert "1 of 4 weights copied" in capsys.readouterr().err
    np.testing.assert_array_equal(start.weights["out/bias"], earlier.model.get_weights()[3])


def test_a_warm_start_copies_named_rows_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = toy()
    earlier.state = {**earlier.state, "names": ["b", "c"]}
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
    settings = {**SETTINGS, "epochs": 5, "patience": 5}
    short = {"enough": _two_epochs, "checkpoint": tmp_path / "checkpoint.npz", "quiet": True}
    _, trained = train(STAGES, _prepared(), settings, **short)
    assert len(trained.history["loss"]) == 2
    _, again = train(STAGES, _prepared(), settings, **short)  # not one epoch more
    assert again.resumed_after == 2
    assert again.history == trained.history
    model, longer = train(STAGES, _prepared(), settings, checkpoint=short["checkpoint"], quiet=True)
    whole, plain = train(STAGES, _prepared(), settings, quiet=True)
    assert longer.resumed_after == 2
    assert longer.history == plain.history
    assert _same(model, whole)


def test_training_on_all_there_is_keeps_the_last_epoch() -> None:
    parts = STAGES.split(numbers(), SETTINGS, test=False, whole=True)
    prepared = STAGES.prepare(parts, SETTINGS)
    assert len(prepared.train) == 60
    settings = {**SETTINGS, "epochs": 4, "patience": 1, "learning_rate": 3.0}  # to get worse by
    model, trained = train(STAGES, prepared, settings, whole=True, quiet=True)
    assert trained.history.keys() == {"loss"}
    assert trained.best_epoch == len(trained.history["loss"]) == 4
    last: list[Any] = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda n, logs: last.append([np.asarray(w) for w in keep.model.weights])
    )
    train(STAGES, prepared, settings, whole=True, callbacks=[keep], quiet=True)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), last[-1]))


# Fingerprints


@dataclass
class _Table:
    values: Any
    notes: list[str] = field(default_factory=list)


def test_equal_data_has_equal_fingerprints() -> None:
    for make in (
        lambda: ["a", None, 1.5, {"x": np.arange(3)}],
        lambda: _Table(np.array(["a", None], dtype=object)),
    ):
        assert digest(make()) == digest(make())
    assert digest(_Table([1], notes=["read from a"])) == digest(_Table([1], notes=["from b"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([["a"], ["b"]], [["a", "b"], []]),
        (np.arange(4), np.arange(4.0)),
        (np.arange(4), np.arange(4).reshape(2, 2)),
        ({"a": 1}, {"b": 1}),
        ([1], ["1"]),
        (_Table([1]), _Table([2])),
    ],
)
def test_other_data_has_another_fingerprint(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_what_has_no_fingerprint_says_so() -> None:
    with pytest.raises(TypeError, match="no fingerprint of a object"):
        digest(object())


def test_ranges_are_plain_values() -> None:
    assert STAGES.space() == {
        "units": recipe.Whole(1, 16, log=True),
        "learning_rate": recipe.Number(1e-3, 1e-1, log=True),
    }


def test_stages_that_lack_one_cannot_be_made() -> None:
    class Half(Toy):
        score = recipe.Stages.score

    with pytest.raises(TypeError, match="score"):
        Half()
