"""What is proposed: within the budget, never twice, and the same again from a journal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

from kerasseq.settings import Choice, Conditional, Float, Int
from kerasseq.tuning.hyperband import factor_for, sweep
from kerasseq.tuning.oracle import OUTCOME, SETTINGS, SILENCE, make
from kerasseq.tuning.task import Data, Task, settings_key
from tests.thorough import covering, first_of
from tests.tuning.conftest import said

Make = Callable[..., Task]
# Gaussian processes take a second for each proposal, after five at random.
TRIALS = {"random": 20, "grid": 20, "bayesian": 7, "hyperband": 20}


class Driver:
    """A search in which nothing is trained, by one worker."""

    def __init__(self, task: Task, data: Data, before: list[dict[str, Any]] | None = None) -> None:
        self.task, self.data = task, data
        self.events: list[dict[str, Any]] = []
        self.oracle = make(task, task.budget(data).fit, self.events.append, data.resolve_auto)
        tuner = keras_tuner.engine.base_tuner.BaseTuner  # which tells an oracle its folder
        tuner(self.oracle, directory=str(task.folder), overwrite=True)
        self.oracle.replay(before or [])
        assert self.events == []
        self.events += before or []

    def run(self, events: int | None = None) -> list[dict[str, Any]]:
        """Run trials to the end, or until there are so many events."""
        while events is None or len(self.events) < events:
            trial = self.oracle.create_trial("worker")
            if trial.status == "STOPPED":
                break
            if events is None or len(self.events) < events:
                self.end(trial)
        return self.events

    def end(self, trial: Any, **changes: Any) -> None:
        """Report what came of a trial."""
        values = trial.hyperparameters.values
        settings = {**self.task.settings, **json.loads(values[SETTINGS])}
        epochs = values.get("tuner/epochs")
        outcome = asdict(said(self.task, self.data, trial.trial_id, settings, epochs=epochs))
        values[OUTCOME] = json.dumps({**outcome, **changes})
        self.oracle.end_trial(trial)


def _began(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == "began"]


@pytest.mark.parametrize("tuner", TRIALS)
def test_no_proposal_is_over_the_budget_or_comes_twice(tuner: str, task: Make, data: Data) -> None:
    search = task(tuner=tuner, trials=TRIALS[tuner], max_params=30, settings={"epochs": 9})
    began = _began(Driver(search, data).run())
    assert len(began) == TRIALS[tuner]
    counts = [data.count({**search.settings, **event["settings"]}) for event in began]
    assert max(counts) <= 30
    new = [settings_key(event["settings"]) for event in began if not event.get("trial_id")]
    assert max(Counter(new).values()) == 1


@pytest.mark.parametrize("tuner", [name for name in TRIALS if name != "grid"])
def test_the_recipe_s_own_setting_is_tried_first_as_far_as_the_budget_goes(
    tuner: str, task: Make, data: Data
) -> None:
    own = {"units": 3, "learning_rate": 0.05, "batch_size": 16}  # 4 * 3 + 1 parameters
    search = task(tuner=tuner, trials=5, max_params=12, settings={"epochs": 9})
    events = Driver(search, data).run()
    assert _began(events)[0]["settings"] == {**own, "units": 2}
    assert Driver(search, data, events[:3]).run() == events
    within = task(tuner=tuner, trials=5, max_params=13, settings={"epochs": 9})
    assert _began(Driver(within, data).run())[0]["settings"] != own  # a rival in any case
    narrow = {**search.space, "batch_size": Choice((8, 20)), "learning_rate": Float(0.01, 0.04)}
    other = task(narrow, tuner=tuner, trials=5, max_params=12, settings={"epochs": 9})
    near = {"units": 2, "learning_rate": 0.04, "batch_size": 20}
    assert _began(Driver(other, data).run())[0]["settings"] == near
    listed = {"batch_size": Choice((8, 16)), "units": Choice((1, 9, 2, 3))}  # not to be lowered
    chosen = task(listed, tuner=tuner, trials=3, max_params=12, settings={"epochs": 9})
    first = _began(Driver(chosen, data).run())[0]["settings"]
    assert first == {"units": 2, "batch_size": 16}


@pytest.mark.parametrize(("tuner", "ended"), covering([*TRIALS], [True, False]))
def test_a_search_goes_on_from_its_journal_as_if_it_had_not_ended(
    tuner: str, ended: bool, task: Make, data: Data
) -> None:
    search = task(tuner=tuner, trials=TRIALS[tuner], settings={"epochs": 9})
    whole = Driver(search, data).run()
    for cut in (2, len(whole) - 2):
        part = whole[: cut if ended else cut - 1]
        assert Driver(search, data, part).run() == whole


def test_equal_seeds_give_equal_proposals_and_others_give_others(task: Make, data: Data) -> None:
    one, two = (Driver(task(tuner="random", trials=5), data).run() for _ in range(2))
    other = Driver(task(tuner="random", trials=5, seed=1), data).run()
    assert one == two != other


def test_a_small_space_is_tried_to_its_end(task: Make, data: Data) -> None:
    space = {"units": Int(1, 3), "batch_size": Choice((8, 16))}
    for tuner in ("random", "grid"):
        began = _began(Driver(task(space, tuner=tuner, trials=50), data).run())
        assert len(began) == 6


def test_a_grid_skips_what_is_too_large(task: Make, data: Data) -> None:
    space = {"units": Int(1, 9), "batch_size": Choice((8, 16))}
    search = task(space, tuner="grid", trials=50, max_params=22)
    began = _began(Driver(search, data).run())
    assert sorted(event["settings"]["units"] for event in began) == sorted([1, 2, 3, 4, 5] * 2)


def test_models_are_of_equal_size_where_that_is_asked_for(task: Make, data: Data) -> None:
    space = {"learning_rate": Float(1e-3, 1e-1, log=True)}
    began = _began(Driver(task(space, tuner="random", trials=3, match_params=30), data).run())
    assert [event["settings"]["units"] for event in began] == [7, 7, 7]  # 4 * 7 + 1


def test_trials_that_fail_are_written_down_and_are_no_end(task: Make, data: Data) -> None:
    driver = Driver(task(tuner="bayesian", trials=9), data)
    for place in range(9):
        trial = driver.oracle.create_trial("worker")
        failed = {"status": "failed", "score": None, "reason": "out of memory"}
        driver.end(trial, **(failed if place % 4 else {}))
    assert driver.oracle.create_trial("worker").status == "STOPPED"
    reasons = [event["reason"] for event in driver.events if event["event"] == "ended"]
    assert reasons.count("out of memory") == 6


def test_hyperband_promotes_the_best_third(task: Make, data: Data) -> None:
    search = task(tuner="hyperband", trials=sweep(9, 3), settings={"epochs": 9})
    events = Driver(search, data).run()
    scores = {e["trial"]: e["score"] for e in events if e["event"] == "ended"}
    first = [e for e in _began(events) if (e["bracket"], e["round"]) == (2, 0)]
    second = [e for e in _began(events) if (e["bracket"], e["round"]) == (2, 1)]
    assert [e["epochs"] for e in (first[0], second[0])] == [1, 3]
    ranked = sorted((e["trial"] for e in first), key=lambda name: scores[name])
    assert sorted(e["trial_id"] for e in second) == sorted(ranked[: len(second)])


@pytest.mark.parametrize(
    ("epochs", "factor"), first_of([(9, 3), (20, 5), (4, 5), (30, 3), (30, 6)], 3)
)
def test_the_trials_of_a_sweep_are_counted(
    epochs: int, factor: int, task: Make, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kerasseq.tuning.oracle.factor_for", lambda *given: factor)
    search = task(tuner="hyperband", trials=500, settings={"epochs": epochs})
    driver = Driver(search, data)
    driver.oracle.hyperband_iterations = 1
    assert len(_began(driver.run())) == sweep(epochs, factor)


def test_a_sweep_of_hyperband_fits_the_trials() -> None:
    for trials in (10, 30, 100):
        factor = factor_for(30, trials)
        assert sweep(30, factor) <= trials
        assert all(sweep(30, finer) > trials for finer in range(3, factor))


def test_a_worker_waits_for_what_another_may_leave_undone(task: Make, data: Data) -> None:
    driver = Driver(task(tuner="random", trials=2), data)
    first, second = (driver.oracle.create_trial(name) for name in ("one", "two"))
    driver.end(first)
    assert driver.oracle.create_trial("one").status == "IDLE"
    driver.oracle.requeue(["one"])
    again = driver.oracle.create_trial("one")
    assert again.trial_id == second.trial_id
    driver.end(again)
    driver.end(second)  # it was not dead after all, and comes too late
    assert driver.oracle.create_trial("one").status == "STOPPED"
    ended = [event["trial"] for event in driver.events if event["event"] == "ended"]
    assert ended == [first.trial_id, second.trial_id]


def test_a_worker_that_is_silent_is_waited_for_no_longer(
    task: Make, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("kerasseq.tuning.oracle.time.monotonic", lambda: now[0])
    driver = Driver(task(tuner="random", trials=1), data)
    trial = driver.oracle.create_trial("one")
    assert driver.oracle.create_trial("two").status == "IDLE"  # and dies, with nothing to do
    now[0] = SILENCE - 1
    assert driver.oracle.create_trial("one").trial_id == trial.trial_id
    now[0] = SILENCE + 1
    driver.oracle.drop_silent_workers()
    assert driver.oracle.tuner_ids == {"one"}
    assert [*driver.oracle.ongoing_trials] == ["one"]
    driver.end(trial)
    assert driver.oracle.create_trial("one").status == "STOPPED"
    assert driver.oracle.tuner_ids == set()  # for which the chief waits


def test_a_trial_that_a_worker_hands_back_is_another_one_s(task: Make, data: Data) -> None:
    driver = Driver(task(tuner="random", trials=2), data)
    first, second = (driver.oracle.create_trial(name) for name in ("stranger", "other"))
    first.hyperparameters.values[OUTCOME] = "null"
    driver.oracle.end_trial(first)
    driver.end(second)
    again = driver.oracle.create_trial("other")
    assert again.trial_id == first.trial_id
    driver.end(again)
    assert [event["event"] for event in driver.events] == ["began", "began", "ended", "ended"]


def test_what_a_setting_has_no_use_for_is_as_by_default(task: Make, data: Data) -> None:
    space = {
        "units": Int(2, 64, log=True),
        "patience": Conditional("units", (3,), Int(7, 9)),
        "batch_size": Conditional("units", (64,), Choice((8, 32))),
    }
    for tuner in ("random", "bayesian"):
        search = task(space, tuner=tuner, trials=6, max_params=45, settings={"units": 64})
        for event in _began(Driver(search, data).run()):
            own = event["settings"]
            assert own["batch_size"] == search.settings["batch_size"]
            if own["units"] != 3:
                assert own["patience"] == search.settings["patience"]


@pytest.mark.thorough
def test_settings_of_which_few_are_small_enough_are_found(task: Make, data: Data) -> None:
    space = {
        "units": Choice((1, *range(500, 900))),
        "learning_rate": Float(1e-3, 1e-1),
    }
    began = _began(Driver(task(space, tuner="random", trials=9, max_params=9), data).run())
    assert [event["settings"]["units"] for event in began] == [1] * 9


def test_a_grid_that_is_too_large_for_long_comes_to_an_end(
    task: Make, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kerasseq.tuning.oracle._SKIPPED", 5)
    space = {"units": Choice((1, 20, 30)), "batch_size": Choice((*range(4, 10),))}
    driver = Driver(task(space, tuner="grid", trials=99, max_params=9), data)
    assert len(_began(driver.run())) == 6  # with one unit; the points after these are 12
    monkeypatch.setattr("kerasseq.tuning.oracle._SKIPPED", 12)
    other = {**space, "units": Choice((20, 30, 1))}
    assert len(_began(Driver(task(other, tuner="grid", trials=99, max_params=9), data).run())) == 0


def test_a_grid_has_a_point_for_each_worker_that_asks(task: Make, data: Data) -> None:
    space = {
        "units": Choice((2, 3, 4, 5)),
        "batch_size": Conditional("units", (4,), Choice((8, 16))),
    }
    driver = Driver(task(space, tuner="grid", trials=9), data)
    trials = [driver.oracle.create_trial(f"worker {place}") for place in range(5)]
    assert [trial.status for trial in trials] == ["RUNNING"] * 5
    points = [(e["settings"]["units"], e["settings"]["batch_size"]) for e in driver.events]
    assert points == [(3, 16), (2, 16), (4, 16), (4, 8), (5, 16)]


def test_what_another_worker_took_over_is_no_riddle_to_a_journal(task: Make, data: Data) -> None:
    search = task(tuner="random", trials=6)
    driver = Driver(search, data)
    for name in ("one", "two"):
        driver.oracle.create_trial(name)
    for _ in range(3):  # interrupted each time, with two trials begun
        again = Driver(search, data, driver.events)
        assert len(again.oracle.ongoing_trials) == 2
        again.oracle.requeue([])
        begun = [again.oracle.create_trial(name).trial_id for name in ("one", "two")]
        again.end(again.oracle.create_trial("one"))
        again.oracle.create_trial("one")
        driver = again
    assert len({*begun}) == 2
    last = Driver(search, data, driver.events)
    last.oracle.requeue(["worker"])
    last.run()
    ended = [event["trial"] for event in last.events if event["event"] == "ended"]
    assert sorted(ended) == [f"{place:04d}" for place in range(6)]
    alone = _began(Driver(search, data).run())
    assert [e["settings"] for e in _began(last.events)] == [e["settings"] for e in alone]


def test_nothing_of_it_is_printed(
    task: Make, data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    test_a_worker_waits_for_what_another_may_leave_undone(task, data)
    assert capsys.readouterr() == ("", "")


def test_the_journal_of_other_proposals_is_told(task: Make, data: Data, tmp_path: Path) -> None:
    events = Driver(task(tuner="random", trials=3), data).run()
    events[2]["trial"] = "0009"
    with pytest.raises(ValueError, match="the journal has trial 0009 where 0001 would be begun"):
        Driver(task(tuner="random", trials=3), data, events)
