"""Add a validation or test part that is given as separate labelled texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kerasseq.data.classes.labels import Label, class_name, class_numbers
from kerasseq.data.text.labelled import LabelledTexts, text_key

__all__ = ["add_parts"]


def add_parts(source: LabelledTexts, parts: Mapping[str, LabelledTexts]) -> LabelledTexts:
    """Add the validation and test parts that are given as separate data to the training texts.

    Texts of the test part are removed from the other parts, texts of the validation part from the
    training part.

    Args:
        source: the training texts.
        parts: "validation", "test" or both. If the data of a part contains an official test set,
            only this test set is used.

    Raises:
        ValueError: if the source already has a test set, a part has a class that the training
            part lacks, or no text of a part remains.

    Example:

    >>> data = LabelledTexts(["good", "bad", "so so"], ["pos", "neg", "neg"])
    >>> split = add_parts(data, {"test": LabelledTexts(["fine", "so so"], ["pos", "neg"])})
    >>> split.texts, split.test_texts
    (['good', 'bad'], ['fine', 'so so'])
    """
    if "test" in parts and source.test_texts is not None:
        raise ValueError("data has an official test set: leave test= out, or give data without it.")
    notes = list(source.notes)
    for name, part in parts.items():
        notes += [f"{name}=: {note}" for note in part.notes]
    test = _part_rows(parts["test"], "test", notes) if "test" in parts else None
    validation = (
        _part_rows(parts["validation"], "validation", notes) if "validation" in parts else None
    )
    later_texts = {text_key(text) for text in (test[0] if test else source.test_texts or [])}
    if validation:
        validation = _remove_texts(validation, later_texts, "validation", notes)
        later_texts |= {text_key(text) for text in validation[0]}
    texts, labels = _remove_texts((source.texts, source.labels), later_texts, "training", notes)
    result = replace(source, texts=texts, labels=labels, notes=notes)
    if test:
        result = replace(
            result, test_texts=test[0], test_labels=_convert_labels(labels, test[1], "test")
        )
    if validation:
        result = replace(
            result,
            validation_texts=validation[0],
            validation_labels=_convert_labels(labels, validation[1], "validation"),
        )
    return result


def _part_rows(
    part: LabelledTexts, name: str, notes: list[str]
) -> tuple[list[str], Sequence[Label]]:
    """Texts and labels of a part: its official test set if it has one, else all."""
    if part.test_texts is None or part.test_labels is None:
        return part.texts, part.labels
    notes.append(f"{name}= has an official test set: its {len(part.texts):,} other texts left out")
    return part.test_texts, part.test_labels


def _remove_texts(
    rows: tuple[list[str], Sequence[Label]], later: set[str], name: str, notes: list[str]
) -> tuple[list[str], list[Label]]:
    """Remove the rows whose text is in a later part; `later` holds the keys of those texts."""
    remaining = [row for row in zip(*rows) if text_key(row[0]) not in later]
    removed = len(rows[0]) - len(remaining)
    if not remaining:
        raise ValueError(
            f"every text of the {name} part is in a later part, too: nothing is left of it. Give "
            "other texts."
        )
    if removed:
        notes.append(f"{removed:,} {name} texts that are in a later part, too, left out")
    return [text for text, _ in remaining], [label for _, label in remaining]


def _convert_labels(known: Sequence[Label], labels: Sequence[Label], name: str) -> list[Label]:
    """Convert labels to the types of the training labels: a file may have "1" for 1."""
    classes = sorted({*known}, key=class_name)
    try:
        return [classes[number] for number in class_numbers(labels, classes)]
    except ValueError as error:
        raise ValueError(
            f"{name}= does not fit the training part, from which its texts are removed: {error}"
        ) from None
