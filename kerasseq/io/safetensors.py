"""The format .safetensors: named arrays behind a header in JSON, without code.

The package safetensors refuses bfloat16 for NumPy, and does not compare declared sizes with limits;
the format itself is a length of 8 bytes, the header, and the arrays one after the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.io import atomic
from kerasseq.io.lfs import check_no_pointer
from kerasseq.io.limits import check_size, parse_json

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Declared", "header", "read", "write"]

_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{f"{sign}{8 * size}": f"<{sign.lower()}{size}" for sign in "IU" for size in (1, 2, 4, 8)},
}
_LENGTH = 8  # bytes of the length of the header
_LONGEST = 100_000_000  # bytes of a header, as in the reference implementation


@dataclass(frozen=True)
class Declared:
    """An array as the header declares it.

    Args:
        dtype: Name of its dtype in the file, such as `F32`.
        shape: Its shape.
        begin: Its first byte in the file.
        end: The byte behind its last.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def bytes(self) -> int:
        """Size of its values."""
        return self.end - self.begin


def header(path: Path) -> dict[str, Declared]:
    """Read names, dtypes and shapes of the arrays in a file, and no array.

    Raises:
        ValueError: If the file is damaged, of another kind or a pointer of Git LFS.

    Example:
        >>> import numpy as np
        >>> write(Path("a.safetensors"), {"bias": np.zeros(4, "float32")})
        >>> header(Path("a.safetensors"))["bias"].shape
        (4,)
    """
    check_no_pointer(path)
    stored = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 0 < length <= min(stored - _LENGTH, _LONGEST):
            raise _damaged(path, "it has no header")
        text = file.read(length)
    try:
        values = parse_json(text.decode("utf-8"))
        values.pop("__metadata__", None)
        arrays = {
            str(name): _declared(value, _LENGTH + length, stored) for name, value in values.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, str(error).strip("'") or type(error).__name__) from error
    return arrays


def read(path: Path, names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays by name; bfloat16 comes as float32.

    Args:
        path: The file.
        names: The arrays to read; all by default.

    Raises:
        ValueError: If the file is damaged, of another kind or too large.
    """
    import numpy as np

    declared = header(path)
    arrays = {}
    with open(path, "rb") as file:
        for name in declared if names is None else names:
            array = declared[name]
            check_size(array.bytes, f"{path}: {name}")
            file.seek(array.begin)
            values = np.frombuffer(file.read(array.bytes), _DTYPES[array.dtype])
            if array.dtype == "BF16":  # the upper half of a float32
                values = (values.astype("<u4") << 16).view("<f4")
            arrays[name] = values.reshape(array.shape)
    return arrays


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write float32 arrays, by name; the file is replaced as a whole or not at all."""
    declared: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.size * 4
        declared[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(declared).encode()
    text += b" " * (-len(text) % 8)
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(len(text).to_bytes(_LENGTH, "little") + text)
        for array in arrays.values():
            file.write(array.astype("<f4").tobytes())


def _declared(value: Any, start: int, stored: int) -> Declared:
    dtype, shape, (begin, end) = value["dtype"], tuple(value["shape"]), value["data_offsets"]
    whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    if dtype not in _DTYPES:
        raise ValueError(f"it has an array of the unknown dtype {dtype!r}")
    if not whole or begin > end or start + end > stored:
        raise ValueError("it has an array that lies outside of it")
    sizes = {"BOOL": 1}
    size = sizes.get(dtype) or int("".join(c for c in dtype if c.isdigit())) // 8
    if prod(shape) * size != end - begin:
        raise ValueError("it has an array whose shape does not fit its bytes")
    return Declared(dtype, shape, start + begin, start + end)


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"'{path}' is no .safetensors file, or damaged: {reason}.")
