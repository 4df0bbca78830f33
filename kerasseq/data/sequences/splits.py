"""Splits of sequences: stratified by label, and without a group on both sides."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasseq.data.classes.labels import class_name
from kerasseq.data.classes.splits import stratified_folds, stratified_split
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.time_splits import folds_by_time, hold_out_end, needs_time

__all__ = ["group_rows", "hold_out", "make_folds"]

_NEAR = 0.01  # largest difference of a fraction from 1 / folds at which one fold is held out
_SMALL_FOLDS = 20  # most folds that are joined to hold out any other fraction
_ROUNDING = 1e-9

Rows = tuple[np.ndarray, np.ndarray]


def hold_out(
    labels: Sequence[Any],
    groups: Sequence[str] | None,
    fraction: float,
    seed: int,
    *,
    numeric: bool = False,
    spare: bool = False,
    windows: Ragged | None = None,
    among: str = "",
) -> Rows:
    """Hold out a part of the sequences.

    Without groups it has the same mix of classes as the rest. With groups whole groups are held
    out, as near to the fraction as they allow, by `StratifiedGroupKFold` of scikit-learn, which
    balances the classes as well as it can. Few recordings are split by time, see `hold_out_end`.

    Args:
        labels: label of each sequence.
        groups: group of each sequence; None for sequences without groups.
        fraction: the share to hold out.
        seed: the same seed gives the same split.
        numeric: whether labels are targets of a regression, which are not balanced.
        spare: whether classes of a single sequence are never held out, instead of an error.
        windows: the sequences, if groups are recordings, whose windows they are; else None.
        among: words for an error that say which part of the data the sequences are.

    Returns:
        The rows to keep and the rows held out, both sorted.

    Raises:
        ValueError: if there are too few sequences or groups, or a class is in one part alone.

    Example:

    >>> keep, held = hold_out(list("abab") * 2, list("11223344"), 0.25, seed=0)
    >>> len(keep), len(held)
    (6, 2)
    """
    if _has_groups(groups):
        assert groups is not None
        if windows is not None and needs_time(labels, groups, 2, numeric=numeric):
            return hold_out_end(labels, groups, windows, fraction, numeric=numeric, among=among)
        return _hold_out_groups(labels, groups, fraction, seed, numeric, among)
    if numeric:
        return _hold_out_any(len(labels), fraction, seed, among)
    _check_counts(labels, spare, among)
    return stratified_split(labels, fraction, seed, spare=spare, among=among)


def make_folds(
    labels: Sequence[Any],
    groups: Sequence[str] | None,
    folds: int,
    seed: int,
    *,
    numeric: bool = False,
    windows: Ragged | None = None,
    among: str = "",
) -> list[Rows]:
    """Cut the sequences into folds; arguments as in `hold_out`."""
    if _has_groups(groups):
        assert groups is not None
        if windows is not None and needs_time(labels, groups, folds, numeric=numeric):
            return folds_by_time(labels, groups, windows, folds, numeric=numeric, among=among)
        return _group_folds(labels, groups, folds, seed, numeric, among)
    if numeric:
        return _random_folds(len(labels), folds, seed, among)
    return stratified_folds(labels, folds, seed, among=among)


def group_rows(groups: Sequence[str] | None, chosen: Sequence[str | int]) -> Rows:
    """The rows outside and inside of chosen groups.

    Raises:
        ValueError: if no group is chosen, one does not exist, or no row is left outside.
    """
    known = {*(groups or ())}
    names = [class_name(name) for name in chosen]
    unknown = [name for name in names if name not in known]
    if unknown or not names or not known - {*names}:
        shown = ", ".join(map(repr, sorted(known)[:20])) or "none: pass groups= or pattern="
        raise ValueError(
            f"test_groups must name some of the groups, which are {shown}. "
            f"Received: test_groups={names!r}"
        )
    inside = np.isin(np.array(groups), names)
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def _check_counts(labels: Sequence[Any], spare: bool, among: str) -> None:
    """Raise a ValueError for classes with too few sequences; the message names window=."""
    windows = "or pass window=, a number of timesteps, to cut long recordings into several"
    if len(labels) == 1:
        raise ValueError(f"there is one sequence alone{among}. Give more, {windows}.")
    rare = [label for label, count in Counter(labels).items() if count < 2]
    if rare and not spare:
        raise ValueError(
            f"there is one sequence alone{among} of class {', '.join(map(repr, rare))}, and at "
            "least 2 are needed to hold out a part. Give more of it, leave the class out, "
            f"{windows}."
        )


def _has_groups(groups: Sequence[str] | None) -> bool:
    """Whether there are groups, some of them of several sequences."""
    return groups is not None and len({*groups}) < len(groups)


def _hold_out_any(rows: int, fraction: float, seed: int, among: str) -> Rows:
    """Hold out a random part, of one fraction in k the first of k folds of `KFold`."""
    from sklearn.utils import check_random_state

    if rows * min(fraction, 1 - fraction) < 2:
        raise ValueError(
            f"{rows:,} sequences{among} are too few for a part of {fraction:.0%}. Give more."
        )
    order = check_random_state(seed).permutation(rows)
    count = math.ceil(rows * fraction - _ROUNDING)
    return np.sort(order[count:]), np.sort(order[:count])


def _hold_out_groups(
    labels: Sequence[Any],
    groups: Sequence[str],
    fraction: float,
    seed: int,
    numeric: bool,
    among: str,
) -> Rows:
    """Hold out a fold of groups, or several small ones where one is not near to the fraction."""
    count = len({*groups})
    folds = max(2, round(1 / fraction))
    if abs(1 / folds - fraction) < _NEAR:
        return _group_folds(labels, groups, max(2, min(folds, count)), seed, numeric, among)[0]
    folds = min(count, _SMALL_FOLDS)
    if not numeric:
        folds = min(folds, max(Counter(labels).values()))
    pairs = _group_folds(labels, groups, max(2, folds), seed, numeric, among)
    names = [class_name(label) for label in labels]
    classes = np.zeros(len(names), int) if numeric else np.unique(names, return_inverse=True)[1]
    counts = np.stack(
        [np.bincount(classes[held], minlength=classes.max() + 1) for _, held in pairs]
    )
    chosen = _nearest_folds(counts, fraction) or [0]
    held = np.sort(np.concatenate([pairs[fold][1] for fold in chosen]))
    return np.setdiff1d(np.arange(len(labels)), held), held


def _nearest_folds(counts: np.ndarray, fraction: float) -> list[int]:
    """Numbers of folds that together have nearly a fraction of each class, and never all of one.

    Args:
        counts: rows of each class in each fold, `(folds, classes)`.
        fraction: the share to hold out.
    """
    total = counts.sum(axis=0)
    chosen: list[int] = []
    held = np.zeros_like(total)
    while True:
        distances = np.linalg.norm((held + counts) / total - fraction, axis=1)
        distances[(held + counts >= total).any(axis=1)] = np.inf
        distances[chosen] = np.inf
        best = int(distances.argmin())
        if distances[best] >= np.linalg.norm(held / total - fraction):
            return chosen
        chosen.append(best)
        held = held + counts[best]


def _random_folds(rows: int, folds: int, seed: int, among: str) -> list[Rows]:
    from sklearn.model_selection import KFold

    if rows < 2 * folds:
        raise ValueError(
            f"{rows:,} sequences{among} are too few for a part of {1 / folds:.0%}. Give more."
        )
    splitter = KFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(rows)))


def _group_folds(
    labels: Sequence[Any],
    groups: Sequence[str],
    folds: int,
    seed: int,
    numeric: bool,
    among: str,
) -> list[Rows]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = len({*groups})
    if count < folds:
        only = f"the only group, {groups[0]!r}" if count == 1 else f"{count:,} groups"
        raise ValueError(
            f"all sequences{among} belong to {only}, and a group (a subject, or the windows of "
            f"one recording) is never on both sides of a split: at least {folds:,} are needed. "
            "Give more, pass validation= or test=, name another column by groups=, or leave "
            "groups= out if the groups do not matter."
        )
    numbers = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    keys = np.array([numbers[name] for name in groups])
    if numeric:
        random = GroupKFold(folds, shuffle=True, random_state=seed)
        return list(random.split(np.zeros(len(keys)), groups=keys))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    classes = {name: i for i, name in enumerate(dict.fromkeys(labels))}
    truth = np.array([classes[label] for label in labels])
    if len(classes) < 2:
        raise ValueError(f"there is one class only{among}, {labels[0]!r}. Give at least two.")
    rarest, least = min(Counter(labels).items(), key=lambda item: item[1])
    if max(Counter(labels).values()) < folds:
        raise ValueError(
            f"class {rarest!r} has only {least:,} sequences{among}, too few for {folds:,} folds."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with few sequences
        pairs = list(splitter.split(np.zeros(len(keys)), truth, keys))
    # By size, so that a fold without a sequence, which few groups can cause, is not the first.
    return sorted(pairs, key=lambda pair: len(pair[1]) == 0)
