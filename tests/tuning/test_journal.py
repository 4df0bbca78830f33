"""The journal of a search: what is in it is on disk, and whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kerasseq.tuning.journal import FORMAT, JOURNAL, Journal, read, read_checked


def _written(folder: Path, *events: dict[str, object]) -> None:
    journal = Journal(folder)
    for event in events:
        journal.append(event)
    journal.close()


def test_what_is_added_is_read(tmp_path: Path) -> None:
    _written(tmp_path / "a" / "b", {"event": "é"})
    _written(tmp_path / "a" / "b", {"n": 1})
    assert read(tmp_path / "a" / "b") == [{"event": "é"}, {"n": 1}]


def test_where_there_is_none_there_are_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path) == []


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_last_line_that_was_not_finished_is_none(tmp_path: Path, cut: int) -> None:
    _written(tmp_path, {"n": 1}, {"name": 2})
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(tmp_path) == [{"n": 1}]
    _written(tmp_path, {"n": 3})
    assert read(tmp_path) == [{"n": 1}, {"n": 3}]


def test_a_damaged_line_is_told(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text('{"n": 1}\n{"n": \n{"n": 2}\n')
    with pytest.raises(ValueError, match=f"line 2 of .*{JOURNAL} is damaged"):
        read(tmp_path)


SEARCH = {
    "event": "search",
    "recipe": "r",
    "metric": "m",
    "higher_is_better": True,
    "format": FORMAT,
}
BEGAN = {"event": "began", "trial": "0000", "settings": {}}
ENDED = {"event": "ended", "trial": "0000", "status": "completed"}
FINISHED = {"event": "finished", "best": "0000"}


def test_the_lines_of_a_search_are_sound(tmp_path: Path) -> None:
    assert read_checked(tmp_path) == []
    _written(tmp_path, SEARCH, BEGAN, ENDED, FINISHED)
    assert read_checked(tmp_path) == read(tmp_path)


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([BEGAN, ENDED], 1),
        ([SEARCH, ENDED], 2),
        ([SEARCH, BEGAN, {}], 3),
        ([SEARCH, BEGAN, SEARCH], 3),
        ([SEARCH, {"event": "other"}], 2),
        ([SEARCH, BEGAN, {"event": "finished"}], 3),
        ([{"event": "search", "format": FORMAT}], 1),
        ([SEARCH, BEGAN, BEGAN], 3),
        ([SEARCH, BEGAN, ENDED, ENDED], 4),
        ([SEARCH, BEGAN, ENDED, FINISHED, {**BEGAN, "trial": "0001"}], 4),
        ([SEARCH, BEGAN, ENDED, {**FINISHED, "best": "9999"}], 4),
        ([SEARCH, BEGAN, ENDED, {**FINISHED, "gain": {}}], 4),
        ([{**SEARCH, "space": 3}], 1),
        ([SEARCH, {**BEGAN, "settings": 3}], 2),
        ([SEARCH, BEGAN, {**ENDED, "score": "x"}], 3),
        ([SEARCH, BEGAN, {**ENDED, "curve": None}], 3),
    ],
)
def test_a_line_that_is_missing_or_wrong_is_told(
    tmp_path: Path, events: list[dict[str, Any]], line: int
) -> None:
    _written(tmp_path, *events)
    with pytest.raises(ValueError, match=f"^line {line} of .* is damaged: restore the file"):
        read_checked(tmp_path)


def test_a_journal_of_another_version_is_told(tmp_path: Path) -> None:
    _written(tmp_path, {**SEARCH, "format": 99})
    with pytest.raises(ValueError, match=r"another version of kerasseq \(format 99, and this one"):
        read_checked(tmp_path)


def _old(folder: Path, recipe: str, settings: Any, space: Any, *trials: Any) -> None:
    """A journal from when settings had other names."""
    about = {**SEARCH, "format": 1, "recipe": recipe, "settings": settings, "space": space}
    began = ({**BEGAN, "trial": f"{n:04d}", "settings": own} for n, own in enumerate(trials))
    _written(folder, about, *began)


@pytest.mark.parametrize(
    ("recipe", "old", "new"),
    [
        ("sentiment", {"clip": 1.0, "units": 8}, {"clipnorm": 1.0, "units": 8}),
        (
            "captioning",
            {"tied": True, "smoothing": 0.1, "beam": 3, "no_repeat": 2, "normalization": 0.7},
            {
                "tie_embeddings": True,
                "label_smoothing": 0.1,
                "beam_width": 3,
                "no_repeat_ngram_size": 2,
                "length_penalty": 0.7,
            },
        ),
        (
            "forecasting",
            {"error": "mae", "scheduled": 0.0, "normalization": "last", "lookback": 24},
            {"loss": "mae", "scheduled_sampling": 0.0, "normalization": "last", "lookback": 24},
        ),
        ("forecasting", {"lookback": 2.0}, {"lookback": None, "lookback_seasons": 2.0}),
    ],
)
def test_settings_of_before_are_read_by_their_names_of_today(
    tmp_path: Path, recipe: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    _old(tmp_path, recipe, old, {})
    (about,) = read_checked(tmp_path)
    assert about["settings"] == new
    assert about["format"] == FORMAT


def test_ranges_of_before_are_read_by_their_names_of_today(tmp_path: Path) -> None:
    seasons, steps = "Choice(options=(None, 1.0, 4.0))", "Whole(low=7, high=28, step=1, log=False)"
    trials = [{"lookback": value, "scheduled": 0.1} for value in (None, 4.0)]
    space = {"scheduled": "Float(low=0.0, high=0.5, log=False)", "lookback": seasons}
    _old(tmp_path / "a", "forecasting", {"clip": None}, space, *trials)
    about, *began = read_checked(tmp_path / "a")
    assert [*about["space"]] == ["scheduled_sampling", "lookback_seasons"]
    assert [event["settings"] for event in began] == [
        {"lookback_seasons": value, "scheduled_sampling": 0.1} for value in (None, 4.0)
    ]
    _old(tmp_path / "b", "forecasting", {}, {"lookback": steps}, {"lookback": 14})
    about, began = read_checked(tmp_path / "b")
    assert about["space"] == {"lookback": steps.replace("Whole", "Int")}
    assert began["settings"] == {"lookback": 14}


def test_a_setting_of_today_keeps_its_name(tmp_path: Path) -> None:
    # A recipe from elsewhere may have what was the name of another setting once.
    about = {**SEARCH, "settings": {"beam": 3}, "space": {"tied": "Choice(options=(1, 2))"}}
    _written(tmp_path, about, {**BEGAN, "settings": {"tied": 1}})
    assert read_checked(tmp_path) == read(tmp_path)


def test_one_process_at_a_time_may_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerasseq.tuning.journal._PATIENCE", 0.0)
    journal = Journal(tmp_path)
    with pytest.raises(ValueError, match="another process searches in"):
        Journal(tmp_path)
    journal.close()
    _written(tmp_path, {"n": 1})


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match=r"cannot write to .*file/search \(Not a directory\): make"):
        Journal(tmp_path / "file" / "search")


def test_a_full_disk_is_told() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    journal = Journal.__new__(Journal)
    journal.path, journal._file = full, open(full, "ab")  # noqa: SIM115
    with pytest.raises(OSError, match=r"cannot write to /dev \(No space left on device\): make"):
        journal.append({"n": 1})
    journal.close()
