"""Tag new sentences: tables of words and of spans, files of columns."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.tags.columns import DOCUMENT
from kerasseq.data.tags.new_sentences import NewSentences, read_new
from kerasseq.data.tags.read import reading_of_new
from kerasseq.evaluation.chunks import Chunk, chunks
from kerasseq.formatting.columns import distinct_names
from kerasseq.io import atomic, paths
from kerasseq.tasks.tagging.html import Highlighted
from kerasseq.tasks.tagging.predicting import Tagged, predict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TaggedTexts", "answer_columns", "tag_new"]

_UNWRITABLE = re.compile(r"[\t\r\n]|^ | $")
_WORDS = ("sentence", "token", "start", "end", "tag", "probability", "note")
_SPANS = ("sentence", "text", "start", "end", "type", "probability", "note")


@dataclass(frozen=True)
class TaggedTexts:
    """New sentences with predicted tags.

    Args:
        new: the sentences.
        tags: the tags of each sentence, none for one that cannot be read.
        probabilities: the probability of each tag.
        chunked: whether tags are of a scheme of chunks.
        further: the tags of further columns and their probabilities, by the name of the column.
        labels: the label of each sentence and its probability, by the name of its column; "" and
            NaN for a sentence that cannot be read.
    """

    new: NewSentences
    tags: list[list[str]]
    probabilities: list[np.ndarray]
    chunked: bool
    further: Mapping[str, tuple[list[list[str]], list[np.ndarray]]] = field(default_factory=dict)
    labels: Mapping[str, tuple[list[str], np.ndarray]] = field(default_factory=dict)

    def words(self) -> pd.DataFrame:
        """A row for each word."""
        rows: list[tuple[Any, ...]] = []
        places: list[tuple[int, int | None]] = []
        for number, words in enumerate(self.new.words):
            parts = zip(words, self.tags[number], self.probabilities[number])
            rows += [(number, *word, tag, float(share), "") for word, tag, share in parts]
            places += [(number, place) for place in range(len(words))]
            if not words:
                rows.append((number, "", 0, 0, "", np.nan, self.new.reasons[number]))
                places.append((number, None))
        further = {
            name: [
                ("", np.nan) if place is None else (tags[number][place], shares[number][place])
                for number, place in places
            ]
            for name, (tags, shares) in self.further.items()
        }
        return self._table(_WORDS, rows, further)

    def spans(self) -> pd.DataFrame:
        """A row for each chunk, and one for each sentence that cannot be read."""
        rows = []
        for number, words in enumerate(self.new.words):
            text = self.new.texts[number]
            for chunk in self.chunks(number):
                start, end = words[chunk.start].start, words[chunk.end - 1].end
                share = float(self.probabilities[number][chunk.start : chunk.end].min())
                rows.append((number, text[start:end], start, end, chunk.type, share, ""))
            if not words:
                rows.append((number, "", 0, 0, "", np.nan, self.new.reasons[number]))
        return self._table(_SPANS, rows, {})

    def _table(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        further: Mapping[str, Sequence[tuple[str, float]]],
    ) -> pd.DataFrame:
        """A table of rows, with answers of further columns and labels before the notes."""
        import pandas as pd

        table = pd.DataFrame(rows, columns=list(names))
        numbers = [row[0] for row in rows]
        answers = {**further} | {
            name: [(labels[n], shares[n]) for n in numbers]
            for name, (labels, shares) in self.labels.items()
        }
        new = answer_columns([*answers], names)
        columns = [[pair[i] for pair in pairs] for pairs in answers.values() for i in (0, 1)]
        for name, values in zip(new, columns):
            table.insert(len(table.columns) - 1, name, values)
        return table

    def chunks(self, number: int) -> list[Chunk]:
        """The chunks of a sentence; without a scheme of chunks, each word is one."""
        tags = self.tags[number]
        if self.chunked:
            return chunks(tags)
        return [Chunk(tag, place, place + 1) for place, tag in enumerate(tags)]

    def highlighted(self) -> Highlighted:
        """The sentences with their chunks in colours."""
        spans = []
        for number, words in enumerate(self.new.words):
            chunks = self.chunks(number)
            spans.append([(words[c.start].start, words[c.end - 1].end, c.type) for c in chunks])
        return Highlighted(self.new.texts, spans, self.new.reasons)

    def write(self, out: str | os.PathLike[str]) -> None:
        """Write a file of CoNLL columns: words, further columns, further tags, tags.

        Args:
            out: the file.

        Raises:
            ValueError: if it cannot be written, or a line of it cannot hold a word.
        """
        path = paths.output_file(out, "out")
        columns = [*self.new.columns.values(), *(tags for tags, _ in self.further.values())]
        blocks = {}
        for number in self.new.readable:
            words = [word.text for word in self.new.words[number]]
            values = [words, *(column[number] for column in columns), self.tags[number]]
            blocks[number] = list(zip(*values))
        wrong = [number for number, block in blocks.items() if _is_unwritable(block)]
        if wrong:
            raise ValueError(
                "a file of columns cannot hold values with a tab, a line break or a space at an "
                f"end, nor -DOCSTART- as the first of several words, as in sentence {wrong[0]:,} "
                f"(counted from 0; {len(wrong):,} in all). Mend these sentences, or leave out= out."
            )
        # A value with a space needs tabs, and so does a first word "#", else a comment.
        spaced = any(
            block[0][0].startswith("#") or any(value.split() != [value] for value in chain(*block))
            for block in blocks.values()
        )
        separator = "\t" if spaced else " "
        lines = ([separator.join(fields) for fields in block] for block in blocks.values())
        atomic.write_text(path, "".join("\n".join(block) + "\n\n" for block in lines))


def answer_columns(answers: Sequence[str], names: Sequence[str] = _WORDS) -> list[str]:
    """The columns of further answers and their probabilities, in a table with these columns.

    Args:
        answers: names of further columns of tags, and of the label of a sentence.
        names: columns that the table has.
    """
    return distinct_names([name for a in answers for name in (a, f"{a} probability")], names)


def _is_unwritable(block: Sequence[Sequence[str]]) -> bool:
    """Whether a line of a column file cannot hold some words of a sentence."""
    is_document = len(block) > 1 and block[0][0].startswith(DOCUMENT)
    return is_document or any(_UNWRITABLE.search(value) for value in chain(*block))


def tag_new(
    task: Any, model: Any, state: Mapping[str, Any], settings: Any, data: Any
) -> TaggedTexts:
    """Tag new sentences with a model.

    Args:
        task: the task.
        model: the trained model.
        state: state of the fitted preprocessing.
        settings: settings of the run.
        data: the sentences, see `kerasseq.data.tags.new_sentences.read_new`.
    """
    reader = task.reader(state)
    values = {name: getattr(settings, name) for name in task.reading}
    new = read_new(data, reading_of_new(values, state["reading"], {}))
    result = None
    if new.readable:
        result = predict(model, reader.read(new.sentences()), reader)

    def columns(tagged: Tagged | None) -> tuple[list[list[str]], list[np.ndarray]]:
        """Tags and probabilities of all sentences, none of those that cannot be read."""
        tags: list[list[str]] = [[] for _ in new.texts]
        shares: list[np.ndarray] = [np.zeros(0) for _ in new.texts]
        if tagged is not None:
            for row, words, probabilities in zip(
                new.readable, tagged.tags, tagged.probabilities or []
            ):
                tags[row], shares[row] = words, probabilities
        return tags, shares

    labels = {}
    if reader.classes:
        names, shares = [""] * len(new.texts), np.full(len(new.texts), np.nan)
        if result is not None:
            assert result.label_probabilities is not None
            shares[new.readable] = result.label_probabilities
            for row, label in zip(new.readable, result.labels or []):
                names[row] = label
        labels[str(settings.sentence_label)] = names, shares
    further = {
        name: columns(None if result is None else result.further[name]) for name in reader.further
    }
    return TaggedTexts(new, *columns(result), reader.tag_set.chunked, further, labels)
