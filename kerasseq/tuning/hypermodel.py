"""A recipe as a `keras_tuner.HyperModel`, for custom tuners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import keras_tuner

from kerasseq import training
from kerasseq.settings import Settings
from kerasseq.tasks import perform
from kerasseq.tasks.base import Prepared, Task
from kerasseq.tuning.space import Space, declare
from kerasseq.tuning.space_checks import check_space
from kerasseq.tuning.task import Data, lookup_recipe, make_settings

__all__ = ["RecipeModel", "hypermodel"]


def hypermodel(
    recipe: Callable[..., Any] | str,
    data: Any = None,
    *,
    space: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RecipeModel:
    """A recipe and its data as a `keras_tuner.HyperModel`, for any tuner of KerasTuner.

    The tuner can use the values that the recipe monitors as its objective: `val_loss` and the
    recipe's metrics. The test part is never used. (`kerasseq.tune` adds budgets, resuming, workers
    and the final comparison.)

    Args:
        recipe: a recipe of kerasseq, or its name.
        data: the recipe's `data` argument; default: the recipe's default data.
        space: ranges of settings, as in `kerasseq.tune`.
        **settings: further arguments of the recipe, which do not vary.

    Raises:
        ValueError: if settings, ranges or data are invalid.

    Example:

    >>> import keras_tuner
    >>> model = hypermodel("sentiment", space={"units": "2..4"}, embedding=4, epochs=1)
    >>> tuner = keras_tuner.RandomSearch(model, "val_loss", max_trials=1, directory="mine")
    >>> tuner.search(verbose=0)
    >>> tuner.get_best_models()[0].count_params() > 0
    True
    """
    task, defaults, first = lookup_recipe(recipe)
    ranges, merged = check_space(task, defaults, space, settings)
    source = task.load(first if data is None else data, make_settings(task, merged))
    return RecipeModel(task, source, merged, ranges)


class RecipeModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """The `keras_tuner.HyperModel` that `hypermodel` returns.

    Args:
        task: task of the recipe.
        source: the raw data.
        settings: all settings of the recipe; settings that vary have their defaults.
        space: ranges of the settings that vary.
    """

    def __init__(
        self, task: Task[Any, Any], source: Any, settings: dict[str, Any], space: Space
    ) -> None:
        super().__init__(name=task.name)
        self.task, self.settings, self.space = task, settings, space
        self._data = Data(task, source, settings)

    def build(self, hp: Any) -> keras.Model:
        """Build the untrained model."""
        settings, prepared = self._prepare(hp)
        return perform.build_model(self.task, prepared, self._resolve(settings, prepared))

    def fit(
        self,
        hp: Any,
        model: keras.Model,
        *given: Any,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        epochs: int | None = None,
        initial_epoch: int = 0,
        **options: Any,
    ) -> dict[str, float]:
        """Train a model on the data of the hypermodel.

        Returns:
            The monitored values at the best epoch, by name.

        Raises:
            TypeError: if the call passes data.
        """
        if given or {"x", "y", "validation_data", "validation_split"} & {*options}:
            raise TypeError(
                "the data was given to hypermodel: call search without any. Received: "
                f"{len(given)} arguments, and {', '.join(options)}"
            )
        settings, prepared = self._prepare(hp)
        if epochs is not None:
            settings["epochs"] = epochs - initial_epoch
        trained = perform.fit_model(
            self.task,
            model,
            prepared,
            self._resolve(settings, prepared),
            callbacks=[_MonitorNames(), *callbacks],
            quiet=True,
        )
        return {name: values[trained.best_epoch - 1] for name, values in trained.history.items()}

    def _resolve(self, settings: Settings, prepared: Prepared) -> Any:
        return self.task.resolve(prepared.data_info, make_settings(self.task, settings))[0]

    def _prepare(self, hp: Any) -> tuple[dict[str, Any], Prepared]:
        settings: Settings = {**self.settings, **declare(self.space, hp, self.settings)}
        return dict(settings), self._data.prepared(settings)[1]


class _MonitorNames(keras.callbacks.Callback):
    """Callback that adds the monitored values to the logs under the names of the history."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs.update(training.main_logs(logs))
