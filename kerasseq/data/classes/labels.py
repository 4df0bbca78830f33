"""Labels of classes: as plain Python values, as names, and as class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasseq.io.limits import encodable

__all__ = ["Label", "class_name", "class_numbers", "has_fractions", "is_number", "plain_labels"]

Label = str | int | float | bool

_KINDS = (int, float, bool)


def class_name(label: Any) -> str:
    """Name of a class: its label as text.

    A whole number is written without a fraction, since pandas turns integers into floats in a
    column with a missing value.

    >>> [class_name(label) for label in (1, 1.0, " pos", True)]
    ['1', '1', 'pos', 'True']
    """
    whole = isinstance(label, float) and label.is_integer()
    return encodable(str(int(label) if whole else label)).strip()


def plain_labels(labels: Sequence[Any]) -> list[Label]:
    """Labels as Python values if all are integers, floats or booleans, otherwise their names.

    >>> plain_labels(np.array([1, 0])), plain_labels([True, False]), plain_labels([1, "2"])
    ([1, 0], [True, False], ['1', '2'])
    """
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    kinds = {type(label) for label in plain}
    if len(kinds) == 1 and kinds <= {*_KINDS}:
        return plain
    return [class_name(label) for label in plain]


def class_numbers(labels: Sequence[Label], classes: Sequence[Label]) -> np.ndarray:
    """Class number of each label, int64 (rows,); a label belongs to the class with its name.

    Args:
        labels: one label per row.
        classes: label of each class, in the order of the class numbers.

    Raises:
        ValueError: if a label belongs to no class.

    >>> class_numbers(["1", "0"], [0, 1]).tolist()
    [1, 0]
    """
    known = [class_name(label) for label in classes]
    # A file may have "1.0" where a DataFrame has 1.0.
    number = {str(label): i for i, label in enumerate(classes)}
    number |= {name: i for i, name in enumerate(known)}
    names = [name if (name := class_name(label)) in number else str(label) for label in labels]
    unknown = sorted({*names} - {*number})
    if unknown:
        raise ValueError(
            f"the classes {', '.join(map(repr, unknown))} were not in the training data, which "
            f"has {', '.join(map(repr, known))}. Leave those rows out, or train on them."
        )
    return np.array([number[name] for name in names], dtype=np.int64)


def has_fractions(labels: Sequence[Any]) -> bool:
    """Whether all labels are finite numbers, and some of them have a fraction; None does not count.

    >>> has_fractions([1, None, "2.5"]), has_fractions([1, 2.0]), has_fractions([0.5, "a"])
    (True, False, False)
    """
    try:
        values = np.array([float(label) for label in labels if label is not None])
    except (TypeError, ValueError):
        return False
    return bool(np.isfinite(values).all() and (values != np.rint(values)).any())


def is_number(label: Any) -> bool:
    """Whether a label is a finite number, or the text of one.

    >>> [is_number(label) for label in (1, "2.5", float("inf"), "a", None)]
    [True, True, False, False, False]
    """
    try:
        return bool(np.isfinite(float(label)))
    except (TypeError, ValueError):
        return False
