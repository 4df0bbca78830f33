"""A context in which TensorFlow's converter and LiteRT's interpreter print nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator

__all__ = ["quiet"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings, log messages, and what compiled code writes to the standard error.

    They speak to the developers of the converter. Errors that are raised pass.

    Example:
        >>> with quiet():
        ...     logging.warning("of no use")
    """
    before = logging.root.manager.disable
    sys.stderr.flush()
    standard_error = os.dup(2)
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 2)
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        logging.disable(before)
        os.dup2(standard_error, 2)
        os.close(standard_error)
