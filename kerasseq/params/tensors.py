"""Reads the sizes of the weights in a .safetensors file of PyTorch, without a backend."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path

from kerasseq.io.safetensors import Declared, header
from kerasseq.params.contents import Contents, Entry

__all__ = ["read"]

#: Number of gates of the recurrent layers of PyTorch.
_GATES = {4: "LSTM", 3: "GRU", 1: "RNN"}
_NOTE = (
    "A .safetensors file holds names and shapes only: which weights are trained is not in it, and "
    "classes are told by the names and shapes of their weights."
)


def read(path: Path) -> Contents:
    """Read the weights of a file, a module of PyTorch at a time.

    Raises:
        ValueError: If the file is damaged or of another kind.
    """
    modules: dict[str, dict[str, Declared]] = {}
    for name, array in header(path).items():
        module, _, weight = name.rpartition(".")
        modules.setdefault(module, {})[weight] = array
    entries = [
        Entry(
            layer=module or path.stem,
            class_name=_class(weights),
            weights=tuple(array.shape for array in weights.values()),
            params=sum(prod(array.shape) for array in weights.values()),
            trainable=None,
            bytes=sum(array.bytes for array in weights.values()),
        )
        for module, weights in modules.items()
    ]
    return Contents(path.name, tuple(entries), notes=(_NOTE,))


def _class(weights: dict[str, Declared]) -> str:
    """The class of a recurrent layer by its first weights; "" for other modules."""
    first, state = (weights.get(f"weight_{kind}_l0") for kind in ("ih", "hh"))
    if first is None or state is None or len(state.shape) != 2:
        return ""
    projection = weights.get("weight_hr_l0")
    units = state.shape[1] if projection is None else projection.shape[-1]
    gates = _GATES.get(state.shape[0] // max(1, units), "")
    levels = sum(bool(re.fullmatch(r"weight_ih_l\d+", name)) for name in weights)
    both = "bidirectional " if "weight_ih_l0_reverse" in weights else ""
    return f"{both}{gates}" + (f", {levels} levels" if levels > 1 else "") if gates else ""
