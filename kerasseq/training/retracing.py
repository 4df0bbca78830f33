"""TensorFlow's warnings about retracing, where several models are traced once each."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

__all__ = ["without_retracing_warnings"]


@contextlib.contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """Context without TensorFlow's warnings about retracing.

    TensorFlow counts the tracings of all Keras models together, so that it also warns where each of
    several models was traced once.

    Example:

    >>> with without_retracing_warnings():
    ...     logging.getLogger("tensorflow").isEnabledFor(logging.WARNING)
    False
    """
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
