"""Names of the columns of tables that runs return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["distinct_names"]


def distinct_names(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Names for columns that the data names (classes, say), beside columns of fixed names.

    A name that another column has gets underscores at its end, so that every column can be chosen
    by its name.

    Args:
        names: the names in the data.
        taken: the fixed names.

    Example:

    >>> distinct_names(["good", "label", "label_"], taken=("text", "label", "note"))
    ['good', 'label__', 'label_']
    """
    fixed, result = {*taken}, list[str]()
    for name in names:
        new = name
        while new in fixed or new in result or (new != name and new in names):
            new += "_"
        result.append(new)
    return result
