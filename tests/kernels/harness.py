"""What the tests of kernels share."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.cells.harness import BACKEND


@contextmanager
def threads(count: int) -> Iterator[None]:
    """As if the framework gave so many threads to an operation, however many cores there are."""
    module, name = ("torch", "get_num_threads")
    if BACKEND == "tensorflow":
        module, name = ("kerasseq.kernels.native.on_tensorflow", "threads")
    with mock.patch.object(importlib.import_module(module), name, return_value=count):
        yield
