"""Arrays on disk that are larger than memory."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["mapped_array"]


def mapped_array(chunks: Iterable[np.ndarray], dtype: Any) -> np.ndarray:
    """Write chunks of an array to a temporary file, and map it into memory, to be read alone.

    The file has no name, so that it is gone with the process, even if that is killed. It is in the
    temporary folder of the system; the environment variable `TMPDIR` names another one.

    Args:
        chunks: parts of the array, `(values,)` each, of any type of numbers.
        dtype: type of the values in the file.

    Raises:
        OSError: if the disk is full.

    Example:

    >>> mapped_array([np.array([1, 2]), np.array([3])], np.uint8).tolist()
    [1, 2, 3]
    """
    count = 0
    with tempfile.TemporaryFile() as file:
        try:
            for chunk in chunks:
                file.write(np.asarray(chunk, dtype=dtype).tobytes())
                count += len(chunk)
            file.flush()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(
                errno.ENOSPC,
                f"no space is left in {tempfile.gettempdir()} for a text that is kept on disk. Set "
                "the environment variable TMPDIR to a folder with more",
            ) from None
        # A file without content cannot be mapped.
        return np.memmap(file, dtype, mode="r") if count else np.zeros(0, dtype=dtype)
