"""Making a recipe, a function, from a dataclass of settings and a task."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from kerasseq import settings
from kerasseq.settings import aliases
from kerasseq.tasks.base import Task

if TYPE_CHECKING:
    from kerasseq.runs import Run

__all__ = ["Recipe", "recipe"]

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R", bound="Run")
R_co = TypeVar("R_co", bound="Run", covariant=True)


class Recipe(Protocol[P, R_co]):
    """A function from data and settings to a Run, with its task as an attribute."""

    __name__: str
    task: Task[Any, Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


def recipe(
    declaration: Callable[P, S], task: type[Task[S, R]], *, name: str | None = None
) -> Recipe[P, R]:
    """Make a recipe from a dataclass of settings and a task.

    Args:
        declaration: frozen dataclass whose fields are `kerasseq.settings.setting`, keyword-only but
            for the first, `data`. Its docstring, with the arguments added before `Returns:`, is
            the docstring of the recipe.
        task: class of the task.
        name: name of the recipe; default: the name of the dataclass in snake case, without
            `Settings`.

    Returns:
        A function with the signature of the dataclass that returns a Run.

    Example:

    >>> from kerasseq.recipes.sentiment import SentimentSettings
    >>> from kerasseq.tasks.text_classification import TextClassification
    >>> again = recipe(SentimentSettings, TextClassification, name="reviews")
    >>> again.__name__, again.task.defaults["units"]
    ('reviews', 64)
    """
    settings_class = cast(type[S], declaration)
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", settings_class.__name__.removesuffix("Settings"))
    recipe_name = name or words.lower()
    task_object = task(recipe_name, settings_class)

    def call(*args: Any, **kwargs: Any) -> Any:
        from kerasseq.tasks.perform import perform

        declarations = settings.declarations_of(settings_class)
        earlier_names = aliases.renamed(recipe_name)
        errors = [
            settings.unknown_setting(name, declarations, earlier_names, task_object.refused)
            for name in kwargs
            if name not in declarations
        ]
        if errors:
            raise TypeError(f"{recipe_name}(): {' '.join(errors)}")
        if not isinstance(kwargs.get("optimizer", ""), str):
            from kerasseq.training.optimizers import check_alone

            check_alone(kwargs)
        return perform(task_object, settings_class(*args, **kwargs))

    _describe(call, recipe_name, settings_class, task_object)
    return cast("Recipe[P, R]", call)


def _describe(call: Any, name: str, settings_class: type, task: Task[Any, Any]) -> None:
    """Set the name, signature and docstring of a function to those of a recipe."""
    declarations = settings.declarations_of(settings_class)
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = next(iter(declarations))
    call.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                s.name,
                kinds[s.name == positional],
                default=s.default,
                annotation=s.annotation,
            )
            for s in declarations.values()
        ],
        return_annotation=task.run_name,
    )
    call.__annotations__ = {s.name: s.annotation for s in declarations.values()}
    call.__name__ = call.__qualname__ = name
    call.__module__ = settings_class.__module__
    call.__doc__ = settings.documentation(settings_class)
    call.task = task


def task_of(function: Any) -> Task[Any, Any]:
    """The task of a recipe.

    Raises:
        ValueError: if the function is not a recipe.
    """
    task = getattr(function, "task", None)
    if not isinstance(task, Task):
        raise ValueError(
            "recipe must be the name of a recipe, or a function that kerasseq.recipe returned. "
            f"Received: recipe={function!r}"
        )
    return task


def importable(task: Task[Any, Any]) -> bool:
    """Whether another process can import the recipe of a task: not one of the main program."""
    return task.settings.__module__ != "__main__" and task.settings.__module__ in sys.modules
