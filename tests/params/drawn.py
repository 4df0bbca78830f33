"""Arguments of `kerasseq.rnn` and `kerasseq.count`, as hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from kerasseq.params import catalogue


@dataclass(frozen=True)
class Layer:
    """A recurrent layer's arguments."""

    cell: str
    inputs: int
    units: int
    options: dict[str, Any] = field(default_factory=dict)


@st.composite
def layers(draw: st.DrawFn, *, widest: int = 12, skips: bool = True) -> Layer:
    """Any cell, with any wrapper and option that goes with it."""
    spec = catalogue.get(draw(st.sampled_from(catalogue.names())))
    width = st.integers(1, widest)
    inputs, units, projection = draw(width), draw(width), draw(st.none() | width)
    depth, bidirectional = draw(st.integers(1, 3)), draw(st.booleans())
    merges = ["concat", "sum", "mul", "ave"] + ([None] if depth == 1 else [])
    options: dict[str, Any] = {
        "depth": depth,
        "bidirectional": bidirectional,
        "merge": draw(st.sampled_from(merges)),
        "projection": projection,
        "trainable_initial_state": draw(st.booleans()),
    }
    for name in spec.options:
        options[name] = draw(st.none() | width if name == "state" else st.booleans())
    skip = draw(st.sampled_from([None, "residual", "highway"])) if skips else None
    apart = bidirectional and options["merge"] is None
    if skip and not apart:
        options[skip] = True
        if depth == 1:  # the one level must be as wide as its inputs
            both = 2 if bidirectional and options["merge"] == "concat" else 1
            inputs = both * (units if projection is None else projection)
    return Layer(spec.name, inputs, units, options)
