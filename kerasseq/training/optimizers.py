"""Optimizers and learning rate schedules from the settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kerasseq.settings import declared, raise_faults

__all__ = ["SETTINGS", "check", "check_alone", "exclude", "make", "recorded"]

#: The settings of a recipe that an optimizer is made from.
SETTINGS = ("optimizer", "learning_rate", "schedule", "weight_decay", "clipnorm")

_Schedule = keras.optimizers.schedules.LearningRateSchedule
_SCHEDULES = ("constant", "cosine")


def make(
    optimizer: Any,
    learning_rate: float,
    schedule: Any,
    weight_decay: float | None,
    clipnorm: float | None,
    steps: int,
) -> keras.Optimizer:
    """A fresh optimizer.

    Args:
        optimizer: name of a Keras optimizer; or an optimizer, or its config, of which a copy
            without any state is made, and the other arguments have no effect.
        learning_rate: learning rate.
        schedule: "constant", "cosine" (down to zero over all steps), or a Keras schedule or its
            config, which replaces `learning_rate`.
        weight_decay: decoupled weight decay (Loshchilov & Hutter 2019,
            https://arxiv.org/abs/1711.05101); None for none.
        clipnorm: largest norm of the gradient of all weights together; None for no limit.
        steps: training steps of all epochs.

    Raises:
        ValueError: if there is no such optimizer or schedule.

    Example:

    >>> type(make("sgd", 0.1, "constant", None, 1.0, steps=100)).__name__
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
    decay = {} if weight_decay is None else {"weight_decay": weight_decay}
    return _named(optimizer)(rate, global_clipnorm=clipnorm, **decay)


def exclude(optimizer: keras.Optimizer, weights: Any) -> None:
    """Leave biases and gains out of the weight decay."""
    if optimizer.weight_decay is not None:
        # A gain has one axis; the bias of a GRU has two.
        spared = [own for own in weights if len(own.shape) < 2 or own.name.endswith("bias")]
        optimizer.exclude_from_weight_decay(spared)


def check(settings: Any) -> None:
    """Raise a ValueError for an optimizer or a schedule that there is not, or for both of a kind.

    Args:
        settings: settings of a recipe.
    """
    faults = _faults(settings.optimizer, settings.schedule)
    if not isinstance(settings.optimizer, str):
        known = declared(type(settings))
        faults += [
            _brought(name, getattr(settings, name))
            for name in SETTINGS[1:]
            if getattr(settings, name) != known[name].default
        ]
    raise_faults(faults)


def check_alone(given: Mapping[str, Any]) -> None:
    """Raise a ValueError if settings were given that an optimizer object brings, whatever they are.

    Args:
        given: the settings that a call has named.
    """
    raise_faults([_brought(name, given[name]) for name in SETTINGS[1:] if name in given])


def _brought(name: str, value: Any) -> str:
    return (
        f"an optimizer object brings its own {name}: leave {name}= out, or give the name of an "
        f"optimizer. Received: {name}={value!r}"
    )


def _faults(optimizer: Any, schedule: Any) -> list[str]:
    faults = []
    if not isinstance(schedule, _Schedule | Mapping) and schedule not in _SCHEDULES:
        faults.append(
            "schedule must be 'constant', 'cosine' or a keras.optimizers.schedules object. "
            f"Received: schedule={schedule!r}"
        )
    named = isinstance(optimizer, str) and _named(optimizer) is not None
    if isinstance(optimizer, type) and issubclass(optimizer, keras.Optimizer):
        faults.append(
            f"optimizer must be an object, and is a class: pass {optimizer.__name__}(...) or "
            f"{optimizer.__name__.lower()!r}. Received: optimizer={optimizer!r}"
        )
    elif not (named or isinstance(optimizer, keras.Optimizer | Mapping)):
        faults.append(
            f"optimizer must be one of {', '.join(sorted(_optimizers()))}, or a Keras optimizer. "
            f"Received: optimizer={optimizer!r}"
        )
    return faults


def recorded(value: Any) -> Any:
    """A setting that is no JSON value as one: the config of an optimizer or a schedule, a path.

    A table is its size; what is in it is a part of the fingerprint of the data.
    """
    if isinstance(value, _Schedule | keras.Optimizer):
        found = keras.saving.serialize_keras_object(value)
        # Keras numbers the names of equal optimizers of a process, which are the same setting.
        config = {name: own for name, own in found["config"].items() if name != "name"}
        return {**found, "config": config}
    if hasattr(value, "iloc"):
        return f"a table of {len(value):,} rows"
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _optimizers() -> dict[str, Any]:
    """The classes of Keras optimizers by their names in lower case."""
    own = vars(keras.optimizers).values()
    classes = [cls for cls in own if isinstance(cls, type) and issubclass(cls, keras.Optimizer)]
    abstract = [keras.Optimizer, keras.optimizers.LossScaleOptimizer]
    abstract.append(getattr(keras.optimizers, "MultiOptimizer", None))
    return {cls.__name__.lower(): cls for cls in classes if cls not in abstract}


def _named(name: str) -> Any:
    return _optimizers().get(name.lower())
