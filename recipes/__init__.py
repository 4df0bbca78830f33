"""One recipe per file; adding a file is adding the recipe.

`kerasseq.recipes.sentiment` is the recipe, a function, loaded on first use. Its module is imported
as such: `from kerasseq.recipes.sentiment import SentimentSettings`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from kerasseq import registry


class _Recipes(ModuleType):
    """A package whose attribute `name` is the function `name` of its module `name`."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a submodule sets it as an attribute of its package, over whatever was there.
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
