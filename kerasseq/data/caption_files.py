"""What is said of pictures, from the files in which data sets say it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kerasseq.data.caption_words import plain
from kerasseq.data.files import decode
from kerasseq.data.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTS", "Captions", "captions_file", "read_captions"]

PARTS = ("train", "validation", "test")

# What parts of a data set are called, in a column, in Karpathy's file or in the name of a list.
_PART_NAMES = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
}
_IMAGE_NAMES = ("image", "image_name", "filename", "file_name", "file", "picture", "path", "img")
_CAPTION_NAMES = ("caption", "captions", "text", "sentence", "comment", "description")
_SPLIT_NAMES = ("split", "part", "set")
_TOKEN_LINE = re.compile(r"([^\t#]+)#\d+\t(.*)")
_LIST = re.compile(r"(?:^|[._])(train|dev|val|test)[._]?images\.txt$", re.IGNORECASE)

_Row = tuple[str, str, str]  # a picture, a caption, the part or nothing


@dataclass
class Captions:
    """What is said of pictures.

    Args:
        of: plain captions by the picture's name.
        parts: "train", "validation" or "test" by the picture's name; empty where the data does not
            tell.
        notes: what was found out, to be shown.
    """

    of: dict[str, list[str]]
    parts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_captions(data: str | os.PathLike[str] | pd.DataFrame) -> Captions:
    """Captions from a table or a file, and the parts of the data set where it tells them.

    Args:
        data: a DataFrame or CSV with a row for each caption (columns such as `image`, `caption`,
            and perhaps `split`); Flickr8k's token file, with its lists `*trainImages.txt` beside
            it; COCO's annotations; or Karpathy's `dataset_*.json`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no captions, or tells a picture's part in two ways.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"image": ["1.jpg"] * 2, "caption": ["A dog.", "A dog runs!"]})
    >>> read_captions(table).of
    {'1.jpg': ['a dog', 'a dog runs']}
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _collected(_from_frame(data, "the DataFrame"), "the DataFrame")
    if not isinstance(data, str | os.PathLike):
        raise ValueError(f"captions must be a file or a DataFrame. Received: {type(data).__name__}")
    path = Path(data).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of captions {path}. Check the path.")
    if path.suffix.lower() == ".json":
        return _collected(_from_json(path), str(path))
    if path.suffix.lower() != ".txt":
        return _collected(_from_frame(read_table(path)[0], str(path)), str(path))
    content, _ = decode(path.read_bytes(), str(path))
    first = content.lstrip().partition("\n")[0]
    if not _TOKEN_LINE.match(first):
        if "," not in first:
            raise _unknown(path)
        return _collected(_from_frame(read_table(path, ".csv")[0], str(path)), str(path))
    found = _collected(_from_tokens(content, path), str(path))
    _read_lists(found, path.parent)
    return found


def captions_file(folder: Path) -> Path:
    """The one file in a folder that holds captions.

    Raises:
        ValueError: if there is none, or several could be meant.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    tokens = [path for path in files if path.name.endswith("token.txt")]
    others = [
        path
        for path in files
        if path.suffix.lower() in (".csv", ".tsv", ".json")
        or path.name.lower().startswith("captions")
    ]
    found = tokens or others
    if len(found) == 1:
        return found[0]
    which = f"several: {', '.join(path.name for path in found)}" if found else "none"
    raise ValueError(
        f"one file of captions was looked for in {folder}, and there is {which}. Pass captions=."
    )


def _collected(rows: Iterable[_Row], where: str) -> Captions:
    found = Captions({})
    empty = 0
    for image, caption, part in rows:
        words = plain(caption)
        captions = found.of.setdefault(image, [])
        if words:
            captions.append(words)
        empty += not words
        if part:
            _assign(found.parts, image, part, where)
    if not any(found.of.values()):
        raise ValueError(f"{where} holds no caption. Give a file with pictures and captions.")
    if empty:
        found.notes.append(f"{empty:,} captions are empty, and left out")
    return found


def _assign(parts: dict[str, str], image: str, part: str, where: str) -> None:
    known = _PART_NAMES.get(part.strip().lower())
    if known is None:
        raise ValueError(
            f"{where} puts {image} into a part {part!r}: it must be one of "
            f"{', '.join(_PART_NAMES)}. Rename it."
        )
    if parts.setdefault(image, known) != known:
        raise ValueError(
            f"{where} puts {image} into {parts[image]} and into {known}. Leave one of them out."
        )


def _from_tokens(content: str, path: Path) -> Iterator[_Row]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        found = _TOKEN_LINE.fullmatch(line)
        if not found:
            raise ValueError(
                f"line {number} of {path} is not 'IMAGE#NUMBER<tab>CAPTION': {line[:60]!r}. "
                "Mend it."
            )
        yield found[1], found[2], ""


def _read_lists(captions: Captions, folder: Path) -> None:
    """The parts from lists such as `Flickr_8k.trainImages.txt`, one name a line."""
    for path in sorted(folder.glob("*.txt")):
        found = _LIST.search(path.name)
        if found:
            for name in decode(path.read_bytes(), str(path))[0].split("\n"):
                if name.strip():
                    _assign(captions.parts, name.strip(), found[1], f"{folder}")


def _from_frame(frame: pd.DataFrame, where: str) -> Iterator[_Row]:
    columns = {str(name).strip().lower(): name for name in frame.columns}
    image = next((columns[name] for name in _IMAGE_NAMES if name in columns), None)
    caption = next((columns[name] for name in _CAPTION_NAMES if name in columns), None)
    if image is None or caption is None:
        raise ValueError(
            f"{where} needs a column 'image' and a column 'caption'. "
            f"Its columns are {', '.join(map(repr, frame.columns))}. Rename them."
        )
    split = next((columns[name] for name in _SPLIT_NAMES if name in columns), None)
    blank = [""] * len(frame)
    parts = blank if split is None else frame[split].fillna("").astype(str)
    captions = frame[caption].fillna("").astype(str)
    return zip(frame[image].astype(str), captions, parts)


def _from_json(path: Path) -> Iterator[_Row]:
    try:
        content = json.loads(decode(path.read_bytes(), str(path))[0])
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}. Mend the file.") from None
    try:
        if isinstance(content, list):
            import pandas as pd

            return _from_frame(pd.DataFrame(content), str(path))
        images = content["images"]
        if "annotations" in content:
            return iter(list(_from_coco(images, content["annotations"])))
        return iter(list(_from_karpathy(images)))
    except (KeyError, TypeError, AttributeError):
        raise _unknown(path) from None


def _from_coco(
    images: Iterable[Mapping[str, Any]], annotations: Iterable[Mapping[str, Any]]
) -> Iterator[_Row]:
    names = {image["id"]: image["file_name"] for image in images}
    for annotation in annotations:
        yield names[annotation["image_id"]], annotation["caption"], ""


def _from_karpathy(images: Iterable[Mapping[str, Any]]) -> Iterator[_Row]:
    for image in images:
        name = str(PurePosixPath(image.get("filepath", ""), image["filename"]))
        for sentence in image["sentences"]:
            caption = sentence["raw"] if "raw" in sentence else " ".join(sentence["tokens"])
            yield name, caption, image["split"]


def _unknown(path: Path) -> ValueError:
    return ValueError(
        f"{path} holds captions in none of the known ways: a CSV with columns image and caption, "
        "Flickr8k's token file, COCO's annotations or Karpathy's JSON. Convert it."
    )
