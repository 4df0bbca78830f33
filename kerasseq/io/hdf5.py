"""Errors of the HDF5 library."""

from __future__ import annotations

__all__ = ["reason"]

# Its errors begin so, and then speak of the insides of the library and the file.
_BEGINNING = "Unable to "


def reason(error: Exception) -> str:
    """Why a file cannot be read, in one line without a full stop.

    Args:
        error: An error of reading a file, by HDF5 or by others.

    Example:

    >>> reason(OSError("Unable to synchronously open file (truncated file: eof = 100)"))
    'it is cut off; restore it from a copy'
    """
    line = " ".join(str(error).strip("'\"").split()).rstrip(".") or type(error).__name__
    if not line.startswith(_BEGINNING) or isinstance(error, PermissionError):
        return line
    fault = "cut off" if "truncated file" in line else "damaged"
    return f"it is {fault}; restore it from a copy"
