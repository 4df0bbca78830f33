"""List images that are given as paths, folders, tables, lists or arrays, and locate their files."""

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

_COLOURS = (1, 3, 4)  # numbers of channels that the last axis of an image may have


def list_images(data: Any, places: Sequence[Any] = ()) -> tuple[list[str], list[Any]]:
    """List images and their names.

    Args:
        data: a list of paths, folders, tables, arrays or Pillow images; one path, folder or table,
            as a file or a DataFrame with a column `image`; or an array (images, height, width, 3)
            or (images, height, width).
        places: further folders in which to search for images that a table names.

    Returns:
        The names, and the images as paths, arrays or Pillow images.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if the data is no list of images, or an empty one.

    Example:

    >>> names, images = list_images(np.zeros((2, 8, 9, 3), np.uint8))
    >>> names, images[1].shape
    (['0', '1'], (8, 9, 3))
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _list_from_table(data, Path(), places)
    if isinstance(data, str | os.PathLike):
        data = [data]
    single = isinstance(data, np.ndarray) and data.dtype.kind not in "OU" and _is_single(data.shape)
    if single or isinstance(data, Mapping) or not hasattr(data, "__len__"):
        received = f"an array {data.shape}" if single else repr(str(data)[:60])
        raise ValueError(f"give a list of images, even for one. Received: {received}")
    _check_items(data)
    names: list[str] = []
    images: list[Any] = []
    for number, item in enumerate(data):
        is_path = isinstance(item, str | os.PathLike)
        new = _list_from_path(item, places) if is_path else ([str(number)], [item])
        names += new[0]
        images += new[1]
    if not images:
        raise ValueError("there is no image to caption: the list is empty.")
    return names, images


def _check_items(items: Sequence[Any]) -> None:
    """Raise a ValueError for the first item that is no image; it counts the further ones."""
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
    """Locate the files of images that a table or list names.

    Args:
        names: names or relative paths. A folder in a name that does not exist is ignored, and so
            is a difference in case, unless two names would then mean the same file.
        folder: searched with its sub-folders; the folder with most of the images is chosen.
        images: the folder of the images, if it is known.
        places: further folders to search.

    Returns:
        One path per name; the file need not exist.

    Raises:
        FileNotFoundError: if the folder `images` does not exist.
    """
    whole = Counter(map(_fold_case, names))
    last = Counter(_fold_case(Path(name).name) for name in names)
    read_names_in = functools.cache(_names_by_folded_case)

    def variants(name: str) -> list[str]:
        """The name, and its last part if no other name shares it."""
        bare = Path(name).name
        return [name] if bare == name or last[_fold_case(bare)] > 1 else [name, bare]

    def find(place: Path, name: str) -> Path | None:
        for variant in variants(name):
            if os.path.isfile(place / variant):
                return place / variant
        candidates = variants(name) if whole[_fold_case(name)] == 1 else []
        files = (_find_ignoring_case(place, variant, read_names_in) for variant in candidates)
        return next(filter(None, files), None)

    if images is not None:
        chosen = paths.user_path(images, "images")
        if not chosen.is_dir():
            raise FileNotFoundError(f"there is no folder of images {chosen}. Check images=.")
    else:
        below = sorted(path for path in folder.iterdir() if path.is_dir())
        further = [paths.user_path(place, "images") for place in places]
        chosen = max(
            [folder, *below, *further],
            key=lambda place: sum(find(place, name) is not None for name in names),
        )
    return [find(chosen, name) or chosen / variants(name)[-1] for name in names]


def _fold_case(name: str) -> str:
    """Normalise the case of a name, and its accents, which systems encode in different ways."""
    return unicodedata.normalize("NFC", name).casefold()


def _names_by_folded_case(folder: Path) -> dict[str, str]:
    """The names in a folder by their folded form, where that form is unique."""
    names = os.listdir(folder) if folder.is_dir() else []
    counts = Counter(map(_fold_case, names))
    return {_fold_case(name): name for name in names if counts[_fold_case(name)] == 1}


def _find_ignoring_case(
    place: Path, name: str, read_names_in: Callable[[Path], Mapping[str, str]]
) -> Path | None:
    """Find a file in a folder by its name, ignoring case."""
    for part in Path(name).parts:
        actual = read_names_in(place).get(_fold_case(part))
        if actual is None:
            return None
        place = place / actual
    return place if place.is_file() else None


def _is_single(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is a single image, or no image."""
    return len(shape) < 3 or (len(shape) == 3 and shape[-1] in _COLOURS)


def _list_from_path(
    source: str | os.PathLike[str], places: Sequence[Any]
) -> tuple[list[str], list[Any]]:
    """Names and images of a path to an image, a folder or a table."""
    path = paths.user_path(source, "data")
    if path.is_dir():
        files = _list_from_folder(path)
        return [str(file) for file in files], list(files)
    if path.suffix.lower() in CAPTION_FILES:
        return _list_from_table(path, path.parent, places)
    return [str(source)], [path]


def _list_from_table(data: Any, folder: Path, places: Sequence[Any]) -> tuple[list[str], list[Any]]:
    names = read_names(data)
    return names, list(locate_images(names, folder, places=places))


def _list_from_folder(folder: Path) -> list[Path]:
    """The images in a folder, otherwise in its only sub-folder with images."""
    if files := _images_in(folder):
        return files
    inside = [_images_in(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    inside = [files for files in inside if files]
    if len(inside) != 1:
        where = "but in several folders inside" if inside else "nor in a folder inside"
        raise ValueError(
            f"there is no image in {folder}, {where}: give the folder that holds them."
        )
    return inside[0]


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
