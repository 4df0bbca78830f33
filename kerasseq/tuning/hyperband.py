"""Sizes of Hyperband's rounds, and the trials that a later round may promote.

The arithmetic is that of KerasTuner's implementation of Li et al. 2018
(https://arxiv.org/abs/1603.06560).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["factor_for", "promotable", "rung", "sweep"]


def rung(epochs: int, factor: int, bracket: int, turn: int) -> int:
    """Number of trials in one round of a bracket.

    Args:
        epochs: epochs of a trial that is promoted to the last round.
        factor: one trial in `factor` is promoted.
        bracket: number of rounds after the first one.
        turn: index of the round, from 0.

    >>> [rung(9, 3, 2, turn) for turn in range(3)]
    [9, 3, 1]
    """
    last = math.ceil(1 + math.log(epochs, factor))
    return math.ceil(last / (bracket + 1) * factor ** (bracket - turn))


def sweep(epochs: int, factor: int) -> int:
    """Number of trials in one sweep over all brackets; a promoted trial counts again.

    >>> sweep(30, 3), sweep(30, 6), sweep(30, 31)
    (90, 14, 2)
    """
    brackets = sum(1 for power in range(64) if epochs / factor**power >= 1)
    return sum(
        rung(epochs, factor, bracket, turn)
        for bracket in range(brackets)
        for turn in range(bracket + 1)
    )


def factor_for(epochs: int, trials: int) -> int:
    """Smallest factor with which one sweep has at most `trials` trials.

    >>> factor_for(30, 100), factor_for(30, 30), factor_for(30, 5)
    (3, 6, 31)
    """
    return next(
        (factor for factor in range(3, epochs + 1) if sweep(epochs, factor) <= trials), epochs + 1
    )


def promotable(
    rows: Sequence[Mapping[str, Any]], epochs: int, factor: int, higher_is_better: bool
) -> set[str]:
    """Names of the ended trials that a later round may still promote.

    Their checkpoints must stay on disk.

    Args:
        rows: all trials so far, in the order in which they began, with `bracket`, `round`, and
            `trial_id`, the name of the trial that they continue.
        epochs: epochs of a trial that is promoted to the last round.
        factor: one trial in `factor` is promoted.
        higher_is_better: whether a higher score is better.
    """
    sign = -1 if higher_is_better else 1
    rounds: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        rounds.setdefault((row["bracket"], row["round"]), []).append(row)
    promoted = {row.get("trial_id") for row in rows}
    best: set[str] = set()
    for (bracket, turn), members in rounds.items():
        if turn == bracket:
            continue  # the last round
        size, next_size = (rung(epochs, factor, bracket, turn + ahead) for ahead in (0, 1))
        for first in range(0, len(members), size):  # sweep by sweep
            scored = [row for row in members[first : first + size] if row.get("score") is not None]
            scored.sort(key=lambda row: sign * row["score"])
            best |= {row["trial"] for row in scored[:next_size]}
    return best - promoted
