"""Image features: read from files, or computed once by a network and cached on disk."""

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

#: Environment variable with the folder in which features are cached.
CACHE = "KERASSEQ_CACHE"
_BATCH = 32
_CHUNK = 256  # images processed at a time for means and checks
_LEAST = 1e-6  # smaller standard deviations count as 0

Encode = Callable[[np.ndarray], np.ndarray]  # from uint8 (batch, size, size, 3) to features


@dataclass(frozen=True)
class ImageInputs:
    """Features or pixels of images, indexed like an array and read on demand.

    The rows may repeat, since an image has several captions, and the values may be larger than
    memory.

    Args:
        values: array (images, ...), which may be on disk, or `Images`.
        scale: factor of the last axis, for quantised or standardised values; None for 1.
        shift: number added to the last axis after scaling; None for 0.
        rows: indices of the images in order, possibly repeated; None for all.
        fingerprint: digest that identifies the inputs; by default computed from the values.

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
            fingerprint = digest([self.values, self.scale, self.shift, self.rows])
            object.__setattr__(self, "fingerprint", fingerprint)

    def __len__(self) -> int:
        return len(self.values) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read the inputs of images, float32 (images, ...)."""
        values = self.values[rows if self.rows is None else self.rows[rows]]
        values = np.asarray(values, dtype=np.float32)
        if self.scale is not None:
            values = values * self.scale
        return values if self.shift is None else values + self.shift

    def at(self, rows: np.ndarray) -> ImageInputs:
        """Select images by their indices, in any order, without reading them."""
        selected = rows if self.rows is None else self.rows[rows]
        return replace(self, rows=selected, fingerprint=digest([self.fingerprint, rows]))

    def moments(self) -> dict[str, np.ndarray]:
        """`mean` and standard `deviation` of the last axis over all images, for `scaled`."""
        count = 0
        total, squares = np.zeros((2, self.shape[-1]))
        for start in range(0, len(self), _CHUNK):
            values = self[np.arange(start, min(start + _CHUNK, len(self)))].astype(np.float64)
            values = values.reshape(-1, values.shape[-1])
            count += len(values)
            total += values.sum(axis=0)
            squares += (values**2).sum(axis=0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        deviation[deviation < _LEAST] = 1.0  # constant features are not scaled
        return {"mean": mean.astype(np.float32), "deviation": deviation.astype(np.float32)}

    def scaled(self, mean: np.ndarray, deviation: np.ndarray) -> ImageInputs:
        """Standardise the inputs, (values - mean) / deviation, without reading them."""
        scale = np.float32(1) if self.scale is None else self.scale
        return replace(self, scale=scale / deviation, shift=-mean / deviation)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the inputs of one image."""
        return self.values.shape[1:]


def read_features(path: str | os.PathLike[str]) -> tuple[list[str], ImageInputs]:
    """Read features that were computed by another program, and the names of their images.

    Args:
        path: an .npz file with `names` and `features`, (images, features) or
            (images, regions, features); or with `names`, `grid` and optionally `scale`, where
            `grid * scale` are the features; or an .npy file of features, with the names in a .txt
            file of the same name, one per line.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file cannot be read, names and features do not match, or the features
            are not finite numbers.
    """
    path = paths.user_path(path, "features")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of features {path}. Check the path.")
    scale = None
    names: list[str]
    try:
        check_npz(path)
        if path.suffix.lower() == ".npy":
            values = np.lib.format.open_memmap(path, mode="r")
            names = _read_names(path.with_suffix(".txt"))
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
    valid = values.ndim in (2, 3) and len(values) == len(names) and 0 not in values.shape
    if not valid or values.dtype.kind not in "fiu":
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
    inputs = ImageInputs(values, scale)
    check_finite(names, inputs, str(path))
    return list(names), inputs


def check_finite(names: Sequence[str], inputs: ImageInputs, where: str) -> None:
    """Raise a ValueError if features are NaN or infinite; it names the first such image."""
    for start in range(0, len(inputs), _CHUNK):
        values = inputs[np.arange(start, min(start + _CHUNK, len(inputs)))]
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if not finite.all():
            name = names[start + finite.argmin()]
            raise ValueError(
                f"features must be finite numbers, and those of {name} in {where} are not. "
                "Compute them again, or leave it out."
            )


def cache_folder() -> Path:
    """Folder of cached features: `KERASSEQ_CACHE`, else `kerasseq` in the user's cache folder."""
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
    """Compute the features of image files once, and read them from the cache later.

    The cache is keyed by `key`, `size` and the paths, sizes and modification times of the files. It
    is written to a temporary file that is then renamed, so that it is never incomplete.

    Args:
        paths: the image files.
        size: height and width of the network's input, in pixels.
        encode: function from uint8 (batch, size, size, 3) to features; None caches the pixels.
        key: name of the network and its weights.
        skip_bad: whether unreadable files are skipped.
        folder: folder of the cache; by default `cache_folder()`.
        quiet: whether to hide the progress bar.

    Returns:
        The inputs, one row per file; and the error of each unreadable file by its index, whose row
        is meaningless.

    Raises:
        ValueError: if a file cannot be read and `skip_bad` is false, or the cache cannot be
            written.
    """
    folder = cache_folder() if folder is None else folder
    files = [_file_identity(path) for path in paths]
    name = f"{key.replace('/', '-')}-{digest([key, size, files])[:24]}"
    values, record = folder / f"{name}.npy", folder / f"{name}.json"
    cached = _read_cache(values, record, len(paths))
    if cached is None:
        _check_writable(folder)
        bad = _compute(paths, size, encode, values, skip_bad, quiet)
        metadata = {"key": key, "size": size, "images": len(paths), "bad": bad}
        atomic.write_text(record, json.dumps(metadata))
        cached = np.load(values, mmap_mode="r", allow_pickle=False), bad
    features, bad = cached
    if bad and not skip_bad:
        raise _bad_image_error(next(iter(bad.values())))
    return ImageInputs(features, fingerprint=name), bad


def _read_cache(values: Path, record: Path, count: int) -> tuple[np.ndarray, dict[int, str]] | None:
    """Cached features, and the errors of unreadable files by index; None if missing or damaged."""
    try:
        bad = json.loads(record.read_text(encoding="utf-8"))["bad"]
        features = np.load(values, mmap_mode="r", allow_pickle=False)
        reasons = {int(number): str(reason) for number, reason in bad.items()}
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return (features, reasons) if len(features) == count else None


def _check_writable(folder: Path) -> None:
    """Create a folder, and raise a ValueError unless it can be written to."""
    reason: Any = "it is read-only for this user"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise ValueError(
            f"features of images cannot be kept in {folder} ({reason}): name a folder with write "
            f"permission in the environment variable {CACHE}."
        )


def _compute(
    paths: Sequence[Path],
    size: int,
    encode: Encode | None,
    target: Path,
    skip_bad: bool,
    quiet: bool,
) -> dict[int, str]:
    """Write features of images to a file; returns the errors of unreadable images by index."""
    bad: dict[int, str] = {}
    array: Any = None
    with atomic.replacing(target) as temporary:
        for start in _progress(range(0, len(paths), _BATCH), quiet):
            pixels = np.zeros((len(paths[start : start + _BATCH]), size, size, 3), dtype=np.uint8)
            for i, path in enumerate(paths[start : start + _BATCH]):
                try:
                    pixels[i] = read_image(path, size)
                except (OSError, ValueError) as error:
                    if not skip_bad:
                        raise _bad_image_error(str(error)) from None
                    bad[start + i] = str(error)
            features = pixels if encode is None else np.asarray(encode(pixels))
            if array is None:
                kind = np.uint8 if encode is None else np.float16
                shape = (len(paths), *features.shape[1:])
                array = np.lib.format.open_memmap(temporary, mode="w+", dtype=kind, shape=shape)
            array[start : start + len(features)] = features
        array.flush()
        del array
    return bad


def _bad_image_error(reason: str) -> ValueError:
    return ValueError(f"{reason} With skip_bad=True such images are listed and left out.")


def _progress(batches: range, quiet: bool) -> Any:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return batches
    return track(batches, "looking at images", console=console, transient=True)


def _file_identity(path: Path) -> list[str | int]:
    """Absolute path, size and modification time of a file; 0 for a file that does not exist."""
    name = os.path.abspath(path)
    try:
        status = path.stat()
    except OSError:
        return [name, 0, 0]
    return [name, status.st_size, status.st_mtime_ns]


def _read_names(path: Path) -> list[str]:
    """Names of images, one per line."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no list of names {path}: write one name per line.")
    content, _ = read_text(path)
    return [line.strip() for line in content.split("\n") if line.strip()]
