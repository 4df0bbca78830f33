"""Stratified splits and folds of labelled examples, repeatable from a seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

__all__ = ["stratified_folds", "stratified_split"]


def stratified_split(
    labels: Sequence[Any],
    fraction: float,
    seed: int,
    groups: Sequence[Hashable] | None = None,
    *,
    spare: bool = False,
    among: str = "",
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fraction of the examples, with the same mix of classes on both sides.

    At least as many examples as there are classes are held out. Examples of one group (the same
    text twice, say) stay on the same side; a group counts under the label that it has most often,
    so that the share held out is exact where groups are single examples and close to it elsewhere.

    Args:
        labels: one label per example.
        fraction: the share to hold out, above 0 and below 1.
        seed: the same seed gives the same split.
        groups: one key per example, or None when any two examples may be parted.
        spare: whether classes of a single group are kept whole, in place of an error.
        among: words that say in an error which part of the data the examples are.

    Returns:
        The indices to keep and the indices held out, each sorted.

    Raises:
        ValueError: if a class has fewer than two groups and is not spared, or there is too little
            to split.

    Example:

    >>> keep, held = stratified_split(["neg", "pos"] * 10, 0.1, seed=0)
    >>> len(keep), len(held)
    (18, 2)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1. Received: fraction={fraction!r}")
    if groups is not None and len(groups) != len(labels):
        raise ValueError(
            "groups must have one entry per label. "
            f"Received: {len(groups)} groups for {len(labels)} labels"
        )
    members = _members(labels, groups)
    names = [Counter(labels[i] for i in group).most_common(1)[0][0] for group in members]
    classes = Counter(names)
    parted = np.arange(len(members))
    if spare:
        parted = np.array([i for i in parted if classes[names[i]] > 1], dtype=np.int64)
        classes = Counter(names[i] for i in parted)
    else:
        _check_enough(classes, 2, "hold out a part", among)
    held_count = max(math.ceil(fraction * len(members)), len(classes), 1)
    if len(parted) - held_count < len(classes):
        raise ValueError(
            f"{len(members)} different examples{among} of {len({*names})} classes are too few to "
            f"hold out {fraction:.0%} of them: each side needs as many as there are classes. Give "
            "more data."
        )
    from sklearn.model_selection import train_test_split

    _, held = train_test_split(
        parted, test_size=held_count, random_state=seed, stratify=[names[i] for i in parted]
    )
    return _expand(members, np.setdiff1d(np.arange(len(members)), held)), _expand(members, held)


def stratified_folds(
    labels: Sequence[Any], folds: int, seed: int, *, among: str = ""
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut the examples into folds: each is the test part once, the others are its train part.

    The same folds as scikit-learn's `StratifiedKFold(folds, shuffle=True, random_state=seed)`, so
    that figures can be set beside those of others.

    Args:
        labels: one label per example.
        folds: how many, at least 2.
        seed: the same seed gives the same folds.
        among: words that say in an error which part of the data the examples are.

    Returns:
        One pair of sorted index arrays, train and test, for each fold.

    Raises:
        ValueError: if a class has fewer examples than there are folds.

    Example:

    >>> pairs = stratified_folds(["neg", "pos"] * 10, 5, seed=0)
    >>> [len(test) for train, test in pairs]
    [4, 4, 4, 4, 4]
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2. Received: folds={folds!r}")
    _check_enough(Counter(labels), folds, f"make {folds} folds", among)
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    number = {name: i for i, name in enumerate(dict.fromkeys(labels))}
    return list(splitter.split(np.zeros(len(labels)), [number[name] for name in labels]))


def _members(labels: Sequence[Any], groups: Sequence[Hashable] | None) -> list[list[int]]:
    """The examples of each group, groups in order of their first example."""
    if groups is None:
        return [[i] for i in range(len(labels))]
    found: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        found.setdefault(group, []).append(i)
    return list(found.values())


def _expand(members: list[list[int]], chosen: np.ndarray) -> np.ndarray:
    return np.sort(np.array([i for group in chosen for i in members[group]], dtype=np.int64))


def _check_enough(classes: Counter[Any], least: int, purpose: str, among: str) -> None:
    if len(classes) < 2:
        raise ValueError(
            f"at least two classes are needed to {purpose}, each with examples that are of no "
            f"other class. Received: {sorted(classes)}"
        )
    name, count = min(classes.items(), key=lambda item: item[1])
    if count < least:
        raise ValueError(
            f"class {name!r} has only {count} different example{'s' * (count != 1)}{among}, and at "
            f"least {least} are needed to {purpose}. Give more of it, or leave the class out."
        )
