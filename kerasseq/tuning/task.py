"""What a search is: the recipe, its data and settings, and how each of its trials is run."""

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
from kerasseq.settings import Settings, declared
from kerasseq.tasks import perform
from kerasseq.tasks import recipe as recipes
from kerasseq.tasks.base import Learn, Parts, Prepared
from kerasseq.tasks.base import Task as Recipe
from kerasseq.tuning.budget import Budget, Limit
from kerasseq.tuning.space import Space, active, inside, plain

__all__ = ["Data", "Task", "defaults", "key", "known", "typed"]

_KEPT = 4  # prepared data sets in memory
_BYTES = 4  # of a parameter


@dataclass(frozen=True)
class Task:
    """A search, as every process that takes part in it knows it.

    Args:
        recipe: task of the recipe.
        source: the raw data, as `recipe.load` gave it.
        settings: all of the recipe, where they do not vary; where they do, its defaults.
        space: what varies.
        folder: where trials have their checkpoints.
        tuner: random, grid, bayesian or hyperband.
        trials: how many.
        max_params: a trial's parameters at most.
        max_bytes: their bytes at most.
        max_macs: its multiply-accumulates for one row at most.
        match_params: a trial's parameters, as near as whole units come from below.
        folds: of the training and validation part, each of which a trial is scored on; 1 for the
            validation part alone.
        seeds: how many times each fold is trained.
        prune: whether a trial that is worse than the median of the others is stopped early.
        seconds: that a trial may train.
        keep: checkpoints of so many best trials stay.
        seed: of the search.
        recorded: the settings as JSON values.
        tensorboard: where trials are logged for TensorBoard.
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
        """The settings in which trials differ."""
        return (*self.space, "units") if self.match_params is not None else tuple(self.space)

    @cached_property
    def data(self) -> str:
        """The fingerprint of the raw data."""
        return digest(self.source)

    @cached_property
    def mark(self) -> str:
        """The fingerprint of the search."""
        return digest([key(self.stamp()), self.data])

    def runs(self) -> list[tuple[tuple[int, int] | None, int]]:
        """The fold and the seed of each training of a trial."""
        folds = [(k, self.folds) for k in range(self.folds)] if self.folds > 1 else [None]
        return [(fold, self.settings["seed"] + k) for fold in folds for k in range(self.seeds)]

    def allows(self, settings: Settings) -> bool:
        """Whether settings are within the ranges of the caller; the recipe's own bind nothing."""
        own = self.recipe.space()
        return all(
            inside(plain(asked), settings[name])
            for name, asked in self.space.items()
            if active(asked, settings) and (name not in own or plain(own[name]) != plain(asked))
        )

    def budget(self, data: Data) -> Budget:
        """What the model of a trial may have, for this data."""
        measures = {
            "max_params": ("parameters", data.count),
            "max_bytes": ("bytes of parameters", data.bytes),
            "max_macs": ("multiply-accumulates", data.macs),
            "match_params": ("parameters", data.count),
        }
        limits = [
            Limit(name, *measured, getattr(self, name))
            for name, measured in measures.items()
            if getattr(self, name) is not None
        ]
        match = self.match_params is not None
        return Budget(limits, self.space, self.recipe.names("split", "prepare"), match)

    def stamp(self) -> dict[str, Any]:
        """What makes this search another one than that of the same folder."""
        settings = self.recipe.by_content(self.recorded)
        return {
            "recipe": self.recipe.name,
            "settings": {n: v for n, v in settings.items() if n not in self.space},
            "space": {name: repr(own) for name, own in self.space.items()},
            **{name: getattr(self, name) for name in _STAMPED},
        }


_STAMPED = (
    *("tuner", "trials", "max_params", "max_bytes", "max_macs", "match_params"),
    *("folds", "seeds", "prune", "seconds", "seed"),
)


class Data:
    """The data of a search, prepared once for each of the settings that it depends on.

    Args:
        recipe: task of the recipe.
        source: the raw data, as `recipe.load` gave it.
        settings: the seed of the split is that of these, whatever is trained on it.
        lend: takes the arguments of `asked`, and gives the same, or None if it cannot.
    """

    def __init__(
        self,
        recipe: Recipe[Any, Any],
        source: Any,
        settings: Settings,
        lend: Callable[..., Any] | None = None,
    ) -> None:
        self._recipe, self._source, self._seed = recipe, source, settings["seed"]
        self._lend, self._lock = lend, threading.RLock()
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._kept: OrderedDict[str, tuple[Parts, Prepared]] = OrderedDict()

    def prepared(
        self,
        settings: Settings,
        fold: tuple[int, int] | None = None,
        *,
        test: bool = False,
        whole: bool = False,
    ) -> tuple[Parts, Prepared]:
        """The parts of the data, and what a model reads of them.

        Unless the test part is asked for, the validation part is in its place.
        """
        return self.asked(self._subset(settings), fold, test, whole)

    def asked(
        self, subset: Settings, fold: tuple[int, int] | None, test: bool, whole: bool
    ) -> tuple[Parts, Prepared]:
        """The same, for those settings that the data depends on."""
        name = key({**subset, "/": [fold, test, whole]})
        with self._lock:
            if name not in self._kept:
                lent = self._lend(subset, fold, test, whole) if self._lend else None
                self._kept[name] = lent or self._made(subset, fold, test, whole)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(name)
            return self._kept[name]

    def _made(
        self, subset: Settings, fold: tuple[int, int] | None, test: bool, whole: bool
    ) -> tuple[Parts, Prepared]:
        own = typed(self._recipe, subset)
        learn: Learn = "validation" if whole else "train"
        # A trial is scored on the validation part, as a run is on the test part.
        parts, data = perform.prepare(
            self._recipe, self._source, own, test=test, fold=fold, learn=learn, validated=not test
        )
        if whole and self._recipe.suggestions:
            _, first = self.asked(subset, fold, test, False)
            data = perform.keep_suggestions(self._recipe, data, first.data_info)
        return parts, data

    def count(self, settings: Settings) -> int:
        """The parameters of the model that has these settings.

        They are those of the one that is trained in the end on the training and validation part,
        which knows more words than any before it: none is larger.
        """
        data_info = self._of_whole(settings)
        return self._recipe.count(data_info, self._resolved(data_info, settings))

    def settled(self, settings: Settings) -> dict[str, Any]:
        """Settings with what the data has decided where they leave it open."""
        resolved = self._resolved(self._of_whole(settings), settings)
        return {n: getattr(resolved, n) if own == "auto" else own for n, own in settings.items()}

    def bytes(self, settings: Settings) -> int:
        """The bytes of these parameters."""
        return _BYTES * self.count(settings)

    def macs(self, settings: Settings) -> int:
        """The multiply-accumulates of that model, for a row of the mean length of that part."""
        data_info = self._of_whole(settings)
        return self._recipe.macs(data_info, self._resolved(data_info, settings))

    def _resolved(self, data_info: Mapping[str, Any], settings: Settings) -> Any:
        return self._recipe.resolve(data_info, typed(self._recipe, settings))[0]

    def _of_whole(self, settings: Settings) -> Mapping[str, Any]:
        """The data_info of the training and validation part."""
        name = key(self._subset(settings))
        if name not in self._facts:
            self._facts[name] = self.prepared(settings, whole=True)[1].data_info
        return self._facts[name]

    def _subset(self, settings: Settings) -> dict[str, Any]:
        names = self._recipe.names("split", "prepare")
        return {n: settings[n] for n in names} | {"seed": self._seed}


def known(recipe: Callable[..., Any] | str) -> tuple[Recipe[Any, Any], dict[str, Any], Any]:
    """The task of a recipe, its settings with their defaults, and its default data.

    Raises:
        ValueError: if it is none.
    """
    task = recipes.task_of(registry.get(recipe) if isinstance(recipe, str) else recipe)
    return task, defaults(task), declared(task.settings)["data"].default


def defaults(recipe: Recipe[Any, Any]) -> dict[str, Any]:
    """The settings of a recipe where a search leaves them alone.

    Trials learn from the training part, whatever the recipe does in the end.
    """
    return {**recipe.defaults, "final": "train"}


def typed(recipe: Recipe[Any, Any], values: Settings) -> Any:
    """The settings of a trial as a typed object."""
    return recipe.typed({"quiet": True, **values})


def key(settings: Settings) -> str:
    """Settings as a text, the same for the same settings."""
    return json.dumps(settings, sort_keys=True, default=str)
