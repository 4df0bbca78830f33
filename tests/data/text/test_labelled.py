"""Labelled texts from every kind of source; bad ones are refused in one sentence."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.demo.reviews import demo_reviews
from kerasseq.data.text.labelled import LabelledTexts, read_labelled

TEXTS = ["a fine film", "a poor film", "fine, fine<br /><br>fine", "poor"]
CLEAN = ["a fine film", "a poor film", "fine, fine  fine", "poor"]
LABELS = ["pos", "neg", "pos", "neg"]


def _frame(**changed: Any) -> pd.DataFrame:
    return pd.DataFrame({"text": TEXTS, "label": LABELS} | changed)


def _csv(folder: Path) -> Path:
    _frame().to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


def _upper_parquet(folder: Path) -> Path:
    _frame().to_parquet(folder / "A.PARQUET")
    return folder / "A.PARQUET"


def _class_folder(folder: Path) -> Path:
    for i, (text, label) in enumerate(zip(TEXTS, LABELS)):
        (folder / "tree" / label).mkdir(parents=True, exist_ok=True)
        (folder / "tree" / label / f"{i}.txt").write_text(text)
    return folder / "tree"


def _archive(folder: Path) -> Path:
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        tar.add(_class_folder(folder), "tree")
    return folder / "a.tar.gz"


def _pair(folder: Path) -> list[str]:
    for side in ("pos", "neg"):
        lines = [text for text, label in zip(TEXTS, LABELS) if label == side]
        (folder / f"mr.{side}").write_text("\n".join(lines))
    return [str(folder / "mr.pos"), str(folder / "mr.neg")]


SOURCES: dict[str, Callable[[Path], Any]] = {
    "DataFrame": lambda folder: _frame(),
    "csv": _csv,
    "csv as a string": lambda folder: str(_csv(folder)),
    "parquet": _upper_parquet,
    "class folders": _class_folder,
    "archive": _archive,
    "pair": _pair,
    "folder of a pair": lambda folder: Path(_pair(folder)[0]).parent,
    "half of a pair": lambda folder: _pair(folder)[0],
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_texts(tmp_path: Path, source: str) -> None:
    found = read_labelled(SOURCES[source](tmp_path))
    assert sorted(zip(found.texts, found.labels)) == sorted(zip(CLEAN, LABELS))
    assert found.test_texts is None
    assert found.test_labels is None


def test_the_columns_that_were_found_are_noted() -> None:
    frame = _frame().rename(columns={"text": "Review", "label": "Stars"})
    assert read_labelled(frame).notes == ["texts from column 'Review', labels from column 'Stars'"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 0, 1, 0], [1, 0, 1, 0]),
        (np.array([1, 0, 1, 0], dtype=np.int8), [1, 0, 1, 0]),
        (pd.array([1, 0, 1, 0], dtype="Int64"), [1, 0, 1, 0]),
        ([1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]),
        ([True, False, True, False], [True, False, True, False]),
        (pd.Series([np.int64(1), 0, 1, 0], dtype=object), [1, 0, 1, 0]),
        (pd.Series([1, "0", 1, "0"], dtype=object), ["1", "0", "1", "0"]),
        (pd.to_datetime(["2020", "2021"] * 2), ["2020-01-01 00:00:00", "2021-01-01 00:00:00"] * 2),
        (pd.Categorical(LABELS), LABELS),
        ([" pos", "neg ", "pos", "neg"], LABELS),
        (["None", "NA", "None", "NA"], ["None", "NA", "None", "NA"]),
    ],
    ids=["int", "int8", "Int64", "float", "bool", "objects", "mixed", "times", "categorical",
         "white space", "words like gaps"],
)  # fmt: skip
def test_labels_stay_as_they_are(values: Any, expected: list[Any]) -> None:
    found = read_labelled(_frame(label=values)).labels
    assert found == expected
    assert {type(label) for label in found} == {type(label) for label in expected}


def test_column_names_need_not_be_strings() -> None:
    frame = _frame().set_axis([0, 1], axis=1)
    assert read_labelled(frame, text="0", label="1").labels == LABELS


def test_empty_texts_are_left_out_and_counted() -> None:
    frame = pd.concat([_frame(), _frame(text=["", " ", "<br/>", "new"])])
    found = read_labelled(frame)
    assert found.texts == [*CLEAN, "new"]
    assert found.labels == [*LABELS, "neg"]
    assert "left out: 3 empty texts" in found.notes


def test_empty_texts_are_scored() -> None:
    frame = _frame(text=["", None, "<br/>", "poor"])
    found = read_labelled(frame, learn=False)
    assert (found.texts, found.labels) == (["", "", "", "poor"], LABELS)
    assert len(read_labelled(_frame(text=[None] * 4), learn=False).texts) == 4


def _official(folder: Path, train: list[tuple[str, str]], test: list[tuple[str, str]]) -> Path:
    for part, rows in (("train", train), ("test", test)):
        for i, (text, label) in enumerate(rows):
            (folder / part / label).mkdir(parents=True, exist_ok=True)
            (folder / part / label / f"{i}.txt").write_text(text)
    return folder


ROWS = list(zip(TEXTS, LABELS))


def test_what_the_test_set_shares_leaves_the_training_texts(tmp_path: Path) -> None:
    test = [("a  fine film\n", "pos"), ("new", "neg"), ("new", "neg"), ("", "neg")]
    found = read_labelled(_official(tmp_path, [*ROWS, ("more", "pos")], test))
    assert sorted(found.texts) == sorted(["more", *CLEAN[1:]])
    assert sorted(zip(found.test_texts or [], found.test_labels or [])) == [
        ("", "neg"),
        ("a  fine film", "pos"),
        ("new", "neg"),
        ("new", "neg"),
    ]
    assert found.notes == [
        "an official test set of 4 texts",
        "1 training texts that are in the test set, too, left the training texts",
    ]


def test_a_class_of_the_test_set_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="class 'mixed' is in the test set but not in"):
        read_labelled(_official(tmp_path, ROWS, [("so so", "mixed")]))


def test_demo_comes_with_the_package() -> None:
    found = read_labelled("demo")
    assert list(zip(found.texts, found.labels)) == demo_reviews()
    assert found.notes == ["2,000 short reviews that kerasseq wrote itself"]


def test_imdb_is_put_back_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    rows = [[1, 4, 5, 6], [1, 4, 2, 5], [1, 5, 6], [1, 6, 5]]
    part = (np.array(rows, dtype=object), np.array([1, 0] * 2))
    other = (np.array([[1, 6], [1, 5]], dtype=object), np.array([0, 1]))
    monkeypatch.setattr(keras.datasets.imdb, "load_data", lambda: (part, other))
    index = {"the": 1, "film": 2, "fine": 3}
    monkeypatch.setattr(keras.datasets.imdb, "get_word_index", lambda: index)
    found = read_labelled("imdb")
    assert found.texts == ["the film fine", "the film", "film fine", "fine film"]
    assert found.labels == ["pos", "neg"] * 2
    assert (found.test_texts, found.test_labels) == (["fine", "film"], ["neg", "pos"])


def test_imdb_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def fail() -> None:
        raise Exception("URL fetch failure on imdb.npz: None -- Name or service not known")

    monkeypatch.setattr(keras.datasets.imdb, "load_data", fail)
    with pytest.raises(
        ValueError, match=r"is there a network\? Otherwise fetch aclImdb_v1\.tar\.gz"
    ):
        read_labelled("imdb")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (_frame(text=[None, *TEXTS[1:]]), r"'text' has no value in 1 row, the first of them row 0"),
        (_frame(label=["a", "b", np.nan, None]), r"'label' has no value in 2 rows.* row 2 "),
        (_frame(label=["a", "b", "b", " "]), r"'label' has no value in 1 row, .* row 3 "),
        (_frame(label=["pos"] * 4), r"the DataFrame: there is one class only, 'pos'"),
        (
            _frame(label=["pos", "neg", "pos", "pos"]),
            r"class 'neg' has too few different texts .*: 1, in 1 row;",
        ),
        (_frame(text=["same"] * 4), r"DataFrame: all 4 texts are the same, 'same'\. Check"),
        (_frame(text=["b", "a", "b", "c"]), r"class 'pos' has .*: 1, in 2 rows; .*at least 2"),
        (
            pd.DataFrame({"text": [*"xxxyz"], "label": [*"aabaa"]}),
            r"class 'b' has too few different texts to learn from and to score: 1, in 1 row;",
        ),
        (_frame(label=["a", "b", "c", "a"]), r"there are 3 different labels for 4 texts"),
        (_frame(label=[["a"], ["b"], ["a"], ["b"]]), r"must hold one label in each row, and row 0"),
        (_frame(text=[None] * 4), r"every text of column 'text' is empty"),
        (_frame(text=["", " ", "\n", "<br>"]), r"every text is empty"),
        (_frame(text=[*TEXTS[:3], 3]), r"must hold one text in each row, and row 3 .* holds 3\."),
        (_frame().iloc[:0], r"the DataFrame has no rows"),
        (pd.DataFrame({"a b": TEXTS, "pos": LABELS}), r"first line seems to be data"),
    ],
)
def test_a_table_to_learn_nothing_from_is_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_labelled(frame)
    assert "\n" not in str(caught.value)


def test_gaps_of_a_file_are_found_as_those_of_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    _frame(label=["pos", "neg", np.nan, "neg"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"a\.csv: column 'label' has no value in 1 row.* row 2 "):
        read_labelled(path)


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n")
    with pytest.raises(ValueError, match=r"a\.csv has no rows"):
        read_labelled(path)


def test_new_data_may_have_one_class_when_nothing_is_learned() -> None:
    found = read_labelled(_frame(label=["pos"] * 4), learn=False)
    assert found.labels == ["pos"] * 4


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere", "nowhere.tar.gz", "nowhere.pos"])
def test_a_path_to_nothing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"there is no file or folder .*{name}"):
        read_labelled(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.zip", "a.tar.gz", "a.parquet", "a.pos", "a.docx"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        read_labelled(tmp_path / name)
    assert str(tmp_path / "a.") in str(caught.value)


def test_an_unknown_ending_lists_those_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_text("text")
    with pytest.raises(ValueError, match=r"a\.docx has an ending that is not known.*\.csv.*\.zip"):
        read_labelled(tmp_path / "a.docx")


def test_a_run_folder_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match=r"is the folder of a run.*kerasseq\.load"):
        read_labelled(tmp_path)


@pytest.mark.parametrize("data", [None, 3, {"text": TEXTS}, np.array(TEXTS)])
def test_other_kinds_of_data_are_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="data must be a DataFrame, a path"):
        read_labelled(data)


def test_a_list_must_hold_paths() -> None:
    with pytest.raises(ValueError, match=r"must hold the paths of NAME\.pos and NAME\.neg"):
        read_labelled([1, 2])


def test_columns_are_refused_where_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="text= and label= name columns of a table, and 'demo'"):
        read_labelled("demo", text="review")
    with pytest.raises(ValueError, match="text= and label= name columns of a table"):
        read_labelled(_pair(tmp_path), label="side")


def test_the_fields_have_defaults() -> None:
    assert LabelledTexts(["a"], ["b"]).notes == []


def test_links_out_of_a_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one\ntwo\n")
    folder = tmp_path / "data"
    folder.mkdir()
    for ending in ("pos", "neg"):
        (folder / f"a.{ending}").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"a\.(neg|pos) is a link to a file outside of"):
        read_labelled(folder)
    for label in ("good", "bad"):
        (folder / label).mkdir()
        (folder / label / "1.txt").symlink_to(tmp_path / "secret")
    for ending in ("pos", "neg"):
        (folder / f"a.{ending}").unlink()
    with pytest.raises(ValueError, match=r"1\.txt is a link to a file outside of"):
        read_labelled(folder)


def test_half_a_character_in_a_label_is_a_question_mark() -> None:
    labels = pd.Series(["a\ud83d", "b"] * 4, dtype=object)
    table = pd.DataFrame({"text": [f"text {i}" for i in range(8)], "label": labels})
    assert read_labelled(table).labels == ["a?", "b"] * 4
