"""Fixtures of the kernel tests."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from tests.cells.harness import BACKEND


@pytest.fixture(autouse=True, scope="module")
def forget_what_was_compiled() -> Iterator[None]:
    """JAX keeps every operation that it compiled for every shape: gigabytes, in the end."""
    yield
    if BACKEND == "jax":
        importlib.import_module("jax").clear_caches()
