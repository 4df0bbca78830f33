"""The largest layer within a budget of parameters."""

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
        units: Width of the layer.
        count: Its parameters, weight by weight.
        total: Number of its parameters.
        left: Number of parameters of the budget that are not used.

    Example:
        >>> units_for("lstm", budget=1_000, inputs=8).count.formula
        '4 gates x (11 units x (8 inputs + 11 units + 1 bias)) = 880'
    """

    units: int
    count: Count
    total: int
    left: int

    def table(self) -> Table:
        """The result as a table of one row."""
        return Table(
            columns=("cell", "units", "params", "left"),
            rows=((self.count.cell, self.units, self.total, self.left),),
            notes=tuple(self.count.formula.splitlines()),
        )

    def to_dict(self) -> dict[str, Any]:
        """All values as types that JSON has."""
        named = {"units": self.units, "total": self.total, "left": self.left}
        return {**named, "count": self.count.to_dict()}


def units_for(cell: str | Sequence[str], budget: int, inputs: int, **options: Any) -> Fit:
    """Find the largest `units` whose parameters fit a budget.

    Args:
        cell: Name of a cell, or a list with one per level; all levels have the same width.
        budget: Number of parameters that the layer may have.
        inputs: Features of one timestep.
        **options: Further arguments of `kerasseq.count`.

    Raises:
        ValueError: If not even one unit fits; the message names the smallest budget.

    Example:
        >>> fit = units_for("gru", budget=100_000, inputs=64, depth=2)
        >>> fit.units, fit.total, fit.left
        (94, 98700, 1300)
    """
    positive_int("budget", budget)
    if "units" in options:
        raise ValueError(
            f"`units` must be left out: it is the result. Received: units={options['units']!r}"
        )

    def count_at(units: int) -> Count:
        return count(cell, inputs, units, **options)

    only_width = _only_width(cell, inputs, options)
    smallest = count_at(only_width or 1)
    if smallest.total > budget:
        raise ValueError(
            f"`budget` is too small for {plural(smallest.levels[0].units, 'unit')} of "
            f"{smallest.cell}: it must be at least {smallest.total:,}. "
            f"Received: budget={budget:,}"
        )
    best = (
        smallest if only_width else count_at(_largest(lambda units: count_at(units).total, budget))
    )
    return Fit(best.levels[0].units, best, best.total, budget - best.total)


def compare(
    cells: Sequence[str],
    *,
    inputs: int,
    budget: int | None = None,
    units: int | None = None,
    **options: Any,
) -> Table:
    """Compare cells side by side, at an equal budget of parameters or at equal width.

    Args:
        cells: Names of the cells.
        inputs: Features of one timestep.
        budget: Number of parameters that each may have; each gets the most units that fit.
        units: Width of each cell, instead of a budget.
        **options: Further arguments of `kerasseq.count`; an option that only a few of the cells
            have is passed to these cells.

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
    for name, cell_options in zip(cells, _per_cell(cells, options), strict=True):
        fit = None if budget is None else units_for(name, budget, inputs, **cell_options)
        result = count(name, inputs, units, **cell_options) if fit is None else fit.count
        first = result.levels[0]
        rows.append(
            {
                "cell": name,
                "form": first.form,
                "units": first.units,
                "params": result.total,
                **({} if fit is None else {"left": fit.left}),
                "MACs/step": result.macs,
                "state size": result.states,
                "activation bytes": result.activation_bytes,
                "gates": len(catalogue.get(name).gates),
            }
        )
    basis = f"{units:,} units" if budget is None else f"at most {budget:,} parameters"
    note = (
        "Activation bytes: kept by backpropagation through time for "
        f"{plural(result.batch, 'row')} x {plural(result.timesteps or 1, 'step')} in "
        f"{result.dtype}."
    )
    return Table(
        columns=tuple(rows[0]),
        rows=tuple(tuple(row.values()) for row in rows),
        title=f"{plural(inputs, 'input')}, {basis}",
        notes=(note,),
    )


def _only_width(cell: str | Sequence[str], inputs: int, options: dict[str, Any]) -> int | None:
    """The only possible width of a single level with a skip connection; None if it is free."""
    single = options.get("depth", 1) == 1 if isinstance(cell, str) else len(cell) == 1
    skips = options.get("residual") or options.get("highway")
    if not (single and skips) or options.get("projection") is not None:
        return None
    both = options.get("bidirectional") and options.get("merge", "concat") == "concat"
    return max(inputs // (2 if both else 1), 1)


def _largest(total: Callable[[int], int], budget: int) -> int:
    """Find the largest number of units within the budget, by bisection.

    A bisection needs parameters that grow with the width. They do, with one exception: at the one
    width that is equal to the inputs, the first level has a highway gate too, and may have more
    parameters than at the next width. The minimum over two neighbouring widths always grows, so
    the bisection runs on that minimum.
    """
    low, high = 1, budget + 1  # a unit has at least one parameter
    while high - low > 1:
        middle = (low + high) // 2
        if min(total(middle), total(middle + 1)) <= budget:
            low = middle
        else:
            high = middle
    return low


def _per_cell(cells: Sequence[str], options: dict[str, Any]) -> list[dict[str, Any]]:
    """The options of each cell: all options except those that only other cells have."""
    names_by_cell = [set(catalogue.get(name).options) for name in cells]
    all_names = set().union(*names_by_cell)
    shared = {*COMMON_OPTIONS, *WEIGHTLESS}
    return [
        {k: v for k, v in options.items() if k in shared or k in names or k not in all_names}
        for names in names_by_cell
    ]
