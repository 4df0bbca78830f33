"""Errors as one line, and which of them are about the user's input."""

from __future__ import annotations

import linecache

__all__ = ["is_input_error", "is_raised_by_us", "one_line"]


def is_input_error(error: BaseException) -> bool:
    """Whether an error is about invalid input: some kinds only if kerasseq raised it itself.

    >>> is_input_error(ValueError("units must be at least 1")), is_input_error(TypeError("'x'"))
    (True, False)
    """
    return isinstance(error, ValueError | OSError) or (
        isinstance(error, TypeError | ImportError) and is_raised_by_us(error)
    )


def is_raised_by_us(error: BaseException) -> bool:
    """Whether a `raise` statement of kerasseq raised the error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not trace.tb_frame.f_globals.get("__name__", "").startswith("kerasseq"):
        return False
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return line.lstrip().startswith("raise ")


def one_line(error: BaseException) -> str:
    """The message of an error as one line, with the file of an error of the operating system.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "reviews.csv"))
    'No such file or directory: reviews.csv'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
