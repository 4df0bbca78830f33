"""The cells there are, side by side."""

from __future__ import annotations

import re
from math import prod

from kerasseq.formatting.table import Table
from kerasseq.params import catalogue
from kerasseq.params.spec import Spec

# Letters of the count at a glance. Without options the output is as wide as the cell, and so is
# a linear cell's state.
_LETTERS = {"one": "", "inputs": "d", "units": "u", "output": "u", "state": "u"}


def cells() -> Table:
    """All cells: their form, gates, parameters at a glance, paper, and the wrappers they take.

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
            _cited(spec.paper),
        )
        for spec in catalogue.specs()
    )
    return Table(
        columns=("cell", "form", "gates", "params", "fed back", "weight drop", "paper"),
        rows=rows,
        notes=(
            "params: for d inputs and u units, with biases and the defaults of every option.",
            "fed back: whether an output projection is what the recurrence sees; else it is on the "
            "output only.",
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
    """The parameters of a cell with default options, in d inputs and u units.

    Example:
        >>> at_a_glance(catalogue.get("peephole_lstm"))
        '4u(d + u + 1) + 3u'
    """
    options = spec.settings()
    per_gate: dict[str, int] = {}
    other: dict[str, int] = {}
    for weight in spec.weights:
        if not weight.exists(options):
            continue
        letters = [_LETTERS[size.dimension] for size in weight.shape]
        factor = prod(size.factor for size in weight.shape)
        shared = bool(spec.gates) and weight.gates == spec.gates and letters[-1] == "u"
        into = per_gate if shared else other
        if shared:
            letters, factor = letters[:-1], factor // len(spec.gates)
        monomial = "".join(sorted(letters)).replace("uu", "u²")
        into[monomial] = into.get(monomial, 0) + factor
    terms = []
    if per_gate:
        number = len(spec.gates) if len(spec.gates) > 1 else ""
        terms.append(f"{number}u({_sum(per_gate)})")
    if other:
        terms.append(_sum(other))
    return " + ".join(terms)


def has_recurrent_kernel(spec: Spec) -> bool:
    """Whether there are recurrent weights that weight drop can drop."""
    return any(weight.name == "recurrent_kernel" for weight in spec.weights)


def _sum(monomials: dict[str, int]) -> str:
    """Terms with letters first, such as `d + u + 1`."""
    ordered = sorted(monomials.items(), key=lambda item: (not item[0], item[0]))
    return " + ".join(f"{'' if n == 1 and m else n}{m}" for m, n in ordered)


def _cited(paper: str) -> str:
    """Who, when, and the arXiv number where there is one: the first work that is named."""
    found = re.match(r"(.*?) \((\d{4})\)([^.;]*(?:\.\d[^.;]*)*)", paper)
    if found is None:
        return paper
    authors, year, rest = found.groups()
    if "," in authors:
        authors = f"{authors.partition(',')[0]} et al."
    number = re.search(r"arXiv \d{4}\.\d{4,5}", rest)
    return f"{authors} ({year})" + (f", {number.group()}" if number else "")
