"""Read new sentences to tag from texts, lists of words, tables or files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kerasseq.data.tags.read import Reading, read_sentences
from kerasseq.data.tags.sentences import Sentences
from kerasseq.data.tags.words import Word, split_words
from kerasseq.io import paths
from kerasseq.io.limits import encodable
from kerasseq.io.tables import TABLES, find_text, read_table

__all__ = ["NewSentences", "read_new"]


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
            column of texts, or with tokens as in the data of a run; or a file of CoNLL columns.
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
        texts = None if features else _texts_of_table(data, is_frame, reading)
        if texts is None:
            sentences, _, _ = read_sentences(data, reading, tagged=False)
            return replace(_from_items(sentences.tokens), columns=sentences.columns)
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


def _texts_of_table(data: Any, is_frame: bool, reading: Reading) -> list[Any] | None:
    """The texts of a table with one column of texts; None for other data."""
    frame, where = data, "the DataFrame"
    if not is_frame:
        path = paths.user_path(data, "data")
        if path.suffix.lower() not in TABLES or not path.is_file():
            return None
        frame, where = read_table(path)[0], str(path)
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    column = str(reading.get("token"))
    if column in frame.columns and reading.get("form") != "spans":
        return None  # tokens, as in the data of the run
    if column not in frame.columns:
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
    words, start = [], 0
    for token in map(encodable, item):
        words.append(Word(token, start, start + len(token)))
        start += len(token) + 1
    return " ".join(word.text for word in words), words, "" if words else "no word"
