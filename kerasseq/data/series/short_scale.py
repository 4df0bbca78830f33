"""Scales of series that are too short to tell their spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kerasseq.data.series.scaling import Scaler

__all__ = ["steadied"]

_SPREADS = ("standard", "robust", "log")  # kinds whose scale is a spread around the location


def steadied(scaler: Scaler, known: Scaler, weights: np.ndarray) -> Scaler:
    """A scaler whose scales are drawn to the scales of the known series.

    The spread of a few values says little about a series. The scale becomes a weighted geometric
    mean of that spread and the median scale of the known series; of their scales relative to their
    locations, if all locations are above 0 and these ratios differ less than the scales.

    Args:
        scaler: scaler of new series.
        known: scaler of the same kind of the series that a model was trained on.
        weights: weight of the spread of each series itself, from 0 to 1, (series,).

    Example:

    >>> known = Scaler.fit("standard", [np.array([[8.0], [12]]), np.array([[80.0], [120]])], True)
    >>> new = Scaler.fit("standard", [np.array([[1000.0]])], per_series=True)
    >>> steadied(new, known, np.array([0.0])).scale.round(6).tolist()
    [[200.0]]
    """
    if scaler.kind not in _SPREADS or not scaler.per_series:
        return scaler
    logs = np.log(known.scale)
    typical = np.broadcast_to(np.exp(np.median(logs, axis=0)), scaler.scale.shape)
    if scaler.kind != "log":
        positive = (known.location > 0).all(axis=0)
        ratios = logs - np.log(np.where(positive, known.location, 1))
        proportional = positive & (ratios.std(axis=0) <= logs.std(axis=0)) & (scaler.location > 0)
        relative = np.exp(np.median(ratios, axis=0)) * scaler.location
        typical = np.where(proportional, relative, typical)
    share = np.asarray(weights)[:, None]
    scale = scaler.scale**share * typical ** (1 - share)
    return replace(scaler, scale=np.where(scaler.only, scale, scaler.scale))
