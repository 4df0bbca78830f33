"""Labelled texts from whatever they are in, checked, and what was found out about them."""

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
        texts: what to learn from, and to split.
        labels: one per text: a text, whole number, number or truth value, all of one kind.
        test_texts: the texts of an official test set, whole, or None.
        test_labels: one per test text, or None.
        notes: what was found out about the data, to be shown.
        columns: names of the columns, `text` and `label`, where they are from a table.
        validation_texts: the texts of a validation part that was given on its own, or None.
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
    usual: Mapping[str, str] | None = None,
) -> LabelledTexts:
    """Labelled texts from whatever they are in.

    HTML line breaks become spaces; labels stay as they are. An official test set stays whole; what
    it shares with the training texts leaves those.

    Args:
        data: a DataFrame; a CSV, TSV, JSON-lines or Parquet file; a folder with one sub-folder of
            .txt files per class, in `train` and `test` or not; the same in a .tar.gz, .tgz, .tar or
            .zip archive; a pair of files `NAME.pos` and `NAME.neg` with one text a line, or their
            folder; "imdb", which is downloaded; or "demo", reviews that come with kerasseq.
        text: name of the column of texts, found where it is not given.
        label: name of the column of labels, found where it is not given.
        learn: whether there must be enough to learn from: two classes, of two texts each. Empty
            texts are then left out; else they are scored as well.
        usual: names of the columns, as of `LabelledTexts.columns`, that are taken where neither
            `text` nor `label` is given and the table has both.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        ValueError: if the data is of another kind, or cannot be read or learned from; it says
            what to do.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"review": ["good", "bad", "fine", "poor"], "stars": [5, 1, 5, 1]})
    >>> read_labelled(table).labels
    [5, 1, 5, 1]
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        found = _from_frame(data, text, label, "the DataFrame", learn, usual or {})
        return _checked(found, "the DataFrame", learn)
    if not isinstance(data, str | os.PathLike | list | tuple):
        raise ValueError(
            "data must be a DataFrame, a path, a pair of paths, 'imdb' or 'demo'. "
            f"Received: {type(data).__name__}"
        )
    if isinstance(data, str) and data in ("demo", "imdb"):
        where = repr(data)
        found = _demo() if data == "demo" else _imdb()
    elif isinstance(data, list | tuple):
        where = " and ".join(map(str, data))
        rows, notes = read_polar_files(_paths(data))
        found = _joined(rows, None, notes)
    else:
        path = paths.user_path(data, "data")
        where = str(path)
        if path.suffix.lower() in TABLES and path.is_file():
            frame, notes = read_table(path)
            found = _from_frame(frame, text, label, where, learn, usual or {})
            found.notes[:0] = notes
            return _checked(found, where, learn)
        found = _from_path(path)
    if text is not None or label is not None:
        raise ValueError(
            f"text= and label= name columns of a table, and {where} is none. Leave them out."
        )
    return _checked(found, where, learn)


def _from_path(path: Path) -> LabelledTexts:
    """From anything but a table."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}. Check the path.")
    if path.is_dir():
        if (path / "run.json").exists():
            raise ValueError(
                f"{path} is the folder of a run, not of data. "
                "Use kerasseq.load or `kerasseq predict` with it."
            )
        polar = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in (".pos", ".neg") and is_file_inside(file, path)
        )
        if polar:
            rows, notes = read_polar_files(polar)
            return _joined(rows, None, notes)
        return _joined(*read_class_folders(path))
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty. Give a file with texts and labels.")
    if path.name.lower().endswith(ARCHIVES):
        return _joined(*read_class_folders(path))
    if path.suffix.lower() in (".pos", ".neg"):
        rows, notes = read_polar_files([path.with_suffix(".pos"), path.with_suffix(".neg")])
        return _joined(rows, None, notes)
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
    usual: Mapping[str, str],
) -> LabelledTexts:
    if len(frame) == 0:
        raise ValueError(f"{where} has no rows. Give at least a few texts of each class.")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if text is label is None and {*usual.values()} <= {*frame.columns}:
        text, label = usual.get("text"), usual.get("label")
    text_column, label_column = find_columns(frame, text, label, where)
    texts = frame[text_column].tolist()
    labels = frame[label_column].tolist()
    names = [class_name(value) for value in labels]
    gaps = zip(frame[label_column].isna(), names)
    _check_column(where, label_column, [gap or name in _NO_LABEL for gap, name in gaps])
    lost = frame[text_column].isna().tolist()
    if not learn:  # such a row is scored, as it is predicted
        texts = ["" if gap else value for gap, value in zip(lost, texts)]
    elif all(lost):
        raise ValueError(f"{where}: every text of column {text_column!r} is empty.")
    else:
        _check_column(where, text_column, lost)
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
    count = sum(missing)
    if count:
        raise ValueError(
            f"{where}: column {column!r} has no value in {count:,} row{'s' * (count > 1)}, the "
            f"first of them row {missing.index(True)} (counted from 0). Fill it in, or leave such "
            "rows out."
        )


def _paths(data: Iterable[Any]) -> list[Path]:
    found = []
    for entry in data:
        if not isinstance(entry, str | os.PathLike):
            raise ValueError(
                "a list given as data must hold the paths of NAME.pos and NAME.neg; put texts and "
                f"labels into a DataFrame. Received: {str(entry)[:60]!r}"
            )
        found.append(paths.user_path(entry, "data"))
    return found


def _joined(rows: Rows, test: Rows | None, notes: list[str]) -> LabelledTexts:
    found = LabelledTexts([text for text, _ in rows], [label for _, label in rows], notes=notes)
    if test is not None:
        found.test_texts = [text for text, _ in test]
        found.test_labels = [label for _, label in test]
    return found


def _demo() -> LabelledTexts:
    from kerasseq.data.demo.reviews import demo_reviews

    reviews = demo_reviews()
    return _joined(reviews, None, [f"{len(reviews):,} short reviews that kerasseq wrote itself"])


def _imdb() -> LabelledTexts:
    import keras

    try:
        parts = keras.datasets.imdb.load_data()
        index = keras.datasets.imdb.get_word_index()
    except Exception as error:  # keras raises a bare Exception where a download fails
        raise ValueError(
            "'imdb' is downloaded, and that failed: is there a network? Else fetch "
            f"aclImdb_v1.tar.gz from {_IMDB} on another machine, and pass its path. "
            f"({' '.join(str(error).split())[:120]})"
        ) from None
    # Keras moves all numbers up by three: 1 starts a text, 2 stands for a word left out.
    words = {number + 3: word for word, number in index.items()}
    train, test = (
        [
            (" ".join(words[i] for i in row if i in words), ("neg", "pos")[side])
            for row, side in zip(*part)
        ]
        for part in parts
    )
    return _joined(train, test, ["IMDB as Keras has it: without capitals and punctuation"])


def _checked(found: LabelledTexts, where: str, learn: bool) -> LabelledTexts:
    """The same, cleaned; an error where it cannot be learned from."""
    found.texts = [_clean(text) for text in found.texts]
    if learn:
        _leave_out_empty(found, where)
    if found.test_texts is not None:
        found.test_texts = [_clean(text) for text in found.test_texts]
        test = {text_key(text) for text in found.test_texts}
        own = [i for i, text in enumerate(found.texts) if text_key(text) not in test]
        found.notes.append(f"an official test set of {len(found.test_texts):,} texts")
        if len(own) < len(found.texts):
            found.notes.append(
                f"{len(found.texts) - len(own):,} training texts that are in the test set, too, "
                "left the training texts"
            )
            _keep(found, own)
    if learn:
        labels_of = _labels_by_text(found)
        _check_classes(found, labels_of, where)
        found.notes += _contradictions(labels_of)
    return found


def _leave_out_empty(found: LabelledTexts, where: str) -> None:
    full = [i for i, text in enumerate(found.texts) if text]
    if not full:
        raise ValueError(f"{where}: every text is empty. Check what holds the texts.")
    if len(full) < len(found.texts):
        found.notes.append(f"left out: {len(found.texts) - len(full):,} empty texts")
        _keep(found, full)


def _labels_by_text(found: LabelledTexts) -> dict[str, Counter[Label]]:
    """How often each different text has each label."""
    labels_of: dict[str, Counter[Label]] = {}
    for text, label in zip(found.texts, found.labels):
        labels_of.setdefault(text, Counter())[label] += 1
    return labels_of


def _contradictions(labels_of: Mapping[str, Counter[Label]]) -> list[str]:
    """A note on texts that have more than one label, where there are any."""
    several = {text: labels for text, labels in labels_of.items() if len(labels) > 1}
    if not several:
        return []
    text, labels = next(iter(several.items()))
    rows = sum(own.total() for own in several.values())
    return [
        f"more than one label: {len(several):,} of the {len(labels_of):,} different texts, in "
        f"{rows:,} rows, such as {text[:40]!r} as {' and '.join(map(repr, labels))}"
    ]


def _check_classes(
    found: LabelledTexts, labels_of: Mapping[str, Counter[Label]], where: str
) -> None:
    counts = Counter(found.labels)
    if len(counts) < 2:
        only = f"{next(iter(counts))!r}" if counts else "none"
        raise ValueError(
            f"{where}: there is one class only, {only}. Give texts of at least two classes."
        )
    if len(counts) > len(found.texts) / 2:
        raise ValueError(
            f"{where}: there are {len(counts):,} different labels for {len(found.texts):,} texts. "
            "Are those classes? Pass the column of the classes as label=."
        )
    if len(labels_of) == 1:
        raise ValueError(
            f"{where}: all {len(found.texts):,} texts are the same, "
            f"{next(iter(labels_of))[:60]!r}. Check which column or files hold the texts."
        )
    # A split keeps equal texts together, by the label that they have most often.
    different = Counter(labels.most_common(1)[0][0] for labels in labels_of.values())
    for name, rows in sorted(counts.items()):
        if different[name] < 2:
            raise ValueError(
                f"{where}: class {name!r} has too few different texts to learn from and to score: "
                f"{different[name]}, in {rows:,} row{'s' * (rows > 1)}; a text of several classes "
                "counts for its most frequent one. Give at least 2 of it, or leave it out."
            )
    strangers = sorted(set(found.test_labels or []) - set(counts))
    if strangers:
        raise ValueError(
            f"{where}: class {strangers[0]!r} is in the test set but not in the training texts. "
            "Give texts of it to learn from, or leave it out."
        )


def _keep(found: LabelledTexts, rows: list[int]) -> None:
    found.texts = [found.texts[i] for i in rows]
    found.labels = [found.labels[i] for i in rows]


def _clean(text: str) -> str:
    return _BREAK.sub(" ", text).strip() if "<" in text else text.strip()


def text_key(text: str) -> str:
    """What makes two texts the same: all but their white space."""
    return " ".join(text.split())
