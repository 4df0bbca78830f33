"""Optimizers and learning rate schedules from the settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kerasseq.settings import declarations_of, raise_faults
from kerasseq.training.averaged_sgd import AveragedSGD
from kerasseq.training.layer_rates import Later

__all__ = ["SETTINGS", "check", "check_alone", "exclude", "make", "setting_to_json"]

#: The settings of a recipe that define its optimizer.
SETTINGS = ("optimizer", "learning_rate", "schedule", "weight_decay", "clipnorm", "ema_momentum")

_Schedule = keras.optimizers.schedules.LearningRateSchedule
_SCHEDULES = ("constant", "cosine")


def make(
    optimizer: Any,
    learning_rate: float,
    schedule: Any,
    weight_decay: float | None,
    clipnorm: float | None,
    ema_momentum: float | None,
    steps: int,
    factor: float = 1.0,
    start: int = 0,
) -> keras.Optimizer:
    """Make an optimizer without state.

    Args:
        optimizer: name of a Keras optimizer, or "asgd" for `AveragedSGD`; or an optimizer, or its
            config, of which a copy without state is made; the other arguments then have no effect.
        learning_rate: learning rate.
        schedule: "constant", "cosine" (down to zero over all steps), or a Keras schedule or its
            config, which replaces `learning_rate`.
        weight_decay: decoupled weight decay (Loshchilov & Hutter 2019,
            https://arxiv.org/abs/1711.05101); None for none.
        clipnorm: largest norm of the gradient of all weights together; None for no limit.
        ema_momentum: momentum of a moving average of the weights (Polyak & Juditsky 1992,
            https://doi.org/10.1137/0330046); None for none.
        steps: training steps of all epochs.
        factor: factor of the learning rate.
        start: number of steps in which the learning rate is 0.

    Raises:
        ValueError: if there is no optimizer or schedule of that name.

    Example:

    >>> type(make("sgd", 0.1, "constant", None, 1.0, None, steps=100)).__name__
    'SGD'
    """
    raise_faults(_faults(optimizer, schedule))
    if isinstance(optimizer, Mapping):
        copy: keras.Optimizer = keras.saving.deserialize_keras_object(dict(optimizer))
        return copy
    if isinstance(optimizer, keras.Optimizer):
        copy = type(optimizer).from_config(optimizer.get_config())
        return copy
    rate: Any = learning_rate
    if isinstance(schedule, Mapping):
        schedule = keras.saving.deserialize_keras_object(dict(schedule))
    if isinstance(schedule, _Schedule):
        rate = schedule
    elif schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    if factor != 1 or start:
        rate = Later(rate, factor, start)
    options: dict[str, Any] = {"global_clipnorm": clipnorm}
    if weight_decay is not None:
        options["weight_decay"] = weight_decay
    if ema_momentum is not None:
        options.update(use_ema=True, ema_momentum=ema_momentum)
    return _optimizer_class(optimizer)(rate, **options)


def exclude(optimizer: keras.Optimizer, weights: Any) -> None:
    """Exclude biases and gains from the weight decay of an optimizer."""
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        for group in optimizer.optimizers:
            exclude(group, weights)
    elif optimizer.weight_decay is not None:
        # Most have one axis; the bias of a GRU and the gains of n-grams can have two.
        excluded = [w for w in weights if len(w.shape) < 2 or w.name.endswith(("bias", "gain"))]
        optimizer.exclude_from_weight_decay(excluded)


def check(settings: Any) -> None:
    """Raise a ValueError for an unknown optimizer or schedule, or for settings that conflict.

    Args:
        settings: settings of a recipe.
    """
    faults = _faults(settings.optimizer, settings.schedule)
    if not isinstance(settings.optimizer, str):
        declarations = declarations_of(type(settings))
        faults += [
            _conflict(name, getattr(settings, name))
            for name in SETTINGS[1:]
            if getattr(settings, name) != declarations[name].default
        ]
    elif settings.optimizer.lower() == "asgd" and settings.ema_momentum is not None:
        faults.append(
            "optimizer='asgd' averages the weights already: leave ema_momentum= out. "
            f"Received: ema_momentum={settings.ema_momentum!r}"
        )
    raise_faults(faults)


def check_alone(arguments: Mapping[str, Any]) -> None:
    """Raise a ValueError if a call passes an optimizer object and settings that it replaces.

    Args:
        arguments: arguments of the call by name, whatever their values.
    """
    raise_faults([_conflict(name, arguments[name]) for name in SETTINGS[1:] if name in arguments])


def _conflict(name: str, value: Any) -> str:
    return (
        f"an optimizer object brings its own {name}: leave {name}= out, or pass the name of an "
        f"optimizer. Received: {name}={value!r}"
    )


def _faults(optimizer: Any, schedule: Any) -> list[str]:
    faults = []
    if not isinstance(schedule, _Schedule | Mapping) and schedule not in _SCHEDULES:
        faults.append(
            "schedule must be 'constant', 'cosine' or a keras.optimizers.schedules object. "
            f"Received: schedule={schedule!r}"
        )
    is_name = isinstance(optimizer, str) and _optimizer_class(optimizer) is not None
    if isinstance(optimizer, type) and issubclass(optimizer, keras.Optimizer):
        faults.append(
            f"optimizer must be an object, and is a class: pass {optimizer.__name__}(...) or "
            f"{optimizer.__name__.lower()!r}. Received: optimizer={optimizer!r}"
        )
    elif not (is_name or isinstance(optimizer, keras.Optimizer | Mapping)):
        faults.append(
            f"optimizer must be one of {', '.join(sorted(_optimizers()))}, or a Keras optimizer. "
            f"Received: optimizer={optimizer!r}"
        )
    return faults


def setting_to_json(value: Any) -> Any:
    """Convert a setting to a JSON value: an optimizer or a schedule to its config, a path to text.

    A table becomes its size; its content is part of the fingerprint of the data.
    """
    if isinstance(value, _Schedule | keras.Optimizer):
        serialized = keras.saving.serialize_keras_object(value)
        # Without the name: Keras numbers the optimizers of a process, though equal as settings.
        config = {key: entry for key, entry in serialized["config"].items() if key != "name"}
        return {**serialized, "config": config}
    if hasattr(value, "iloc"):
        return f"a table of {len(value):,} rows"
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _optimizers() -> dict[str, Any]:
    """The optimizer classes of Keras by their names in lower case, and averaged SGD."""
    members = vars(keras.optimizers).values()
    classes = [cls for cls in members if isinstance(cls, type) and issubclass(cls, keras.Optimizer)]
    abstract = [keras.Optimizer, keras.optimizers.LossScaleOptimizer]
    abstract.append(getattr(keras.optimizers, "MultiOptimizer", None))
    of_keras = {cls.__name__.lower(): cls for cls in classes if cls not in abstract}
    return {**of_keras, "asgd": AveragedSGD}


def _optimizer_class(name: str) -> Any:
    return _optimizers().get(name.lower())
