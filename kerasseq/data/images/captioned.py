"""Match images with their captions, check them, and divide them into parts."""

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
    """Images with their inputs and captions.

    Args:
        names: names of the images.
        captions: for each image, at least one caption, as `normalize_caption` returns it.
        inputs: pixels or features of each image.
        network: `name` and `size` of the image network that is trained as part of the captioner,
            from pixels; None if `inputs` are features.
        extractor: state, weights included, of the frozen network that computed the features (see
            `kerasseq.models.FeatureExtractor`); None for pixels, and
            for features of an unknown network.
        parts: "train", "validation" or "test" for each image; None if the data defines no parts.
        files: path of each image, "" if it is unknown.
        notes: remarks on how the data was read, to be shown to the user.
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
    """Image files with their captions.

    Args:
        paths: path of each image; the file may be missing.
        captions: captions by the name of the image, in the order of the paths.
    """

    paths: list[Path]
    captions: Captions


def demo() -> Captioned:
    """The demo images with their captions."""
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
    """Read captions, and locate the files of their images.

    Images without a caption are left out, and so are images in no part if the data defines parts.

    Args:
        data: a folder with images and captions, or a file or DataFrame of captions.
        images: the folder of the images. By default it is the one with most of them among the
            folder of `data` (the current folder for a DataFrame), its direct sub-folders, and
            `places`.
        captions: the file of captions if `data` is a folder; by default the only one in it, see
            `find_captions_file`.
        places: further folders that may be the folder of the images.

    Returns:
        The captions, and one path per image. A path may have no file, see `check_image_files`.

    Raises:
        FileNotFoundError: if `data`, `captions` or `images` does not exist.
        ValueError: if there are no captions, they cannot be read, `data` has several files of
            captions, or an image is in two parts.
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
    usable = _drop_unusable(read_captions(data))
    return _merge_names(locate_images([*usable.of], folder, images, places), usable)


def add_parts(files: Files, parts: Mapping[str, Files]) -> Files:
    """Add the validation and test parts that are given as separate data to the images of `data`.

    Images of the test part are removed from the other parts, images of the validation part from
    the training part.

    Args:
        files: the images of `data`.
        parts: "validation", "test" or both. If the data of a part defines parts itself, only its
            images of this part are used.

    Raises:
        ValueError: if `data` already defines such a part, or no image remains for a part.
    """
    defined, notes = files.captions.parts, list(files.captions.notes)
    duplicates = [name for name in parts if name in defined.values()]
    if duplicates:
        raise ValueError(
            f"data already defines its {duplicates[0]} part: leave {duplicates[0]}= out, or give "
            "data without it."
        )
    paths: list[Path] = []
    captions = Captions({}, notes=notes)
    used: set[Path | str] = set()
    # The later parts first, so that an image that is in several parts stays in the last one.
    for part, source in {"test": None, "validation": None, **parts, "train": files}.items():
        if source is None:
            continue
        before = len(paths)
        rows = [
            (name, path, source.captions.parts.get(name, part))
            for name, path in zip(source.captions.of, source.paths)
        ]
        if source is not files:
            notes += [f"{part}=: {note}" for note in source.captions.notes]
            excluded = [row for row in rows if row[2] != part]
            rows = [row for row in rows if row[2] == part]
            if excluded and rows:
                notes.append(
                    f"{len(excluded):,} images that {part}= puts into other parts left out: "
                    f"{_format_names([name for name, _, _ in excluded])}"
                )
        if source is not files and all(_identity(name, path) in used for name, path, _ in rows):
            raise ValueError(
                f"{part}= has no image for the {part} part: "
                + ("all are in test=, too" if rows else "it puts each image into another part")
                + ". Give others, or leave it out."
            )
        for name, path, part_name in rows:
            if _identity(name, path) not in used:
                key = os.path.abspath(path) if name in captions.of else name
                captions.of[key], captions.parts[key] = source.captions.of[name], part_name
                paths.append(path)
        used |= {_identity(name, path) for name, path, _ in rows}
        if (shared := len(rows) - len(paths) + before) > 0:
            notes.append(f"{shared:,} images of a later part left the {part} part")
    if "train" not in captions.parts.values():
        raise ValueError(
            "every image of data is in test= or validation=, too: there is nothing to learn from."
        )
    return Files(paths, captions)


def _identity(name: str, path: Path) -> Path | str:
    """Identity of an image: its file, or its name if there is no file."""
    return path.resolve() if path.is_file() else name


def check_image_files(files: Files, skip_bad: bool) -> None:
    """Raise a ValueError if images are missing; with `skip_bad`, if all are."""
    missing = [str(path) for path in files.paths if not path.is_file()]
    where = "Pass images=, the folder that holds them."
    if len(missing) == len(files.paths):
        raise ValueError(
            f"none of the {len(missing):,} images that the captions name is there: the first one "
            f"was expected at {missing[0]}. {where}"
        )
    if missing and not skip_bad:
        raise ValueError(
            f"{len(missing):,} of the {len(files.paths):,} images that the captions name are not "
            f"there: {_format_names(missing)}. {where} With skip_bad=True such images are listed "
            "and left out."
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
        files: image files, as `image_files` returns them.
        inputs: inputs of the images, one row per file.
        bad: errors of unreadable images by index; these images are left out.
        network: see `Captioned`.
        extractor: see `Captioned`.

    Raises:
        ValueError: if no image is readable.
    """
    readable = np.array([i for i in range(len(files.paths)) if i not in bad], dtype=np.int64)
    names = list(files.captions.of)
    notes = list(files.captions.notes)
    missing = [names[i] for i in bad if not files.paths[i].is_file()]
    broken = [names[i] for i in bad if files.paths[i].is_file()]
    for unusable, reason in ((missing, "are not there"), (broken, "cannot be read")):
        if unusable:
            notes.append(
                f"{len(unusable):,} images {reason}, and are left out: {_format_names(unusable)}"
            )
    if not len(readable):
        raise ValueError(
            f"none of the {len(names):,} images can be read: {next(iter(bad.values()))}"
        )
    source = Captioned(
        names,
        list(files.captions.of.values()),
        inputs,
        network,
        extractor,
        _parts(names, files.captions),
        [os.path.abspath(path) for path in files.paths],
        notes,
    )
    return take_images(source, readable) if bad else source


def from_features(files: Files, features: Any, skip_bad: bool) -> Captioned:
    """Join features that were computed by another program with the captions of their images.

    Args:
        files: image files, as `image_files` returns them; the images may be missing.
        features: the file of features, see `read_features`.
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
            f"{features} has no features of {len(missing):,} images: {_format_names(missing)}. "
            "With skip_bad=True such images are listed and left out."
        )
    notes = list(files.captions.notes)
    if missing:
        notes.append(
            f"{len(missing):,} images have no features, and are left out: {_format_names(missing)}"
        )
    available = list(rows)
    order = np.array(list(rows.values()))
    paths = dict(zip(files.captions.of, files.paths))
    return Captioned(
        available,
        [files.captions.of[name] for name in available],
        inputs.at(order),
        parts=_parts(available, files.captions),
        files=[os.path.abspath(paths[name]) if paths[name].is_file() else "" for name in available],
        notes=notes,
    )


def take_images(source: Captioned, rows: np.ndarray) -> Captioned:
    """Select images by their indices, int (images,)."""
    return replace(
        source,
        names=[source.names[i] for i in rows],
        captions=[source.captions[i] for i in rows],
        inputs=source.inputs.at(rows),
        parts=None if source.parts is None else [source.parts[i] for i in rows],
        files=[source.files[i] for i in rows],
    )


def select_test_part(source: Captioned) -> Captioned:
    """The test part if the data defines one, otherwise all images."""
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
    """Indices of the images of each part, as the data defines them, otherwise drawn at random.

    Each image is in one part, with all its captions.

    Args:
        source: the images.
        validation: share of the images outside the test part; unused if the data defines the part.
        test: share of all images; unused if the data defines the part.
        seed: seed of the random split.
        fold: `(k, n)` divides all images but the test part into n folds and makes the k-th one the
            validation part.

    Raises:
        ValueError: if a part has no images.

    Example:

    >>> source = Captioned([*"abcde"], [["a dog"]] * 5, ImageInputs(np.eye(5)))
    >>> {part: len(rows) for part, rows in part_rows(source, 0.2, 0.2, seed=0).items()}
    {'train': 3, 'validation': 1, 'test': 1}
    """
    random = np.random.default_rng(seed)
    defined = np.array(source.parts or ["train"] * len(source))
    rows = {part: np.flatnonzero(defined == part) for part in PARTS}
    for part, share in (("test", test), ("validation", validation)):
        if not (len(rows[part]) or isinstance(share, Real)):
            raise ValueError(f"no image of {part}= is there: check its names, or images=.")
    if not len(rows["test"]):
        rows["train"], rows["test"] = _draw(rows["train"], test, random)
    if fold is not None:
        number, folds = fold
        rest = np.concatenate([rows["train"], rows["validation"]])
        random.shuffle(rest)
        rows["validation"] = np.sort(rest[number::folds])
        rows["train"] = np.setdiff1d(rest, rows["validation"])
    elif not len(rows["validation"]):
        rows["train"], rows["validation"] = _draw(rows["train"], validation, random)
    for part, indices in rows.items():
        if not len(indices):
            raise ValueError(
                f"there is no image for the {part} part: {len(source):,} images are too few, "
                "or the lists of parts leave it empty. Give more images."
            )
    return rows


def _format_names(names: Sequence[str]) -> str:
    """Format names for a message: the first ones, and the number of further ones."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _draw(
    rows: np.ndarray, share: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a share of rows at random; the remaining and the drawn rows, each sorted."""
    order = random.permutation(rows)
    cut = max(1, round(share * len(rows)))
    return np.sort(order[cut:]), np.sort(order[:cut])


def _drop_unusable(captions: Captions) -> Captions:
    """Drop images without captions and, if the data defines parts, images without a part."""
    without = [name for name, texts in captions.of.items() if not texts]
    notes = list(captions.notes)
    if without:
        notes.append(f"{len(without):,} images have no caption, and are left out: {without[0]}")
    usable = {name: texts for name, texts in captions.of.items() if texts}
    if captions.parts:
        outside = [name for name in usable if name not in captions.parts]
        if outside:
            notes.append(f"{len(outside):,} images are in no part, and are left out")
        usable = {name: texts for name, texts in usable.items() if name in captions.parts}
        if not usable:
            raise ValueError(
                f"the lists of parts name none of the images that have captions: {outside[0]} is "
                "not in them. Give the lists of these images."
            )
    return replace(captions, of=usable, notes=notes)


def _merge_names(paths: Sequence[Path], captions: Captions) -> Files:
    """Merge the captions of names that mean the same file; `captions` is changed in place."""
    files: dict[str, tuple[str, Path]] = {}
    for name, path in zip([*captions.of], paths):
        first, _ = files.setdefault(os.path.abspath(path), (name, path))
        if first == name:
            continue
        if captions.parts and captions.parts[first] != captions.parts[name]:
            raise ValueError(
                f"{path} is in two parts: in {captions.parts[first]} as {first}, and in "
                f"{captions.parts[name]} as {name}. Leave one of them out."
            )
        captions.of[first] = captions.of[first] + captions.of.pop(name)
    return Files([path for _, path in files.values()], captions)


def _parts(names: Sequence[str], captions: Captions) -> list[str] | None:
    return [captions.parts[name] for name in names] if captions.parts else None
