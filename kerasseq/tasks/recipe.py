"""From a dataclass of settings and a task to a recipe: a function with that signature."""

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
    """Make a recipe of a dataclass of settings and a task.

    Args:
        declaration: frozen dataclass whose fields are `kerasseq.settings.setting`, keyword-only but
            for the first, `data`. Its docstring becomes that of the recipe, with the arguments
            before `Returns:`.
        task: class of the task.
        name: name of the recipe; that of the dataclass, without `Settings` and in snake case, where
            it is not given.

    Returns:
        A function with the signature of the dataclass that returns a Run.

    Example:

    >>> from kerasseq.recipes.sentiment import SentimentSettings
    >>> from kerasseq.tasks.text_classification import TextClassification
    >>> again = recipe(SentimentSettings, TextClassification, name="reviews")
    >>> again.__name__, again.task.defaults["units"]
    ('reviews', 64)
    """
    declared = cast(type[S], declaration)
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", declared.__name__.removesuffix("Settings"))
    called = name or words.lower()
    own = task(called, declared)

    def call(*args: Any, **given: Any) -> Any:
        from kerasseq.tasks.perform import perform

        known = settings.declared(declared)
        old = aliases.renamed(called)
        wrong = [settings.unknown(name, known, old) for name in given if name not in known]
        if wrong:
            raise TypeError(f"{called}(): {' '.join(wrong)}")
        if not isinstance(given.get("optimizer", ""), str):
            from kerasseq.training.optimizers import check_alone

            check_alone(given)
        return perform(own, declared(*args, **given))

    _describe(call, called, declared, own)
    return cast("Recipe[P, R]", call)


def _describe(call: Any, name: str, declared: type, task: Task[Any, Any]) -> None:
    """Give a function the name, signature and docstring of a recipe."""
    own = settings.declared(declared)
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = next(iter(own))
    call.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                s.name,
                kinds[s.name == positional],
                default=s.default,
                annotation=s.annotation,
            )
            for s in own.values()
        ],
        return_annotation=task.run_name,
    )
    call.__annotations__ = {s.name: s.annotation for s in own.values()}
    call.__name__ = call.__qualname__ = name
    call.__module__ = declared.__module__
    call.__doc__ = settings.documentation(declared)
    call.task = task


def task_of(function: Any) -> Task[Any, Any]:
    """The task of a recipe.

    Raises:
        ValueError: if it is no recipe.
    """
    task = getattr(function, "task", None)
    if not isinstance(task, Task):
        raise ValueError(
            "recipe must be the name of a recipe, or a recipe that kerasseq.recipe has made. "
            f"Received: recipe={function!r}"
        )
    return task


def importable(task: Task[Any, Any]) -> bool:
    """Whether another process can import the recipe of a task: not from the main program."""
    return task.settings.__module__ != "__main__" and task.settings.__module__ in sys.modules
