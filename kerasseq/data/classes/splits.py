"""Stratified splits and folds of labelled examples, repeatable from a seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

__all__ = [
    *("grouped_folds", "grouped_split", "group_label", "stratified_folds", "stratified_split"),
]


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

    At least one example per class is held out. Examples of one group (for instance equal texts)
    stay on the same side. A group counts as one example with one label (see `group_label`), so that
    the fraction is exact for groups of one example, and approximate for larger ones.

    Args:
        labels: one label per example.
        fraction: the share to hold out, above 0 and below 1.
        seed: the same seed gives the same split.
        groups: one key per example; None if each example is a group.
        spare: whether classes of a single group are never held out, instead of an error.
        among: words for an error that say which part of the data the examples are.

    Returns:
        The indices to keep and the indices held out, each sorted, int64.

    Raises:
        ValueError: if a class has fewer than two groups and `spare` is false, or there are too few
            examples to split.

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
    totals = Counter(labels)
    names = [group_label(Counter(labels[i] for i in group), totals) for group in members]
    classes = Counter(names)
    splittable = np.arange(len(members))
    if spare:
        splittable = np.array([i for i in splittable if classes[names[i]] > 1], dtype=np.int64)
        classes = Counter(names[i] for i in splittable)
    else:
        _check_enough(classes, 2, "hold out a part", among)
    held_count = max(math.ceil(fraction * len(members)), len(classes), 1)
    if len(splittable) - held_count < len(classes):
        raise ValueError(
            f"{len(members)} different examples{among} of {len({*names})} classes are too few to "
            f"hold out {fraction:.0%} of them: each side needs as many as there are classes. Give "
            "more data."
        )
    from sklearn.model_selection import train_test_split

    _, held = train_test_split(
        splittable, test_size=held_count, random_state=seed, stratify=[names[i] for i in splittable]
    )
    return _expand(members, np.setdiff1d(np.arange(len(members)), held)), _expand(members, held)


def group_label(labels: Counter[Any], totals: Counter[Any]) -> Any:
    """The label with which a group of examples is divided: the rarest of its labels.

    Otherwise a class most of whose texts also belong to a larger one might be missing in a part.

    Args:
        labels: how often each label occurs in the group.
        totals: how often each label occurs in all groups. Of equally rare labels, the one that is
            the most frequent in the group is taken.

    Example:

    >>> group_label(Counter(English=2, Scottish=1), Counter(English=900, Scottish=20))
    'Scottish'
    """
    return min(labels, key=lambda name: (totals[name], -labels[name]))


def stratified_folds(
    labels: Sequence[Any], folds: int, seed: int, *, among: str = ""
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide the examples into folds; each fold is the test part once, the others the train part.

    These are the folds of scikit-learn's `StratifiedKFold(folds, shuffle=True, random_state=seed)`,
    so that scores can be compared with published ones.

    Args:
        labels: one label per example.
        folds: number of folds, at least 2.
        seed: the same seed gives the same folds.
        among: words for an error that say which part of the data the examples are.

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


def grouped_split(
    groups: Sequence[Hashable], fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fraction of the groups of examples, of which each stays on one side.

    Args:
        groups: one key per example, such as its text, so that equal ones stay together.
        fraction: the share of the groups to hold out, above 0 and below 1.
        seed: the same seed gives the same split.

    Returns:
        The indices to keep and the indices held out, each sorted, int64; neither is empty.

    Raises:
        ValueError: if there are fewer than two groups.

    Example:

    >>> keep, held = grouped_split(["a", "b", "c", "a", "d"], 0.25, seed=0)
    >>> len({*keep, *held}), len(held) <= 2
    (5, True)
    """
    members = _members(groups, groups)
    _check_enough_groups(members, 2, "hold out a part")
    count = min(max(1, round(fraction * len(members))), len(members) - 1)
    order = np.random.default_rng(seed).permutation(len(members))
    return _expand(members, order[count:]), _expand(members, order[:count])


def grouped_folds(
    groups: Sequence[Hashable], folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide groups of examples into folds; each fold is the test part once.

    Args:
        groups: one key per example.
        folds: number of folds, at least 2.
        seed: the same seed gives the same folds.

    Returns:
        One pair of sorted index arrays, train and test, for each fold.

    Raises:
        ValueError: if there are fewer groups than folds.

    Example:

    >>> [len(test) for train, test in grouped_folds("abcd", 2, seed=0)]
    [2, 2]
    """
    members = _members(groups, groups)
    _check_enough_groups(members, folds, f"make {folds} folds")
    order = np.random.default_rng(seed).permutation(len(members))
    parts = np.array_split(order, folds)
    return [(_expand(members, np.setdiff1d(order, part)), _expand(members, part)) for part in parts]


def _check_enough_groups(members: Sequence[Any], least: int, purpose: str) -> None:
    if len(members) < least:
        raise ValueError(
            f"there {'is' if len(members) == 1 else 'are'} {len(members)} different "
            f"example{'s' * (len(members) != 1)}, and at least {least} are needed to {purpose}. "
            "Give more data."
        )


def _members(labels: Sequence[Any], groups: Sequence[Hashable] | None) -> list[list[int]]:
    """Indices of the examples of each group, in the order of their first examples."""
    if groups is None:
        return [[i] for i in range(len(labels))]
    members: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    return list(members.values())


def _expand(members: list[list[int]], chosen: np.ndarray) -> np.ndarray:
    """Sorted indices of the examples of the chosen groups."""
    return np.sort(np.array([i for group in chosen for i in members[group]], dtype=np.int64))


def _check_enough(classes: Counter[Any], least: int, purpose: str, among: str) -> None:
    """Raise a ValueError unless there are two classes, each with at least `least` examples."""
    if len(classes) < 2:
        raise ValueError(
            f"at least two classes are needed to {purpose}, each with examples that belong to no "
            f"other class. Received: {sorted(classes)}"
        )
    name, count = min(classes.items(), key=lambda item: item[1])
    if count < least:
        raise ValueError(
            f"class {name!r} has only {count} different example{'s' * (count != 1)}{among}, and at "
            f"least {least} are needed to {purpose}. Give more of it, or leave the class out."
        )
