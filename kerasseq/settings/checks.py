"""Checks of settings, and the errors they raise."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kerasseq.settings.declaration import Setting, Settings, declarations_of

__all__ = [
    "check",
    "require_list",
    "require_choice",
    "raise_faults",
    "require_bool",
    "require_positive",
    "unknown_setting",
]


def check(settings: Any) -> None:
    """Check all values of a settings object against their declarations.

    Raises:
        ValueError: if values are invalid; the message has all of them.
    """
    declarations = declarations_of(type(settings))
    faults = (each.fault(getattr(settings, name)) for name, each in declarations.items())
    raise_faults([fault for fault in faults if fault is not None])


def raise_faults(faults: Sequence[str]) -> None:
    """Raise one ValueError with all faults, if there are any."""
    if len(faults) == 1:
        raise ValueError(faults[0])
    if faults:
        raise ValueError(f"{len(faults)} settings are wrong: {'; '.join(faults)}")


def unknown_setting(
    name: str,
    known: Iterable[str],
    renamed: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
) -> str:
    """Error message for an unknown setting, with its new name, similar names, or all names.

    Args:
        name: the unknown name.
        known: names of all settings.
        renamed: new names of settings by their old ones.
        refused: reasons why there are no such settings, by name.
    """
    known = list(known)
    if refused and name in refused:
        return refused[name]
    if renamed and name in renamed:
        return f"{name!r} was renamed to {renamed[name]!r}."
    near = difflib.get_close_matches(name, known)
    remedy = (
        f"Did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"It has: {', '.join(sorted(known))}."
    )
    return f"there is no setting {name!r}. {remedy}"


def require_bool(**values: Any) -> None:
    """Raise a ValueError unless each of these arguments of a method is True or False.

    >>> require_bool(strict="yes")
    Traceback (most recent call last):
    ValueError: strict must be True or False. Received: strict='yes'
    """
    faults = [Setting(name, "bool", None).fault(value) for name, value in values.items()]
    raise_faults([fault for fault in faults if fault is not None])


def require_positive(settings: Settings, *names: str) -> None:
    """Raise a ValueError unless all these settings are whole numbers above zero."""
    faults = [Setting(name, "int", None, least=1).fault(settings[name]) for name in names]
    raise_faults([fault for fault in faults if fault is not None])


def require_choice(settings: Settings, name: str, options: Sequence[Any]) -> None:
    """Raise a ValueError unless the setting has one of the options."""
    if settings[name] not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name} must be one of {known}. Received: {name}={settings[name]!r}")


def require_list(settings: Settings, name: str) -> list[Any]:
    """The items of a setting that must be a list; raises a ValueError for other values."""
    value = settings[name]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list. Received: {name}={value!r}; pass [{value!r}].")
    return list(value)
