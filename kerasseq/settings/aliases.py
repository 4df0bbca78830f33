"""Settings that had another name once: calls are told the new one, saved files are read by it."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

__all__ = ["current", "current_space", "renamed"]

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
_RANGES = {"Whole": "Int", "Number": "Float", "When": "Conditional"}


def renamed(recipe: str) -> dict[str, str]:
    """New names of a recipe's settings by their old ones.

    >>> renamed("captioning")["normalization"]
    'length_penalty'
    """
    return {**_EVERYWHERE, **_OF_RECIPE.get(recipe, {})}


def current(recipe: str, values: Mapping[str, Any], known: Container[str] = ()) -> dict[str, Any]:
    """Settings that were saved under old names, by their names of today.

    Args:
        recipe: name of the recipe.
        values: settings by name.
        known: names that the recipe has today, which stay as they are.

    >>> current("forecasting", {"clip": 1.0, "lookback": 2.0})
    {'clipnorm': 1.0, 'lookback': None, 'lookback_seasons': 2.0}
    """
    new = renamed(recipe)
    found: dict[str, Any] = {}
    for name, value in values.items():
        if recipe == "forecasting" and name == "lookback" and isinstance(value, float):
            # A number with a fraction once meant seasons, and a whole one steps.
            found |= {"lookback": None, "lookback_seasons": value}
        else:
            found[name if name in known else new.get(name, name)] = value
    return found


def current_space(recipe: str, space: Mapping[str, Any]) -> dict[str, Any]:
    """The ranges of a search that were saved under old names, by their names of today.

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
