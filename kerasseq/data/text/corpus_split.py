"""Split a corpus into parts: by documents, or one long text by position."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasseq.data.classes.splits import grouped_folds, grouped_split
from kerasseq.data.text.corpus import Corpus
from kerasseq.data.text.long_text import Text, is_blank

__all__ = ["LEAST_DOCUMENTS", "TextPart", "split_corpus"]

#: Fewer documents are joined to one text, which is split by position.
LEAST_DOCUMENTS = 20
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class TextPart:
    """One part of a corpus.

    Args:
        texts: documents, or pieces of one text.
        documents: whether each text is a whole document, with an end.
    """

    texts: Sequence[Text]
    documents: bool = False

    @property
    def characters(self) -> int:
        """Number of characters; the end of a document counts as one."""
        return sum(map(len, self.texts)) + len(self.texts) * self.documents

    def __add__(self, other: TextPart) -> TextPart:
        return TextPart([*self.texts, *other.texts], self.documents)


def split_corpus(
    corpus: Corpus,
    *,
    validation: float,
    test: float,
    seed: int,
    fold: tuple[int, int] | None = None,
    anywhere: bool = True,
) -> tuple[dict[str, TextPart], list[str]]:
    """Split a corpus into training, validation and test part.

    Of many documents, a random share is held out; equal documents stay on one side. One text, or a
    few that are joined, are split by position: the test part is the end, the validation part is
    before it. Parts of the corpus that are separate data stay as they are.

    Args:
        corpus: the corpus.
        validation: share of the texts without the test part.
        test: share of all texts.
        seed: seed of the choice of documents.
        fold: `(k, n)`: all texts but the test part are cut into n folds, and the k-th of them is
            the validation part.
        anywhere: whether a text may be cut at any character; otherwise it is cut at the end of a
            line, or at least of a word.

    Returns:
        The parts by name, and notes.

    Example:

    >>> parts, _ = split_corpus(Corpus(["ab" * 50]), validation=0.1, test=0.1, seed=0)
    >>> [len(parts[name].texts[0]) for name in parts]
    [81, 9, 10]
    """
    split = _split_documents if len(corpus.texts) >= LEAST_DOCUMENTS else _split_positions
    return split(corpus, {"validation": validation, "test": test}, seed, fold, anywhere)


def _split_documents(
    corpus: Corpus,
    shares: dict[str, float],
    seed: int,
    fold: tuple[int, int] | None,
    anywhere: bool,
) -> tuple[dict[str, TextPart], list[str]]:
    rest, test, validation = [*corpus.texts], corpus.test, corpus.validation
    if test is None:
        rest, test = _hold_out(rest, *grouped_split(rest, shares["test"], seed))
    if fold is not None:
        rest = [*rest, *(validation or [])]
        rest, validation = _hold_out(rest, *grouped_folds(rest, fold[1], seed)[fold[0]])
    elif validation is None:
        rest, validation = _hold_out(rest, *grouped_split(rest, shares["validation"], seed))
    held = {*test, *validation}
    train = [text for text in rest if text not in held]
    notes = []
    if len(train) < len(rest):
        notes.append(
            f"left out: {len(rest) - len(train):,} training texts that are in another part, too"
        )
    if not train:
        raise ValueError(
            "every training text is in the validation or test part, too: nothing is left to learn "
            "from. Give other texts."
        )
    parts = dict(zip(_PARTS, (train, validation, test), strict=True))
    return {name: TextPart(texts, documents=True) for name, texts in parts.items()}, notes


def _split_positions(
    corpus: Corpus,
    shares: dict[str, float],
    seed: int,
    fold: tuple[int, int] | None,
    anywhere: bool,
) -> tuple[dict[str, TextPart], list[str]]:
    texts, notes = corpus.texts, []
    if len(texts) > 1:
        notes.append(
            f"{len(texts)} texts are joined to one, which is split by position; from "
            f"{LEAST_DOCUMENTS} on, each would be a document"
        )
    rest = _join(texts)
    if corpus.test is not None:
        test = _join(corpus.test)
    else:
        rest, test = _cut(rest, [1 - shares["test"]], anywhere)
    if fold is not None:
        if corpus.validation is not None:
            rest = _join([rest, *corpus.validation])
        number, folds = fold
        pieces = _cut(rest, [k / folds for k in range(1, folds)], anywhere)
        train, validation = [*pieces[:number], *pieces[number + 1 :]], pieces[number]
    elif corpus.validation is not None:
        train, validation = [rest], _join(corpus.validation)
    else:
        first, validation = _cut(rest, [1 - shares["validation"]], anywhere)
        train = [first]
    parts = dict(zip(_PARTS, (train, [validation], [test]), strict=True))
    return {name: TextPart(texts) for name, texts in parts.items()}, notes


def _join(texts: Sequence[Text]) -> Text:
    """Several texts as one, in memory; one text as it is."""
    return texts[0] if len(texts) == 1 else "\n".join(map(str, texts))


def _hold_out(
    texts: Sequence[Text], kept: np.ndarray, held: np.ndarray
) -> tuple[list[Text], list[Text]]:
    return [texts[row] for row in kept], [texts[row] for row in held]


def _cut(text: Text, shares: Sequence[float], anywhere: bool) -> list[Text]:
    """Cut a text at positions that are given as shares of its length."""
    places = [0, *(_place(text, int(share * len(text)), anywhere) for share in shares), len(text)]
    pieces: list[Text] = [text[start:end] for start, end in itertools.pairwise(places)]
    if any(map(is_blank, pieces)):
        raise ValueError(
            f"the text has {len(text):,} characters, and cannot be cut into {len(pieces)} parts. "
            "Give more text, or parts of your own by validation= and test=."
        )
    return pieces


def _place(text: Text, place: int, anywhere: bool) -> int:
    """The place itself, or the end of the line, else of the word, that it is in."""
    if anywhere:
        return place
    line = text.find("\n", place) + 1
    # A line may be as long as the text.
    if 0 < line < len(text) and line - place < len(text) // 20:
        return line
    spaces = (i + 1 for i in range(place, len(text)) if text[i].isspace())
    return next(spaces, len(text))
