"""Tables and pictures of searches, from journals that no search wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.tuning.importance import importance
from kerasseq.tuning.progress import Progress
from kerasseq.tuning.results import Result


def _result(folder: Path, scores: list[float | None], **about: Any) -> Result:
    """A search in which more units are better."""
    events: list[dict[str, Any]] = [
        {
            "event": "search",
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
    return Result(folder, events)


def test_the_best_trial_comes_first_and_the_failed_ones_last(tmp_path: Path) -> None:
    frame = _result(tmp_path, [0.5, 0.7, None, 0.9]).trials
    assert frame["trial"].tolist() == ["0003", "0001", "default", "0002"]
    assert frame["units"].tolist() == [5, 3, 2, 4]
    assert frame["parameters"].tolist()[:3] == [500, 300, 200]
    assert frame["macs"].tolist()[:3] == [1_000, 600, 400]
    assert frame["status"].tolist()[-1] == "failed"
    assert frame["reason"].tolist()[-1] == "out of memory"


def test_tables_are_written_whatever_the_settings_are(tmp_path: Path) -> None:
    result = _result(tmp_path, [0.5, 0.7, None, 0.9, 0.6, 0.65])
    result.save()
    assert pd.read_csv(tmp_path / "trials.csv")["units"].tolist() == result.trials["units"].tolist()
    frame = pd.read_parquet(tmp_path / "trials.parquet")
    assert frame["cell"].tolist() == result.trials["cell"].tolist()
    found = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert found == [
        "importance.png",
        "score_by_parameters.png",
        "score_by_trial.png",
        "settings.png",
    ]


def test_a_search_without_any_score_has_a_table_and_no_pictures(tmp_path: Path) -> None:
    result = _result(tmp_path, [None, None])
    result.save()
    assert result.plots() == {}
    assert "out of memory" in result.render()


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
    found = importance(trials, ["dropout", "bias", "cell", "units"])
    assert found["setting"].tolist()[:2] == ["units", "cell"]
    assert found["importance"].sum() == pytest.approx(1.0)
    assert found["importance"].iloc[2:].sum() < 0.1
    pd.testing.assert_frame_equal(found, importance(trials, ["dropout", "bias", "cell", "units"]))


def test_too_few_trials_are_told() -> None:
    trials = pd.DataFrame({"units": [1, 2, 3], "score": [0.1, 0.2, np.nan]})
    with pytest.raises(ValueError, match=r"importance needs 4 trials .*Received: 2 with a score"):
        importance(trials, ["units"])


def test_a_terminal_is_shown_the_last_trials_and_the_best_one() -> None:
    from rich.console import Console

    progress = Progress("accuracy", True, 40, quiet=True)
    events = _result(Path(), [None, *(0.9 - place / 100 for place in range(30))]).events[1:]
    for event in events[:-1]:
        progress.show(event)
    console = Console(width=160, record=True, quiet=True)
    with open("/dev/null", "w") as nowhere:
        console = Console(width=160, record=True, file=nowhere)
        console.print(progress)
    shown = console.export_text()
    assert "30 of 40 trials" in shown
    assert "0001" in shown  # the best one
    assert "0002" not in shown
    assert "runs" in shown
    assert " left" in shown
