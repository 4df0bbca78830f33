"""Tables and images of searches, from journals that no search wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.tuning.importance import importance
from kerasseq.tuning.results import Result


def _result(
    folder: Path, scores: list[float | None], end: dict[str, Any] | None = None, **about: Any
) -> Result:
    """A search in which more units are better."""
    events: list[dict[str, Any]] = [
        {
            "event": "search",
            "format": 1,
            "recipe": "toy",
            "metric": "accuracy",
            "higher_is_better": True,
            **about,
        }
    ]
    for place, score in enumerate(scores):
        name = f"{place:04d}" if place else "default"
        settings = {"units": 2 + place, "cell": ["gru", "lstm"][place % 2], "back": None}
        events += [
            {"event": "began", "trial": name, "settings": settings},
            {
                "event": "ended",
                "trial": name,
                "status": "completed" if score is not None else "failed",
                "reason": "" if score is not None else "out of memory",
                "score": score,
                "spread": None,
                "parameters": 100 * (2 + place) if score is not None else None,
                "macs": 200 * (2 + place) if score is not None else None,
                "epochs": 2.0,
                "best_epoch": 1.0,
                "seconds": 1.5,
                "curve": [],
            },
        ]
    return Result(folder, [*events, *([] if end is None else [{"event": "finished", **end}])])


def test_the_best_trial_comes_first_and_the_failed_ones_last(tmp_path: Path) -> None:
    frame = _result(tmp_path, [0.5, 0.7, None, 0.9]).trials
    assert frame["trial"].tolist() == ["0003", "0001", "default", "0002"]
    assert frame["units"].tolist() == [5, 3, 2, 4]
    assert frame["parameters"].tolist()[:3] == [500, 300, 200]
    assert frame["macs"].tolist()[:3] == [1_000, 600, 400]
    assert frame["status"].tolist()[-1] == "failed"
    assert frame["reason"].tolist()[-1] == "out of memory"


@pytest.mark.thorough
def test_tables_are_written_whatever_the_settings_are(tmp_path: Path) -> None:
    result = _result(tmp_path, [0.5, 0.7, None, 0.9, 0.6, 0.65])
    result.save()
    assert pd.read_csv(tmp_path / "trials.csv")["units"].tolist() == result.trials["units"].tolist()
    frame = pd.read_parquet(tmp_path / "trials.parquet")
    assert frame["cell"].tolist() == result.trials["cell"].tolist()
    table = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert table == [
        "importance.png",
        "score_by_parameters.png",
        "score_by_trial.png",
        "settings.png",
    ]


def test_a_search_without_any_score_has_a_table_and_no_images(tmp_path: Path) -> None:
    result = _result(tmp_path, [None, None])
    result.save()
    assert result.plots() == {}
    assert "out of memory" in result.render()


@pytest.mark.thorough
def test_what_matters_is_told_from_what_does_not() -> None:
    draw = np.random.default_rng(0)
    rows = 60
    trials = pd.DataFrame(
        {
            "cell": draw.choice(["gru", "lstm", "mgu"], rows),
            "units": draw.integers(1, 100, rows),
            "dropout": draw.random(rows),
            "bias": draw.random(rows) < 0.5,
        }
    )
    trials["score"] = np.log(trials["units"]) + (trials["cell"] == "gru")
    trials.loc[0, "score"] = np.nan
    table = importance(trials, ["dropout", "bias", "cell", "units"])
    assert table["setting"].tolist()[:2] == ["units", "cell"]
    assert table["importance"].sum() == pytest.approx(1.0)
    assert table["importance"].iloc[2:].sum() < 0.1
    pd.testing.assert_frame_equal(table, importance(trials, ["dropout", "bias", "cell", "units"]))


def test_too_few_trials_are_told() -> None:
    trials = pd.DataFrame({"units": [1, 2, 3], "score": [0.1, 0.2, np.nan]})
    with pytest.raises(ValueError, match=r"importance needs 4 trials .*Received: 2 with a score"):
        importance(trials, ["units"])


# As text


def _lines(text: str) -> dict[str, str]:
    """The line of each trial in a text table."""
    return {line.split()[0]: line for line in text.splitlines() if line.startswith(" ")}


def test_a_text_table_fits_and_a_csv_has_a_column_for_each_setting(tmp_path: Path) -> None:
    result = _result(tmp_path, [0.5, 0.7, None, 0.9], end={"best": "0003"})
    shown = result.render(width=110)
    assert max(map(len, shown.splitlines())) <= 110
    assert shown.startswith("toy: 3 trials, by accuracy on the validation part\n")
    assert "units=5 cell=lstm back=None" in _lines(shown)["0003"]
    assert "failed, out of memory: 0002" in shown
    assert str(result) == shown
    header, first, *_ = result.render("csv").splitlines()
    assert header.startswith("trial,units,cell,back,parameters,macs,score,")
    assert first.startswith("0003,5,lstm,,500,1000,0.9,")


def test_settings_are_cut_to_a_narrow_terminal_and_whole_without_one(tmp_path: Path) -> None:
    result = _result(tmp_path, [0.5, 0.7])
    narrow = result.render(width=80)
    assert max(map(len, narrow.splitlines())) <= 80
    assert _lines(narrow)["0001"].endswith("units=3 cell=…")
    assert len([line for line in narrow.splitlines() if "units=" in line]) == 2
    assert narrow.endswith("settings in full: `trials` in Python, --format csv in the shell")
    assert _lines(result.render())["0001"].endswith("units=3 cell=lstm back=None")


def test_settings_stand_in_the_order_of_the_space(tmp_path: Path) -> None:
    space = {"cell": "Choice(options=('gru', 'lstm'))", "units": "Whole(low=2, high=9)"}
    result = _result(tmp_path, [0.5, 0.7], space=space, end={"best": "0001"})
    assert [*result.trials][1:4] == [*result.settings] == ["cell", "units", "back"]
    assert "cell=lstm units=3 back=None" in result.render()


def test_a_search_that_runs_says_how_many_of_how_many(tmp_path: Path) -> None:
    events = _result(tmp_path, [0.5, 0.7, 0.9], trials=30).events
    searched = [events[0], *events[3:-1]]  # trial 0001, and 0002 without its end
    assert Result(tmp_path, searched).render().startswith("toy: 1 of 30 trials and 1 begun, by ")
    assert Result(tmp_path, searched[:-1]).render().startswith("toy: 1 of 30 trials, by accuracy")
    assert _result(tmp_path, [0.5, 0.7], trials=1).render().startswith("toy: 1 of 1 trial, by")
    ended = _result(tmp_path, [0.5, 0.7], end={"best": "0001"})
    assert ended.render().startswith("toy: 1 trial, by accuracy")


def test_json_has_the_rows_of_the_table_and_the_end(tmp_path: Path) -> None:
    gain = {"metric": "accuracy", "best": 0.9, "default": 0.5, "difference": 0.4}
    gain |= {"low": None, "high": None, "outcome": "beats"}
    result = _result(tmp_path, [0.5, None, 0.9], end={"best": "0002", "gain": gain})
    table = json.loads(result.render("json"))
    assert [row["trial"] for row in table["trials"]] == ["0002", "default", "0001"]
    assert table["trials"][0] | {"units": 4, "score": 0.9, "back": None} == table["trials"][0]
    assert "event" not in table["trials"][0]
    assert table["trials"][2]["parameters"] is None
    assert table["end"] == {"best": "0002", "gain": gain}
    assert json.loads(_result(tmp_path, [0.5]).render("json"))["end"] is None
