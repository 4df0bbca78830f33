"""A fingerprint of data, to recognise equal data of two runs."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["LATER", "digest"]

#: Metadata of a dataclass field that was added later, so that its default None does not count.
LATER = {"digest": "later"}


def digest(value: Any) -> str:
    """Hash data: texts, numbers, arrays, pandas indexes; lists, mappings and dataclasses of them.

    An object with an attribute `fingerprint` is hashed by that text. Dataclass fields do not count
    if they are named `notes`, have compare=False, or are None with the metadata `LATER`.

    >>> digest(["a", "b"]) == digest(["a", "b"]) != digest(["ab"])
    True
    """
    result = hashlib.sha256()
    for piece in _pieces(value):
        result.update(len(piece).to_bytes(8, "little"))
        result.update(piece)
    return result.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    """Yield the bytes of a value, including its structure."""
    if isinstance(getattr(value, "fingerprint", None), str):
        yield b"fingerprint " + value.fingerprint.encode()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            content = getattr(value, item.name)
            counts = item.compare and item.name != "notes"
            if counts and not (content is None and item.metadata == LATER):
                yield item.name.encode()
                yield from _pieces(content)
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
