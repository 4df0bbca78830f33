"""Validation and test parts of labelled texts that come on their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kerasseq.data.classes.labels import Label, class_name, class_numbers
from kerasseq.data.text.labelled import LabelledTexts, text_key

__all__ = ["add_parts"]


def add_parts(source: LabelledTexts, parts: Mapping[str, LabelledTexts]) -> LabelledTexts:
    """Texts with the validation and test part that were given on their own.

    Texts of the test part leave the others, and those of the validation part the training part.

    Args:
        source: the texts to learn from.
        parts: "validation", "test" or both. Of data with a test set of its own, that is taken.

    Raises:
        ValueError: if the source has a test set already, a part has a class that the training part
            has not, or nothing is left of a part.

    Example:

    >>> data = LabelledTexts(["good", "bad", "so so"], ["pos", "neg", "neg"])
    >>> found = add_parts(data, {"test": LabelledTexts(["fine", "so so"], ["pos", "neg"])})
    >>> found.texts, found.test_texts
    (['good', 'bad'], ['fine', 'so so'])
    """
    if "test" in parts and source.test_texts is not None:
        raise ValueError(
            "data has a test set of its own: leave test= out, or give data without it."
        )
    notes = list(source.notes)
    for name, part in parts.items():
        notes += [f"{name}=: {note}" for note in part.notes]
    test = _rows(parts["test"], "test", notes) if "test" in parts else None
    validation = _rows(parts["validation"], "validation", notes) if "validation" in parts else None
    later = {text_key(text) for text in (test[0] if test else source.test_texts or [])}
    if validation:
        validation = _without(validation, later, "validation", notes)
        later |= {text_key(text) for text in validation[0]}
    texts, labels = _without((source.texts, source.labels), later, "training", notes)
    found = replace(source, texts=texts, labels=labels, notes=notes)
    if test:
        found = replace(found, test_texts=test[0], test_labels=_as_in(labels, test[1], "test"))
    if validation:
        found = replace(
            found,
            validation_texts=validation[0],
            validation_labels=_as_in(labels, validation[1], "validation"),
        )
    return found


def _rows(part: LabelledTexts, name: str, notes: list[str]) -> tuple[list[str], Sequence[Label]]:
    """The rows of a part: its test set where it has one, else all."""
    if part.test_texts is None or part.test_labels is None:
        return part.texts, part.labels
    notes.append(f"{name}= has a test set of its own: its {len(part.texts):,} other texts left out")
    return part.test_texts, part.test_labels


def _without(
    rows: tuple[list[str], Sequence[Label]], later: set[str], name: str, notes: list[str]
) -> tuple[list[str], list[Label]]:
    """The rows with texts that are in no later part."""
    kept = [row for row in zip(*rows) if text_key(row[0]) not in later]
    left = len(rows[0]) - len(kept)
    if not kept:
        raise ValueError(
            f"every text of the {name} part is in a later part, too: nothing is left of it. Give "
            "other texts."
        )
    if left:
        notes.append(f"{left:,} {name} texts that are in a later part, too, left out")
    return [text for text, _ in kept], [label for _, label in kept]


def _as_in(known: Sequence[Label], labels: Sequence[Label], name: str) -> list[Label]:
    """Labels as the training part writes them: a file may have "1" where a table has 1."""
    classes = sorted({*known}, key=class_name)
    try:
        return [classes[number] for number in class_numbers(labels, classes)]
    except ValueError as error:
        raise ValueError(
            f"{name}= does not fit what is left of the training part without its texts: {error}"
        ) from None
