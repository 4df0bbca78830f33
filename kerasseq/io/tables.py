"""Reading of tables, and finding their columns of texts and labels."""

from __future__ import annotations

import csv
import json
import os
import re
import reprlib
import warnings
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.io import paths
from kerasseq.io.files import read_text
from kerasseq.io.limits import (
    MAX_BYTES,
    TooLarge,
    check_size,
    check_table,
    most_columns,
    parse_json,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    from pyarrow import parquet

__all__ = [
    "TABLES",
    "check_few",
    "find_columns",
    "find_text",
    "from_objects",
    "list_columns",
    "read_separated",
    "read_table",
    "table_path",
]

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")

# Names that say it all, then names that are taken where none of those is there.
_TEXT_NAMES = (
    {"text", "texts", "review", "reviews", "review_text", "sentence", "tweet", "phrase"},
    {"content", "comment", "message", "body", "description", "document", "utterance"},
)
_LABEL_NAMES = (
    {"label", "labels", "sentiment", "class", "target", "polarity"},
    {"category", "rating", "stars", "score", "emotion", "overall"},
)
_MOST_CLASSES = 50
_SHOWN = 20  # columns in an error
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80


def read_table(
    path: Path, kind: str | None = None, quoted: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """Read a table from a CSV, TSV, JSON, JSON-lines or Parquet file.

    Columns of CSV and TSV are read as text, and only an empty field is a missing value: "None",
    "NA" and "007" are kept as they are. If the first line of a CSV file has no comma, a semicolon,
    tab or vertical bar is the separator. A JSON file has an array of objects, or one object a line.

    Args:
        path: The file.
        kind: One of `TABLES`; the ending of the file name by default.
        quoted: Whether fields of CSV and TSV may be quoted.

    Returns:
        The table, and notes for the user, such as an encoding other than UTF-8.

    Raises:
        ValueError: If the file is empty, too large, or cannot be read as a table.
    """
    kind = kind or path.suffix.lower()
    if kind == ".parquet":
        return _read_parquet(path), []
    content, encoding = read_text(path)
    notes = [] if encoding == "UTF-8" else [f"{path.name} is not UTF-8: read as {encoding}"]
    if not content.strip():
        raise ValueError(f"{path} is empty. Give a file with texts and labels.")
    if kind in (".csv", ".tsv"):
        return read_separated(path, content, kind[1:].upper(), quoted), notes
    return _read_json(path, content), notes


def table_path(value: str | os.PathLike[str], name: str = "data") -> Path:
    """Check the path of a table, without reading it.

    Args:
        value: The path.
        name: Name of the argument, for the error.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no path, or its ending is not one of `TABLES`.
    """
    path = paths.user_path(value, name)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}. Check the path.")
    if path.suffix.lower() not in TABLES:
        raise ValueError(f"{path} has an ending that is not known. Known are {', '.join(TABLES)}.")
    return path


def list_columns(columns: Sequence[Any]) -> str:
    """List the names of columns for an error; only the first ones if there are many.

    Of a long name, such as a line of text that was taken for a header, only the ends are listed.

    >>> list_columns(["text", "label"])
    "'text', 'label'"
    """
    more = f", ... ({len(columns):,} in all)" if len(columns) > _SHOWN else ""
    return ", ".join(map(_SHORT.repr, columns[:_SHOWN])) + more


def check_few(frame: pd.DataFrame, where: str, arguments: str) -> None:
    """Raise a ValueError if a table has too many columns to guess their roles.

    Args:
        frame: The table.
        where: Name of the table, for the error.
        arguments: The arguments that name the columns, for the error.
    """
    if frame.shape[1] > most_columns():
        raise ValueError(
            f"{where} has {frame.shape[1]:,} columns, and at most {most_columns():,} are looked "
            f"through. Pass {arguments}, leave out columns that are not needed, or set the "
            f"environment variable {MAX_BYTES}."
        )


def find_columns(
    frame: pd.DataFrame, text: str | None, label: str | None, where: str
) -> tuple[str, str]:
    """Find the column of texts and the column of labels, unless they are named.

    A column is found by a usual name, such as "review" or "sentiment". If no column has such a
    name, the column of texts is the column of strings with at least twice as many words as every
    other one, on average; and the column of labels is the only column with 2 to 50 different values
    that occur at least twice on average.

    Args:
        frame: A table whose column names are strings.
        text: Name of the column of texts, or None to find it.
        label: Name of the column of labels, or None to find it.
        where: Name of the table, for an error.

    Returns:
        Names of the column of texts and of the column of labels.

    Raises:
        ValueError: If a named column is missing or not unique, if both names are the same, or if
            none or several columns are possible.
    """
    for argument, name in (("text", text), ("label", label)):
        _check_named(frame, where, name, f"Pass one of them as {argument}=.")
    if text is not None and text == label:
        raise ValueError(f"text and label must be two columns. Received: {text!r} for both")
    columns = list(frame.columns)
    # The label first, where it has a name: it may be a string column, too.
    label = label or _column_by_name(columns, _LABEL_NAMES, text)
    text = text or _column_by_name(columns, _TEXT_NAMES, label)
    if text is None or label is None:
        check_few(frame, where, "text= and label=")
    text = text or _column_of_long_texts(frame, label)
    label = label or _column_of_few_values(frame, text)
    if text is None or label is None:
        unclear = " and ".join(
            what for what, name in (("the texts", text), ("the labels", label)) if name is None
        )
        raise ValueError(
            f"it is not clear which column of {where} holds {unclear}. Its columns are "
            f"{list_columns(columns)}. Pass text= and label= (the first line of a file must name "
            "the columns)."
        )
    return text, label


def find_text(frame: pd.DataFrame, text: str | None, where: str) -> str:
    """Find the column of texts in a table, which may have no labels.

    Args:
        frame: A table whose column names are strings.
        text: Name of the column of texts, or None to find it as `find_columns` does.
        where: Name of the table, for an error.

    Raises:
        ValueError: If the named column is missing or not unique, or if none or several columns are
            possible.
    """
    remedy = "Name it so, or give the column of texts alone, such as table['text']."
    _check_named(frame, where, text, remedy)
    columns = list(frame.columns)
    if text is None and _column_by_name(columns, _TEXT_NAMES, None) is None:
        check_few(frame, where, "the column of texts alone")
    column = (
        text or _column_by_name(columns, _TEXT_NAMES, None) or _column_of_long_texts(frame, None)
    )
    if column is None:
        raise ValueError(
            f"it is not clear which column of {where} holds the texts. Its columns are "
            f"{list_columns(columns)}. Give the column of texts alone, such as table['text']."
        )
    return column


def _check_named(frame: pd.DataFrame, where: str, name: str | None, remedy: str) -> None:
    """Raise a ValueError if a named column is missing, or if two columns have its name."""
    columns = list(frame.columns)
    if name is not None and columns.count(name) != 1:
        many = "several columns" if name in columns else "no column"
        raise ValueError(
            f"{where} has {many} named {name!r}. Its columns are {list_columns(columns)}. {remedy}"
        )


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(path)
    except (ValueError, OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, "Parquet", str(error)) from None
    stored = path.stat().st_size
    check_table(metadata.num_rows, metadata.num_columns, str(path), stored)
    check_size(_declared_bytes(metadata), str(path), stored)
    try:
        # As a dictionary, a value that many rows share is stored once.
        table = parquet.read_table(path, read_dictionary=_text_columns(metadata))
        # Otherwise a text that is not UTF-8 raises an error where it is used.
        table.validate(full=True)
        check_size(sum(map(_unpacked_bytes, table.columns)), f"{path}, unpacked,", stored)
        return pd.read_parquet(path)
    except TooLarge:
        raise
    except (ValueError, OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, "Parquet", str(error)) from None


def _declared_bytes(metadata: parquet.FileMetaData) -> int:
    """Number of bytes before compression; values that rows share count once."""
    return sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )


def _text_columns(metadata: parquet.FileMetaData) -> list[str]:
    """Paths of the columns of texts, including columns inside lists and structures."""
    columns = (metadata.schema.column(place) for place in range(len(metadata.schema)))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def _unpacked_bytes(column: pyarrow.ChunkedArray | pyarrow.Array) -> int:
    """Number of bytes of a column after each row has its copy of a shared value."""
    import pyarrow
    from pyarrow import compute, types

    if isinstance(column, pyarrow.ChunkedArray):
        return sum(map(_unpacked_bytes, column.chunks))
    if types.is_dictionary(column.type):
        lengths = compute.binary_length(column.dictionary).take(column.indices)
        return compute.sum(lengths).as_py() or 0
    if types.is_struct(column.type):
        return sum(map(_unpacked_bytes, column.flatten()))
    if types.is_map(column.type):
        return _unpacked_bytes(column.keys) + _unpacked_bytes(column.items)
    if types.is_nested(column.type):
        return _unpacked_bytes(column.flatten())
    return int(column.nbytes)


def read_separated(
    path: Path, content: str, kind: str = "CSV", quoted: bool = True
) -> pd.DataFrame:
    """Read a table from the content of a CSV or TSV file, as `read_table` does.

    Args:
        path: the file, for errors.
        content: the content of the file, decoded.
        kind: "CSV" or "TSV".
        quoted: whether fields may be quoted.

    Raises:
        ValueError: if the content is too large, or cannot be read as a table.
    """
    import pandas as pd

    header = content.split("\n", 1)[0]
    separator = "\t" if kind == "TSV" else ","
    if kind == "CSV" and "," not in header:
        separator = next((sign for sign in ";\t|" if sign in header), ",")
    check_table(content.count("\n"), header.count(separator) + 1, str(path), len(content))
    try:
        with warnings.catch_warnings():
            # Otherwise pandas drops the fields of a row that has too many.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                StringIO(content),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            )
    except pd.errors.ParserWarning:
        raise _unreadable(
            path, kind, "its rows have more fields than its first line names; quote the texts"
        ) from None
    except ValueError as error:
        raise _unreadable(path, kind, _explain_parser_error(str(error))) from None
    if separator == "|":  # a space often stands after it
        frame = frame.apply(lambda column: column.str.strip())
        frame.columns = frame.columns.str.strip()
    return frame


def _explain_parser_error(reason: str) -> str:
    """Rephrase an error message of pandas' CSV parser."""
    fields = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", reason)
    if fields:
        expected, line, saw = fields.groups()
        return (
            f"line {line} has {saw} fields where {expected} were expected; "
            'put texts that hold the separator in "quotes"'
        )
    if "EOF inside string" in reason:
        row = re.search(r"row (\d+)", reason)
        return f"a quotation mark{f' in row {row[1]}' if row else ''} is never closed"
    return reason.removeprefix("Error tokenizing data. C error: ")


def _read_json(path: Path, content: str) -> pd.DataFrame:
    rows: list[Any] = []
    if content.lstrip().startswith("["):
        try:
            rows = parse_json(content)
        except ValueError as error:
            raise _unreadable(path, "JSON", str(error)) from None
    else:
        # Not splitlines(): some of the signs that it splits at may stand inside a JSON string.
        for number, line in enumerate(content.split("\n"), 1):
            try:
                rows += [parse_json(line)] if line.strip() else []
            except ValueError as error:
                reason = f"line {number} is no JSON object: {getattr(error, 'msg', error)}"
                raise _unreadable(path, "JSON lines", reason) from None
    return from_objects(rows, path)


def from_objects(rows: Sequence[Any], path: Path) -> pd.DataFrame:
    """Create a table from a list of JSON objects, one per row.

    Args:
        rows: The parsed JSON values.
        path: The file that they were read from.

    Raises:
        ValueError: If a value is not an object, or if the table would be too large.
    """
    import pandas as pd

    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            reason = f"entry {number} is no object with named fields: {json.dumps(row)[:40]}"
            raise _unreadable(path, "JSON lines", reason)
    check_table(len(rows), len(set().union(*rows)), str(path), path.stat().st_size)
    return pd.DataFrame(rows)


def _unreadable(path: Path, kind: str, reason: str) -> ValueError:
    reason = " ".join(reason.split()).rstrip(".")[:200]
    return ValueError(f"{path} cannot be read as {kind}: {reason}. Mend or convert the file.")


def _column_by_name(
    columns: list[str], tiers: tuple[set[str], ...], taken: str | None
) -> str | None:
    """The only column with one of the names; None if there is none, or more than one."""
    for names in tiers:
        matches = [c for c in columns if c != taken and c.strip().lower() in names]
        if matches:
            return matches[0] if len(matches) == 1 else None
    return None


def _column_of_long_texts(frame: pd.DataFrame, label: str | None) -> str | None:
    """The column of strings with at least twice as many words as every other column."""
    import pandas as pd

    if any(c != label and c.strip().lower() in set().union(*_TEXT_NAMES) for c in frame.columns):
        return None  # several columns have the name of a text column: the user must choose
    words = {}
    for name in _other_columns(frame, label):
        column = frame[name].dropna().head(1000)
        if len(column) and all(isinstance(value, str) for value in column):
            words[name] = float(column.str.split().str.len().mean())
    ranked = sorted(words, key=lambda name: words[name], reverse=True)
    if not ranked or pd.isna(words[ranked[0]]) or words[ranked[0]] < 1.5:
        return None
    clear = len(ranked) == 1 or words[ranked[0]] >= 2 * words[ranked[1]]
    return ranked[0] if clear else None


def _column_of_few_values(frame: pd.DataFrame, text: str | None) -> str | None:
    """The only column with at most 50 different values, each of them twice on average."""
    if any(c != text and c.strip().lower() in set().union(*_LABEL_NAMES) for c in frame.columns):
        return None
    candidates = []
    for name in _other_columns(frame, text):
        values = frame[name].dropna().astype(str)
        if 2 <= values.nunique() <= min(_MOST_CLASSES, len(values) / 2):
            candidates.append(name)
    return candidates[0] if len(candidates) == 1 else None


def _other_columns(frame: pd.DataFrame, taken: str | None) -> list[str]:
    """Columns with a unique name, other than `taken`."""
    counts = Counter(frame.columns)
    return [c for c, count in counts.items() if c != taken and count == 1]
