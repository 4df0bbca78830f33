"""Recurrent cells, one per file; importing this package imports every file in its folder.

A cell is an ordinary Keras layer that also works in plain `keras.layers.RNN`; it runs faster,
and with every wrapper, in `kerasseq.rnn`.
"""

from __future__ import annotations

import importlib
import pkgutil

from kerasseq.cells.base import Cell, Frame
from kerasseq.params import catalogue

__all__ = ["Cell", "Frame", "get", "names"]

_CELLS: dict[str, type[Cell]] = {}


def _add(cell: type[Cell]) -> None:
    """Register a cell class by its `kind`; a second class of the same kind raises a ValueError."""
    registered = _CELLS.setdefault(cell.kind, cell)
    if registered is not cell:
        raise ValueError(
            f"Two cells are named '{cell.kind}': {registered.__module__}.{registered.__name__} and "
            f"{cell.__module__}.{cell.__name__}. Give one of them another `kind`."
        )


def _add_all() -> None:
    """Register the cell classes of every module of this package."""
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for member in vars(module).values():
            defined_here = isinstance(member, type) and member.__module__ == module.__name__
            if defined_here and issubclass(member, Cell) and "kind" in vars(member):
                _add(member)


_add_all()


def names() -> list[str]:
    """The names of all cells.

    Example:
        >>> "lstm" in names()
        True
    """
    return [name for name in catalogue.names() if name in _CELLS]


def get(name: str) -> type[Cell]:
    """The class of a cell.

    Args:
        name: Its name, one of `names()`.

    Raises:
        ValueError: If there is no cell of that name; the message lists the names.

    Example:
        >>> get("gru").__name__
        'GRUCell'
    """
    catalogue.get(name)  # raises for an unknown name
    return _CELLS[name]
