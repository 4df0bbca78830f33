"""Weights and noise are the same on every run."""

from __future__ import annotations

import keras
import pytest


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)
