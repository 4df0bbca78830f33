"""Read the texts of a language model, and split them into parts."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kerasseq.data.parts import is_table
from kerasseq.data.text import long_text
from kerasseq.data.text.long_text import LongText, Text
from kerasseq.io import paths
from kerasseq.io.digest import LATER
from kerasseq.io.files import ARCHIVES, decode, read_text, text_files
from kerasseq.io.limits import encodable
from kerasseq.io.tables import TABLES, find_text, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Corpus", "add_part", "is_table_file", "lines_of", "read_corpus", "read_lines"]

_PART = re.compile(r"(?:^|[._-])(train|valid|validation|val|dev|test)$", re.IGNORECASE)
_SAME = {"validation": "valid", "val": "valid", "dev": "valid"}


@dataclass
class Corpus:
    """Texts to learn from.

    Args:
        texts: documents, from which missing parts are split off.
        validation: documents of a separate validation part, or None.
        test: documents of a separate test part, or None.
        notes: remarks on how the data was read, to be shown to the user.
        column: name of the column of texts of a table; None for other data.
    """

    texts: Sequence[Text]
    validation: Sequence[Text] | None = field(default=None, metadata=LATER)
    test: Sequence[Text] | None = field(default=None, metadata=LATER)
    notes: list[str] = field(default_factory=list)
    column: str | None = field(default=None, compare=False)

    def by_lines(self) -> Corpus:
        """The same texts with each line that is not blank as a document.

        >>> Corpus(["Ada\\nBob\\n", "Cleo"]).by_lines().texts
        ['Ada', 'Bob', 'Cleo']
        """
        validation, test = (
            None if part is None else lines_of(part) for part in (self.validation, self.test)
        )
        return replace(self, texts=lines_of(self.texts), validation=validation, test=test)


def read_corpus(data: Any, text: str | None = None) -> Corpus:
    """Read texts to learn from.

    Args:
        data: a text file, which is one document, and a `LongText` if it is large; a folder or an
            archive (.zip, .tar.gz, .tgz, .tar) of .txt files, each a document, or with a file for
            each part, as in `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`; a list of
            documents; a DataFrame, or a CSV, TSV, JSON-lines or Parquet file, with a document a
            row; or "demo", the beginning of a play.
        text: name of the column of texts in a table; None to find it.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if the data cannot be read, or holds no text.

    Example:

    >>> read_corpus(["To be, or not to be", ""]).texts
    ['To be, or not to be']
    """
    if is_table(data):
        return _from_frame(data, text, "the DataFrame", [])
    if is_table_file(data):
        path = paths.user_path(data, "data")
        paths.check_data_path(path)
        frame, notes = read_table(path)
        return _from_frame(frame, text, str(path), notes)
    if text is not None:
        raise ValueError(
            f"text= names a column of a table, and data is none. Leave it out. Received: {text!r}"
        )
    if isinstance(data, str) and data == "demo":
        from kerasseq.data.demo.play import demo_play

        return Corpus([demo_play()])
    if isinstance(data, str | os.PathLike):
        path = paths.user_path(data, "data")
        paths.check_data_path(path)
        return _from_files(path) if path.is_dir() or _is_archive(path) else _from_file(path)
    if isinstance(data, list | tuple) and all(isinstance(each, str) for each in data):
        return _from_documents(data, "the list", [])
    raise ValueError(
        "data must be the path of a text, a folder, an archive or a table, a DataFrame, a list of "
        f"texts, or 'demo'. Received: {type(data).__name__}"
    )


def add_part(corpus: Corpus, name: str, data: Any, text: str | None = None) -> Corpus:
    """Add a validation or test part that is given as separate data.

    Args:
        corpus: the texts to learn from.
        name: "validation" or "test".
        data: texts, in a form of `read_corpus`; of data with parts, its test part.
        text: as in `read_corpus`.

    Raises:
        ValueError: if the corpus has such a part already.
    """
    if getattr(corpus, name) is not None:
        raise ValueError(
            f"data has a {name} part: leave {name}= out, or give data without that part."
        )
    part = read_corpus(data, text if is_table(data) or is_table_file(data) else None)
    notes = [*corpus.notes, *(f"{name}=: {note}" for note in part.notes)]
    texts = part.test or part.texts
    if name == "test":
        return replace(corpus, test=texts, notes=notes)
    return replace(corpus, validation=texts, notes=notes)


def read_lines(data: Any, text: str | None = None, column: str | None = None) -> list[Any]:
    """Read new texts, a row each: of a list, a column, a table, or the lines of a text file.

    Args:
        data: the texts.
        text: name of the column of texts in a table; None to find it.
        column: column to use if `text` is None and the table has it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there is no text, or the data cannot be read as a whole.
    """
    if is_table(data):
        return _cells(data, text, column, "the DataFrame")[0]
    if isinstance(data, str | os.PathLike):
        path = paths.user_path(data, "data")
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no file {path}. Check the path, or give a list, even for one text."
            )
        if path.suffix.lower() in TABLES:
            return _cells(read_table(path)[0], text, column, str(path))[0]
        content, where = read_text(path)[0].replace("\r\n", "\n"), str(path)
        # Not splitlines(): it would also split at characters within a line, such as U+2028.
        rows: list[Any] = [line for line in content.split("\n") if line.strip()]
    elif isinstance(data, bytes) or not hasattr(data, "__iter__"):
        raise ValueError(
            "give a list of texts, even for one, a DataFrame, or a file. "
            f"Received: {type(data).__name__}"
        )
    else:
        rows, where = list(data), "the list"
    if not rows:
        raise ValueError(f"there is no text in {where}. Give at least one.")
    return rows


def lines_of(texts: Iterable[Text]) -> list[str]:
    """The lines of texts that are not blank."""
    return [line for text in texts for line in str(text).split("\n") if line.strip()]


def is_table_file(data: Any) -> bool:
    """Whether data is the path of a table, by its ending."""
    return isinstance(data, str | os.PathLike) and Path(data).suffix.lower() in TABLES


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def _from_frame(frame: pd.DataFrame, text: str | None, where: str, notes: list[str]) -> Corpus:
    cells, column = _cells(frame, text, None, where)
    documents = [cell if isinstance(cell, str) else "" for cell in cells]
    return replace(_from_documents(documents, where, notes), column=column)


def _from_file(path: Path) -> Corpus:
    if path.stat().st_size >= long_text.LARGE:
        text = LongText.read(path)
        if text is not None and not long_text.is_blank(text):
            note = f"{path.name}: kept on disk, in the temporary folder {tempfile.gettempdir()}"
            return Corpus([text], notes=[note])
    content, encoding = read_text(path)
    notes = [] if encoding == "UTF-8" else [f"{path.name}: read as {encoding}"]
    return _from_documents([content], str(path), notes)


def _from_files(path: Path) -> Corpus:
    """The .txt files of a folder or an archive, each a document or a part."""
    files = {"/".join(parts): raw for parts, raw in text_files(path)}
    if not files:
        raise ValueError(f"{path} has no .txt files. Give a text file, or .txt files in a folder.")
    names = _names_of_parts(files)
    if not {"train", "test"} <= {*names}:
        texts = [decode(raw, f"{path}: {name}")[0] for name, raw in files.items()]
        return _from_documents(texts, str(path), [])
    parts = {
        part: _from_documents([decode(files[name], f"{path}: {name}")[0]], name, []).texts
        for part, name in names.items()
    }
    notes = [f"parts of the data: {', '.join(names.values())}"]
    if len(files) > len(names):
        notes.append(f"left out: {len(files) - len(names):,} files beside them")
    return Corpus(parts["train"], parts.get("valid"), parts["test"], notes)


def _names_of_parts(names: Iterable[str]) -> dict[str, str]:
    """The file of each part, by the ending of its name; none if several files have the same."""
    by_part: dict[str, list[str]] = {}
    for name in names:
        match = _PART.search(PurePosixPath(name).stem)
        if match:
            part = match[1].lower()
            by_part.setdefault(_SAME.get(part, part), []).append(name)
    return {part: each[0] for part, each in by_part.items() if len(each) == 1}


def _from_documents(documents: Sequence[str], where: str, notes: list[str]) -> Corpus:
    """Documents with line breaks as \\n, without empty ones."""
    texts = [encodable(text).replace("\r\n", "\n") for text in documents]
    filled = [text for text in texts if text.strip()]
    if not filled:
        raise ValueError(f"there is no text in {where}. Give a text to learn from.")
    if len(filled) < len(texts):
        notes = [*notes, f"left out: {len(texts) - len(filled):,} empty texts"]
    return Corpus(filled, notes=notes)


def _cells(
    frame: pd.DataFrame, text: str | None, column: str | None, where: str
) -> tuple[list[Any], str]:
    """The cells of the column of texts, and its name."""
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if text is None and list(frame.columns).count(column) == 1:
        text = column
    name = find_text(frame, text, where)
    return frame[name].tolist(), name
