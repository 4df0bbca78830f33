"""A parameter count in words and numbers: `4 gates x (128 units x (64 inputs + ... ))`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from kerasseq.formatting.numbers import plural
from kerasseq.params.spec import OUTPUT, UNITS, Size, Sized, Spec

# Words for the roles of weights that every gate has, in the order of the formula.
_PER_GATE = {
    "kernel": "input",
    "recurrent": "unit",
    "diagonal": "recurrent weight",
    "bias": "bias",
    "gain": "gain",
}
_DIMENSIONS = {
    "inputs": "input",
    "units": "unit",
    "output": "projected output",
    "projection": "projected output",
}


def of_cell(spec: Spec, weights: Sequence[Sized], dimensions: Mapping[str, int]) -> str:
    """Write the parameters of one cell as a formula.

    Args:
        spec: Spec of the cell.
        weights: Weights of the cell, from `spec.sized`.
        dimensions: Dimensions of the cell, from `spec.dimensions`.
    """
    units = dimensions["units"]
    gated = [sized for sized in weights if _in_every_gate(spec, sized)]
    other = [sized for sized in weights if not _in_every_gate(spec, sized)]
    terms = list(_other_terms(other))
    if gated:
        inner = " + ".join(_gate_terms(gated, units))
        term = f"{plural(units, 'unit')} x ({inner})"
        if len(spec.gates) > 1:
            term = f"{plural(len(spec.gates), 'gate')} x ({term})"
        terms.insert(0, term)
    return " + ".join(terms)


def of_level(cell: str, directions: int, highway: int | None) -> str:
    """Write the parameters of one level as a formula.

    Args:
        cell: The formula of one cell, from `of_cell`.
        directions: 1, or 2 if bidirectional.
        highway: Width of the merged output if the level has a highway gate, else None.
    """
    terms = [cell if directions == 1 else f"{plural(directions, 'direction')} x ({cell})"]
    if highway is not None:
        inner = f"{plural(highway, 'input')} + {plural(1, 'bias')}"
        terms.append(f"{plural(highway, 'highway unit')} x ({inner})")
    return " + ".join(terms)


def _in_every_gate(spec: Spec, sized: Sized) -> bool:
    weight = sized.weight
    return (
        bool(spec.gates)
        and weight.gates == spec.gates
        and weight.role in _PER_GATE
        and weight.shape[-1] == len(spec.gates) * UNITS
    )


def _gate_terms(weights: Iterable[Sized], units: int) -> list[str]:
    """Terms of the parameters of one unit of one gate."""
    words, numbers = dict(_PER_GATE), dict.fromkeys(_PER_GATE, 0)
    for sized in weights:
        weight = sized.weight
        numbers[weight.role] += prod(sized.shape[:-1])
        if weight.role == "recurrent" and weight.shape[0] == OUTPUT and sized.shape[0] != units:
            words["recurrent"] = "projected output"
    return [plural(number, words[role]) for role, number in numbers.items() if number]


def _other_terms(weights: Iterable[Sized]) -> Iterable[str]:
    """Terms of the weights outside the gates; weights of equal role and shape are one term."""
    groups: dict[tuple[str, tuple[Size, ...]], list[Sized]] = {}
    for sized in weights:
        groups.setdefault((sized.weight.role, sized.weight.shape), []).append(sized)
    for (role, sizes), group in groups.items():
        shape, weight = group[0].shape, group[0].weight
        if role == "initial":
            for sized in group:
                yield f"{sized.size:,} {_words(sized.name)}"
        elif len(shape) == 1 and len(group) == 1 and sizes[0].factor > 1:
            yield f"{plural(sizes[0].factor, role)} x {plural(shape[0] // sizes[0].factor, 'unit')}"
        elif len(shape) == 1 and len(group) == 1:
            yield plural(shape[0], _words(weight.name))
        else:
            product = " x ".join(map(_dimension, sizes, shape))
            if len(group) > 1:
                yield f"{plural(len(group), role)} x {product}"
            elif role == "projection":
                yield product
            else:
                yield f"{product} of {_words(weight.name)}"


def _dimension(size: Size, number: int) -> str:
    return plural(number, _DIMENSIONS.get(size.dimension, size.dimension))


def _words(name: str) -> str:
    return name.replace("_", " ")
