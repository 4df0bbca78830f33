"""Compiles a model by the settings that Keras 2 saved with it."""

from __future__ import annotations

import inspect
from typing import Any

import keras

__all__ = ["compile_as"]


def compile_as(model: Any, settings: dict[str, Any]) -> None:
    """Compile a model as it was when Keras 2 saved it; the optimizer starts anew.

    Args:
        model: A model, which is not compiled.
        settings: Loss, metrics and optimizer, as `training_config` of an HDF5 file or
            `compile_config` of a .keras file has them.

    Raises:
        Exception: Of any kind, if one of them is no longer there or not of Keras.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> adam = {"class_name": "Adam", "config": {"learning_rate": 0.01, "decay": 0.0}}
        >>> compile_as(model, {"loss": "mse", "optimizer_config": adam, "metrics": None})
        >>> type(model.optimizer).__name__, model.loss
        ('Adam', 'mse')
    """
    optimizer = settings.get("optimizer_config") or settings.get("optimizer") or "rmsprop"
    model.compile(
        optimizer=_created(keras.optimizers, optimizer),
        loss=_created(keras.losses, settings.get("loss")),
        metrics=_created(keras.metrics, settings.get("metrics")),
        weighted_metrics=_created(keras.metrics, settings.get("weighted_metrics")),
        loss_weights=settings.get("loss_weights"),
    )


def _created(module: Any, value: Any) -> Any:
    """The objects that are saved in a nest of lists and dicts; names stay names."""
    if isinstance(value, list):
        return [_created(module, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value:
        return {key: _created(module, item) for key, item in value.items()}
    settings, name = value["config"], str(value["class_name"]).rpartition(">")[2]
    if name == "MeanMetricWrapper":  # of a function
        is_accuracy = settings.get("name") in ("accuracy", "acc")
        return "accuracy" if is_accuracy else _function(settings["fn"])
    if name == "function":
        return _function(value)
    created = getattr(module, name)
    known = inspect.signature(created).parameters
    # "auto" was the default reduction of a loss, and Keras 3 has no such name.
    options = {key: item for key, item in settings.items() if key in known and item != "auto"}
    if isinstance(options.get("learning_rate"), dict):
        options["learning_rate"] = _created(keras.optimizers.schedules, options["learning_rate"])
    return created(**options)


def _function(value: Any) -> str:
    """The name of a function of Keras."""
    return str(value["config"] if isinstance(value, dict) else value)
