"""A table of all cells, side by side."""

from __future__ import annotations

import re
from math import prod

from kerasseq.formatting.table import Table
from kerasseq.params import catalogue
from kerasseq.params.spec import Spec

# Letters of dimensions in a short formula. With default options, the output and the state of a
# linear cell are as wide as the cell.
_LETTERS = {"one": "", "inputs": "d", "units": "u", "output": "u", "state": "u"}


def cells() -> Table:
    """List all cells with form, gates, parameters, projection, weight drop and paper.

    Example:
        >>> cells().to_frame().set_index("cell").loc["gru", "params"]
        '3u(d + u + 2)'
    """
    rows = tuple(
        (
            spec.name,
            spec.form,
            spec.gates,
            at_a_glance(spec),
            spec.feeds_projection,
            has_recurrent_kernel(spec),
            _short_reference(spec.paper),
        )
        for spec in catalogue.specs()
    )
    return Table(
        columns=("cell", "form", "gates", "params", "fed back", "weight drop", "paper"),
        rows=rows,
        notes=(
            "params: for d inputs and u units, with biases and the defaults of every option.",
            "fed back: whether the recurrence reads the projected output; else the projection is "
            "on the output only.",
            "weight drop needs a recurrent kernel; every cell takes dropout, recurrent and "
            "variational dropout, zoneout, residual, highway and a trainable initial state.",
            *(
                f"{spec.name} without {spec.gated_unless} is gated."
                for spec in catalogue.specs()
                if spec.gated_unless
            ),
        ),
    )


def at_a_glance(spec: Spec) -> str:
    """Write the parameters of a cell with default options, for d inputs and u units.

    Example:
        >>> at_a_glance(catalogue.get("peephole_lstm"))
        '4u(d + u + 1) + 3u'
    """
    options = spec.settings()
    per_gate: dict[str, int] = {}
    outside_gates: dict[str, int] = {}
    for weight in spec.weights:
        if not weight.exists(options):
            continue
        letters = [_LETTERS[size.dimension] for size in weight.shape]
        factor = prod(size.factor for size in weight.shape)
        per_unit = bool(spec.gates) and weight.gates == spec.gates and letters[-1] == "u"
        terms_of_kind = per_gate if per_unit else outside_gates
        if per_unit:
            letters, factor = letters[:-1], factor // len(spec.gates)
        monomial = "".join(sorted(letters)).replace("uu", "u²")
        terms_of_kind[monomial] = terms_of_kind.get(monomial, 0) + factor
    terms = []
    if per_gate:
        number = len(spec.gates) if len(spec.gates) > 1 else ""
        terms.append(f"{number}u({_sum(per_gate)})")
    if outside_gates:
        terms.append(_sum(outside_gates))
    return " + ".join(terms)


def has_recurrent_kernel(spec: Spec) -> bool:
    """Whether a cell has a recurrent kernel, which weight drop needs."""
    return any(weight.name == "recurrent_kernel" for weight in spec.weights)


def _sum(monomials: dict[str, int]) -> str:
    """Write a sum with the letters first, such as `d + u + 1`."""
    ordered = sorted(monomials.items(), key=lambda item: (not item[0], item[0]))
    return " + ".join(f"{'' if n == 1 and m else n}{m}" for m, n in ordered)


def _short_reference(paper: str) -> str:
    """Shorten a reference to authors, year and arXiv number of the first work in it."""
    match = re.match(r"(.*?) \((\d{4})\)([^.;]*(?:\.\d[^.;]*)*)", paper)
    if match is None:
        return paper
    authors, year, rest = match.groups()
    if "," in authors:
        authors = f"{authors.partition(',')[0]} et al."
    number = re.search(r"arXiv \d{4}\.\d{4,5}", rest)
    return f"{authors} ({year})" + (f", {number.group()}" if number else "")
