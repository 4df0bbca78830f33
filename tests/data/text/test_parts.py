"""Validation and test parts of texts on their own: whole, apart, and under the same labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kerasseq
from kerasseq.data.text.labelled import LabelledTexts
from kerasseq.data.text.parts import add_parts
from kerasseq.io.digest import digest
from kerasseq.recipes.sentiment import SentimentSettings
from kerasseq.tasks.base import Parts

TASK = kerasseq.sentiment.task


def _table(first: int, last: int) -> pd.DataFrame:
    numbers = range(first, last)
    texts = [f"{'good' if number % 2 else 'bad'} film {number}" for number in numbers]
    return pd.DataFrame({"review": texts, "stars": [number % 2 for number in numbers]})


def _split(data: Any, fold: Any = None, learn: Any = "train", **given: Any) -> Parts:
    settings = SentimentSettings(quiet=True, **given)
    return TASK.split(TASK.load(data, settings), settings, fold=fold, learn=learn)


def _texts(first: int, last: int) -> list[str]:
    return _table(first, last)["review"].tolist()


def test_texts_of_their_own_are_the_parts(tmp_path: Path) -> None:
    _table(20, 24).to_csv(tmp_path / "v.csv", index=False)
    parts = _split(_table(0, 20), validation=tmp_path / "v.csv", test=_table(24, 30))
    assert parts.train[0] == _texts(0, 20)
    assert parts.validation[0] == _texts(20, 24)
    assert parts.test[0] == _texts(24, 30)
    assert {*parts.validation[1], *parts.test[1]} == {0, 1}  # as in the table, not as text
    both = _split(
        _table(0, 20), learn="validation", validation=tmp_path / "v.csv", test=_table(24, 30)
    )
    assert both.train[0] == _texts(0, 24)


def test_a_share_of_the_rest_is_taken_where_only_one_part_is_given() -> None:
    parts = _split(_table(0, 20), test=_table(20, 30))
    assert parts.test[0] == _texts(20, 30)
    assert sorted([*parts.train[0], *parts.validation[0]]) == sorted(_texts(0, 20))
    parts = _split(_table(0, 20), validation=_table(20, 30))
    assert parts.validation[0] == _texts(20, 30)
    assert sorted([*parts.train[0], *parts.test[0]]) == sorted(_texts(0, 20))


def test_folds_are_of_both_parts_to_learn_from() -> None:
    given = {"validation": _table(20, 30), "test": _table(30, 40)}
    folds = [_split(_table(0, 20), fold=(number, 3), **given) for number in range(3)]
    held = [text for parts in folds for text in parts.validation[0]]
    assert sorted(held) == sorted(_texts(0, 30))
    assert all(parts.test[0] == _texts(30, 40) for parts in folds)


def test_texts_of_a_later_part_leave_the_earlier_ones() -> None:
    spaced = _table(18, 26).assign(review=lambda own: own["review"].str.replace(" ", "  "))
    parts = _split(_table(0, 22), validation=spaced, test=_table(24, 30))
    assert parts.train[0] == _texts(0, 18)
    assert len(parts.validation[0]) == 6
    assert parts.test[0] == _texts(24, 30)
    notes = " ".join(parts.notes)
    assert "2 validation texts that are in a later part" in notes
    assert "4 training texts that are in a later part" in notes


def test_parts_are_in_the_fingerprint_and_settings_stay_json() -> None:
    settings = [SentimentSettings(test=_table(20, last), quiet=True) for last in (26, 28)]
    found = [digest(TASK.load(_table(0, 20), own)) for own in settings]
    assert len({*found, digest(TASK.load(_table(0, 20), SentimentSettings()))}) == 3
    assert TASK.settings_to_json(settings[0])["test"] == "a table of 6 rows"


def test_numbers_of_a_file_are_those_of_a_table(tmp_path: Path) -> None:
    floats = _table(0, 30).assign(stars=lambda own: own["stars"] + 1.0)
    floats.to_csv(tmp_path / "f.csv", index=False)  # 1.0 and 2.0, as text
    split = _split(floats[:20], test=floats[20:].assign(stars=lambda own: own["stars"].astype(str)))
    assert {*split.test[1]} == {1.0, 2.0}
    split = _split(tmp_path / "f.csv", test=floats[20:])
    assert {*split.test[1]} == {"1.0", "2.0"}


def test_parts_that_cannot_be_are_told() -> None:
    with pytest.raises(
        ValueError,
        match=r"test= does not fit .*: the classes '7' were not in.*'0', '1'",
    ):
        _split(_table(0, 20), test=_table(20, 24).assign(stars=7))
    with pytest.raises(ValueError, match="every text of the training part is in a later part"):
        _split(_table(0, 20), test=_table(0, 20))
    official = LabelledTexts(["a", "b"], ["x", "y"], ["c"], ["x"])
    with pytest.raises(ValueError, match="data has an official test set"):
        add_parts(official, {"test": LabelledTexts(["d"], ["x"])})
    with pytest.raises(FileNotFoundError, match=r"^test=: there is no file or folder none\.csv"):
        _split(_table(0, 20), test="none.csv")


@pytest.mark.parametrize("part", ["test", "validation"])
def test_errors_of_reading_name_the_argument_and_the_file(tmp_path: Path, part: str) -> None:
    path = tmp_path / "later.csv"
    path.write_text("review,stars\n")
    with pytest.raises(ValueError, match=rf"^{part}=: .*later\.csv has no rows"):
        _split(_table(0, 20), **{part: path})
    path.write_text("")
    with pytest.raises(ValueError, match=rf"^{part}=: .*later\.csv is empty"):
        _split(_table(0, 20), **{part: path})
    with pytest.raises(ValueError, match=f"^{part}=: the DataFrame: column 'stars' has no value"):
        _split(_table(0, 20), **{part: _table(20, 24).assign(stars=None)})


def test_remarks_about_a_part_name_it(tmp_path: Path) -> None:
    path = tmp_path / "later.csv"
    path.write_bytes("review,stars\ncaf\xe9,0\nbar,1\n".encode("cp1252"))
    notes = _split(_table(0, 20), test=path).notes
    assert "test=: later.csv is not UTF-8: read as Windows-1252" in notes


def test_texts_of_a_part_that_has_a_test_set_are_counted() -> None:
    data = LabelledTexts(["good", "bad"], ["pos", "neg"])
    whole = LabelledTexts(["a", "b", "c"], ["pos", "neg", "neg"], ["fine"], ["pos"])
    found = add_parts(data, {"test": whole})
    assert found.test_texts == ["fine"]
    assert found.notes == ["test= has an official test set: its 3 other texts left out"]


def test_a_class_without_a_row_to_stop_by_is_told() -> None:
    one = _table(20, 28)
    parts = _split(_table(0, 20), validation=one[one["stars"] == 1], test=_table(28, 34))
    assert "classes without a row in the validation part: 0" in parts.notes
    parts = _split(_table(0, 20), validation=one, test=_table(28, 34))
    assert "without a row" not in " ".join(parts.notes)


@pytest.mark.thorough
def test_a_run_is_known_again_by_the_content_of_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _table(20, 30).to_csv("later.csv", index=False)
    given: dict[str, Any] = {"epochs": 1, "units": 2, "embedding": 2, "quiet": True, "out": "run"}
    made = kerasseq.sentiment(_table(0, 20), test="later.csv", **given)
    for again in (tmp_path / "later.csv", _table(20, 30)):
        found = kerasseq.sentiment(_table(0, 20), test=again, **given)
        assert found.metrics["seconds"] == made.metrics["seconds"]  # it was not trained again
    _table(20, 32).to_csv("later.csv", index=False)
    with pytest.raises(ValueError, match="holds a run with other data: give the same"):
        kerasseq.sentiment(_table(0, 20), test="later.csv", **given)
    with pytest.raises(ValueError, match="holds a run with test='data of its own', other data"):
        kerasseq.sentiment(_table(0, 20), **given)
