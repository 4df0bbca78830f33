"""A search from end to end, what it refuses, and what it leaves on disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.settings import Choice, Float
from kerasseq.tuning import final, trial
from kerasseq.tuning import search as searches
from kerasseq.tuning.journal import JOURNAL, read, read_checked
from tests.thorough import is_thorough
from tests.toy import TASK, numbers, toy
from tests.tuning.conftest import SPACE

TUNE: dict[str, Any] = {"space": SPACE, "tuner": "random", "quiet": True}


class Killed(BaseException):
    """Stands for the end of the process."""


def _kill_in(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process in that trial, counted from 0."""
    run, ran = trial.run, []

    def killed(*given: Any, **options: Any) -> Any:
        ran.append(given)
        if len(ran) > place:
            raise Killed
        return run(*given, **options)

    monkeypatch.setattr(trial, "run", killed)


# With models that are trained


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search of two trials, whose budget the recipe's own setting is not within."""
    folder = tmp_path_factory.mktemp("real") / "search"
    space = {"learning_rate": [0.03, 0.1], "units": 2}
    result = kerasseq.tune(toy, trials=2, space=space, out=folder, epochs=3, quiet=True)
    return result, result.best, result.default


@pytest.mark.thorough
def test_the_best_setting_is_trained_on_all_but_the_test_part(found: Any) -> None:
    result, best, _ = found
    trials = result.trials.set_index("trial")
    assert trials["score"].is_monotonic_increasing  # of an error less is better
    name = trials.index[0]
    assert result.settings == {"learning_rate": trials.loc[name, "learning_rate"]}
    assert best.settings["learning_rate"] == trials.loc[name, "learning_rate"]
    assert best.settings["units"] == 2
    assert best.metrics["rows"] == {"train": 60, "validation": 30, "test": 30}
    assert len(best.history["loss"]) == trials.loc[name, "best_epoch"]
    again = best.evaluate(
        TASK.split(
            numbers(), TASK.make_settings({})
        ).test  # which the search did not look at before
    )
    assert again["test"]["error"] == pytest.approx(best.metrics["test"]["error"])


def test_the_gain_is_on_the_test_part_with_its_interval(found: Any) -> None:
    result, best, default = found
    gain = result.gain
    assert gain["best"] == pytest.approx(best.metrics["test"]["error"])
    assert gain["default"] == pytest.approx(default.metrics["test"]["error"])
    assert gain["difference"] == pytest.approx(gain["default"] - gain["best"])
    assert gain["low"] <= gain["difference"] <= gain["high"]
    assert default.settings["learning_rate"] == 0.05
    assert "test error: tuned" in result.render()


def test_a_run_of_a_search_is_a_run_as_any_other(found: Any) -> None:
    result, best, _ = found
    assert best.folder == result.folder / "best"
    assert best.metrics["baselines"].keys() == {"mean", "difference"}
    assert "as many as were best for trial" in best.notes[-1]
    assert np.isfinite(best.predict(np.zeros((1, 2), np.float32))["y"]).all()


def test_a_finished_search_is_read_and_not_run_again(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, *_ = found
    _kill_in(0, monkeypatch)
    space = {"learning_rate": [0.03, 0.1], "units": 2}
    again = kerasseq.tune(toy, trials=2, space=space, out=result.folder, epochs=3, quiet=True)
    pd.testing.assert_frame_equal(again.trials, result.trials)
    pd.testing.assert_frame_equal(kerasseq.tuned(result.folder).trials, result.trials)


def test_what_is_left_on_disk_is_the_best_and_the_tables(found: Any) -> None:
    result, *_ = found
    best = result.trials["trial"].iloc[0]
    left = {path.name for path in result.folder.iterdir()}
    tables = {"trials.csv", "trials.parquet"}
    assert left - {"plots"} == {JOURNAL, *tables, "best", "default", "trials"}
    assert {path.name for path in (result.folder / "trials").iterdir()} <= {best, "0000", "0001"}
    assert len([*(result.folder / "trials").iterdir()]) == 1
    frame = pd.read_parquet(result.folder / "trials.parquet")
    assert frame["trial"].tolist() == result.trials["trial"].tolist()
    assert pd.read_csv(result.folder / "trials.csv")["score"].tolist() == pytest.approx(
        result.trials["score"].tolist()
    )


@pytest.mark.thorough
def test_without_a_folder_nothing_is_left_and_the_runs_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    result = kerasseq.tune(toy, trials=1, space={"units": [2, 3]}, epochs=1, quiet=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]
    assert result.best.folder is None
    assert "saved in" not in str(result)
    (told,) = [line for line in result.remarks if line.startswith("the recipe's own setting")]
    test = result.best.metrics["test"]["error"]
    assert told == f"the recipe's own setting was best; test error of the best: {test:.3f}"
    assert len(result.best.predict(np.zeros((1, 2), np.float32))) == 1


# With trials that are not trained


def test_a_search_goes_on_where_it_was(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = kerasseq.tune(toy, trials=6, out=tmp_path / "whole", **TUNE)
    for place in range(7) if is_thorough() else (0, 3, 6):
        with monkeypatch.context() as patched:
            _kill_in(place, patched)
            with pytest.raises(Killed):
                kerasseq.tune(toy, trials=6, out=tmp_path / f"{place}", **TUNE)
        quick.clear()
        again = kerasseq.tune(toy, trials=6, out=tmp_path / f"{place}", **TUNE)
        pd.testing.assert_frame_equal(again.trials, whole.trials)
        assert len(quick) == 7 - place  # the recipe's own setting among them


def test_a_process_that_has_grown_leaves_the_rest_to_others(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = kerasseq.tune(toy, trials=6, out=tmp_path / "whole", **TUNE)
    quick.clear()
    handed: list[tuple[int, int]] = []

    def run_workers(self: Any, workers: int) -> None:
        handed.append((workers, sum(e["event"] == "ended" for e in self.events)))
        with monkeypatch.context() as patched:
            patched.setattr("kerasseq.tuning.runner.memory", lambda: 0.0)
            assert self.trials()

    monkeypatch.setattr("kerasseq.tuning.runner.memory", lambda: 101.0 * len(quick))
    monkeypatch.setattr(searches.Search, "run_workers", run_workers)
    result = kerasseq.tune(toy, trials=6, out=tmp_path / "a", **TUNE)
    assert handed == [(1, 3)]
    pd.testing.assert_frame_equal(result.trials, whole.trials)


def test_equal_seeds_give_equal_searches(tmp_path: Path, quick: list[Any]) -> None:
    one, two = (kerasseq.tune(toy, trials=5, out=tmp_path / n, **TUNE) for n in ("a", "b"))
    other = kerasseq.tune(toy, trials=5, out=tmp_path / "c", seed=1, **TUNE)
    pd.testing.assert_frame_equal(one.trials, two.trials)
    assert not one.trials["learning_rate"].equals(other.trials["learning_rate"])


def test_the_seed_of_the_search_is_that_of_the_recipe(tmp_path: Path, quick: list[Any]) -> None:
    kerasseq.tune(toy, trials=2, out=tmp_path / "a", seed=5, **TUNE)
    assert {own["seed"] for own in quick} == {5}


def test_a_recipe_is_tuned_by_its_name(tmp_path: Path, quick: list[Any]) -> None:
    result = kerasseq.tune("toy", trials=2, out=tmp_path / "a", **TUNE)
    assert result.trials["status"].tolist() == ["completed"] * 3


def test_what_is_given_does_not_vary(tmp_path: Path, quick: list[Any]) -> None:
    space = {"units": 3, "learning_rate": SPACE["learning_rate"]}
    options = {**TUNE, "space": space}
    result = kerasseq.tune(toy, trials=3, out=tmp_path / "a", batch_size=7, **options)
    assert "units" not in result.trials
    assert "batch_size" not in result.trials
    assert {(own["units"], own["batch_size"]) for own in quick} == {(3, 7)}


def test_no_trial_is_over_the_budget(tmp_path: Path, quick: list[Any]) -> None:
    both = {"max_params": 21, "max_macs": 12}
    for limit, units in (
        ({"max_params": 21}, 5),
        ({"max_bytes": 84}, 5),
        ({"max_macs": 18}, 6),
        (both, 4),
    ):
        result = kerasseq.tune(toy, trials=8, out=tmp_path / str(limit), **limit, **TUNE)
        assert result.trials["units"].max() == units
        assert result.trials["parameters"].max() == 4 * units + 1
        assert result.trials["macs"].max() == 3 * units


@pytest.mark.parametrize(
    ("units", "limit", "best"),
    [
        ([1, 2, 3], {}, "default"),
        ([1, 2], {}, "0000"),
        ([1, 2, 3], {"max_params": 9}, "0000"),
        ([1, 2, 3], {"max_macs": 6}, "0000"),
    ],
)
def test_the_recipes_own_setting_does_not_win_beyond_the_budget_and_the_space(
    units: list[int],
    limit: dict[str, int],
    best: str,
    tmp_path: Path,
    quick: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result: list[Any] = []

    def finish(task: Any, data: Any, rows: Any) -> dict[str, Any]:
        result.extend(final.candidates(task, data, rows))
        return {"best": None}

    monkeypatch.setattr("kerasseq.tuning.search.finish", finish)
    options = {"space": {"units": units, "learning_rate": [0.04, 0.05]}, "out": tmp_path / "a"}
    kerasseq.tune(toy, trials=1, quiet=True, **options, **limit)
    assert {row["trial"] for row in result} == {"0000", best}


def test_a_search_from_before_there_was_such_a_limit_goes_on(
    tmp_path: Path, quick: list[Any]
) -> None:
    first = kerasseq.tune(toy, trials=2, out=tmp_path / "a", **TUNE)
    journal = tmp_path / "a" / JOURNAL
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    del events[0]["max_macs"]
    journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    again = kerasseq.tune(toy, trials=2, out=tmp_path / "a", **TUNE)
    pd.testing.assert_frame_equal(again.trials, first.trials)
    with pytest.raises(ValueError, match="holds a search with max_macs=None"):
        kerasseq.tune(toy, trials=2, out=tmp_path / "a", max_macs=30, **TUNE)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A finished search from when settings had other names, and there were fewer of them."""
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("format_1.jsonl"), folder / JOURNAL)
    return folder


def _again(folder: Path, **options: Any) -> Any:
    """The call that made it, in names of today."""
    time = pd.date_range("2024-01-01", periods=120)
    table = pd.DataFrame({"time": time, "y": np.arange(120.0) % 7})
    given: dict[str, Any] = {"clipnorm": 0.5, "loss": "mae", "horizon": 7, "epochs": 9, **options}
    given |= {"trials": 5, "max_params": 30_000, "quiet": True}
    return kerasseq.tune("forecasting", table, out=folder, **given)


def test_a_search_from_before_settings_were_renamed_is_read(old: Path) -> None:
    result = kerasseq.tuned(old)
    assert {"lookback_seasons", "scheduled_sampling"} <= {*result.trials}
    assert not {"lookback", "scheduled"} & {*result.trials}
    assert [*result.trials][1:6] == ["model", "lookback_seasons", "cell", "units", "depth"]


@pytest.mark.parametrize("lines", [1, 4, 12])
def test_a_search_from_before_settings_were_renamed_goes_on(
    old: Path, lines: int, quick: list[Any]
) -> None:
    whole = read_checked(old)
    journal = old / JOURNAL
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:lines]))
    _again(old)
    events = read_checked(old)
    assert events[:lines] == whole[:lines]
    assert _began(events) == _began(whole)  # the trials that it would have come to by itself
    assert len(quick) == 6 - sum(event["event"] == "ended" for event in whole[:lines])
    for event in events[lines:-1]:
        # The recipe's own setting may have come to choose another network for so few rows.
        if event["event"] == "ended" and event["trial"] != "default":
            (before,) = (e for e in whole if _is_end(e) and e["trial"] == event["trial"])
            assert event["parameters"] == before["parameters"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"clipnorm": 0.25}, "clipnorm=0.5"),
        ({"optimizer": "sgd"}, "optimizer='adam'"),
        ({"weight_decay": 0.1}, "weight_decay=None"),
        ({"lookback_seasons": 2.0}, "lookback_seasons="),
    ],
)
def test_another_search_than_one_from_before_is_refused(
    old: Path, options: dict[str, Any], told: str, quick: list[Any]
) -> None:
    with pytest.raises(ValueError, match=f"holds a search with .*{told}.*to start over"):
        _again(old, **options)


def _began(events: list[dict[str, Any]]) -> list[Any]:
    return [(e["trial"], e["settings"]) for e in events if e["event"] == "began"]


def _is_end(event: dict[str, Any]) -> bool:
    return bool(event["event"] == "ended")


def test_a_failed_trial_is_in_the_table_with_its_reason(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "run", lambda *given, **options: trial.Outcome("failed", "no luck"))
    result = kerasseq.tune(toy, trials=5, out=tmp_path / "a", **TUNE)
    assert result.trials["status"].tolist() == ["failed"] * 6
    assert set(result.trials["reason"]) == {"no luck"}
    assert "no trial was completed" in result.render()
    with pytest.raises(ValueError, match="no trial of it was completed"):
        _ = result.best


def test_checkpoints_of_the_best_stay(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, left = trial.run, []

    def kept(task: Any, data: Any, name: str, *given: Any, **options: Any) -> Any:
        (trial.folder(task, name)).mkdir(parents=True)
        left.append({path.name for path in (task.folder / "trials").iterdir()} - {name})
        return run(task, data, name, *given, **options)

    monkeypatch.setattr(trial, "run", kept)
    result = kerasseq.tune(toy, trials=9, keep=2, out=tmp_path / "a", **TUNE)
    best = [name for name in result.trials["trial"] if name != "default"][:2]
    assert left[-1] == set(best)
    assert max(map(len, left)) == 2


@pytest.mark.thorough
def test_two_hundred_trials_take_little_disk(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, taken = trial.run, []

    def kept(task: Any, data: Any, name: str, *given: Any, **options: Any) -> Any:
        own = trial.folder(task, name)
        own.mkdir(parents=True)
        (own / "0.npz").write_bytes(bytes(2**20))  # of 65,000 parameters
        files = [path for path in task.folder.rglob("*") if path.is_file()]
        taken.append(sum(path.stat().st_size for path in files) / 2**20)
        return run(task, data, name, *given, **options)

    monkeypatch.setattr(trial, "run", kept)
    result = kerasseq.tune(toy, trials=200, out=tmp_path / "a", **TUNE)
    assert len(result.trials) == 201
    assert max(taken) < 5  # mebibytes


@pytest.mark.thorough
def test_hyperband_keeps_what_may_be_promoted(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, missing, most = trial.run, [], [0]

    def kept(task: Any, data: Any, name: str, *given: Any, **options: Any) -> Any:
        if options.get("parent") and not trial.folder(task, options["parent"]).exists():
            missing.append(name)
        (trial.folder(task, name)).mkdir(parents=True)
        most[0] = max(most[0], len([*(task.folder / "trials").iterdir()]))
        return run(task, data, name, *given, **options)

    monkeypatch.setattr(trial, "run", kept)
    options = {**TUNE, "tuner": "hyperband"}
    result = kerasseq.tune(toy, trials=90, epochs=27, out=tmp_path / "a", **options)
    assert len(result.trials) == 91
    assert missing == []
    assert most[0] < 30


def test_progress_is_a_line_a_trial_where_there_is_no_terminal(
    tmp_path: Path, quick: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    kerasseq.tune(toy, trials=2, out=tmp_path / "a", **{**TUNE, "quiet": False})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("trial 0000 completed: error ")
    assert lines[0].endswith(" left")
    assert ", best " in lines[1] or "trial 0001 completed: error " in lines[1]


# What cannot be


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"space": {"units": 3, "learning_rate": 0.1}}, "the space is empty"),
        ({"max_params": 4}, r"the smallest has 5 \(units=1, .*Received: max_params=4"),
        ({"max_macs": 2}, r"so few multiply-accumulates: the smallest has 3 .*max_macs=2"),
        (
            {"match_params": 4, "space": {"batch_size": [8, 9]}},
            r"the smallest has 5 \(.*units=1\).*Received: match_params=4",
        ),
        ({"space": {"colour": [1, 2]}}, "no setting 'colour'. It has: batch_size"),
        ({"depth": 3}, "no setting 'depth'"),
        ({"workers": 0}, "workers must be a whole number above zero. Received: workers=0"),
        ({"trials": 0}, "trials must be"),
        ({"folds": 0}, "folds must be"),
        ({"tuner": "genetic"}, "tuner must be one of 'random', 'grid', 'bayesian', 'hyperband'"),
        ({"seconds": 0}, "seconds must be a number above zero"),
        ({"tuner": "hyperband", "prune": True}, "hyperband stops trials itself"),
        ({"max_params": 9, "match_params": 9}, "leave out the other limits"),
        ({"max_macs": 9, "match_params": 9}, "leave out the other limits"),
        ({"max_macs": 0}, "max_macs must be a whole number above zero"),
        ({"data": "nothing"}, "data must be a dict"),
        ({"chief": "here"}, "chief must be HOST:PORT, such as node-1:7000. Received: 'here'"),
        ({"units": 0, "space": {"batch_size": [8, 9]}}, "units must be a whole number above zero"),
        ({"epochs": 0}, "epochs must be"),
        ({"chief": "localhost:99999"}, "chief must be HOST:PORT"),
        ({"chief": 3}, "chief must be HOST:PORT"),
        ({"units": 4}, "units is given as 4, and in the space too: leave one of them out"),
        ({"match_params": 9}, "match_params sets units: leave units out"),
        ({"space": {"units": Float(2, 4)}}, "the range of units has 2.6.*, which is invalid"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(
    tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told) as error:
        kerasseq.tune(toy, **{"out": tmp_path / "a", "quiet": True, "space": SPACE} | options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a").exists()


def test_what_is_no_recipe_is_told() -> None:
    with pytest.raises(ValueError, match="recipe must be the name of a recipe, or a function that"):
        kerasseq.tune(len, quiet=True)


def test_a_space_that_is_exhausted_is_told(tmp_path: Path, quick: list[Any]) -> None:
    given = {**TUNE, "space": {"units": [2, 3], "learning_rate": 0.01, "batch_size": 8}}
    result = kerasseq.tune(toy, trials=9, out=tmp_path / "a", **given)
    assert len(result.trials) == 3
    assert any(remark.startswith("2 of 9 trials: the space has no") for remark in result.remarks)
    result = kerasseq.tune(toy, trials=2, out=tmp_path / "b", **given)
    assert not any("trials:" in own for own in result.remarks)


def test_the_end_is_not_told_twice(
    tmp_path: Path, quick: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    kerasseq.tune(toy, trials=1, out=tmp_path / "a", **{**TUNE, "quiet": False})
    assert "no trial was completed" not in capsys.readouterr().err


def test_another_search_or_other_data_in_the_folder_is_refused(
    tmp_path: Path, quick: list[Any]
) -> None:
    kerasseq.tune(toy, trials=2, out=tmp_path / "a", **TUNE)
    before = (tmp_path / "a" / JOURNAL).read_bytes()
    for options, told in (
        ({"trials": 3}, "trials=2"),
        ({"epochs": 5}, "epochs=2"),
        ({"data": numbers(seed=1)}, "other data"),
        ({"space": {**SPACE, "units": Choice((1, 2))}}, "units='Int"),
    ):
        with pytest.raises(ValueError, match=f"holds a search with .*{told}.*to start over"):
            kerasseq.tune(toy, **{**TUNE, "trials": 2, "out": tmp_path / "a", **options})
    journal = tmp_path / "a" / JOURNAL
    assert journal.read_bytes() == before
    journal.write_bytes(before.replace(b'"recipe": "toy"', b'"recipe": "sentiment"'))
    with pytest.raises(ValueError, match=r"a holds a search of sentiment: give another folder\.$"):
        kerasseq.tune(toy, trials=2, out=tmp_path / "a", **TUNE)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty, and no search"):
        kerasseq.tune(toy, out=tmp_path, **TUNE)
    with pytest.raises(ValueError, match="is a file"):
        kerasseq.tune(toy, out=tmp_path / "thesis.txt", **TUNE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_full_disk_is_told_and_gone_on_from(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trial.run

    def full(*given: Any, **options: Any) -> Any:
        if given[2] == "0001":
            raise OSError(28, "No space left on device", "checkpoint")
        return run(*given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(trial, "run", full)
        with pytest.raises(OSError, match=r"cannot write to .*No space left .*the same call then"):
            kerasseq.tune(toy, trials=3, out=tmp_path / "a", **TUNE)
    result = kerasseq.tune(toy, trials=3, out=tmp_path / "a", **TUNE)
    assert set(result.trials["status"]) == {"completed"}


def test_a_search_is_read_while_it_runs(
    tmp_path: Path, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        _kill_in(2, patched)
        with pytest.raises(Killed):
            kerasseq.tune(toy, trials=4, out=tmp_path / "a", **TUNE)
    result = kerasseq.tuned(tmp_path / "a")
    assert sorted(result.trials["status"]) == ["completed", "completed", "runs"]
    assert not result.finished
    assert "the same call with" in result.render()
    with pytest.raises(ValueError, match="the search is not finished"):
        _ = result.best


def test_what_is_no_search_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        kerasseq.tuned(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=f"is not a search: it has no {JOURNAL}"):
        kerasseq.tuned(tmp_path)


def test_a_search_is_the_same_in_json(tmp_path: Path, quick: list[Any]) -> None:
    result = kerasseq.tune(toy, trials=2, out=tmp_path / "a", **TUNE)
    told = json.loads(result.render("json"))
    assert [row["trial"] for row in told["trials"]] == result.trials["trial"].tolist()
    assert read(tmp_path / "a")[-1]["event"] == "finished"
    assert os.path.samefile(result.folder, tmp_path / "a")


def test_a_search_holds_no_more_than_one_journal(tmp_path: Path, task: Callable[..., Any]) -> None:
    search = searches.Search(task(), quiet=True)
    search.journal.close()
    assert [event["event"] for event in read(task().folder)] == ["search"]
