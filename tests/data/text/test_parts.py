"""Validation and test parts of texts on their own: whole, apart, and under the same labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kerasseq
from kerasseq.data.text.labelled import LabelledTexts
from kerasseq.data.text.parts import with_parts
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
    assert TASK.recorded(settings[0])["test"] == "a table of 6 rows"


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
    with pytest.raises(ValueError, match="data has a test set of its own"):
        with_parts(official, {"test": LabelledTexts(["d"], ["x"])})
    with pytest.raises(ValueError, match="test must be above 0 and below 1 or a path or a table"):
        kerasseq.sentiment(_table(0, 20), test=2.0)
    with pytest.raises(FileNotFoundError, match=r"no file or folder none\.csv"):
        _split(_table(0, 20), test="none.csv")
