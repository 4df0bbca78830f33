"""Registry of recipes: files of the recipes folder, entry points, and registered functions.

A file `recipes/NAME.py` is the recipe NAME. Another package offers recipes as entry points of the
group `kerasseq.recipes`, and a program registers its own by `kerasseq.register`.
"""

from __future__ import annotations

import importlib
import os
from functools import cache

TYPE_CHECKING = False  # importing it from typing would be slower than the rest of this module
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
    """Names of all recipes, in alphabetical order; no recipe is imported.

    >>> "sentiment" in names()
    True
    """
    return sorted({*builtin(), *_entry_points(), *_registered})


@cache
def builtin() -> tuple[str, ...]:
    """Names of the recipes that come with kerasseq."""
    files = (os.path.splitext(name) for name in os.listdir(_FOLDER))
    return tuple(sorted(stem for stem, kind in files if kind == ".py" and not stem.startswith("_")))


def get(name: str) -> Callable[..., Any]:
    """The recipe with a name: a function that returns a Run.

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
    """The task of the recipe with a name.

    Raises:
        ValueError: if there is no recipe of that name.
    """
    recipe_task: Task[Any, Any] = get(name).task  # type: ignore[attr-defined]
    return recipe_task


def find(name: str) -> Callable[..., Any] | None:
    """The recipe with a name, or None."""
    return get(name) if name in builtin() or name in names() else None


def register(recipe: Any) -> Any:
    """Register a custom recipe under its name, for `load`, `tune` and the shell.

    Args:
        recipe: a recipe that `kerasseq.recipe` returned.

    Returns:
        The recipe, so that `register` can be used as a decorator.

    Raises:
        ValueError: if it is no recipe, or its name is already the name of another recipe, a public
            name of kerasseq or a command of the shell.

    Example:

    >>> from kerasseq.recipes.sentiment import SentimentSettings
    >>> from kerasseq.tasks.recipe import recipe
    >>> from kerasseq.tasks.text_classification import TextClassification
    >>> my_recipe = register(recipe(SentimentSettings, TextClassification, name="my_reviews"))
    >>> "my_reviews" in names()
    True
    >>> unregister("my_reviews")
    """
    name = getattr(recipe, "__name__", "")
    _check(name, recipe)
    registered = _registered.get(name)
    is_update = registered is not None and _origin(registered) == _origin(recipe)
    if not is_update and (registered is not None or name in builtin() or name in _entry_points()):
        raise ValueError(f"there is a recipe {name!r} already: give this one another name.")
    if not is_update and name in _reserved_names():
        raise ValueError(
            f"{name!r} is a name of kerasseq or a command of its shell: give the recipe another "
            "name."
        )
    _registered[name] = recipe
    return recipe


def unregister(name: str) -> None:
    """Remove a registered recipe; an unknown name is ignored."""
    _registered.pop(name, None)


def summary(name: str) -> str:
    """First line of a recipe's docstring; kerasseq's recipes are parsed, not imported.

    >>> summary("sentiment")
    'Train a recurrent text classifier, and compare it with simple baselines.'
    """
    if name not in builtin():
        return (get(name).__doc__ or "").partition("\n")[0]
    import ast

    with open(os.path.join(_FOLDER, f"{name}.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    # A recipe has the docstring of its settings, which are the last class of the file.
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return (ast.get_docstring(classes[-1]) or "").partition("\n")[0] if classes else ""


@cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib import metadata

    return {
        entry_point.name: entry_point
        for entry_point in metadata.entry_points(group=GROUP)
        if entry_point.name not in builtin() and entry_point.name not in _reserved_names()
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
def _reserved_names() -> frozenset[str]:
    """Names that external recipes must not have."""
    from kerasseq.names import COMMANDS, MODULES, PUBLIC, VERBS

    return frozenset((*COMMANDS, *MODULES, *PUBLIC, *VERBS))
