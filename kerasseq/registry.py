"""Recipes by name: files of the recipes folder, entry points of other packages, registered ones.

A file `recipes/NAME.py` is the recipe NAME. Another package offers recipes as entry points of the
group `kerasseq.recipes`, and a program registers its own by `kerasseq.register`.
"""

from __future__ import annotations

import importlib
import os
from functools import cache

TYPE_CHECKING = False  # spelt out: importing it from typing costs more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint
    from typing import Any

    from kerasseq.tasks.base import Task

__all__ = ["GROUP", "builtin", "find", "get", "names", "register", "summary", "task", "unregister"]

#: Entry-point group of recipes in other packages.
GROUP = "kerasseq.recipes"
_FOLDER = os.path.join(os.path.dirname(__file__), "recipes")
_registered: dict[str, Any] = {}


def names() -> list[str]:
    """The names of all recipes, in alphabetical order; none of them is imported.

    >>> "sentiment" in names()
    True
    """
    return sorted({*builtin(), *_entry_points(), *_registered})


@cache
def builtin() -> tuple[str, ...]:
    """The names of the recipes that come with kerasseq."""
    files = (os.path.splitext(name) for name in os.listdir(_FOLDER))
    return tuple(sorted(stem for stem, kind in files if kind == ".py" and not stem.startswith("_")))


def get(name: str) -> Callable[..., Any]:
    """The recipe of that name, a function that returns a Run.

    Raises:
        ValueError: if there is no recipe of that name.
    """
    recipe: Callable[..., Any]
    if name in builtin():
        recipe = getattr(importlib.import_module(f"kerasseq.recipes.{name}"), name)
    elif name in _registered:
        recipe = _registered[name]
    elif name in _entry_points():
        recipe = _entry_points()[name].load()
        _check(name, recipe)
    else:
        raise ValueError(f"There is no recipe {name!r}. The recipes are: {', '.join(names())}.")
    return recipe


def task(name: str) -> Task[Any, Any]:
    """The task of the recipe of that name.

    Raises:
        ValueError: if there is no recipe of that name.
    """
    found: Task[Any, Any] = get(name).task  # type: ignore[attr-defined]
    return found


def find(name: str) -> Callable[..., Any] | None:
    """The recipe of that name, or None."""
    return get(name) if name in builtin() or name in names() else None


def register(recipe: Any) -> Any:
    """Make a recipe of one's own known by its name, to `load`, `tune` and the shell.

    Args:
        recipe: a recipe that `kerasseq.recipe` has made.

    Returns:
        The recipe, so that the call may stand around its definition.

    Raises:
        ValueError: if it is no recipe, or its name is taken by another recipe, by a public name of
            kerasseq or by a command of the shell.

    Example:

    >>> from kerasseq.recipes.sentiment import SentimentSettings
    >>> from kerasseq.tasks.recipe import recipe
    >>> from kerasseq.tasks.text_classification import TextClassification
    >>> mine = register(recipe(SentimentSettings, TextClassification, name="my_reviews"))
    >>> "my_reviews" in names()
    True
    >>> unregister("my_reviews")
    """
    name = getattr(recipe, "__name__", "")
    _check(name, recipe)
    known = _registered.get(name)
    again = known is not None and _origin(known) == _origin(recipe)
    if not again and (known is not None or name in builtin() or name in _entry_points()):
        raise ValueError(f"there is a recipe {name!r} already: give this one another name.")
    if not again and name in _taken():
        raise ValueError(
            f"{name!r} is a name of kerasseq or a command of its shell: give the recipe another "
            "name."
        )
    _registered[name] = recipe
    return recipe


def unregister(name: str) -> None:
    """Forget a recipe that was registered."""
    _registered.pop(name, None)


def summary(name: str) -> str:
    """The first line of the recipe's docstring; files of kerasseq are read, not imported.

    >>> summary("sentiment")
    'Train a recurrent text classifier, and tell how good it is beside simple baselines.'
    """
    if name not in builtin():
        return (get(name).__doc__ or "").partition("\n")[0]
    import ast

    with open(os.path.join(_FOLDER, f"{name}.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    # The docstring of a recipe is that of its settings, the last class of the file.
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return (ast.get_docstring(classes[-1]) or "").partition("\n")[0] if classes else ""


@cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib import metadata

    return {
        own.name: own
        for own in metadata.entry_points(group=GROUP)
        if own.name not in builtin() and own.name not in _taken()
    }


def _check(name: str, recipe: Any) -> None:
    if not name.isidentifier() or not hasattr(recipe, "task"):
        raise ValueError(
            "a recipe must be a function that kerasseq.recipe has made, with a name. "
            f"Received: {recipe!r}"
        )


def _origin(recipe: Any) -> tuple[str, str]:
    return recipe.__module__, recipe.__name__


@cache
def _taken() -> frozenset[str]:
    """Names that no recipe from outside may have."""
    from kerasseq.names import COMMANDS, MODULES, PUBLIC, VERBS

    return frozenset((*COMMANDS, *MODULES, *PUBLIC, *VERBS))
