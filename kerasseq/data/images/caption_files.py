"""What is said of pictures, from the files in which data sets say it."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kerasseq.data.images.caption_text import plain
from kerasseq.io import paths
from kerasseq.io.files import is_file_inside, read_text
from kerasseq.io.limits import encodable, parse_json, read_bytes
from kerasseq.io.tables import TABLES, from_objects, listed, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ENDINGS",
    "PARTS",
    "Captions",
    "captions_file",
    "picture_name",
    "read_captions",
    "read_names",
]

ENDINGS = (*TABLES, ".txt", ".token")
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
_CAPTION_NAMES = ("caption", "captions", "text", "sentence", "comment", "description", "raw")
_SPLIT_NAMES = ("split", "part", "set")
_TOKEN_FILE = re.compile(r"(?<!lemma\.)token\.txt$|\.token$")
_TOKEN_LINE = re.compile(r"([^\t#]+)#\d+\t(.*)")
_LIST = re.compile(r"(?:^|[._])(train|dev|val|test)[._]?images\.txt$", re.IGNORECASE)
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
# A list of texts as Python or NumPy write it; NumPy puts no commas.
_LIST_OF_TEXTS = re.compile(rf"\s*\[\s*(?:(?:{_QUOTED.pattern})[\s,]*)+\]\s*", re.DOTALL)

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
        data: a DataFrame or CSV with a row for each caption, or with lists of captions (columns
            such as `image`, `caption`, and perhaps `split`; in a CSV, a cell `["A dog.", "A dog
            runs."]`); the token file of Flickr8k or Flickr30k, with lists `*trainImages.txt`
            beside it; Flickr30k's `results.csv`; COCO's annotations; or Karpathy's
            `dataset_*.json`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no captions, or tells a picture's part in two ways.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"image": ["1.jpg"] * 2, "caption": ["A dog.", "A dog runs!"]})
    >>> read_captions(table).of
    {'1.jpg': ['a dog', 'a dog runs']}
    """
    rows, where, lists = _rows(data)
    found = _collected(rows, where)
    if lists is not None:
        _read_lists(found, lists)
    return found


def read_names(data: str | os.PathLike[str] | pd.DataFrame) -> list[str]:
    """The names of the pictures in what `read_captions` takes; a table needs no captions for that.

    >>> import pandas as pd
    >>> read_names(pd.DataFrame({"image": ["1.jpg", "2.jpg", "1.jpg"]}))
    ['1.jpg', '2.jpg']
    """
    return list(dict.fromkeys(picture_name(image) for image, _, _ in _rows(data, False)[0]))


def picture_name(written: str) -> str:
    """The one form of a picture's name or path, however it is written.

    >>> picture_name("./Images\\\\1.jpg")
    'Images/1.jpg'
    """
    return os.path.normpath(written.replace("\\", "/"))


def captions_file(folder: Path) -> Path:
    """The one file in a folder that holds captions.

    Raises:
        ValueError: if there is none, or several could be meant.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    tokens = [path for path in files if _TOKEN_FILE.search(path.name)]
    others = [
        path
        for path in files
        if path.suffix.lower() in (".csv", ".tsv", ".json")
        or path.name.lower().startswith("captions")
    ]
    found = tokens or others
    if len(found) == 1 and is_file_inside(found[0], folder):
        return found[0]
    which = f"several: {', '.join(path.name for path in found)}" if found else "none"
    raise ValueError(
        f"one file of captions was looked for in {folder}, and there is {which}. Pass captions=."
    )


def _rows(data: Any, said: bool = True) -> tuple[Iterable[_Row], str, Path | None]:
    """The rows of a table or a file, what to call it, and the folder of its lists of parts."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _from_frame(data, "the DataFrame", said), "the DataFrame", None
    if not isinstance(data, str | os.PathLike):
        raise ValueError(f"captions must be a file or a DataFrame. Received: {type(data).__name__}")
    path = paths.user_path(data, "captions")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of captions {path}. Check the path.")
    kind = path.suffix.lower()
    if not read_bytes(path).strip():
        raise ValueError(f"{path} is empty. Give a file with pictures and captions.")
    if kind == ".json":
        return _from_json(path, said), str(path), None
    if kind in (".txt", ".token"):
        content, _ = read_text(path)
        first = content.lstrip().partition("\n")[0]
        if _TOKEN_LINE.match(first):
            return _from_tokens(content, path), str(path), path.parent
        if not re.search("[,;|]", first):
            raise _unknown(path)
        kind = ".csv"
    return _from_frame(read_table(path, kind)[0], str(path), said), str(path), None


def _collected(rows: Iterable[_Row], where: str) -> Captions:
    found = Captions({})
    empty = 0
    for image, caption, part in rows:
        odd = [one for one in (image, caption, part) if not isinstance(one, str)]
        if odd:
            raise ValueError(
                f"{where} must hold texts as names, captions and parts. Received: "
                f"{str(odd[0])[:60]!r}. Mend the file."
            )
        words, image = plain(caption), picture_name(image)
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
    for number, line in enumerate(content.split("\n"), 1):
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
        if found and is_file_inside(path, folder):
            for name in read_text(path)[0].split("\n"):
                if name.strip():
                    _assign(captions.parts, picture_name(name.strip()), found[1], f"{folder}")


def _from_frame(frame: pd.DataFrame, where: str, said: bool = True) -> Iterator[_Row]:
    columns = {str(name).strip().lower(): name for name in frame.columns}
    image, caption, split = (
        next((columns[name] for name in known if name in columns), None)
        for known in (_IMAGE_NAMES, _CAPTION_NAMES, _SPLIT_NAMES)
    )
    if image is None or (said and caption is None):
        needed = "'image' and a column 'caption'" if said else "'image'"
        raise ValueError(
            f"{where} needs a column {needed}. "
            f"Its columns are {listed(list(frame.columns))}. Rename them."
        )
    named = {"image": image, "caption": caption, "split": split}
    used = {ours: frame[name] for ours, name in named.items() if name is not None}
    rows = frame.iloc[:, :0].assign(**{"caption": "", "split": "", **used})
    rows = rows.assign(caption=rows["caption"].map(_captions_in)).explode("caption")
    images, captions, parts = (rows[name].astype(object).fillna("").map(_text) for name in named)
    unnamed = images.str.strip().eq("").to_numpy()
    if unnamed.any():
        raise ValueError(
            f"row {unnamed.argmax() + 1} of {where} has no name in the column {image!r}. "
            "Fill it in, or leave the row out."
        )
    return zip(images, captions, parts)


def _text(cell: Any) -> str:
    return encodable(str(cell))


def _captions_in(cell: Any) -> Any:
    """The captions in a cell, where a list of them is written there; else the cell."""
    if not isinstance(cell, str):
        return cell
    cell = encodable(cell)
    if not cell.lstrip().startswith("["):
        return cell
    with contextlib.suppress(ValueError):
        listed = parse_json(cell)
        return listed if all(isinstance(one, str | None) for one in listed) else cell
    if _LIST_OF_TEXTS.fullmatch(cell):
        with contextlib.suppress(ValueError, SyntaxError):
            return [ast.literal_eval(text) for text in _QUOTED.findall(cell)]
    return cell


def _from_json(path: Path, said: bool = True) -> Iterator[_Row]:
    try:
        content = parse_json(read_text(path)[0])
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}. Mend the file.") from None
    try:
        if isinstance(content, list):
            return _from_frame(from_objects(content, path), str(path), said)
        images = content["images"]
        if "annotations" in content:
            return iter(list(_from_coco(images, content["annotations"], path)))
        return iter(list(_from_karpathy(images)))
    except (KeyError, TypeError, AttributeError):
        raise _unknown(path) from None


def _from_coco(
    images: Iterable[Mapping[str, Any]], annotations: Iterable[Mapping[str, Any]], path: Path
) -> Iterator[_Row]:
    names = {image["id"]: image["file_name"] for image in images}
    for annotation in annotations:
        image = annotation["image_id"]
        if image not in names:
            raise ValueError(
                f"{path} has an annotation with image_id={image!r}, and no such image. "
                "Leave it out, or add the image."
            )
        yield names[image], annotation["caption"] or "", ""


def _from_karpathy(images: Iterable[Mapping[str, Any]]) -> Iterator[_Row]:
    for image in images:
        name = str(PurePosixPath(image.get("filepath", ""), image["filename"]))
        for sentence in image["sentences"]:
            caption = sentence["raw"] if "raw" in sentence else " ".join(sentence["tokens"])
            yield name, caption or "", image["split"]


def _unknown(path: Path) -> ValueError:
    return ValueError(
        f"{path} holds captions in none of the known ways: a CSV with columns image and caption, "
        "the token file of Flickr8k or Flickr30k, COCO's annotations or Karpathy's JSON. Convert "
        "it."
    )
