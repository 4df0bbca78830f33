"""How many trials Hyperband has in each round, and which of them may yet go on.

As KerasTuner has it, of Li et al. 2018 (https://arxiv.org/abs/1603.06560).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["factor_for", "may_go_on", "rung", "sweep"]


def rung(epochs: int, factor: int, bracket: int, turn: int) -> int:
    """The trials of a round of a bracket.

    Args:
        epochs: of a trial that goes on to the end.
        factor: one in so many goes on.
        bracket: with so many rounds after the first.
        turn: the round, from 0 on.

    >>> [rung(9, 3, 2, turn) for turn in range(3)]
    [9, 3, 1]
    """
    last = math.ceil(1 + math.log(epochs, factor))
    return math.ceil(last / (bracket + 1) * factor ** (bracket - turn))


def sweep(epochs: int, factor: int) -> int:
    """The trials of one sweep over all brackets, those that go on counted again.

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
    """The smallest factor with which a sweep has no more than so many trials.

    >>> factor_for(30, 100), factor_for(30, 30), factor_for(30, 5)
    (3, 6, 31)
    """
    return next(
        (factor for factor in range(3, epochs + 1) if sweep(epochs, factor) <= trials), epochs + 1
    )


def may_go_on(
    rows: Sequence[Mapping[str, Any]], epochs: int, factor: int, higher_is_better: bool
) -> set[str]:
    """The names of the ended trials that a later round may go on from.

    Args:
        rows: all trials so far, in the order in which they began, with `bracket`, `round`, and
            `trial_id` of the one that they went on from.
        epochs: of a trial that goes on to the end.
        factor: one in so many goes on.
        higher_is_better: of the score.
    """
    sign = -1 if higher_is_better else 1
    rounds: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        rounds.setdefault((row["bracket"], row["round"]), []).append(row)
    gone_on = {row.get("trial_id") for row in rows}
    found: set[str] = set()
    for (bracket, turn), own in rounds.items():
        if turn == bracket:
            continue  # the last round
        size, next_size = (rung(epochs, factor, bracket, turn + ahead) for ahead in (0, 1))
        for first in range(0, len(own), size):  # sweep by sweep
            scored = [row for row in own[first : first + size] if row.get("score") is not None]
            scored.sort(key=lambda row: sign * row["score"])
            found |= {row["trial"] for row in scored[:next_size]}
    return found - gone_on
