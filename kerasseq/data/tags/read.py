"""Read tagged sentences from files, folders and tables, and check them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasseq.data.tags import schemes
from kerasseq.data.tags.columns import (
    CONLLU,
    Columns,
    column_number,
    find_column,
    parse_columns,
    parse_conllu,
)
from kerasseq.data.tags.schemes import PLAIN, Scheme
from kerasseq.data.tags.sentences import Sentences, TaggedData
from kerasseq.data.tags.tables import Roles, check_distinct, read_frame, read_tokens_table
from kerasseq.io import paths
from kerasseq.io.files import is_file_inside, read_text
from kerasseq.io.limits import encodable
from kerasseq.io.tables import TABLES

__all__ = [
    "EMPTY",
    "Reading",
    "add_part",
    "is_column_file",
    "mended",
    "read_sentences",
    "read_tagged",
    "reading_of_new",
]

#: Why a new sentence with an empty word is not read.
EMPTY = "an empty word"
_CONLLU = ".conllu"
# Words of a file's name, between dots, hyphens and underscores, that say which part it is.
_PARTS = {
    "train": {"train", "training"},
    "validation": {"dev", "devel", "valid", "validation", "val", "testa"},
    "test": {"test", "testb", "testing", "eval"},
}
#: Names of settings that say how data is read, with their values; and under "usual" the columns of
#: other data, such as the training part: they count where none is named and the data has them.
Reading = Mapping[str, Any]
_COLUMNS = ("token", "tag", "sentence", "sentence_label")


def read_tagged(data: Any, reading: Reading) -> TaggedData:
    """Read tagged sentences to train on, and their scheme.

    Args:
        data: a DataFrame; a file of CoNLL columns or CoNLL-U (`.conllu`); a CSV, TSV, JSON-lines or
            Parquet file; a folder with a file for each part, named train, dev and test; or "demo".
        reading: `token`, `tag`, `sentence`, `sentence_label`, `features` and `scheme`, as in the
            recipe.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if the data cannot be read or learned from; the message says what to change.
    """
    if isinstance(data, str) and data == "demo":
        if len(_tag_columns(reading)) > 1 or reading.get("sentence_label") is not None:
            raise ValueError("the demo has one column of tags: leave sentence_label= and tag= out.")
        return _demo()
    if isinstance(data, str | os.PathLike) and (path := paths.user_path(data, "data")).is_dir():
        files = _part_files(path)
        sentences, names, notes = read_sentences(files["train"], reading)
        parts = {"train": sentences}
        for name in ("validation", "test"):
            if name in files:
                parts[name], _, more = read_sentences(files[name], {**reading, "usual": names})
                notes += [note for note in more if note not in notes]
        notes.insert(0, f"parts: {', '.join(f'{name} {files[name].name}' for name in files)}")
    else:
        sentences, names, notes = read_sentences(data, reading)
        parts = {"train": sentences}
    scheme = reading.get("scheme", "auto")
    if scheme == "auto":
        scheme = schemes.recognise(sentences.known_tags())
        if len({tag for tags in sentences.known_tags() for tag in tags}) > 1:
            notes.append(_describe_scheme(scheme))
    else:
        scheme = schemes.spelling((tag for tags in sentences.known_tags() for tag in tags), scheme)
    further = {
        name: schemes.recognise(rows) for name, rows in (parts["train"].further or {}).items()
    }
    notes += [f"{name}: {_describe_scheme(each)}" for name, each in further.items()]
    for name, part in parts.items():
        parts[name], more = mended(part, scheme, further)
        notes += [note if name == "train" else f"{name} part: {note}" for note in more]
    source = TaggedData(
        parts["train"],
        scheme,
        parts.get("validation"),
        parts.get("test"),
        notes,
        names,
        further or None,
    )
    _check_tags(source)
    return source


def read_sentences(
    data: Any, reading: Reading, tagged: bool = True
) -> tuple[Sentences, dict[str, Any], list[str]]:
    """Read the sentences of one file or table; their tags are as they were written.

    Args:
        data: a DataFrame, or a file as in `read_tagged`.
        reading: as in `read_tagged`.
        tagged: whether there must be tags. Otherwise they are not read, and a sentence that
            cannot be read has no words and a reason.

    Returns:
        The sentences; the settings of `reading` that were found in the data, and for texts with
        spans `form`, which is "spans"; and notes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the data cannot be read.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _from_frame(data, reading, "the DataFrame", tagged)
    if not isinstance(data, str | os.PathLike):
        raise ValueError(
            "data must be a DataFrame, the path of a file or a folder, or 'demo'. "
            f"Received: {type(data).__name__}"
        )
    path = paths.user_path(data, "data")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file or folder {path}. Check the path.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty. Give a file of tagged sentences.")
    if not is_column_file(path):
        frame, notes = read_tokens_table(path)
        sentences, names, more = _from_frame(frame, reading, str(path), tagged)
        return sentences, names, notes + more
    content, encoding = read_text(path)
    notes = [] if encoding == "UTF-8" else [f"{path.name} is not UTF-8: read as {encoding}"]
    parse = parse_conllu if path.suffix.lower() == _CONLLU else parse_columns
    columns = parse(content, str(path), strict=tagged)
    sentences, names, more = _from_columns(columns, reading, str(path), tagged)
    _check_empty(sentences, str(path), tagged)
    return sentences, names, [*notes, *columns.notes, *more]


def add_part(source: TaggedData, name: str, data: Any, reading: Reading) -> TaggedData:
    """Add the validation or the test part that is separate data.

    Args:
        source: the training sentences.
        name: "validation" or "test".
        data: the part, in a form of `read_sentences`.
        reading: as in `read_tagged`.

    Raises:
        ValueError: if the source has such a part already, or the part cannot be read.
        FileNotFoundError: if there is no such file.
    """
    if getattr(source, name) is not None:
        raise ValueError(f"data has a {name} part: leave {name}= out, or give data without it.")
    part, _, notes = read_sentences(data, {**reading, "usual": source.reading})
    part, more = mended(part, source.scheme, source.schemes or {})
    notes = [f"{name}=: {note}" for note in [*notes, *more]]
    separate: dict[str, Any] = {name: part}
    return replace(source, notes=[*source.notes, *notes], **separate)


def reading_of_new(settings: Reading, derived: Reading, options: Reading) -> dict[str, Any]:
    """How a run reads new data: the columns of the training data count where this has them.

    Args:
        settings: settings of the run about reading.
        derived: those that were derived from the training data.
        options: those of the call, which must be in the data.
    """
    named = {name: value for name, value in settings.items() if value is not None}
    unnamed = dict.fromkeys(_COLUMNS)
    return {**settings, **unnamed, **options, "usual": {**named, **derived}}


def _named_columns(reading: Reading, is_column: Callable[[Any], bool]) -> dict[str, Any]:
    """The column of each role: the one of that name, else the usual one if the data has it."""
    usual = {name: value for name, value in reading.get("usual", {}).items() if is_column(value)}
    named = {**reading, "tag": _tag_columns(reading)[0]}
    return {name: usual.get(name) if named.get(name) is None else named[name] for name in _COLUMNS}


def _tag_columns(reading: Reading) -> list[Any]:
    """The columns of tags: the first, None if it is not named, and further ones.

    Raises:
        ValueError: if one is named twice.
    """
    tag: Any = reading.get("tag")
    if isinstance(tag, str) or not hasattr(tag, "__iter__"):
        return [tag, *(reading.get("usual", {}).get("further", ()) if tag is None else ())]
    names = list(tag)
    if not names or len({*map(str, names)}) < len(names):
        raise ValueError(f"tag= must name different columns. Received: tag={names!r}")
    return names


def is_column_file(path: Path) -> bool:
    """Whether a file has a token a line, and no header: all but tables.

    A file that ends on .tsv is one if it has a blank line between others.
    """
    suffix = path.suffix.lower()
    if suffix != ".tsv":
        return suffix not in TABLES
    return "\n\n" in read_text(path)[0].replace("\r\n", "\n").strip()


def _from_frame(
    frame: Any, reading: Reading, where: str, tagged: bool
) -> tuple[Sentences, dict[str, Any], list[str]]:
    columns = {*map(str, frame.columns)}
    names = _named_columns(reading, lambda name: isinstance(name, str) and name in columns)
    token, tag, sentence, label = (None if name is None else str(name) for name in names.values())
    features = tuple(map(str, reading.get("features", ())))
    further = tuple(map(str, _tag_columns(reading)[1:])) if tagged else ()
    roles = Roles(token, tag, sentence, features, label=label if tagged else None, further=further)
    sentences, read_roles, notes = read_frame(frame, roles, where, tagged)
    empty = [row for row, words in enumerate(sentences.tokens) if not words]
    if empty and tagged:
        sentences = sentences.take([i for i, words in enumerate(sentences.tokens) if words])
        notes.append(f"{len(empty):,} sentences without a token left out")
    if not len(sentences):
        raise ValueError(f"{where} has no tokens. Give at least a few sentences.")
    _check_empty(sentences, where, tagged)
    values: dict[str, Any] = {
        "token": read_roles.token,
        "tag": read_roles.tag,
        "sentence": read_roles.sentence,
    }
    values["form"] = "spans" if read_roles.spans else None
    values |= {"sentence_label": read_roles.label, "further": [*further] or None}
    return sentences, {name: value for name, value in values.items() if value is not None}, notes


def _from_columns(
    columns: Columns, reading: Reading, where: str, tagged: bool
) -> tuple[Sentences, dict[str, Any], list[str]]:
    if reading.get("sentence") is not None:
        raise ValueError(
            "sentence= names a column of a table, and blank lines separate the sentences of "
            f"{where}. Leave it out."
        )
    if reading.get("sentence_label") is not None:
        raise ValueError(
            f"sentence_label= names a column of a table, and {where} has a token a line. Leave it "
            "out, or give a table."
        )
    conllu = columns.names == CONLLU
    width = columns.width

    def is_column(name: Any) -> bool:  # numbers of other files say nothing about CoNLL-U
        return name in columns.names if conllu else find_column(columns, name) is not None

    named = _named_columns(reading, is_column)
    tag, *others = named["tag"], *_tag_columns(reading)[1:]
    if tagged and tag is None:
        if width < 2:
            raise ValueError(
                f"{where} has one column only. Give a file with a token and its tag in each line, "
                "separated by a space or a tab."
            )
        tag = "UPOS" if conllu else width - 1
    token = named["token"]
    if token is None:
        token = "FORM" if conllu else 0
    numbers = {"token": column_number(columns, token, "token", where)}
    if tagged:
        assert tag is not None
        numbers["tag"] = column_number(columns, tag, "tag", where)
    further = {
        str(name): column_number(columns, name, "features", where)
        for name in reading.get("features", ())
    }

    more_tags = {str(name): column_number(columns, name, "tag", where) for name in others if tagged}
    for number in (numbers.get("tag"), *more_tags.values()):
        check_distinct(number, numbers["token"], list(further.values()))
    if numbers.get("tag") in more_tags.values() or len({*more_tags.values()}) < len(more_tags):
        raise ValueError(f"tag= must name different columns. Received: tag={[tag, *others]!r}")

    def values(number: int) -> list[list[str]]:
        return [[encodable(fields[number]) for fields in rows] for rows in columns.sentences]

    sentences = Sentences(
        values(numbers["token"]),
        values(numbers["tag"]) if tagged else None,
        {name: values(number) for name, number in further.items()},
        dict(columns.faults),
        {name: values(number) for name, number in more_tags.items()} or None,
    )
    names: dict[str, Any] = {
        name: _column_name(columns, number) for name, number in numbers.items()
    }
    notes = [f"{name}s from column {value}" for name, value in names.items()]
    if more_tags:
        names["further"] = [*more_tags]
        notes.append(f"further tags from {', '.join(more_tags)}")
    return sentences, names, [", ".join(notes)]


def _column_name(columns: Columns, number: int) -> str | int:
    """The name of a column where a format defines it, else its number."""
    return columns.names[number] if columns.names == CONLLU else number


def _part_files(folder: Path) -> dict[str, Path]:
    """The files of the parts in a folder, by part."""
    paths.check_data_path(folder)
    files: dict[str, list[Path]] = {name: [] for name in _PARTS}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not is_file_inside(path, folder):
            continue
        words = {*path.name.lower().replace("-", ".").replace("_", ".").split(".")}
        for name, usual in _PARTS.items():
            if words & usual:
                files[name].append(path)
    faults = [
        f"several files for the {name} part: {', '.join(path.name for path in candidates)}"
        for name, candidates in files.items()
        if len(candidates) > 1
    ]
    if not files["train"]:
        faults.append("no file for the train part")
    if faults:
        raise ValueError(
            f"{folder} must have one file for each part, with train, dev or test in its name. It "
            f"has {'; '.join(faults)}. Pass the files as data, validation= and test=."
        )
    return {name: candidates[0] for name, candidates in files.items() if candidates}


def _check_empty(sentences: Sentences, where: str, tagged: bool) -> None:
    """Raise a ValueError if a token or a tag is empty; a new sentence has a reason instead."""
    if not tagged:
        for number, words in enumerate(sentences.tokens):
            if "" in words:
                sentences.tokens[number] = []
                sentences.reasons[number] = EMPTY
        return
    columns = {"token": sentences.tokens, "tag": sentences.tags or []}
    for name, rows in {**columns, **(sentences.further or {})}.items():
        faults = [number for number, values in enumerate(rows, 1) if "" in values]
        if faults:
            raise ValueError(
                f"{where} has an empty {name} in {len(faults):,} sentences, the first of them "
                f"sentence {faults[0]:,} (counted from 1). Fill it in; the tag of a token outside "
                "of chunks is O."
            )


def mended(
    part: Sentences, scheme: Scheme, further: Mapping[str, Scheme]
) -> tuple[Sentences, list[str]]:
    """Sentences with their tags written strictly in their schemes, and notes; see `schemes.mend`.

    Args:
        part: the sentences.
        scheme: the scheme of their tags.
        further: the schemes of further columns of tags.

    Raises:
        ValueError: if tags belong to another scheme.
    """
    tags, notes = schemes.mend(part.known_tags(), scheme)
    columns = {}
    for name, each in further.items():
        columns[name], more = schemes.mend((part.further or {})[name], each)
        notes += [f"{name}: {note}" for note in more]
    return replace(part, tags=tags, further=columns or None), notes


def _describe_scheme(scheme: Scheme) -> str:
    if scheme == PLAIN:
        return "tags are read as independent of each other: none has a prefix such as B-"
    if scheme == "bare":
        return "tags are read as types of chunks, without prefixes"
    return f"tags are read in the scheme {scheme}"


def _check_tags(source: TaggedData) -> None:
    """Raise a ValueError unless there are two tags."""
    known = {tag for tags in source.sentences.known_tags() for tag in tags}
    if len(known) < 2:
        raise ValueError(
            f"there is one tag only, {next(iter(known))!r}. Pass the column of the tags as tag=, "
            "or give sentences with at least two."
        )
    labels = {*(source.sentences.labels or ())}
    if len(labels) == 1:
        raise ValueError(
            f"every sentence has the label {labels.pop()!r}. Leave sentence_label= out."
        )


def _demo() -> TaggedData:
    from kerasseq.data.demo.tagged import demo_sentences

    parts = {
        name: Sentences([list(t) for t, _ in rows], [list(t) for _, t in rows])
        for name, rows in demo_sentences().items()
    }
    counts = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    return TaggedData(
        parts["train"],
        "IOB2",
        parts["validation"],
        parts["test"],
        [f"sentences that kerasseq wrote itself: {counts}; no name of a part is in another one"],
    )
