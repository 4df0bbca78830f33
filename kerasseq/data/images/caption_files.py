"""Read captions of images from the file formats of common data sets."""

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
from kerasseq.io.tables import TABLES, from_objects, list_columns, read_separated, read_table

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

# Names of the parts of a data set in a column, in Karpathy's file or in the name of a list.
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
# Header of the table of Flickr30k; one line of the published file lacks the separator before its
# caption, which `_SHORT_LINE` matches.
_FLICKR30K = re.compile(r"\s*image_name\s*\|\s*comment_number\s*\|\s*comment\s*", re.IGNORECASE)
_SHORT_LINE = re.compile(r"([^|]+)\|\s*(\d+)\s+([^|]*\S)\s*")
_SHOWN = 3  # rows or lines in a note or an error

_Row = tuple[str, str, str]  # name of an image, caption, part of the data set ("" if unknown)


@dataclass
class Captions:
    """Captions of images.

    Args:
        of: normalized captions by the name of their image.
        parts: "train", "validation" or "test" by the name of the image; empty if the data does not
            define parts.
        notes: remarks on how the data was read, to be shown to the user.
    """

    of: dict[str, list[str]]
    parts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_captions(data: str | os.PathLike[str] | pd.DataFrame) -> Captions:
    """Read captions, and the parts of the data set if it defines them.

    Args:
        data: a DataFrame or CSV with one row per caption, or with lists of captions (columns such
            as `image`, `caption` and optionally `split`; in a CSV, a cell `["A dog.", "A dog
            runs."]`, see `caption_cells.parse_captions`); the token file of Flickr8k or Flickr30k,
            with lists `*trainImages.txt` beside it; Flickr30k's `results.csv`; COCO's annotations;
            or Karpathy's `dataset_*.json`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the data holds no captions, or puts an image into two parts.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"image": ["1.jpg"] * 2, "caption": ["A dog.", "A dog runs!"]})
    >>> read_captions(table).of
    {'1.jpg': ['a dog', 'a dog runs']}
    """
    rows, where, lists, notes = _read_rows(data)
    captions = _collect(rows, where)
    captions.notes[:0] = notes
    if lists is not None:
        _read_lists(captions, lists)
    return captions


def read_names(data: str | os.PathLike[str] | pd.DataFrame) -> list[str]:
    """Names of the images in data that `read_captions` accepts; a table needs no captions.

    >>> import pandas as pd
    >>> read_names(pd.DataFrame({"image": ["1.jpg", "2.jpg", "1.jpg"]}))
    ['1.jpg', '2.jpg']
    """
    rows = _read_rows(data, with_captions=False)[0]
    return list(dict.fromkeys(image_name(image) for image, _, _ in rows))


def image_name(written: str) -> str:
    """Normalize the name or path of an image.

    >>> image_name("./Images\\\\1.jpg")
    'Images/1.jpg'
    """
    return os.path.normpath(written.replace("\\", "/"))


def find_captions_file(folder: Path) -> Path:
    """Find the file of captions in a folder, by its name.

    It is the only file with the name of a Flickr token file (`*token.txt`, but not
    `*lemma.token.txt`, or `*.token`). Where there is none, it is the only CSV, TSV or JSON file or
    file whose name begins with "captions". Sub-folders are not searched.

    Raises:
        ValueError: if there is no such file or more than one, or it is a link out of the folder.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    tokens = [path for path in files if _TOKEN_FILE.search(path.name)]
    tables = [
        path
        for path in files
        if path.suffix.lower() in (".csv", ".tsv", ".json")
        or path.name.lower().startswith("captions")
    ]
    candidates = tokens or tables
    if len(candidates) == 1 and is_file_inside(candidates[0], folder):
        return candidates[0]
    received = f"several: {', '.join(path.name for path in candidates)}" if candidates else "none"
    raise ValueError(
        f"{folder} must contain one file of captions, and there is {received}. Pass captions=."
    )


def _read_rows(
    data: Any, with_captions: bool = True
) -> tuple[Iterable[_Row], str, Path | None, list[str]]:
    """Read a table or a file.

    Returns:
        The rows; the name of the data in error messages; the folder with lists of parts, or None;
        and notes.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _rows_from_frame(data, "the DataFrame", with_captions), "the DataFrame", None, []
    if not isinstance(data, str | os.PathLike):
        raise ValueError(f"captions must be a file or a DataFrame. Received: {type(data).__name__}")
    path = paths.user_path(data, "captions")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of captions {path}. Check the path.")
    kind = path.suffix.lower()
    if not read_bytes(path).strip():
        raise ValueError(f"{path} is empty. Give a file with images and captions.")
    if kind == ".json":
        return _rows_from_json(path, with_captions), str(path), None, []
    if kind not in (".csv", ".txt", ".token"):
        frame, notes = read_table(path, kind)
        return _rows_from_frame(frame, str(path), with_captions), str(path), None, notes
    content, encoding = read_text(path)
    notes = [] if encoding == "UTF-8" else [f"{path.name} is not UTF-8: read as {encoding}"]
    first = content.lstrip().partition("\n")[0]
    if kind != ".csv" and _TOKEN_LINE.match(first):
        return _parse_token_file(content, path), str(path), path.parent, notes
    if kind != ".csv" and not re.search("[,;|]", first):
        raise _unknown_format_error(path)
    if _FLICKR30K.fullmatch(first):
        content, more = _repair_separators(content, path)
        notes += more
    return (
        _rows_from_frame(read_separated(path, content), str(path), with_captions),
        str(path),
        None,
        notes,
    )


def _repair_separators(content: str, path: Path) -> tuple[str, list[str]]:
    """Insert separators that lines of Flickr30k's table lack before their captions; and notes.

    Raises:
        ValueError: if it is not clear where a separator belongs.
    """
    lines = content.split("\n")
    repaired: list[int] = []
    unclear: list[int] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and line.count("|") < 2:
            parts = _SHORT_LINE.fullmatch(line)
            (repaired if parts else unclear).append(number)
            if parts:
                lines[number - 1] = "|".join(parts.groups())
    if unclear:
        raise ValueError(
            f"{path}: {_format_numbers('line', unclear)} must have the form "
            "'IMAGE| NUMBER| CAPTION', and a separator is missing. Received: "
            f"{lines[unclear[0] - 1][:60]!r}. Correct it, or leave it out."
        )
    note = (
        "no separator before the caption, which is read all the same: "
        f"{_format_numbers('line', repaired)}"
    )
    return "\n".join(lines), [note] if repaired else []


def _format_numbers(name: str, numbers: Sequence[int]) -> str:
    """Format numbers of lines or rows; only the first ones are shown.

    >>> _format_numbers("line", [3, 5, 7, 9])
    'lines 3, 5, 7 and 1 more'
    """
    shown = ", ".join(f"{number:,}" for number in numbers[:_SHOWN])
    more = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return f"{name}{'s' * (len(numbers) > 1)} {shown}{more}"


def _collect(rows: Iterable[_Row], where: str) -> Captions:
    """Group rows by image, normalize the captions and leave out empty ones."""
    captions = Captions({})
    empty = 0
    for image, caption, part in rows:
        invalid = [value for value in (image, caption, part) if not isinstance(value, str)]
        if invalid:
            raise ValueError(
                f"{where} must hold texts as names, captions and parts. Received: "
                f"{str(invalid[0])[:60]!r}. Correct the file."
            )
        words, image = normalize_caption(caption), image_name(image)
        captions_of_image = captions.of.setdefault(image, [])
        if words:
            captions_of_image.append(words)
        empty += not words
        if part:
            _assign_part(captions.parts, image, part, where)
    if not any(captions.of.values()):
        raise ValueError(f"{where} holds no caption. Give a file with images and captions.")
    if empty:
        captions.notes.append(f"{empty:,} captions are empty, and left out")
    return captions


def _assign_part(parts: dict[str, str], image: str, part: str, where: str) -> None:
    """Put an image into a part; raises a ValueError for an unknown or a second part."""
    part_name = _PART_NAMES.get(part.strip().lower())
    if part_name is None:
        raise ValueError(
            f"{where} puts {image} into a part {part!r}: it must be one of "
            f"{', '.join(_PART_NAMES)}. Rename it."
        )
    if parts.setdefault(image, part_name) != part_name:
        raise ValueError(
            f"{where} puts {image} into {parts[image]} and into {part_name}. Leave one of them out."
        )


def _parse_token_file(content: str, path: Path) -> Iterator[_Row]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        match = _TOKEN_LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"line {number} of {path} is not 'IMAGE#NUMBER<tab>CAPTION': {line[:60]!r}. "
                "Correct it."
            )
        yield match[1], match[2], ""


def _read_lists(captions: Captions, folder: Path) -> None:
    """Read the parts from lists such as `Flickr_8k.trainImages.txt`, one name per line."""
    for path in sorted(folder.glob("*.txt")):
        match = _LIST.search(path.name)
        if match and is_file_inside(path, folder):
            for name in read_text(path)[0].split("\n"):
                if name.strip():
                    _assign_part(captions.parts, image_name(name.strip()), match[1], f"{folder}")


def _rows_from_frame(frame: pd.DataFrame, where: str, with_captions: bool = True) -> Iterator[_Row]:
    """Rows of a table: one per caption, or one per image without `with_captions`."""
    columns = {str(name).strip().lower(): name for name in frame.columns}
    image, caption, split = (
        next((columns[name] for name in known if name in columns), None)
        for known in (_IMAGE_NAMES, _CAPTION_NAMES, _SPLIT_NAMES)
    )
    if image is None or (with_captions and caption is None):
        needed = "'image' and a column 'caption'" if with_captions else "'image'"
        raise ValueError(
            f"{where} needs a column {needed}. "
            f"Its columns are {list_columns(list(frame.columns))}. Rename them."
        )
    named = {"image": image, "caption": caption if with_captions else None, "split": split}
    used = {role: frame[name] for role, name in named.items() if name is not None}
    if "caption" in used:
        used["caption"] = _parse_cells(used["caption"], caption, where)
    rows = frame.iloc[:, :0].assign(**{"caption": "", "split": "", **used}).explode("caption")
    unnamed = frame[image].astype(object).fillna("").map(_as_text).str.strip().eq("").to_numpy()
    if unnamed.any():
        raise ValueError(
            f"row {unnamed.argmax() + 1} of {where} has no name in the column {image!r}. "
            "Fill it in, or leave the row out."
        )
    images, captions, parts = (rows[name].astype(object).fillna("").map(_as_text) for name in named)
    return zip(images, captions, parts)


def _as_text(cell: Any) -> str:
    return encodable(str(cell))


def _parse_cells(cells: Iterable[Any], column: Any, where: str) -> list[list[str]]:
    """Parse the captions in each cell of a column; raises a ValueError that lists bad cells."""
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
            f"{_format_numbers('row', [row for row, _ in faults])} (counted from 1). Received in "
            f"row {faults[0][0]}: {faults[0][1]}. Write lists as JSON, such as "
            '["A dog.", "A dog runs."], also of a single caption that looks like a list.'
        )
    return captions


def _rows_from_json(path: Path, with_captions: bool = True) -> Iterator[_Row]:
    try:
        content = parse_json(read_text(path)[0])
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}. Correct the file.") from None
    try:
        if isinstance(content, list):
            return _rows_from_frame(from_objects(content, path), str(path), with_captions)
        images = content["images"]
        if "annotations" in content:
            return iter(list(_rows_from_coco(images, content["annotations"], path)))
        return iter(list(_rows_from_karpathy(images)))
    except (KeyError, TypeError, AttributeError):
        raise _unknown_format_error(path) from None


def _rows_from_coco(
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


def _rows_from_karpathy(images: Iterable[Mapping[str, Any]]) -> Iterator[_Row]:
    for image in images:
        name = str(PurePosixPath(image.get("filepath", ""), image["filename"]))
        for sentence in image["sentences"]:
            caption = sentence["raw"] if "raw" in sentence else " ".join(sentence["tokens"])
            yield name, caption or "", image["split"]


def _unknown_format_error(path: Path) -> ValueError:
    return ValueError(
        f"{path} has none of the known formats: a CSV with columns image and caption, "
        "the token file of Flickr8k or Flickr30k, COCO's annotations or Karpathy's JSON. Convert "
        "it."
    )
