"""Checks of settings: all faults at once, unknown names, single values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kerasseq.settings.declaration import Setting, Settings, declared

__all__ = ["check", "listed", "one_of", "raise_faults", "require_positive", "unknown"]


def check(settings: Any) -> None:
    """Raise a ValueError that names all settings whose values are not of the declared kind."""
    faults = (own.fault(getattr(settings, name)) for name, own in declared(type(settings)).items())
    raise_faults([fault for fault in faults if fault is not None])


def raise_faults(faults: Sequence[str]) -> None:
    """Raise a ValueError that tells all faults at once, if there are any."""
    if len(faults) == 1:
        raise ValueError(faults[0])
    if faults:
        raise ValueError(f"{len(faults)} settings are wrong: {'; '.join(faults)}")


def unknown(name: str, known: Iterable[str], renamed: Mapping[str, str] | None = None) -> str:
    """A message about a setting that there is not: its new name, or the names there are."""
    known = list(known)
    if renamed and name in renamed:
        return f"{name!r} was renamed to {renamed[name]!r}."
    near = difflib.get_close_matches(name, known)
    remedy = (
        f"Did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"It has: {', '.join(sorted(known))}."
    )
    return f"there is no setting {name!r}. {remedy}"


def require_positive(settings: Settings, *wanted: str) -> None:
    """Raise a ValueError unless each of these values is a whole number above zero."""
    faults = [Setting(name, "int", None, least=1).fault(settings[name]) for name in wanted]
    raise_faults([fault for fault in faults if fault is not None])


def one_of(settings: Settings, name: str, options: Sequence[Any]) -> None:
    """Raise a ValueError unless this value is one of the options."""
    if settings[name] not in options:
        known = ", ".join(map(repr, options))
        raise ValueError(f"{name} must be one of {known}. Received: {name}={settings[name]!r}")


def listed(settings: Settings, name: str) -> list[Any]:
    """The items of a value; raises a ValueError where it is not a list."""
    value = settings[name]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list. Received: {name}={value!r}; pass [{value!r}].")
    return list(value)
