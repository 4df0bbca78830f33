"""The recipes, one per file: a new file adds a recipe.

`kerasseq.recipes.sentiment` is the recipe, a function, loaded on first use. The module of the same
name is imported by `from kerasseq.recipes.sentiment import SentimentSettings`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from kerasseq import registry


class _Recipes(ModuleType):
    """A package whose attribute `NAME` is the function `NAME` of its module `NAME`."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a submodule sets it as an attribute of its package, in place of the function.
        if isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}":
            value = getattr(value, name, value)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Recipes


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return registry.names()
    if not name.startswith("_") and name in registry.names():
        return registry.get(name)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}. "
        f"Its recipes: {', '.join(registry.names())}."
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *registry.names()})
