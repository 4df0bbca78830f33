"""The description of a search, and its data."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kerasseq import registry
from kerasseq.io.digest import digest
from kerasseq.settings import Settings, declarations_of
from kerasseq.tasks import perform
from kerasseq.tasks import recipe as recipes
from kerasseq.tasks.base import Learn, Parts, Prepared
from kerasseq.tasks.base import Task as Recipe
from kerasseq.tuning.budget import Budget, Limit
from kerasseq.tuning.space import Space, base_range, contains, is_active

__all__ = ["Data", "Task", "defaults", "settings_key", "lookup_recipe", "make_settings"]

_CACHED = 4  # prepared data sets that stay in memory
_BYTES = 4  # bytes of a parameter


@dataclass(frozen=True)
class Task:
    """Description of a search, the same in all processes of the search.

    Args:
        recipe: task of the recipe.
        source: the raw data, as `recipe.load` returned it.
        settings: values of all settings of the recipe; settings that vary have their defaults.
        space: ranges of the settings that vary.
        folder: folder of the search.
        tuner: random, grid, bayesian or hyperband.
        trials: number of trials.
        max_params: largest number of parameters of a model.
        max_bytes: largest number of bytes of its parameters.
        max_macs: largest number of multiply-accumulates for one row.
        match_params: number of parameters that each model comes closest to from below.
        folds: number of folds of the training and validation part that a trial is scored on; 1 for
            the validation part alone.
        seeds: number of trainings of each fold, with different seeds.
        prune: whether a trial that is worse than the median of the others is stopped early.
        seconds: largest training time of a trial.
        keep: number of best trials whose checkpoints stay on disk.
        seed: seed of the search.
        recorded: the settings as JSON values.
        tensorboard: folder of the logs for TensorBoard.
    """

    recipe: Recipe[Any, Any]
    source: Any
    settings: dict[str, Any]
    space: Space
    folder: Path
    tuner: str = "random"
    trials: int = 30
    max_params: int | None = None
    max_bytes: int | None = None
    max_macs: int | None = None
    match_params: int | None = None
    folds: int = 1
    seeds: int = 1
    prune: bool = False
    seconds: float | None = None
    keep: int = 1
    seed: int = 0
    recorded: dict[str, Any] = field(default_factory=dict)
    tensorboard: Path | None = None

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the settings in which trials differ."""
        return (*self.space, "units") if self.match_params is not None else tuple(self.space)

    @cached_property
    def data(self) -> str:
        """The fingerprint of the raw data."""
        return digest(self.source)

    @cached_property
    def mark(self) -> str:
        """The fingerprint of the search."""
        return digest([settings_key(self.stamp()), self.data])

    def runs(self) -> list[tuple[tuple[int, int] | None, int]]:
        """The fold and the seed of each training of a trial."""
        folds = [(k, self.folds) for k in range(self.folds)] if self.folds > 1 else [None]
        return [(fold, self.settings["seed"] + k) for fold in folds for k in range(self.seeds)]

    def allows(self, settings: Settings) -> bool:
        """Whether settings are within the ranges that the caller has changed.

        Ranges that are still the recipe's do not count: its defaults may lie outside them.
        """
        recipe_ranges = self.recipe.space()
        return all(
            contains(base_range(range_), settings[name])
            for name, range_ in self.space.items()
            if is_active(range_, settings)
            and (name not in recipe_ranges or base_range(recipe_ranges[name]) != base_range(range_))
        )

    def budget(self, data: Data) -> Budget:
        """The limits on the model of a trial."""
        measures = {
            "max_params": ("parameters", data.count),
            "max_bytes": ("bytes of parameters", data.bytes),
            "max_macs": ("multiply-accumulates", data.macs),
            "match_params": ("parameters", data.count),
        }
        limits = [
            Limit(name, *measure, getattr(self, name))
            for name, measure in measures.items()
            if getattr(self, name) is not None
        ]
        match = self.match_params is not None
        return Budget(limits, self.space, self.recipe.names("split", "prepare"), match)

    def stamp(self) -> dict[str, Any]:
        """The values that must be equal for a search to be resumed."""
        settings = self.recipe.settings_by_content(self.recorded)
        return {
            "recipe": self.recipe.name,
            "settings": {n: v for n, v in settings.items() if n not in self.space},
            "space": {name: repr(range_) for name, range_ in self.space.items()},
            **{name: getattr(self, name) for name in _STAMPED},
        }


_STAMPED = (
    *("tuner", "trials", "max_params", "max_bytes", "max_macs", "match_params"),
    *("folds", "seeds", "prune", "seconds", "seed"),
)


class Data:
    """The data of a search: the raw data, and a cache of the data that was prepared from it.

    Trials with equal settings of the stages "split" and "prepare" share prepared data.

    Args:
        recipe: task of the recipe.
        source: the raw data, as `recipe.load` returned it.
        settings: settings of the search; their seed splits the data for all trials.
        borrow: function that requests prepared data from the process that started the search. It
            has the arguments of `prepared_for`, and returns None if that process cannot prepare the
            data. Without it, this process prepares the data.
    """

    def __init__(
        self,
        recipe: Recipe[Any, Any],
        source: Any,
        settings: Settings,
        borrow: Callable[..., Any] | None = None,
    ) -> None:
        self._recipe, self._source, self._seed = recipe, source, settings["seed"]
        self._borrow, self._lock = borrow, threading.RLock()
        self._data_infos: dict[str, Mapping[str, Any]] = {}
        self._cache: OrderedDict[str, tuple[Parts, Prepared]] = OrderedDict()

    def prepared(
        self,
        settings: Settings,
        fold: tuple[int, int] | None = None,
        *,
        test: bool = False,
        whole: bool = False,
    ) -> tuple[Parts, Prepared]:
        """The parts of the data, and the arrays that a model reads.

        Args:
            settings: settings of the trial.
            fold: index of the fold, and number of folds; None for the validation part.
            test: whether the test part is included; if not, the validation part takes its place.
            whole: whether the model trains on the training and validation part together.
        """
        return self.prepared_for(self._subset(settings), fold, test, whole)

    def prepared_for(
        self, subset: Settings, fold: tuple[int, int] | None, test: bool, whole: bool
    ) -> tuple[Parts, Prepared]:
        """The same as `prepared`, from the settings of the stages "split" and "prepare" alone.

        Args:
            subset: settings of these stages, and the seed.
            fold: as in `prepared`.
            test: as in `prepared`.
            whole: as in `prepared`.
        """
        name = settings_key({**subset, "/": [fold, test, whole]})
        with self._lock:
            if name not in self._cache:
                lent = self._borrow(subset, fold, test, whole) if self._borrow else None
                self._cache[name] = lent or self._prepare(subset, fold, test, whole)
                if len(self._cache) > _CACHED:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(name)
            return self._cache[name]

    def _prepare(
        self, subset: Settings, fold: tuple[int, int] | None, test: bool, whole: bool
    ) -> tuple[Parts, Prepared]:
        typed_settings = make_settings(self._recipe, subset)
        learn: Learn = "validation" if whole else "train"
        # A trial is scored on the validation part, as a run is on the test part.
        parts, data = perform.prepare(
            self._recipe,
            self._source,
            typed_settings,
            test=test,
            fold=fold,
            learn=learn,
            validated=not test,
        )
        if whole and self._recipe.suggestions:
            _, first = self.prepared_for(subset, fold, test, False)
            data = perform.keep_suggestions(self._recipe, data, first.data_info)
        return parts, data

    def count(self, settings: Settings) -> int:
        """Number of parameters of the final model with these settings.

        The final model is trained on the training and validation part together, so that it has the
        largest vocabulary: the models of trials are not larger.
        """
        data_info = self._final_data_info(settings)
        return self._recipe.count(data_info, self._resolve(data_info, settings))

    def resolve_auto(self, settings: Settings) -> dict[str, Any]:
        """Replace "auto" in settings by the values that the data suggests."""
        resolved = self._resolve(self._final_data_info(settings), settings)
        return {
            name: getattr(resolved, name) if value == "auto" else value
            for name, value in settings.items()
        }

    def bytes(self, settings: Settings) -> int:
        """Number of bytes of the parameters of the final model with these settings."""
        return _BYTES * self.count(settings)

    def macs(self, settings: Settings) -> int:
        """Multiply-accumulates of the final model with these settings, for a row of mean length."""
        data_info = self._final_data_info(settings)
        return self._recipe.macs(data_info, self._resolve(data_info, settings))

    def _resolve(self, data_info: Mapping[str, Any], settings: Settings) -> Any:
        return self._recipe.resolve(data_info, make_settings(self._recipe, settings))[0]

    def _final_data_info(self, settings: Settings) -> Mapping[str, Any]:
        """The data info of the training and validation part together."""
        name = settings_key(self._subset(settings))
        if name not in self._data_infos:
            self._data_infos[name] = self.prepared(settings, whole=True)[1].data_info
        return self._data_infos[name]

    def _subset(self, settings: Settings) -> dict[str, Any]:
        names = self._recipe.names("split", "prepare")
        return {n: settings[n] for n in names} | {"seed": self._seed}


def lookup_recipe(recipe: Callable[..., Any] | str) -> tuple[Recipe[Any, Any], dict[str, Any], Any]:
    """The task of a recipe, the defaults of its settings, and its default data.

    Raises:
        ValueError: if there is no such recipe.
    """
    task = recipes.task_of(registry.get(recipe) if isinstance(recipe, str) else recipe)
    return task, defaults(task), declarations_of(task.settings)["data"].default


def defaults(recipe: Recipe[Any, Any]) -> dict[str, Any]:
    """Default settings of a recipe in a search, with final="train".

    Trials are trained on the training part alone, since they are scored on the validation part.
    """
    return {**recipe.defaults, "final": "train"}


def make_settings(recipe: Recipe[Any, Any], values: Settings) -> Any:
    """The settings of a trial as the recipe's settings object."""
    return recipe.make_settings({"quiet": True, **values})


def settings_key(settings: Settings) -> str:
    """Settings as a text that is equal for equal settings."""
    return json.dumps(settings, sort_keys=True, default=str)
