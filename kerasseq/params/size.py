"""The other way round: the largest layer that a budget of parameters pays for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerasseq.formatting.numbers import plural
from kerasseq.formatting.table import Table, Tabular
from kerasseq.params import catalogue
from kerasseq.params.count import WEIGHTLESS, count
from kerasseq.params.count_result import Count
from kerasseq.params.spec import COMMON_OPTIONS, positive_int


@dataclass(frozen=True, repr=False)
class Fit(Tabular):
    """The widest layer within a budget.

    Args:
        units: Its width.
        count: Its parameters.
        total: How many they are.
        left: How much of the budget is left.

    Example:
        >>> units_for("lstm", budget=1_000, inputs=8).count.formula
        '4 gates x (11 units x (8 inputs + 11 units + 1 bias)) = 880'
    """

    units: int
    count: Count
    total: int
    left: int

    def table(self) -> Table:
        """One row."""
        return Table(
            columns=("cell", "units", "params", "left"),
            rows=((self.count.cell, self.units, self.total, self.left),),
            notes=tuple(self.count.formula.splitlines()),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows."""
        named = {"units": self.units, "total": self.total, "left": self.left}
        return {**named, "count": self.count.to_dict()}


def units_for(cell: str | Sequence[str], budget: int, inputs: int, **options: Any) -> Fit:
    """The largest `units` whose parameters fit a budget.

    Args:
        cell: A cell's name, or one per level, which share the width.
        budget: Parameters that the layer may have.
        inputs: Features of one timestep.
        **options: Everything else that `kerasseq.count` takes.

    Raises:
        ValueError: If not even one unit fits; the message says what would.

    Example:
        >>> fit = units_for("gru", budget=100_000, inputs=64, depth=2)
        >>> fit.units, fit.total, fit.left
        (94, 98700, 1300)
    """
    positive_int("budget", budget)
    if "units" in options:
        raise ValueError(f"`units` is what is looked for. Received: units={options['units']!r}")

    def at(units: int) -> Count:
        return count(cell, inputs, units, **options)

    forced = _forced_units(cell, inputs, options)
    smallest = at(forced or 1)
    if smallest.total > budget:
        raise ValueError(
            f"`budget` does not pay for {plural(smallest.levels[0].units, 'unit')} of "
            f"{smallest.cell}: the smallest that does is {smallest.total:,}. "
            f"Received: budget={budget:,}"
        )
    best = smallest if forced else at(_largest(lambda units: at(units).total, budget))
    return Fit(best.levels[0].units, best, best.total, budget - best.total)


def compare(
    cells: Sequence[str],
    *,
    inputs: int,
    budget: int | None = None,
    units: int | None = None,
    **options: Any,
) -> Table:
    """Cells side by side, at an equal budget of parameters or at equal width.

    Args:
        cells: Their names.
        inputs: Features of one timestep.
        budget: Parameters that each may have; each gets the most units that fit.
        units: Width of each, instead of a budget.
        **options: Everything else that `kerasseq.count` takes; an option of some cells only
            is passed to those.

    Raises:
        ValueError: For an unknown cell or option, or unless exactly one of `budget` and `units`
            is given.

    Example:
        >>> compare(["lstm", "mgu"], budget=10_000, inputs=8).to_frame()["units"].tolist()
        [45, 66]
    """
    if (budget is None) == (units is None):
        raise ValueError(
            "Cells are compared at an equal `budget` or at equal `units`: give one of the two. "
            f"Received: budget={budget}, units={units}"
        )
    if isinstance(cells, str) or not isinstance(cells, Sequence) or not cells:
        raise ValueError(f"`cells` must be a list of names. Received: cells={cells!r}")
    rows = []
    for name, chosen in zip(cells, _per_cell(cells, options), strict=True):
        fit = None if budget is None else units_for(name, budget, inputs, **chosen)
        found = count(name, inputs, units, **chosen) if fit is None else fit.count
        first = found.levels[0]
        rows.append(
            {
                "cell": name,
                "form": first.form,
                "units": first.units,
                "params": found.total,
                **({} if fit is None else {"left": fit.left}),
                "MACs/step": found.macs,
                "state size": found.states,
                "activation bytes": found.activation_bytes,
                "gates": len(catalogue.get(name).gates),
            }
        )
    basis = f"{units:,} units" if budget is None else f"at most {budget:,} parameters"
    held = (
        f"Activation bytes: what backpropagation through time holds for "
        f"{plural(found.batch, 'row')} x {plural(found.timesteps or 1, 'step')} in {found.dtype}."
    )
    return Table(
        columns=tuple(rows[0]),
        rows=tuple(tuple(row.values()) for row in rows),
        title=f"{plural(inputs, 'input')}, {basis}",
        notes=(held,),
    )


def _forced_units(cell: str | Sequence[str], inputs: int, options: dict[str, Any]) -> int | None:
    """The one width that a single level with a skip over it can have, if it is bound to one."""
    single = options.get("depth", 1) == 1 if isinstance(cell, str) else len(cell) == 1
    skips = options.get("residual") or options.get("highway")
    if not (single and skips) or options.get("projection") is not None:
        return None
    both = options.get("bidirectional") and options.get("merge", "concat") == "concat"
    return max(inputs // (2 if both else 1), 1)


def _largest(total: Callable[[int], int], budget: int) -> int:
    """The largest units within the budget, by bisection.

    A highway over the first level, which only one width has, makes that width dearer than the
    next: the cheaper of two neighbours grows steadily with the width, and is what is bisected.
    """
    low, high = 1, budget + 1  # every unit has a parameter at least
    while high - low > 1:
        middle = (low + high) // 2
        if min(total(middle), total(middle + 1)) <= budget:
            low = middle
        else:
            high = middle
    return low


def _per_cell(cells: Sequence[str], options: dict[str, Any]) -> list[dict[str, Any]]:
    """The options of each cell: all of them, less those that only others have."""
    own = [set(catalogue.get(name).options) for name in cells]
    some = set().union(*own)
    shared = {*COMMON_OPTIONS, *WEIGHTLESS}
    return [
        {k: v for k, v in options.items() if k in shared or k in mine or k not in some}
        for mine in own
    ]
