"""A recipe as KerasTuner takes models: for tuners of one's own."""

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
from kerasseq.tuning.space_checks import asked
from kerasseq.tuning.task import Data, known, typed

__all__ = ["RecipeModel", "hypermodel"]


def hypermodel(
    recipe: Callable[..., Any] | str,
    data: Any = None,
    *,
    space: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RecipeModel:
    """A recipe and its data as a `keras_tuner.HyperModel`, for any tuner of KerasTuner.

    What the tuner follows is what the recipe's training follows: `val_loss`, and the recipe's
    metrics. The test part is never looked at. (`kerasseq.tune` does more: budgets, resuming,
    workers, and the comparison in the end.)

    Args:
        recipe: one of kerasseq, or its name.
        data: what the recipe takes; its own default if not given.
        space: as in `kerasseq.tune`.
        **settings: further arguments of the recipe, which do not vary.

    Raises:
        ValueError: for settings, ranges or data that cannot be used.

    Example:

    >>> import keras_tuner
    >>> model = hypermodel("sentiment", space={"units": "2..4"}, embedding=4, epochs=1)
    >>> tuner = keras_tuner.RandomSearch(model, "val_loss", max_trials=1, directory="mine")
    >>> tuner.search(verbose=0)
    >>> tuner.get_best_models()[0].count_params() > 0
    True
    """
    task, defaults, first = known(recipe)
    ranges, found = asked(task, defaults, space, settings)
    source = task.load(first if data is None else data, typed(task, found))
    return RecipeModel(task, source, found, ranges)


class RecipeModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """What `hypermodel` gives.

    Args:
        task: task of the recipe.
        source: the raw data.
        settings: all of the recipe; where they vary, its defaults.
        space: what varies.
    """

    def __init__(
        self, task: Task[Any, Any], source: Any, settings: dict[str, Any], space: Space
    ) -> None:
        super().__init__(name=task.name)
        self.task, self.settings, self.space = task, settings, space
        self._data = Data(task, source, settings)

    def build(self, hp: Any) -> keras.Model:
        """The untrained model."""
        settings, prepared = self._of(hp)
        return perform.build_model(self.task, prepared, self._resolved(settings, prepared))

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
        """Train it on the data that it was made with: what was followed, at the best epoch.

        Raises:
            TypeError: if other data is given.
        """
        if given or {"x", "y", "validation_data", "validation_split"} & {*options}:
            raise TypeError(
                "the data was given to hypermodel: call search without any. Received: "
                f"{len(given)} arguments, and {', '.join(options)}"
            )
        settings, prepared = self._of(hp)
        if epochs is not None:
            settings["epochs"] = epochs - initial_epoch
        trained = perform.fit_model(
            self.task,
            model,
            prepared,
            self._resolved(settings, prepared),
            callbacks=[_Names(), *callbacks],
            quiet=True,
        )
        return {name: own[trained.best_epoch - 1] for name, own in trained.history.items()}

    def _resolved(self, settings: Settings, prepared: Prepared) -> Any:
        return self.task.resolve(prepared.data_info, typed(self.task, settings))[0]

    def _of(self, hp: Any) -> tuple[dict[str, Any], Prepared]:
        settings: Settings = {**self.settings, **declare(self.space, hp, self.settings)}
        return dict(settings), self._data.prepared(settings)[1]


class _Names(keras.callbacks.Callback):
    """Lets the callbacks after it see what is followed by its own name, as the history has it."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs.update(training.main_logs(logs))
