"""Tagged sentences, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasseq.data.tags.schemes import Scheme
from kerasseq.io.digest import LATER

__all__ = ["Sentences", "TaggedData"]


@dataclass
class Sentences:
    """Sentences in words, with a tag for each word.

    Args:
        tokens: the words of each sentence; only a new sentence with a reason may have none.
        tags: one tag for each word; None where they are not known.
        columns: further values of each word, by the name of the column.
        reasons: why a new sentence cannot be read, by its number.
        further: the tags of further columns, by the name of the column; None for no such columns.
        labels: a label of each sentence; None where they are not known.
    """

    tokens: list[list[str]]
    tags: list[list[str]] | None = None
    columns: dict[str, list[list[str]]] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    further: dict[str, list[list[str]]] | None = field(default=None, metadata=LATER)
    labels: list[str] | None = field(default=None, metadata=LATER)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def words(self) -> int:
        """The number of words."""
        return sum(map(len, self.tokens))

    def known_tags(self) -> list[list[str]]:
        """The tags.

        Raises:
            ValueError: if they are not known.
        """
        if self.tags is None:
            raise ValueError("these sentences have no tags. Give data with a column of tags.")
        return self.tags

    def take(self, rows: Sequence[int] | np.ndarray) -> Sentences:
        """The sentences with these numbers."""

        def taken(values: Sequence[Any]) -> list[Any]:
            return [values[i] for i in rows]

        return Sentences(
            taken(self.tokens),
            None if self.tags is None else taken(self.tags),
            {name: taken(values) for name, values in self.columns.items()},
            further=self.further and {name: taken(rows) for name, rows in self.further.items()},
            labels=None if self.labels is None else taken(self.labels),
        )

    def tagged_by(self, name: str) -> Sentences:
        """The sentences with a further column of tags in place of the first."""
        return replace(self, tags=(self.further or {})[name], further=None, labels=None)

    def __add__(self, others: Sentences) -> Sentences:
        return Sentences(
            self.tokens + others.tokens,
            self.known_tags() + others.known_tags(),
            {name: values + others.columns[name] for name, values in self.columns.items()},
            further=self.further
            and {name: rows + (others.further or {})[name] for name, rows in self.further.items()},
            labels=None if self.labels is None else self.labels + (others.labels or []),
        )

    def keys(self) -> list[tuple[str, ...]]:
        """For each sentence its words, by which equal sentences are recognised."""
        return [tuple(words) for words in self.tokens]


@dataclass
class TaggedData:
    """The data of a run: sentences to train on, and the parts that are separate.

    Args:
        sentences: sentences to train on, from which missing parts are split off.
        scheme: the scheme of all tags.
        validation: a separate validation part, or None.
        test: a separate test part, or None.
        notes: remarks on how the data was read, for the user.
        reading: settings of the stage "read" that were derived from the data.
        schemes: the schemes of further columns of tags, by the name of the column; None for no such
            columns.
    """

    sentences: Sentences
    scheme: Scheme
    validation: Sentences | None = None
    test: Sentences | None = None
    notes: list[str] = field(default_factory=list)
    reading: Mapping[str, Any] = field(default_factory=dict, compare=False)
    schemes: Mapping[str, Scheme] | None = field(default=None, metadata=LATER)
