"""Read new sentences to tag from texts, lists of words, tables or files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kerasseq.data.tags.columns import are_columns
from kerasseq.data.tags.read import EMPTY, Reading, is_column_file, read_sentences
from kerasseq.data.tags.sentences import Sentences
from kerasseq.data.tags.tables import has_tokens, read_tokens_table
from kerasseq.data.tags.words import Word, split_words
from kerasseq.io import paths
from kerasseq.io.files import read_text
from kerasseq.io.limits import encodable
from kerasseq.io.tables import find_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMN_FILES", "NewSentences", "read_new"]

#: Endings of files that hold CoNLL columns.
COLUMN_FILES = (".conll", ".conllu", ".iob", ".bio")


@dataclass(frozen=True)
class NewSentences:
    """New sentences, some of which may have no words.

    Args:
        texts: each sentence as a text; of a list of words, the words joined by spaces.
        words: the words of each sentence, with their offsets in its text.
        reasons: for each sentence why it has no words, or "".
        columns: further values of each word, by the name of the column.
    """

    texts: list[str]
    words: list[list[Word]]
    reasons: list[str]
    columns: Mapping[str, list[list[str]]]

    @property
    def readable(self) -> list[int]:
        """The numbers of the sentences that have words."""
        return [row for row, words in enumerate(self.words) if words]

    def sentences(self) -> Sentences:
        """The sentences that have words."""
        tokens = [[word.text for word in words] for words in self.words]
        return Sentences(tokens, None, dict(self.columns)).take(self.readable)


def read_new(data: Any, reading: Reading) -> NewSentences:
    """Read new sentences, in the order of the data.

    Args:
        data: a list of texts, or of lists of words; a DataFrame or the file of a table, with a
            column of texts, or with tokens as in the data of a run; a file of CoNLL columns; or
            another file with a text a line.
        reading: `token`, `tag`, `sentence`, `features` and `form`, as `read_sentences` takes and
            returns them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the data cannot be read as a whole, or lacks the further columns.

    Example:

    >>> new = read_new(["In Rome.", ["in", "Rome"], 3], {})
    >>> [[word.text for word in words] for words in new.words], new.reasons[2]
    ([['In', 'Rome', '.'], ['in', 'Rome'], []], 'neither a text nor a list of words')
    """
    features = tuple(reading.get("features", ()))
    pandas = sys.modules.get("pandas")
    is_frame = pandas is not None and isinstance(data, pandas.DataFrame)
    if is_frame or isinstance(data, str | os.PathLike):
        texts = None if features else _texts_of(data, is_frame, reading)
        if texts is None:
            sentences, _, _ = read_sentences(data, reading, tagged=False)
            new = _from_items(sentences.tokens)
            reasons = [sentences.reasons.get(n, reason) for n, reason in enumerate(new.reasons)]
            return replace(new, reasons=reasons, columns=sentences.columns)
        return _from_items(texts)
    if isinstance(data, bytes | Mapping) or not hasattr(data, "__iter__"):
        raise ValueError(
            "give a list of texts, or of lists of words, even for one sentence; a DataFrame; or "
            f"the path of a file. Received: {str(data)[:60]!r}"
        )
    items = list(data)
    if not items:
        raise ValueError("there is nothing to tag: the list is empty.")
    if features:
        raise ValueError(
            f"this tagger reads further columns, {', '.join(map(str, features))}: give a table or "
            "a file of columns that has them, not texts."
        )
    return _from_items(items)


def _texts_of(data: Any, is_frame: bool, reading: Reading) -> list[Any] | None:
    """The texts of a table or of a file with a text a line; None for other data."""
    if is_frame:
        return _texts_of_table(data, "the DataFrame", reading)
    path = paths.user_path(data, "data")
    if not path.is_file():
        return None
    if not is_column_file(path):
        return _texts_of_table(read_tokens_table(path)[0], str(path), reading)
    content = "" if path.suffix.lower() in COLUMN_FILES else read_text(path)[0]
    if not content.strip() or are_columns(content):
        return None
    return [line.rstrip("\r") for line in content.split("\n") if line.strip()]


def _texts_of_table(frame: pd.DataFrame, where: str, reading: Reading) -> list[Any] | None:
    """The texts of a table with one column of texts; None for other tables."""
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    usual = reading.get("usual", {})
    column = reading.get("token") or usual.get("token")
    if isinstance(column, str) and column in frame.columns:
        if "spans" not in (reading.get("form"), usual.get("form")):
            return None  # tokens, as in the data of the run
    elif has_tokens(frame):
        return None
    else:
        try:
            column = find_text(frame, None, where)
        except ValueError:
            return None
    values: list[Any] = frame[column].tolist()
    return values


def _from_items(items: Sequence[Any]) -> NewSentences:
    read = [_read_item(item) for item in items]
    return NewSentences(
        [text for text, _, _ in read],
        [words for _, words, _ in read],
        [reason for _, _, reason in read],
        {},
    )


def _read_item(item: Any) -> tuple[str, list[Word], str]:
    """The text of a sentence, its words, and why there are none."""
    if isinstance(item, str):
        text = encodable(item)
        words = split_words(text)
        return text, words, "" if words else "no word"
    if hasattr(item, "tolist"):
        item = item.tolist()
    if not isinstance(item, list | tuple) or not all(isinstance(word, str) for word in item):
        return "", [], "neither a text nor a list of words"
    if "" in item:
        return "", [], EMPTY
    words, start = [], 0
    for token in map(encodable, item):
        words.append(Word(token, start, start + len(token)))
        start += len(token) + 1
    return " ".join(word.text for word in words), words, "" if words else "no word"
