"""Read labelled texts from tables, folders, archives or files, and check them."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.data.classes.labels import Label, class_name, plain_labels
from kerasseq.data.classes.splits import group_label
from kerasseq.data.text.folders import Rows, read_class_folders, read_polar_files
from kerasseq.io import paths
from kerasseq.io.digest import LATER
from kerasseq.io.files import ARCHIVES, is_file_inside
from kerasseq.io.tables import TABLES, find_columns, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LabelledTexts", "read_labelled", "text_key"]

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_NO_LABEL = ("", "nan", "NaN", "inf", "-inf")
_IMDB = "https://ai.stanford.edu/~amaas/data/sentiment/"


@dataclass
class LabelledTexts:
    """Texts and their labels.

    Args:
        texts: texts to train on, from which missing parts are split off.
        labels: one per text: strings, integers, floats or booleans, all of the same type.
        test_texts: texts of an official test set, or None.
        test_labels: one per test text, or None.
        notes: remarks on how the data was read, to be shown to the user.
        columns: names of the columns `text` and `label` of a table; empty for other data.
        validation_texts: texts of a separate validation part, or None.
        validation_labels: one per validation text, or None.
    """

    texts: list[str]
    labels: Sequence[Label]
    test_texts: list[str] | None = None
    test_labels: Sequence[Label] | None = None
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict, compare=False)
    validation_texts: list[str] | None = field(default=None, metadata=LATER)
    validation_labels: Sequence[Label] | None = field(default=None, metadata=LATER)


def read_labelled(
    data: Any,
    *,
    text: str | None = None,
    label: str | None = None,
    learn: bool = True,
    default_columns: Mapping[str, str] | None = None,
) -> LabelledTexts:
    """Read labelled texts.

    HTML line breaks become spaces; labels are not changed. An official test set is kept whole, and
    training texts that it contains are removed from the training texts.

    Args:
        data: a DataFrame; a CSV, TSV, JSON-lines or Parquet file; a folder with one sub-folder of
            .txt files per class, optionally inside `train` and `test`, or with one .txt file per
            class and one text per line; an archive of such a folder (.tar.gz, .tgz, .tar or .zip);
            a pair of files `NAME.pos` and `NAME.neg` with one text per line, or their folder;
            "imdb", which is downloaded; or "demo", reviews that come with kerasseq.
        text: name of the column of texts; by default it is searched for.
        label: name of the column of labels; by default it is searched for.
        learn: whether the texts are for training. Then there must be two classes with two texts
            each, and empty texts are left out; otherwise empty texts are scored, too.
        default_columns: names of the columns `text` and `label`, as in `LabelledTexts.columns`, to
            use if neither `text` nor `label` is given and the table has both.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if the data cannot be read or learned from; the message says what to change.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"review": ["good", "bad", "fine", "poor"], "stars": [5, 1, 5, 1]})
    >>> read_labelled(table).labels
    [5, 1, 5, 1]
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        source = _from_frame(data, text, label, "the DataFrame", learn, default_columns or {})
        return _clean_and_check(source, "the DataFrame", learn)
    if not isinstance(data, str | os.PathLike | list | tuple):
        raise ValueError(
            "data must be a DataFrame, a path, a pair of paths, 'imdb' or 'demo'. "
            f"Received: {type(data).__name__}"
        )
    if isinstance(data, str) and data in ("demo", "imdb"):
        where = repr(data)
        source = _demo() if data == "demo" else _imdb()
    elif isinstance(data, list | tuple):
        where = " and ".join(map(str, data))
        rows, notes = read_polar_files(_paths(data))
        source = _from_rows(rows, None, notes)
    else:
        path = paths.user_path(data, "data")
        where = str(path)
        if path.suffix.lower() in TABLES and path.is_file():
            frame, notes = read_table(path)
            source = _from_frame(frame, text, label, where, learn, default_columns or {})
            source.notes[:0] = notes
            return _clean_and_check(source, where, learn)
        source = _from_path(path)
    if text is not None or label is not None:
        raise ValueError(
            f"text= and label= name columns of a table, and {where} is none. Leave them out."
        )
    return _clean_and_check(source, where, learn)


def _from_path(path: Path) -> LabelledTexts:
    """Read a folder, an archive, or a pair of files."""
    paths.check_data_path(path)
    if path.is_dir():
        polar = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in (".pos", ".neg") and is_file_inside(file, path)
        )
        if polar:
            rows, notes = read_polar_files(polar)
            return _from_rows(rows, None, notes)
        return _from_rows(*read_class_folders(path))
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty. Give a file with texts and labels.")
    if path.name.lower().endswith(ARCHIVES):
        return _from_rows(*read_class_folders(path))
    if path.suffix.lower() in (".pos", ".neg"):
        rows, notes = read_polar_files([path.with_suffix(".pos"), path.with_suffix(".neg")])
        return _from_rows(rows, None, notes)
    raise ValueError(
        f"{path} has an ending that is not known. "
        f"Known are {', '.join([*TABLES, *ARCHIVES])}, a pair .pos and .neg, and folders."
    )


def _from_frame(
    frame: pd.DataFrame,
    text: str | None,
    label: str | None,
    where: str,
    learn: bool,
    default_columns: Mapping[str, str],
) -> LabelledTexts:
    """Read a table; see `read_labelled`, `where` is its name in error messages."""
    if len(frame) == 0:
        raise ValueError(f"{where} has no rows. Give at least a few texts of each class.")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if text is label is None and {*default_columns.values()} <= {*frame.columns}:
        text, label = default_columns.get("text"), default_columns.get("label")
    text_column, label_column = find_columns(frame, text, label, where)
    texts = frame[text_column].tolist()
    labels = frame[label_column].tolist()
    names = [class_name(value) for value in labels]
    gaps = zip(frame[label_column].isna(), names)
    _check_column(where, label_column, [gap or name in _NO_LABEL for gap, name in gaps])
    missing = frame[text_column].isna().tolist()
    if not learn:  # a missing text is scored as an empty one, as in predictions
        texts = ["" if gap else value for gap, value in zip(missing, texts)]
    elif all(missing):
        raise ValueError(f"{where}: every text of column {text_column!r} is empty.")
    else:
        _check_column(where, text_column, missing)
    for column, values, kinds, argument in (
        (text_column, texts, str, "text"),
        (label_column, labels, Hashable, "label"),
    ):
        row = next((row for row, value in enumerate(values) if not isinstance(value, kinds)), None)
        if row is not None:
            raise ValueError(
                f"{where}: column {column!r} must hold one {argument} in each row, and row {row} "
                f"(counted from 0) holds {values[row]!r}. Pass another column as {argument}=."
            )
    if label is None and label_column in names:
        raise ValueError(
            f"{where}: {label_column!r} is a column and a label in it, so that the first line "
            "seems to be data. Put the names of the columns above it, or pass text= and label=."
        )
    notes = [f"texts from column {text_column!r}, labels from column {label_column!r}"]
    columns = {"text": text_column, "label": label_column}
    return LabelledTexts(texts, plain_labels(labels), notes=notes, columns=columns)


def _check_column(where: str, column: str, missing: list[bool]) -> None:
    """Raise a ValueError if a column has missing values."""
    count = sum(missing)
    if count:
        raise ValueError(
            f"{where}: column {column!r} has no value in {count:,} row{'s' * (count > 1)}, the "
            f"first of them row {missing.index(True)} (counted from 0). Fill it in, or leave such "
            "rows out."
        )


def _paths(data: Iterable[Any]) -> list[Path]:
    file_paths = []
    for entry in data:
        if not isinstance(entry, str | os.PathLike):
            raise ValueError(
                "a list given as data must hold the paths of NAME.pos and NAME.neg; put texts and "
                f"labels into a DataFrame. Received: {str(entry)[:60]!r}"
            )
        file_paths.append(paths.user_path(entry, "data"))
    return file_paths


def _from_rows(rows: Rows, test: Rows | None, notes: list[str]) -> LabelledTexts:
    """Labelled texts from training rows and, if there is one, an official test set."""
    source = LabelledTexts([text for text, _ in rows], [label for _, label in rows], notes=notes)
    if test is not None:
        source.test_texts = [text for text, _ in test]
        source.test_labels = [label for _, label in test]
    return source


def _demo() -> LabelledTexts:
    from kerasseq.data.demo.reviews import demo_reviews

    reviews = demo_reviews()
    return _from_rows(reviews, None, [f"{len(reviews):,} short reviews that kerasseq wrote itself"])


def _imdb() -> LabelledTexts:
    import keras

    try:
        parts = keras.datasets.imdb.load_data()
        index = keras.datasets.imdb.get_word_index()
    except Exception as error:  # keras raises a bare Exception where a download fails
        raise ValueError(
            "'imdb' is downloaded, and that failed: is there a network? Otherwise fetch "
            f"aclImdb_v1.tar.gz from {_IMDB} on another machine, and pass its path. "
            f"({' '.join(str(error).split())[:120]})"
        ) from None
    # Keras adds 3 to all word numbers: 1 starts a text, 2 stands for a word out of the vocabulary.
    words = {number + 3: word for word, number in index.items()}
    train, test = (
        [
            (" ".join(words[i] for i in row if i in words), ("neg", "pos")[side])
            for row, side in zip(*part)
        ]
        for part in parts
    )
    return _from_rows(train, test, ["IMDB as Keras has it: without capitals and punctuation"])


def _clean_and_check(source: LabelledTexts, where: str, learn: bool) -> LabelledTexts:
    """Clean the texts, remove test texts from the training texts, and check the classes.

    The texts are changed in place. Without `learn`, only the first two steps are done.
    """
    source.texts = [_clean(text) for text in source.texts]
    if learn:
        _remove_empty(source, where)
    if source.test_texts is not None:
        source.test_texts = [_clean(text) for text in source.test_texts]
        test = {text_key(text) for text in source.test_texts}
        remaining = [i for i, text in enumerate(source.texts) if text_key(text) not in test]
        source.notes.append(f"an official test set of {len(source.test_texts):,} texts")
        if len(remaining) < len(source.texts):
            source.notes.append(
                f"{len(source.texts) - len(remaining):,} training texts that are in the test set, "
                "too, left the training texts"
            )
            _select_rows(source, remaining)
    if learn:
        labels_of = _labels_by_text(source)
        _check_classes(source, labels_of, where)
        source.notes += _describe_contradictions(labels_of)
    return source


def _remove_empty(source: LabelledTexts, where: str) -> None:
    nonempty = [i for i, text in enumerate(source.texts) if text]
    if not nonempty:
        raise ValueError(f"{where}: every text is empty. Check what holds the texts.")
    if len(nonempty) < len(source.texts):
        source.notes.append(f"left out: {len(source.texts) - len(nonempty):,} empty texts")
        _select_rows(source, nonempty)


def _labels_by_text(source: LabelledTexts) -> dict[str, Counter[Label]]:
    """Number of times that each distinct text has each label."""
    labels_of: dict[str, Counter[Label]] = {}
    for text, label in zip(source.texts, source.labels):
        labels_of.setdefault(text, Counter())[label] += 1
    return labels_of


def _describe_contradictions(labels_of: Mapping[str, Counter[Label]]) -> list[str]:
    """Notes on texts that have more than one label: one, or none if there are no such texts."""
    several = {text: labels for text, labels in labels_of.items() if len(labels) > 1}
    if not several:
        return []
    text, labels = next(iter(several.items()))
    rows = sum(counts.total() for counts in several.values())
    return [
        f"more than one label: {len(several):,} of the {len(labels_of):,} different texts, in "
        f"{rows:,} rows, such as {text[:40]!r} as {' and '.join(map(repr, labels))}"
    ]


def _check_classes(
    source: LabelledTexts, labels_of: Mapping[str, Counter[Label]], where: str
) -> None:
    """Raise a ValueError unless there are two classes, with two distinct texts each."""
    counts = Counter(source.labels)
    if len(counts) < 2:
        only = f"{next(iter(counts))!r}" if counts else "none"
        raise ValueError(
            f"{where}: there is one class only, {only}. Give texts of at least two classes."
        )
    if len(counts) > len(source.texts) / 2:
        raise ValueError(
            f"{where}: there are {len(counts):,} different labels for {len(source.texts):,} texts. "
            "Are those classes? Pass the column of the classes as label=."
        )
    if len(labels_of) == 1:
        raise ValueError(
            f"{where}: all {len(source.texts):,} texts are the same, "
            f"{next(iter(labels_of))[:60]!r}. Check which column or files hold the texts."
        )
    # A split keeps equal texts together, under one label.
    texts_per_class = Counter(group_label(labels, counts) for labels in labels_of.values())
    for name, rows in sorted(counts.items()):
        if texts_per_class[name] < 2:
            raise ValueError(
                f"{where}: class {name!r} has too few different texts to learn from and to score: "
                f"{texts_per_class[name]}, in {rows:,} row{'s' * (rows > 1)}; a text of several "
                "classes counts for the rarest of them. Give at least 2 of it, or leave it out."
            )
    unknown = sorted(set(source.test_labels or []) - set(counts))
    if unknown:
        raise ValueError(
            f"{where}: class {unknown[0]!r} is in the test set but not in the training texts. "
            "Give texts of it to learn from, or leave it out."
        )


def _select_rows(source: LabelledTexts, rows: list[int]) -> None:
    source.texts = [source.texts[i] for i in rows]
    source.labels = [source.labels[i] for i in rows]


def _clean(text: str) -> str:
    return _BREAK.sub(" ", text).strip() if "<" in text else text.strip()


def text_key(text: str) -> str:
    """A text with normalised white space; two texts are the same if their keys are equal."""
    return " ".join(text.split())
