"""Recipe names to recipes, by walking the recipes folder: a file `NAME.py` is the recipe NAME."""

from __future__ import annotations

import importlib
import os

TYPE_CHECKING = False  # spelt out: importing it from typing costs more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["get", "names", "stages", "summary"]

_FOLDER = os.path.join(os.path.dirname(__file__), "recipes")


def names() -> list[str]:
    """The names of the recipes there are, in alphabetical order; none of them is imported.

    >>> "sentiment" in names()
    True
    """
    files = (os.path.splitext(name) for name in os.listdir(_FOLDER))
    return sorted(stem for stem, kind in files if kind == ".py" and not stem.startswith("_"))


def get(name: str) -> Callable[..., Any]:
    """The recipe of that name, a function that gives a Run.

    Raises:
        ValueError: if there is no recipe of that name.
    """
    recipe: Callable[..., Any] = getattr(_module(name), name)
    return recipe


def stages(name: str) -> Any:
    """The stages of the recipe of that name: the `STAGES` of its file.

    Raises:
        ValueError: if there is no recipe of that name.
    """
    return _module(name).STAGES


def summary(name: str) -> str:
    """The first line of the recipe's docstring, read from its file without importing it.

    >>> summary("sentiment")
    'Train a recurrent text classifier, and tell how good it is beside simple baselines.'
    """
    import ast

    _known(name)
    with open(os.path.join(_FOLDER, f"{name}.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _module(name: str) -> Any:
    _known(name)
    return importlib.import_module(f"kerasseq.recipes.{name}")


def _known(name: str) -> None:
    known = names()
    if name not in known:
        raise ValueError(f"There is no recipe {name!r}. The recipes are: {', '.join(known)}.")
