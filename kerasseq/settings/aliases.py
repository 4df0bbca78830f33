"""Old names of settings. Calls with one get an error with the new name; saved files are read."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

__all__ = ["current", "current_space", "defaults_before", "renamed"]

_EVERYWHERE = {
    "clip": "clipnorm",
}
_OF_RECIPE = {
    "captioning": {
        "scheduled": "scheduled_sampling",
        "tied": "tie_embeddings",
        "smoothing": "label_smoothing",
        "beam": "beam_width",
        "no_repeat": "no_repeat_ngram_size",
        "normalization": "length_penalty",
        "picture_dropout": "image_dropout",
    },
    "forecasting": {"scheduled": "scheduled_sampling", "error": "loss"},
}
# Settings that came later, whose default differs from the behaviour before.
_BEFORE: dict[str, dict[str, Any]] = {
    "forecasting": {"final": "train"},
    "language_model": {"restarts": 0.0},
    "sentiment": {"ngram_gains": "shared"},
}
_RANGES = {"Whole": "Int", "Number": "Float", "When": "Conditional"}


def renamed(recipe: str) -> dict[str, str]:
    """Map the old names of a recipe's settings to the new ones.

    >>> renamed("captioning")["normalization"]
    'length_penalty'
    """
    return {**_EVERYWHERE, **_OF_RECIPE.get(recipe, {})}


def defaults_before(recipe: str) -> dict[str, Any]:
    """Values of settings that a saved run lacks, where they differ from the present defaults.

    >>> defaults_before("forecasting")
    {'final': 'train'}
    """
    return dict(_BEFORE.get(recipe, {}))


def current(recipe: str, values: Mapping[str, Any], known: Container[str] = ()) -> dict[str, Any]:
    """Rename saved settings to their current names.

    Args:
        recipe: name of the recipe.
        values: settings by name.
        known: current names of the recipe's settings, which are kept.

    >>> current("forecasting", {"clip": 1.0, "lookback": 2.0})
    {'clipnorm': 1.0, 'lookback': None, 'lookback_seasons': 2.0}
    """
    new = renamed(recipe)
    renamed_values: dict[str, Any] = {}
    for name, value in values.items():
        if recipe == "forecasting" and name == "lookback" and isinstance(value, float):
            # A float used to mean a number of seasons, and an int a number of steps.
            renamed_values |= {"lookback": None, "lookback_seasons": value}
        else:
            renamed_values[name if name in known else new.get(name, name)] = value
    return renamed_values


def current_space(recipe: str, space: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the saved ranges of a search, and their types, to the current names.

    >>> current_space("captioning", {"beam": "Whole(low=1, high=3, step=1, log=False)"})
    {'beam_width': 'Int(low=1, high=3, step=1, log=False)'}
    """
    new = renamed(recipe)
    if recipe == "forecasting":
        new |= {"lookback": "lookback_seasons"} if "." in str(space.get("lookback")) else {}
    return {
        new.get(name, name): re.sub(
            r"\b(Whole|Number|When)(?=\()", lambda kind: _RANGES[kind[0]], str(range_)
        )
        for name, range_ in space.items()
    }
