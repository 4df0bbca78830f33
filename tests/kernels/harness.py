"""What the tests of kernels share."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from unittest import mock

from tests.cells.harness import BACKEND


@contextmanager
def threads(count: int) -> Iterator[None]:
    """As if the framework gave so many threads to an operation, however many cores there are."""
    module, name = (f"kerasseq.kernels.native.on_{BACKEND}", "threads")
    if BACKEND == "torch":
        module, name = ("torch", "get_num_threads")
    with mock.patch.object(importlib.import_module(module), name, return_value=count):
        yield


def precision(dtype: str) -> AbstractContextManager[None]:
    """What JAX is to be told before it computes in float64."""
    if BACKEND == "jax":
        wide: AbstractContextManager[None] = importlib.import_module("jax").enable_x64(
            dtype == "float64"
        )
        return wide
    return nullcontext()
