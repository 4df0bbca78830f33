"""A fingerprint of data, by which a run is known to be the same."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["LATER", "digest"]

#: Metadata of a dataclass field, None by default, that was added after data had fingerprints.
LATER = {"digest": "later"}


def digest(value: Any) -> str:
    """A fingerprint of data: of texts, numbers, arrays and pandas' indexes of numbers or times.

    They may be in lists, mappings and dataclasses.

    Fields named `notes`, those that take no part in comparisons and those of the metadata `LATER`
    that are None do not count. What has a `fingerprint` is told by that.

    >>> digest(["a", "b"]) == digest(["a", "b"]) != digest(["ab"])
    True
    """
    found = hashlib.sha256()
    for piece in _pieces(value):
        found.update(len(piece).to_bytes(8, "little"))
        found.update(piece)
    return found.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    """The bytes that a value is made of, its structure included."""
    if isinstance(getattr(value, "fingerprint", None), str):
        yield b"fingerprint " + value.fingerprint.encode()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            own = getattr(value, item.name)
            counts = item.compare and item.name != "notes"
            if counts and not (own is None and item.metadata == LATER):
                yield item.name.encode()
                yield from _pieces(own)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif _is_index(value):
        zone = getattr(value, "tz", None)
        yield f"index in {zone}".encode()
        yield from _pieces((value if zone is None else value.tz_convert(None)).to_numpy())
    elif isinstance(value, str):
        yield b"text " + value.encode(errors="surrogatepass")
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)}".encode()
        for key, item in value.items():
            yield str(key).encode()
            yield from _pieces(item)
    elif isinstance(value, list | tuple | np.ndarray):
        yield f"list {len(value)}".encode()
        for item in value:
            yield from _pieces(item)
    elif value is None or isinstance(value, bool | int | float | np.generic):
        yield repr(value).encode()
    else:
        raise TypeError(f"no fingerprint of a {type(value).__name__}")


def _is_index(value: Any) -> bool:
    pandas = sys.modules.get("pandas")  # without it there is none
    return pandas is not None and isinstance(value, pandas.Index)
