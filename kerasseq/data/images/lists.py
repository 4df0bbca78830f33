"""Which images are meant: by paths, folders, tables that name them, lists or arrays."""

from __future__ import annotations

import functools
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.data.images.caption_files import ENDINGS as CAPTION_FILES
from kerasseq.data.images.caption_files import read_names
from kerasseq.data.images.files import ENDINGS, check_image
from kerasseq.io import paths

__all__ = ["list_images", "locate_images"]

_COLOURS = (1, 3, 4)  # what the last axis of an array may hold


def list_images(data: Any, places: Sequence[Any] = ()) -> tuple[list[str], list[Any]]:
    """Images from whatever they are given as, and their names.

    Args:
        data: a list of paths, folders, tables, arrays or Pillow images; one path, folder or table,
            as a file or a DataFrame with a column `image`; or an array (images, height, width, 3)
            or (images, height, width).
        places: further folders in which images that a table names may lie.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if that is no list of images, or an empty one.

    Example:

    >>> names, images = list_images(np.zeros((2, 8, 9, 3), np.uint8))
    >>> names, images[1].shape
    (['0', '1'], (8, 9, 3))
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _of_table(data, Path(), places)
    if isinstance(data, str | os.PathLike):
        data = [data]
    single = isinstance(data, np.ndarray) and data.dtype.kind not in "OU" and _is_one(data.shape)
    if single or isinstance(data, Mapping) or not hasattr(data, "__len__"):
        what = f"an array {data.shape}" if single else repr(str(data)[:60])
        raise ValueError(f"give a list of images, even for one. Received: {what}")
    _check_items(data)
    names: list[str] = []
    images: list[Any] = []
    for number, own in enumerate(data):
        path = isinstance(own, str | os.PathLike)
        found = _of_path(own, places) if path else ([str(number)], [own])
        names += found[0]
        images += found[1]
    if not images:
        raise ValueError("there is no image to caption: the list is empty.")
    return names, images


def _check_items(items: Sequence[Any]) -> None:
    """Raise a ValueError for the first item that cannot be an image, which counts the others."""
    faults: list[tuple[int, str]] = []
    for number, item in enumerate(items):
        try:
            if isinstance(item, str | os.PathLike):
                paths.user_path(item, "path")
            else:
                check_image(item)
        except ValueError as error:
            faults.append((number, str(error)))
    if faults:
        number, fault = faults[0]
        more = f" {len(faults) - 1:,} more are no images either." if len(faults) > 1 else ""
        raise ValueError(
            f"item {number} of the list (counted from 0) is no image: {fault.rstrip('.')}.{more} "
            "Leave such items out, or give images in their place."
        )


def locate_images(
    names: Sequence[str], folder: Path, images: Any = None, places: Sequence[Any] = ()
) -> list[Path]:
    """Where images ought to lie.

    Args:
        names: lists may name images with folders that are not there, which are left out, or in
            another case than the files, which is overlooked, if that makes no two names one.
        folder: they lie in it, or in a folder inside: that which has most of them.
        images: the folder that they do lie in, where it is known.
        places: further folders in which they may lie.

    Raises:
        FileNotFoundError: if there is no folder `images`.
    """
    whole = Counter(map(_folded, names))
    last = Counter(_folded(Path(name).name) for name in names)
    inside = functools.cache(_folded_names)

    def written(name: str) -> list[str]:
        bare = Path(name).name
        return [name] if bare == name or last[_folded(bare)] > 1 else [name, bare]

    def at(place: Path, name: str) -> Path | None:
        for own in written(name):
            if os.path.isfile(place / own):
                return place / own
        others = written(name) if whole[_folded(name)] == 1 else []
        return next(filter(None, (_in_any_case(place, own, inside) for own in others)), None)

    if images is not None:
        found = paths.user_path(images, "images")
        if not found.is_dir():
            raise FileNotFoundError(f"there is no folder of images {found}. Check images=.")
    else:
        below = sorted(path for path in folder.iterdir() if path.is_dir())
        further = [paths.user_path(place, "images") for place in places]
        found = max(
            [folder, *below, *further],
            key=lambda place: sum(at(place, name) is not None for name in names),
        )
    return [at(found, name) or found / written(name)[-1] for name in names]


def _folded(name: str) -> str:
    """A name without its case, and without the ways that systems have to write accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _folded_names(folder: Path) -> dict[str, str]:
    """The names in a folder by their folded form, where that tells them apart."""
    names = os.listdir(folder) if folder.is_dir() else []
    counts = Counter(map(_folded, names))
    return {_folded(name): name for name in names if counts[_folded(name)] == 1}


def _in_any_case(
    place: Path, name: str, inside: Callable[[Path], Mapping[str, str]]
) -> Path | None:
    """The file in a folder that a name means, if its case is overlooked."""
    for part in Path(name).parts:
        own = inside(place).get(_folded(part))
        if own is None:
            return None
        place = place / own
    return place if place.is_file() else None


def _is_one(shape: tuple[int, ...]) -> bool:
    """Whether an array of that shape is one image, or no images at all."""
    return len(shape) < 3 or (len(shape) == 3 and shape[-1] in _COLOURS)


def _of_path(own: str | os.PathLike[str], places: Sequence[Any]) -> tuple[list[str], list[Any]]:
    path = paths.user_path(own, "data")
    if path.is_dir():
        found = _of_folder(path)
        return [str(file) for file in found], list(found)
    if path.suffix.lower() in CAPTION_FILES:
        return _of_table(path, path.parent, places)
    return [str(own)], [path]


def _of_table(data: Any, folder: Path, places: Sequence[Any]) -> tuple[list[str], list[Any]]:
    names = read_names(data)
    return names, list(locate_images(names, folder, places=places))


def _of_folder(folder: Path) -> list[Path]:
    """The images in a folder, else in the one folder inside that has any."""
    if found := _images_in(folder):
        return found
    inside = [_images_in(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    inside = [found for found in inside if found]
    if len(inside) != 1:
        where = "but in several folders inside" if inside else "nor in a folder inside"
        raise ValueError(
            f"there is no image in {folder}, {where}: give the folder that holds them."
        )
    return inside[0]


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
