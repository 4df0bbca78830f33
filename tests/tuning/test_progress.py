"""What a search shows while it runs: in a terminal, and where there is none."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kerasseq.tuning.progress import Progress
from tests.tuning.test_results import _result

SETTINGS = {"cell": "gru", "units": 26, "embedding_dropout": 0.25, "learning_rate": 0.001}


def _events(scores: list[float | None]) -> list[dict[str, Any]]:
    """Those of trials, and of the recipe's own setting after them."""
    events = _result(Path(), [0.5, *scores]).events[1:]
    for event in events[::2]:
        event["settings"] = dict(SETTINGS)
    return [*events[2:], *events[:2]]


def _shown(progress: Progress, width: int = 110, height: int = 40) -> str:
    page = io.StringIO()
    Console(width=width, height=height, file=page).print(progress)
    return page.getvalue()


def _table(shown: str) -> list[list[str]]:
    """The cells of each row that begins with the name of a trial."""
    rows = [re.split(r" {2,}", line.strip()) for line in shown.splitlines()]
    return [row for row in rows if re.fullmatch(r"\d{4}|default", row[0])]


def test_a_terminal_is_shown_the_last_trials_and_the_best_one() -> None:
    progress = Progress("accuracy", True, 40, quiet=True)
    for event in _events([0.9 - place / 100 for place in range(30)])[:-3]:
        progress.show(event)
    shown = _shown(progress)
    assert "29 of 40 trials" in shown
    names = [row[0] for row in _table(shown)]
    assert names == [*(f"{place:04d}" for place in range(18, 31)), "0001"]
    assert "runs" in shown
    assert " so far; about " in shown
    assert " left" in shown
    assert len(_shown(progress, height=20).splitlines()) <= 20


@pytest.mark.parametrize("width", [110, 80])
def test_all_but_the_settings_is_whole_however_narrow_a_terminal_is(width: int) -> None:
    progress = Progress("accuracy", True, 2, quiet=True)
    for event in _events([0.9, 0.8]):
        progress.show(event)
    shown = _shown(progress, width)
    head = "trial accuracy parameters epochs seconds status settings"
    assert head in " ".join(shown.split())
    rows = {row[0]: row[1:] for row in _table(shown)}
    assert rows["0001"][:5] == ["0.900", "300", "2", "1.5", "completed"]
    assert rows["0001"][5].startswith("cell=gru ")
    assert "default" in rows
    assert len([line for line in shown.splitlines() if "cell=gru" in line]) == 3


def test_a_terminal_without_room_for_settings_is_shown_none() -> None:
    progress = Progress("accuracy", True, 1, quiet=True)
    for event in _events([0.9]):
        progress.show(event)
    shown = _shown(progress, 60)
    assert "cell" not in shown
    assert _table(shown)[0] == ["0001", "0.900", "300", "1.5", "completed"]


def test_why_a_trial_failed_stands_in_place_of_its_settings() -> None:
    progress = Progress("accuracy", True, 1, quiet=True)
    for event in _events([None]):
        progress.show(event)
    assert _table(_shown(progress))[0][-2:] == ["failed", "out of memory"]


def test_the_default_is_none_of_the_trials() -> None:
    progress = Progress("accuracy", True, 1, quiet=True)
    for event in _events([0.9]):
        progress.show(event)
    assert "1 of 1 trial\n" in re.sub(" +\n", "\n", _shown(progress))


def test_time_left_counts_what_follows_the_last_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    progress = Progress("accuracy", True, 2, quiet=True)
    events = _events([0.9, 0.8])
    for event in events[1::2]:
        event["seconds"] = 8.0
    left = []
    for event in events:
        clock[0] += 10 if event["event"] == "ended" else 0
        progress.show(event)
        match = re.search(r"about (.*) left", _shown(progress))
        left.append(match and match[1])
    # One trial of 10 s, the default and two trainings of 8 s; then the latter three; then two.
    assert left == [None, "34 s", "34 s", "24 s", "24 s", "16 s"]
    clock[0] += 6
    assert "about 10 s left" in _shown(progress)


def test_what_goes_on_after_the_trials_is_shown() -> None:
    progress = Progress("accuracy", True, 1, quiet=True)
    assert "searching; " in _shown(progress)
    progress.announce("the best setting, trained on all but the test part")
    assert "the best setting, trained on all but the test part; " in _shown(progress)


def test_in_a_terminal_the_table_goes_in_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes a terminal of what is none
    monkeypatch.setenv("TERM", "xterm")
    with Progress("accuracy", True, 2, quiet=False) as progress:
        for event in _events([0.9, 0.8]):
            progress.show(event)
        progress.announce("the end")
    told = capsys.readouterr()
    assert told.out == ""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told.err)
    assert plain.rstrip().splitlines()[-1].endswith("2 trials in 0 s")
    assert "the end; " in plain


def test_without_a_terminal_each_trial_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("accuracy", True, 1, quiet=False) as progress:
        for event in _events([0.9]):
            progress.show(event)
        progress.announce("the end")
    first, second, third = capsys.readouterr().err.splitlines()
    told = "cell=gru, units=26, embedding_dropout=0.25, learning_rate=0.001"
    assert first.startswith(f"trial 0001 completed: accuracy 0.900 ({told}); about ")
    assert second.startswith(f"trial default completed: accuracy 0.500, best 0.900 ({told})")
    assert third == "the end"


def test_a_quiet_search_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress("accuracy", True, 1, quiet=True) as progress:
        for event in _events([0.9]):
            progress.show(event)
        progress.announce("the end")
    assert capsys.readouterr().err == ""
