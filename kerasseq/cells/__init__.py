"""Recurrent cells, one per file, found by walking this folder.

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
    """Make a cell class known by its `kind`; a second class of the same kind raises."""
    known = _CELLS.setdefault(cell.kind, cell)
    if known is not cell:
        raise ValueError(
            f"Two cells are named '{cell.kind}': {known.__module__}.{known.__name__} and "
            f"{cell.__module__}.{cell.__name__}. Give one of them another `kind`."
        )


def _walk() -> None:
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        for member in vars(module).values():
            own = isinstance(member, type) and member.__module__ == module.__name__
            if own and issubclass(member, Cell) and "kind" in vars(member):
                _add(member)


_walk()


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
        ValueError: If there is no such cell; the message lists the cells there are.

    Example:
        >>> get("gru").__name__
        'GRUCell'
    """
    catalogue.get(name)  # raises for an unknown name
    return _CELLS[name]
