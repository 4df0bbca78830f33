"""Recurrent sequence models in Keras: recipes, layers, cells and exact parameter counts.

Everything here is loaded on first use (PEP 562), so that `import kerasseq` costs next to nothing
and loads no backend. Recipes are attributes too: `kerasseq.sentiment(...)`.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # spelt out: importing it from typing costs more than all else here
if TYPE_CHECKING:  # for type checkers and editors; at run time __getattr__ does the same
    from typing import Any

    from kerasseq import cells, layers, params, recipes
    from kerasseq.explained import explain
    from kerasseq.layers.build import gru, lstm, rnn, simple_rnn
    from kerasseq.params import compare, count, report, units_for
    from kerasseq.recipes.sentiment import sentiment as sentiment
    from kerasseq.run import Run, load
    from kerasseq.tuning.hypermodel import hypermodel
    from kerasseq.tuning.results import tuned
    from kerasseq.tuning.tune import join, tune

    __version__: str

__all__ = [
    "Run",
    "__version__",
    "cells",
    "compare",
    "count",
    "explain",
    "gru",
    "hypermodel",
    "join",
    "layers",
    "load",
    "lstm",
    "params",
    "recipes",
    "report",
    "rnn",
    "simple_rnn",
    "tune",
    "tuned",
    "units_for",
]

# Where each public name comes from; what is missing here is a submodule or a recipe.
_HOMES = {
    "Run": "kerasseq.run",
    "compare": "kerasseq.params",
    "count": "kerasseq.params",
    "explain": "kerasseq.explained",
    "gru": "kerasseq.layers",
    "hypermodel": "kerasseq.tuning.hypermodel",
    "join": "kerasseq.tuning.tune",
    "load": "kerasseq.run",
    "lstm": "kerasseq.layers",
    "report": "kerasseq.params",
    "rnn": "kerasseq.layers",
    "simple_rnn": "kerasseq.layers",
    "tune": "kerasseq.tuning.tune",
    "tuned": "kerasseq.tuning.results",
    "units_for": "kerasseq.params",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name.startswith("_"):
        raise AttributeError(f"module 'kerasseq' has no attribute {name!r}")
    else:
        value = _submodule(name) or _recipe(name)
        if value is None:
            raise AttributeError(_unknown(name))
    globals()[name] = value  # the next look-up finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_registry().names()})


def _registry() -> Any:
    return importlib.import_module("kerasseq.registry")


def _submodule(name: str) -> Any:
    path = f"kerasseq.{name}"
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:  # the module is there, and something that it needs is not
            raise
        return None


def _recipe(name: str) -> Any:
    return _registry().get(name) if name in _registry().names() else None


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("kerasseq")
    except metadata.PackageNotFoundError:  # a checkout on the path that was never installed
        return "0+checkout"


def _unknown(name: str) -> str:
    """The message for a name that kerasseq does not have."""
    from difflib import get_close_matches

    known = sorted({*__all__, *_registry().names()})
    near = get_close_matches(name, known)
    remedy = (
        f"Did you mean {' or '.join(map(repr, near))}?" if near else f"It has: {', '.join(known)}."
    )
    return f"module 'kerasseq' has no attribute {name!r}. {remedy}"
