"""What networks see in images: read from files, or computed once and kept on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.data.images.files import Images, read_image
from kerasseq.io import atomic, paths
from kerasseq.io.digest import digest
from kerasseq.io.files import read_text
from kerasseq.io.limits import Damaged, TooLarge, check_npz

__all__ = ["CACHE", "ImageInputs", "cache_folder", "check_finite", "extract", "read_features"]

#: The environment variable that says the folder in which features are kept.
CACHE = "KERASSEQ_CACHE"
_BATCH = 32
_CHUNK = 256  # images at a time, to take the mean of
_LEAST = 1e-6

Encode = Callable[[np.ndarray], np.ndarray]  # from uint8 (batch, size, size, 3) to features


@dataclass(frozen=True)
class ImageInputs:
    """Numbers for each of some images, features or the pixels themselves, in any order.

    An array as far as batches need one: the same image has several captions, and all that was
    seen may be larger than memory.

    Args:
        values: with the images first; they may lie on disk, or be read where they are asked for.
        scale: what to multiply the last axis by, where they are quantised or scaled.
        shift: what to add to it then.
        rows: which of them, and how often; all where it is not given.
        fingerprint: what tells it from others; made of the values where it is not given.

    Example:

    >>> inputs = ImageInputs(np.eye(3)).at(np.array([2, 0, 0]))
    >>> len(inputs), inputs.shape
    (3, (3,))
    >>> inputs[np.array([0, 1])].tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    values: np.ndarray | Images
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None
    rows: np.ndarray | None = None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not self.fingerprint:
            found = digest([self.values, self.scale, self.shift, self.rows])
            object.__setattr__(self, "fingerprint", found)

    def __len__(self) -> int:
        return len(self.values) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Inputs of some of the images, float32."""
        found = self.values[rows if self.rows is None else self.rows[rows]]
        found = np.asarray(found, dtype=np.float32)
        if self.scale is not None:
            found = found * self.scale
        return found if self.shift is None else found + self.shift

    def at(self, rows: np.ndarray) -> ImageInputs:
        """Some of the images, in any order, still where they are."""
        told = digest([self.fingerprint, rows])
        return replace(self, rows=rows if self.rows is None else self.rows[rows], fingerprint=told)

    def moments(self) -> dict[str, np.ndarray]:
        """`mean` and `deviation` of the last axis, over all images, for `scaled`."""
        count = 0
        total, squares = np.zeros((2, self.shape[-1]))
        for start in range(0, len(self), _CHUNK):
            found = self[np.arange(start, min(start + _CHUNK, len(self)))].astype(np.float64)
            found = found.reshape(-1, found.shape[-1])
            count += len(found)
            total += found.sum(axis=0)
            squares += (found**2).sum(axis=0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        deviation[deviation < _LEAST] = 1.0  # what never changes is left as it is
        return {"mean": mean.astype(np.float32), "deviation": deviation.astype(np.float32)}

    def scaled(self, mean: np.ndarray, deviation: np.ndarray) -> ImageInputs:
        """The same, less the mean and over the deviation, still where it is."""
        scale = np.float32(1) if self.scale is None else self.scale
        return replace(self, scale=scale / deviation, shift=-mean / deviation)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image."""
        return self.values.shape[1:]


def read_features(
    path: str | os.PathLike[str], names: Sequence[str] | None = None
) -> tuple[list[str], ImageInputs]:
    """Features that were computed elsewhere, and the names of their images.

    Args:
        path: an .npz file with `names` and `features`, (images, features) or
            (images, regions, features); or with `names`, `grid` and perhaps `scale`, where
            `grid * scale` are the features; or an .npy file of features, with the names in a .txt
            file of the same name, one a line.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, names and features do not match, or features are no
            numbers.
    """
    path = paths.user_path(path, "features")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of features {path}. Check the path.")
    scale = None
    try:
        check_npz(path)
        if path.suffix.lower() == ".npy":
            values = np.lib.format.open_memmap(path, mode="r")
            names = _listed(path.with_suffix(".txt"))
        else:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                values = file["features"] if "features" in file else file["grid"]
                scale = file["scale"].astype(np.float32) if "scale" in file else None
                names = [str(name) for name in file["names"]]
    except (FileNotFoundError, TooLarge):
        raise
    except Damaged as error:
        raise ValueError(f"{error}. Write the file again.") from None
    except Exception:  # np.load raises many types of errors for an unreadable file
        raise ValueError(
            f"{path} holds no features that can be read: an .npz file with the arrays names (of "
            "strings, not objects) and features, or an .npy file with a .txt file of names, is "
            "needed."
        ) from None
    fitting = values.ndim in (2, 3) and len(values) == len(names) and 0 not in values.shape
    if not fitting or values.dtype.kind not in "fiu":
        raise ValueError(
            "features must be numbers (images, features) or (images, regions, features), with "
            f"a name for each image. Received: {values.dtype} {values.shape} and {len(names)} "
            f"names in {path}"
        )
    if scale is not None and scale.shape not in ((), values.shape[-1:]):
        raise ValueError(
            f"scale must have a number for each of the {values.shape[-1]} features. "
            f"Received: {scale.shape} in {path}"
        )
    if len({*names}) < len(names):
        raise ValueError(f"{path} names an image twice. Leave one of them out.")
    found = ImageInputs(values, scale)
    check_finite(names, found, str(path))
    return list(names), found


def check_finite(names: Sequence[str], inputs: ImageInputs, where: str) -> None:
    """Raise a ValueError if features are missing or infinite; it names the first such image."""
    for start in range(0, len(inputs), _CHUNK):
        found = inputs[np.arange(start, min(start + _CHUNK, len(inputs)))]
        whole = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
        if not whole.all():
            raise ValueError(
                f"features must be finite numbers, and those of {names[start + whole.argmin()]} in "
                f"{where} are not. Compute them again, or leave it out."
            )


def cache_folder() -> Path:
    """Where what was seen is kept: `KERASSEQ_CACHE`, else the user's folder for such things."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "kerasseq")
    return paths.user_path(os.environ.get(CACHE) or default, CACHE)


def extract(
    paths: Sequence[Path],
    size: int,
    encode: Encode | None = None,
    *,
    key: str = "pixels",
    skip_bad: bool = False,
    folder: Path | None = None,
    quiet: bool = False,
) -> tuple[ImageInputs, dict[int, str]]:
    """What a network sees in image files; computed once, then read from disk.

    Kept by key, size and the list of files, with their sizes and times. It is written beside and
    renamed, so that nothing is ever half there.

    Args:
        paths: the files.
        size: height and width that the network takes, in pixels.
        encode: from uint8 (batch, size, size, 3) to features; None keeps the pixels.
        key: what the encoder is called; another one for other weights.
        skip_bad: whether files that cannot be read are passed over.
        folder: where to keep it; `cache_folder()` where it is not given.
        quiet: whether to show no progress.

    Returns:
        The inputs, a row for each file, and what is wrong with the files that cannot be read, by
        number; their rows mean nothing.

    Raises:
        ValueError: if a file cannot be read, unless such are skipped; or nothing can be kept.
    """
    folder = cache_folder() if folder is None else folder
    files = [_identity(path) for path in paths]
    name = f"{key.replace('/', '-')}-{digest([key, size, files])[:24]}"
    values, record = folder / f"{name}.npy", folder / f"{name}.json"
    kept = _kept(values, record, len(paths))
    if kept is None:
        _make_room(folder)
        bad = _compute(paths, size, encode, values, skip_bad, quiet)
        about = {"key": key, "size": size, "images": len(paths), "bad": bad}
        atomic.write_text(record, json.dumps(about))
        kept = np.load(values, mmap_mode="r", allow_pickle=False), bad
    found, bad = kept
    if bad and not skip_bad:
        raise _bad(next(iter(bad.values())))
    return ImageInputs(found, fingerprint=name), bad


def _kept(values: Path, record: Path, count: int) -> tuple[np.ndarray, dict[int, str]] | None:
    """What was seen before, and what was bad; None if that is not there, or damaged."""
    try:
        bad = json.loads(record.read_text(encoding="utf-8"))["bad"]
        found = np.load(values, mmap_mode="r", allow_pickle=False)
        told = {int(number): str(reason) for number, reason in bad.items()}
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return (found, told) if len(found) == count else None


def _make_room(folder: Path) -> None:
    """See that the folder can be written."""
    reason: Any = "it is read-only for this user"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise ValueError(
            f"features of images cannot be kept in {folder} ({reason}): name a folder that "
            f"can be written in the environment variable {CACHE}."
        )


def _compute(
    paths: Sequence[Path],
    size: int,
    encode: Encode | None,
    target: Path,
    skip_bad: bool,
    quiet: bool,
) -> dict[int, str]:
    """Write features of images to a file; what is wrong with some, by number."""
    bad: dict[int, str] = {}
    out: Any = None
    with atomic.replacing(target) as temporary:
        for start in _progress(range(0, len(paths), _BATCH), quiet):
            pixels = np.zeros((len(paths[start : start + _BATCH]), size, size, 3), dtype=np.uint8)
            for i, path in enumerate(paths[start : start + _BATCH]):
                try:
                    pixels[i] = read_image(path, size)
                except (OSError, ValueError) as error:
                    if not skip_bad:
                        raise _bad(str(error)) from None
                    bad[start + i] = str(error)
            found = pixels if encode is None else np.asarray(encode(pixels))
            if out is None:
                kind = np.uint8 if encode is None else np.float16
                shape = (len(paths), *found.shape[1:])
                out = np.lib.format.open_memmap(temporary, mode="w+", dtype=kind, shape=shape)
            out[start : start + len(found)] = found
        out.flush()
        del out
    return bad


def _bad(reason: str) -> ValueError:
    return ValueError(f"{reason} With skip_bad=True such images are listed and left out.")


def _progress(batches: range, quiet: bool) -> Any:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return batches
    return track(batches, "looking at images", console=console, transient=True)


def _identity(path: Path) -> list[str | int]:
    """What tells a file from another, or from itself when it was changed."""
    name = os.path.abspath(path)  # the same from wherever it is given
    try:
        found = path.stat()
    except OSError:
        return [name, 0, 0]
    return [name, found.st_size, found.st_mtime_ns]


def _listed(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no list of names {path}: write one, a name a line.")
    content, _ = read_text(path)
    return [line.strip() for line in content.split("\n") if line.strip()]
