"""Images and what is said of them, matched, checked and parted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.data.images.caption_files import (
    PARTS,
    Captions,
    find_captions_file,
    image_name,
    read_captions,
)
from kerasseq.data.images.features import ImageInputs, read_features
from kerasseq.data.images.lists import locate_images
from kerasseq.io import paths

__all__ = [
    "Captioned",
    "check_image_files",
    "demo",
    "from_features",
    "from_files",
    "part_rows",
    "add_parts",
    "image_files",
    "select_test_part",
    "take_images",
]

_SHOWN = 3  # names in a note or an error


@dataclass
class Captioned:
    """Images, their inputs and their captions.

    Args:
        names: of the images.
        captions: of each image, at least one, plain.
        inputs: pixels or features of each image.
        network: where the inputs are pixels, `name` and `size` of the network that is trained.
        extractor: state of the feature extractor (`kerasseq.tasks.captioning.feature_extractor`);
            None where it is unknown.
        parts: "train", "validation" or "test" for each image; None where the data does not tell.
        files: where each image lies, "" where that is not known.
        notes: what was found out, to be shown.
    """

    names: list[str]
    captions: list[list[str]]
    inputs: ImageInputs
    network: dict[str, Any] | None = None
    extractor: dict[str, Any] | None = None
    parts: list[str] | None = None
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = self.files or [""] * len(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass
class Files:
    """Image files and what is said of them.

    Args:
        paths: where each image ought to lie.
        captions: what is said, by the images' names, in the order of the paths.
    """

    paths: list[Path]
    captions: Captions


def demo() -> Captioned:
    """The images that are drawn here."""
    from kerasseq.data.demo.images import SIZE, demo_images

    images, captions, parts = demo_images()
    return Captioned(
        names=[f"image {number}" for number in range(len(images))],
        captions=captions,
        inputs=ImageInputs(images),
        network={"name": "cnn", "size": SIZE},
        parts=parts,
        notes=["images drawn for the demo, some scenes for the test part alone"],
    )


def image_files(
    data: Any, images: Any = None, captions: Any = None, places: Sequence[Any] = ()
) -> Files:
    """Where images ought to lie, and what is said of them.

    Args:
        data: a folder with images and captions, or a file or DataFrame of captions.
        images: the folder of images; found in or beside `data` where it is not given.
        captions: the file of captions, where `data` is a folder with several.
        places: further folders to find the images in.

    Raises:
        FileNotFoundError: if there is no such folder or file.
        ValueError: if no captions are found, or cannot be read.
    """
    folder = Path()
    path = paths.user_path(data, "data") if isinstance(data, str | os.PathLike) else None
    if path is not None:
        if not path.exists():
            raise FileNotFoundError(f"there is no file or folder {path}. Check the path.")
        folder = path if path.is_dir() else path.parent
    if path is not None and path.is_dir():
        data = find_captions_file(path) if captions is None else captions
    elif captions is not None:
        raise ValueError(
            "captions= is for a folder as data: give the captions in one place only. "
            f"Received: captions={str(captions)!r}"
        )
    told = _used(read_captions(data))
    return _merged(locate_images([*told.of], folder, images, places), told)


def add_parts(files: Files, parts: Mapping[str, Files]) -> Files:
    """Images with the validation and test part that were given on their own.

    Images of the test part leave the others, and those of the validation part the training part.

    Args:
        files: the images of `data`.
        parts: "validation", "test" or both. Where one tells parts itself, that part of it counts.

    Raises:
        ValueError: if `data` tells such a part itself, or nothing is left to learn from.
    """
    told, notes = files.captions.parts, list(files.captions.notes)
    double = [name for name in parts if name in told.values()]
    if double:
        raise ValueError(
            f"data tells its {double[0]} part itself: leave {double[0]}= out, or give data without "
            "it."
        )
    paths: list[Path] = []
    captions = Captions({}, notes=notes)
    seen: set[Path | str] = set()
    for part, own in {"test": None, "validation": None, **parts, "train": files}.items():
        if own is None:
            continue
        before = len(paths)
        rows = [
            (name, path, own.captions.parts.get(name, part))
            for name, path in zip(own.captions.of, own.paths)
        ]
        if own is not files:
            notes += [f"{part}=: {note}" for note in own.captions.notes]
            others = [row for row in rows if row[2] != part]
            rows = [row for row in rows if row[2] == part]
            if others and rows:
                notes.append(
                    f"{len(others):,} images that {part}= puts into other parts left out: "
                    f"{_some([name for name, _, _ in others])}"
                )
        if own is not files and all(_identity(name, path) in seen for name, path, _ in rows):
            raise ValueError(
                f"{part}= has no image for the {part} part: "
                + ("all are in test=, too" if rows else "it tells another part for each")
                + ". Give others, or leave it out."
            )
        for name, path, called in rows:
            if _identity(name, path) not in seen:
                key = os.path.abspath(path) if name in captions.of else name
                captions.of[key], captions.parts[key] = own.captions.of[name], called
                paths.append(path)
        seen |= {_identity(name, path) for name, path, _ in rows}
        if (shared := len(rows) - len(paths) + before) > 0:
            notes.append(f"{shared:,} images of a later part left the {part} part")
    if "train" not in captions.parts.values():
        raise ValueError(
            "every image of data is in test= or validation=, too: there is nothing to learn from."
        )
    return Files(paths, captions)


def _identity(name: str, path: Path) -> Path | str:
    """The same for the same image: its file, or its name where that is not there."""
    return path.resolve() if path.is_file() else name


def check_image_files(files: Files, skip_bad: bool) -> None:
    """Raise a ValueError if images are missing; with `skip_bad`, if all are."""
    missing = [str(path) for path in files.paths if not path.is_file()]
    where = "Pass images=, the folder that holds them."
    if len(missing) == len(files.paths):
        raise ValueError(
            f"none of the {len(missing):,} images that the captions name is there: the first "
            f"was looked for in {missing[0]}. {where}"
        )
    if missing and not skip_bad:
        raise ValueError(
            f"{len(missing):,} of the {len(files.paths):,} images that the captions name are not "
            f"there: {_some(missing)}. {where} With skip_bad=True such images are listed and "
            "left out."
        )


def from_files(
    files: Files,
    inputs: ImageInputs,
    bad: Mapping[int, str],
    network: dict[str, Any] | None = None,
    extractor: dict[str, Any] | None = None,
) -> Captioned:
    """Join the inputs of image files with their captions.

    Args:
        files: as `image_files` gives them.
        inputs: a row for each of them.
        bad: what is wrong with some, by number; those are left out.
        network: as of `Captioned`.
        extractor: as of `Captioned`.

    Raises:
        ValueError: if none is left.
    """
    kept = np.array([i for i in range(len(files.paths)) if i not in bad], dtype=np.int64)
    names = list(files.captions.of)
    notes = list(files.captions.notes)
    missing = [names[i] for i in bad if not files.paths[i].is_file()]
    broken = [names[i] for i in bad if files.paths[i].is_file()]
    for left, reason in ((missing, "are not there"), (broken, "cannot be read")):
        if left:
            notes.append(f"{len(left):,} images {reason}, and are left out: {_some(left)}")
    if not len(kept):
        raise ValueError(
            f"none of the {len(names):,} images can be read: {next(iter(bad.values()))}"
        )
    found = Captioned(
        names,
        list(files.captions.of.values()),
        inputs,
        network,
        extractor,
        _parts(names, files.captions),
        [os.path.abspath(path) for path in files.paths],
        notes,
    )
    return take_images(found, kept) if bad else found


def from_features(files: Files, features: Any, skip_bad: bool) -> Captioned:
    """Features that were computed elsewhere, with the captions of their images.

    Args:
        files: as `image_files` gives them; the images need not be there.
        features: the file that holds them, see `read_features`.
        skip_bad: whether images without features are left out.

    Raises:
        ValueError: if captions and features do not match.
    """
    names, inputs = read_features(features)
    place = {image_name(name): number for number, name in enumerate(names)}
    rows = {name: place[name] for name in files.captions.of if name in place}
    missing = [name for name in files.captions.of if name not in place]
    if not rows:
        raise ValueError(
            f"no image that has captions has features in {features}: it has {names[0]!r}, and "
            f"the captions {missing[0]!r}. Give the features of these images, or features=None."
        )
    if missing and not skip_bad:
        raise ValueError(
            f"{features} has no features of {len(missing):,} images: {_some(missing)}. "
            "With skip_bad=True such images are listed and left out."
        )
    notes = list(files.captions.notes)
    if missing:
        told = f"{len(missing):,} images have no features, and are left out: {_some(missing)}"
        notes.append(told)
    kept = list(rows)
    order = np.array(list(rows.values()))
    paths = dict(zip(files.captions.of, files.paths))
    return Captioned(
        kept,
        [files.captions.of[name] for name in kept],
        inputs.at(order),
        parts=_parts(kept, files.captions),
        files=[os.path.abspath(paths[name]) if paths[name].is_file() else "" for name in kept],
        notes=notes,
    )


def take_images(source: Captioned, rows: np.ndarray) -> Captioned:
    """Some of the images."""
    return replace(
        source,
        names=[source.names[i] for i in rows],
        captions=[source.captions[i] for i in rows],
        inputs=source.inputs.at(rows),
        parts=None if source.parts is None else [source.parts[i] for i in rows],
        files=[source.files[i] for i in rows],
    )


def select_test_part(source: Captioned) -> Captioned:
    """The test part where the data tells one, else all of it."""
    parts = source.parts or []
    rows = np.array([i for i, part in enumerate(parts) if part == "test"], dtype=np.int64)
    return take_images(source, rows) if len(rows) else source


def part_rows(
    source: Captioned,
    validation: Any,
    test: Any,
    seed: int,
    fold: tuple[int, int] | None = None,
) -> dict[str, np.ndarray]:
    """The images of each part, as the data tells them, else drawn.

    An image is in one part, with all its captions.

    Args:
        source: the images.
        validation: share of the images that are not tested on; unused where the data tells.
        test: share of all images; unused where the data tells.
        seed: of what is drawn.
        fold: `(k, n)` makes the k-th of n folds of all but the test part the validation part.

    Raises:
        ValueError: if a part has no images.

    Example:

    >>> source = Captioned([*"abcde"], [["a dog"]] * 5, ImageInputs(np.eye(5)))
    >>> {part: len(rows) for part, rows in part_rows(source, 0.2, 0.2, seed=0).items()}
    {'train': 3, 'validation': 1, 'test': 1}
    """
    random = np.random.default_rng(seed)
    told = np.array(source.parts or ["train"] * len(source))
    rows = {part: np.flatnonzero(told == part) for part in PARTS}
    for part, share in (("test", test), ("validation", validation)):
        if not (len(rows[part]) or isinstance(share, Real)):
            raise ValueError(f"no image of {part}= is there: check its names, or images=.")
    if not len(rows["test"]):
        rows["train"], rows["test"] = _drawn(rows["train"], test, random)
    if fold is not None:
        number, folds = fold
        rest = np.concatenate([rows["train"], rows["validation"]])
        random.shuffle(rest)
        rows["validation"] = np.sort(rest[number::folds])
        rows["train"] = np.setdiff1d(rest, rows["validation"])
    elif not len(rows["validation"]):
        rows["train"], rows["validation"] = _drawn(rows["train"], validation, random)
    for part, own in rows.items():
        if not len(own):
            raise ValueError(
                f"there is no image for the {part} part: {len(source):,} images are too few, "
                "or the lists of parts leave it empty. Give more images."
            )
    return rows


def _some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _drawn(
    rows: np.ndarray, share: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    order = random.permutation(rows)
    cut = max(1, round(share * len(rows)))
    return np.sort(order[cut:]), np.sort(order[:cut])


def _used(captions: Captions) -> Captions:
    """Without images that have no caption, or are in no part where others are."""
    silent = [name for name, own in captions.of.items() if not own]
    notes = list(captions.notes)
    if silent:
        notes.append(f"{len(silent):,} images have no caption, and are left out: {silent[0]}")
    kept = {name: own for name, own in captions.of.items() if own}
    if captions.parts:
        outside = [name for name in kept if name not in captions.parts]
        if outside:
            notes.append(f"{len(outside):,} images are in no part, and are left out")
        kept = {name: own for name, own in kept.items() if name in captions.parts}
        if not kept:
            raise ValueError(
                f"the lists of parts name none of the images that have captions: {outside[0]} is "
                "not in them. Give the lists of these images."
            )
    return replace(captions, of=kept, notes=notes)


def _merged(paths: Sequence[Path], told: Captions) -> Files:
    """One image for each file, which may go by several names."""
    files: dict[str, tuple[str, Path]] = {}
    for name, path in zip([*told.of], paths):
        first, _ = files.setdefault(os.path.abspath(path), (name, path))
        if first == name:
            continue
        if told.parts and told.parts[first] != told.parts[name]:
            raise ValueError(
                f"{path} is in two parts: in {told.parts[first]} as {first}, and in "
                f"{told.parts[name]} as {name}. Leave one of them out."
            )
        told.of[first] = told.of[first] + told.of.pop(name)
    return Files([path for _, path in files.values()], told)


def _parts(names: Sequence[str], captions: Captions) -> list[str] | None:
    return [captions.parts[name] for name in names] if captions.parts else None
