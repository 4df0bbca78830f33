"""The tags of a column as a model numbers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from kerasseq.data.tags import schemes
from kerasseq.data.tags.schemes import PLAIN, Scheme
from kerasseq.evaluation.chunks import OUTSIDE, split_tag

__all__ = ["TagSet"]

_PREFIXES = {"IOB2": "BI", "BIOES": "BIES"}


@dataclass(frozen=True)
class TagSet:
    """The tags of a column, with their scheme in the data and in the model.

    Args:
        tags: the tags of the model, in the order of their numbers.
        scheme: the scheme of the data.
        model_scheme: the scheme of the tags of the model.

    Example:

    >>> numbered = TagSet.fit([["I-X", "O"]], "IOB1", "IOB2")
    >>> numbered.tags, numbered.encode(["O", "I-X"]), numbered.decode([1, 2])
    (['O', 'B-X', 'I-X'], [0, 1], ['I-X', 'I-X'])
    """

    tags: list[str]
    scheme: Scheme
    model_scheme: Scheme

    @classmethod
    def fit(
        cls, sentences: Sequence[Sequence[str]], scheme: Scheme, model_scheme: Scheme
    ) -> TagSet:
        """The tags of the data, or for chunks all prefixes of each type.

        Args:
            sentences: the tags of each sentence.
            scheme: their scheme.
            model_scheme: the scheme of the model for tags of chunks.
        """
        present = sorted({*chain.from_iterable(sentences)})
        if scheme == PLAIN:
            return cls(present, PLAIN, PLAIN)
        prefixes = _PREFIXES[model_scheme]
        types = sorted({split_tag(tag)[1] for tag in present if tag != OUTSIDE})
        tags = [f"{p}-{kind}" if kind else p for kind in types for p in prefixes]
        return cls([OUTSIDE, *tags], scheme, model_scheme)

    def check(self, where: str) -> None:
        """Raise a ValueError unless the tags are those of the schemes.

        Args:
            where: name of the tags, for errors.
        """
        if (self.scheme == PLAIN) != (self.model_scheme == PLAIN):
            raise ValueError(
                f"the scheme of {where} is {self.scheme} in the data, and {self.model_scheme} in "
                "the model"
            )
        expected = TagSet.fit([self.tags], self.scheme, self.model_scheme).tags
        if self.tags != expected or "" in expected:
            raise ValueError(
                f"{where} must be different texts, all of the scheme {self.model_scheme}: "
                f"{', '.join(expected)}"
            )

    @property
    def chunked(self) -> bool:
        """Whether tags are of a scheme of chunks."""
        return self.scheme != PLAIN

    def encode(self, tags: Sequence[str]) -> list[int]:
        """The numbers of the tags of a sentence.

        Raises:
            KeyError: if the training part lacks one of them.
        """
        return [self._numbers[tag] for tag in schemes.convert(tags, self.model_scheme)]

    def decode(self, numbers: Sequence[int] | np.ndarray) -> list[str]:
        """Tags in the scheme of the data, from tag numbers of a sentence."""
        return schemes.convert([self.tags[number] for number in numbers], self.scheme)

    def has(self, tags: Sequence[str]) -> bool:
        """Whether the training part has all these tags, or the types of their chunks."""
        return all(tag in self._numbers for tag in schemes.convert(tags, self.model_scheme))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {tag: number for number, tag in enumerate(self.tags)}
