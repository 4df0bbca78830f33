"""What is said of images, from the files in which data sets say it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kerasseq.data.images.caption_cells import parse_captions
from kerasseq.data.images.caption_text import normalize_caption
from kerasseq.io import paths
from kerasseq.io.files import is_file_inside, read_text
from kerasseq.io.limits import encodable, parse_json, read_bytes
from kerasseq.io.tables import TABLES, from_objects, listed, read_separated, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ENDINGS",
    "PARTS",
    "Captions",
    "find_captions_file",
    "image_name",
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
# The table of Flickr30k; one line of the published file has no separator before its caption.
_FLICKR30K = re.compile(r"\s*image_name\s*\|\s*comment_number\s*\|\s*comment\s*", re.IGNORECASE)
_SHORT_LINE = re.compile(r"([^|]+)\|\s*(\d+)\s+([^|]*\S)\s*")
_SHOWN = 3  # rows or lines in a note or an error

_Row = tuple[str, str, str]  # an image, a caption, the part or nothing


@dataclass
class Captions:
    """What is said of images.

    Args:
        of: plain captions by the image's name.
        parts: "train", "validation" or "test" by the image's name; empty where the data does not
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
            runs."]`, see `caption_cells.parse_captions`); the token file of Flickr8k or Flickr30k,
            with lists `*trainImages.txt` beside it; Flickr30k's `results.csv`; COCO's annotations;
            or Karpathy's `dataset_*.json`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no captions, or tells an image's part in two ways.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"image": ["1.jpg"] * 2, "caption": ["A dog.", "A dog runs!"]})
    >>> read_captions(table).of
    {'1.jpg': ['a dog', 'a dog runs']}
    """
    rows, where, lists, notes = _rows(data)
    found = _collected(rows, where)
    found.notes[:0] = notes
    if lists is not None:
        _read_lists(found, lists)
    return found


def read_names(data: str | os.PathLike[str] | pd.DataFrame) -> list[str]:
    """The names of the images in what `read_captions` takes; a table needs no captions for that.

    >>> import pandas as pd
    >>> read_names(pd.DataFrame({"image": ["1.jpg", "2.jpg", "1.jpg"]}))
    ['1.jpg', '2.jpg']
    """
    return list(dict.fromkeys(image_name(image) for image, _, _ in _rows(data, False)[0]))


def image_name(written: str) -> str:
    """The one form of an image's name or path, however it is written.

    >>> image_name("./Images\\\\1.jpg")
    'Images/1.jpg'
    """
    return os.path.normpath(written.replace("\\", "/"))


def find_captions_file(folder: Path) -> Path:
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


def _rows(data: Any, said: bool = True) -> tuple[Iterable[_Row], str, Path | None, list[str]]:
    """The rows of a table or a file, its name, the folder of its lists of parts, and notes."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _from_frame(data, "the DataFrame", said), "the DataFrame", None, []
    if not isinstance(data, str | os.PathLike):
        raise ValueError(f"captions must be a file or a DataFrame. Received: {type(data).__name__}")
    path = paths.user_path(data, "captions")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of captions {path}. Check the path.")
    kind = path.suffix.lower()
    if not read_bytes(path).strip():
        raise ValueError(f"{path} is empty. Give a file with images and captions.")
    if kind == ".json":
        return _from_json(path, said), str(path), None, []
    if kind not in (".csv", ".txt", ".token"):
        frame, notes = read_table(path, kind)
        return _from_frame(frame, str(path), said), str(path), None, notes
    content, encoding = read_text(path)
    notes = [] if encoding == "UTF-8" else [f"{path.name} is not UTF-8: read as {encoding}"]
    first = content.lstrip().partition("\n")[0]
    if kind != ".csv" and _TOKEN_LINE.match(first):
        return _from_tokens(content, path), str(path), path.parent, notes
    if kind != ".csv" and not re.search("[,;|]", first):
        raise _unknown(path)
    if _FLICKR30K.fullmatch(first):
        content, more = _with_separators(content, path)
        notes += more
    return _from_frame(read_separated(path, content), str(path), said), str(path), None, notes


def _with_separators(content: str, path: Path) -> tuple[str, list[str]]:
    """Flickr30k's table with the separators that lines lack before their captions, and notes.

    Raises:
        ValueError: if it is not clear where a separator belongs.
    """
    lines = content.split("\n")
    mended: list[int] = []
    unclear: list[int] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and line.count("|") < 2:
            parts = _SHORT_LINE.fullmatch(line)
            (mended if parts else unclear).append(number)
            if parts:
                lines[number - 1] = "|".join(parts.groups())
    if unclear:
        raise ValueError(
            f"{path}: {_numbered('line', unclear)} must have the form 'IMAGE| NUMBER| CAPTION', "
            f"and a separator is missing. Received: {lines[unclear[0] - 1][:60]!r}. Mend it, or "
            "leave it out."
        )
    told = (
        f"no separator before the caption, which is read all the same: {_numbered('line', mended)}"
    )
    return "\n".join(lines), [told] if mended else []


def _numbered(name: str, numbers: Sequence[int]) -> str:
    """Numbers of lines or rows, of which the first are shown.

    >>> _numbered("line", [3, 5, 7, 9])
    'lines 3, 5, 7 and 1 more'
    """
    shown = ", ".join(f"{number:,}" for number in numbers[:_SHOWN])
    more = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return f"{name}{'s' * (len(numbers) > 1)} {shown}{more}"


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
        words, image = normalize_caption(caption), image_name(image)
        captions = found.of.setdefault(image, [])
        if words:
            captions.append(words)
        empty += not words
        if part:
            _assign(found.parts, image, part, where)
    if not any(found.of.values()):
        raise ValueError(f"{where} holds no caption. Give a file with images and captions.")
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
                    _assign(captions.parts, image_name(name.strip()), found[1], f"{folder}")


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
    named = {"image": image, "caption": caption if said else None, "split": split}
    used = {ours: frame[name] for ours, name in named.items() if name is not None}
    if "caption" in used:
        used["caption"] = _listed_captions(used["caption"], caption, where)
    rows = frame.iloc[:, :0].assign(**{"caption": "", "split": "", **used}).explode("caption")
    unnamed = frame[image].astype(object).fillna("").map(_text).str.strip().eq("").to_numpy()
    if unnamed.any():
        raise ValueError(
            f"row {unnamed.argmax() + 1} of {where} has no name in the column {image!r}. "
            "Fill it in, or leave the row out."
        )
    images, captions, parts = (rows[name].astype(object).fillna("").map(_text) for name in named)
    return zip(images, captions, parts)


def _text(cell: Any) -> str:
    return encodable(str(cell))


def _listed_captions(cells: Iterable[Any], column: Any, where: str) -> list[list[str]]:
    """The captions in each cell of a column; raises a ValueError that counts unreadable cells."""
    captions: list[list[str]] = []
    faults: list[tuple[int, str]] = []
    for row, cell in enumerate(cells, 1):
        try:
            captions.append(parse_captions(cell))
        except ValueError as error:
            faults.append((row, f"{str(cell)[:60]!r}: {error}"))
    if faults:
        raise ValueError(
            f"{where}: column {column!r} holds no captions in "
            f"{_numbered('row', [row for row, _ in faults])} (counted from 1). Received in row "
            f"{faults[0][0]}: {faults[0][1]}. Write lists as JSON, such as "
            '["A dog.", "A dog runs."], also of a single caption that looks like a list.'
        )
    return captions


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
