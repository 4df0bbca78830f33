"""One trial: what it trains, what it goes on from, and what becomes of its faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import training
from kerasseq.tasks import perform
from kerasseq.tuning import trial
from kerasseq.tuning.task import Data, Task, make_settings
from tests.damages import DAMAGES
from tests.toy import TASK, Toy, ToySettings, numbers, toy

Make = Callable[..., Task]


def _run(task: Task, **options: Any) -> trial.Outcome:
    data = Data(task.recipe, task.source, task.settings)
    return trial.run(task, data, "0000", {**task.settings, **options.pop("own", {})}, **options)


def _same(one: trial.Outcome, other: trial.Outcome) -> bool:
    return replace(one, seconds=0.0) == replace(other, seconds=0.0)


def test_a_trial_is_what_the_recipe_would_train_scored_on_the_validation_part(task: Make) -> None:
    outcome = _run(task())
    history = toy().history
    assert outcome.curve == history["val_loss"]
    settings = make_settings(TASK, task().settings)
    parts, prepared = perform.prepare(TASK, numbers(), settings)
    model = perform.train(TASK, prepared, settings, quiet=True).model
    part = parts.validation
    scale = float(np.abs(parts.train["x"]).max())
    error = np.abs(model.predict({"x": part["x"] / scale}, verbose=0) - part["y"]).mean()
    assert outcome.score == pytest.approx(error, rel=1e-5)
    assert outcome.spread is None
    assert (outcome.status, outcome.reason, outcome.parameters) == ("completed", "", 13)
    assert (outcome.epochs, outcome.best_epoch) == (2.0, 2.0)


@pytest.mark.thorough
def test_a_trial_is_scored_on_folds_and_seeds(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    train = perform.train

    def spied(recipe: Any, prepared: Any, settings: Any, **options: Any) -> Any:
        drawn.append((settings.seed, len(prepared.train), len(prepared.test)))
        return train(recipe, prepared, settings, **options)

    monkeypatch.setattr(perform, "train", spied)
    outcome = _run(task(folds=3, seeds=2, settings={"epochs": 1}))
    assert drawn == [(0, 40, 20), (1, 40, 20)] * 3  # of the 60 rows that are not for the test
    assert len({*outcome.scores}) == 6
    assert outcome.score == pytest.approx(np.mean(outcome.scores))
    assert outcome.spread == pytest.approx(np.std(outcome.scores, ddof=1))


@pytest.mark.thorough
def test_no_trial_sees_the_test_part_or_prepares_the_same_data_twice(task: Make) -> None:
    class Spied(Toy):
        def split(self, *given: Any, test: bool = True, **options: Any) -> Any:
            asked.append(test)
            return super().split(*given, test=test, **options)

    asked: list[bool] = []
    search = replace(
        task(folds=2, seeds=2, settings={"epochs": 1}), recipe=Spied("toy", ToySettings)
    )
    data = Data(search.recipe, search.source, search.settings)
    for name, units in (("0000", 2), ("0001", 3)):
        assert trial.run(search, data, name, {**search.settings, "units": units}).score
    assert asked == [False] * 2  # the two folds


@pytest.mark.thorough
def test_a_trial_goes_on_from_its_checkpoint(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    search = task(seeds=2, settings={"epochs": 3})
    whole = _run(replace(search, folder=search.folder / "whole"))
    fit, begun = training.fit, []

    def interrupted(*given: Any, **options: Any) -> Any:
        begun.append(options["checkpoint"])
        if len(begun) == 2:
            stop = keras.callbacks.LambdaCallback(on_epoch_begin=_interrupt)
            options["callbacks"] = [stop]
        return fit(*given, **options)

    def _interrupt(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _run(search)
    epochs: list[int] = []

    def counted(*given: Any, **options: Any) -> Any:
        outcome = fit(*given, **options)
        epochs.append(len(outcome.history["loss"]) - outcome.resumed_after)
        return outcome

    monkeypatch.setattr(training, "fit", counted)
    assert _same(_run(search), whole)
    assert epochs == [0, 1]


@pytest.mark.thorough
def test_the_seconds_of_a_trial_are_those_of_all_its_processes(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*given: Any, **options: Any) -> Any:
        train(*given, **options)
        raise Killed

    search, train = task(settings={"epochs": 4, "patience": 4}), perform.train
    with monkeypatch.context() as patched:
        patched.setattr(perform, "train", kill)
        with pytest.raises(Killed):
            _run(search)
    (checkpoint,) = trial.folder(search, "0000").glob("*.npz")
    spent = training.read_stamp(checkpoint)["seconds"]
    data = Data(search.recipe, search.source, search.settings)
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    assert _run(search).seconds == pytest.approx(spent, abs=0.01)
    promoted = trial.run(search, data, "0001", search.settings, epochs=4, parent="0000")
    assert promoted.seconds == 0.0


@pytest.mark.thorough
def test_a_promoted_trial_goes_on_from_another(task: Make) -> None:
    search = task(settings={"epochs": 4, "patience": 4})
    data = Data(search.recipe, search.source, search.settings)
    first = trial.run(search, data, "0000", search.settings, epochs=2)
    assert first.epochs == 2
    second = trial.run(search, data, "0001", search.settings, epochs=4, parent="0000")
    whole = trial.run(search, data, "0002", search.settings, epochs=4, parent="gone")
    assert second.epochs == 4
    assert second.curve[:2] == first.curve
    assert _same(second, whole)  # where the other one's checkpoint is gone, it begins anew


@pytest.mark.thorough
def test_a_trial_that_is_worse_than_the_others_is_pruned(task: Make) -> None:
    search = task(prune=True, settings={"epochs": 6, "patience": 6})
    outcome = _run(search, curves=[[1e-3] * 6] * 4)
    assert (outcome.status, outcome.epochs) == ("pruned", 2.0)
    assert outcome.score is not None
    assert _run(replace(search, prune=False), curves=[[1e-3] * 6] * 4).status == "completed"


def test_a_trial_ends_after_its_seconds(task: Make) -> None:
    outcome = _run(task(seconds=1e-6, settings={"epochs": 50, "patience": 50}))
    assert (outcome.status, outcome.epochs) == ("completed", 1.0)


class _Memory(Toy):
    def build(self, *given: Any) -> Any:
        raise MemoryError


class _Miscounted(Toy):
    def count(self, *given: Any) -> int:
        return 12


class _Absent(Toy):
    def build(self, *given: Any) -> Any:
        return open("/no/such/vectors.txt").read()


class _Odd(Toy):
    def build(self, *given: Any) -> Any:
        raise RuntimeError("the moon\nis  full")


class _Endless(Toy):
    def score(self, *given: Any) -> Any:
        return replace(super().score(*given), values={"error": float("inf")})


@pytest.mark.parametrize(
    ("kind", "own", "reason"),
    [
        (_Memory, {}, "^out of memory$"),
        (_Miscounted, {}, "^the model has 13 parameters, but was counted to have 12$"),
        (_Odd, {}, "^RuntimeError: the moon is full$"),
        (_Absent, {}, "^FileNotFoundError: .*No such file .*vectors.txt"),
        (_Endless, {}, "^its score is inf$"),
        (Toy, {"learning_rate": 1e30}, "^training diverged: the loss became"),
        (Toy, {"units": 0}, "^units must be a whole number"),
    ],
)
def test_what_goes_wrong_is_the_outcome(
    task: Make, kind: type[Toy], own: dict[str, Any], reason: str
) -> None:
    outcome = _run(replace(task(), recipe=kind("toy", ToySettings)), own=own)
    assert (outcome.status, outcome.score) == ("failed", None)
    assert re.search(reason, outcome.reason), outcome.reason


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_trial(task: Make) -> None:
    search = task()
    search.folder.write_text("mine")
    with pytest.raises(OSError, match="Not a directory"):
        _run(search)


@pytest.mark.thorough
def test_a_trial_that_ends_its_process_for_ever_is_given_up(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*given: Any, **options: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(perform, "train", kill)
        for _ in range(5):
            with pytest.raises(Killed):
                _run(task())
        assert "its process ended 5 times before the next epoch" in _run(task()).reason


@pytest.mark.thorough
def test_an_interrupted_trial_is_not_taken_for_a_killed_one(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(perform, "train", interrupt)
        for _ in range(7):
            with pytest.raises(KeyboardInterrupt):
                _run(task())
    assert _run(task()).status == "completed"


@pytest.mark.thorough
def test_a_trial_with_a_damaged_checkpoint_is_begun_anew(task: Make) -> None:
    search = task()
    whole = _run(search)
    path = trial.folder(search, "0000") / "0.npz"
    for damage in ("halved", "another shape", "empty", "no state", "no array"):
        DAMAGES[damage](path)
        assert _same(_run(search), whole), damage


def test_a_checkpoint_that_is_too_large_is_no_failure_of_its_trial(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = task()
    whole = _run(search)
    monkeypatch.setenv("KERASSEQ_MAX_BYTES", "1000")
    with pytest.raises(ValueError, match=r"0\.npz holds .* set the environment variable"):
        _run(search)
    monkeypatch.delenv("KERASSEQ_MAX_BYTES")
    assert _same(_run(search), whole)


@pytest.mark.thorough
def test_a_trial_with_a_damaged_record_of_its_beginning_goes_on(task: Make) -> None:
    search = task()
    whole = _run(search)
    for text in ("", "[]", "{}", '{"epochs": "two", "times": 1}', "[" * 100_000):
        (trial.folder(search, "0000") / "begun.json").write_text(text)
        assert _same(_run(search), whole), text[:40]
