"""Folders and archives with a file for each sequence."""

from __future__ import annotations

import contextlib
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kerasseq.data.sequences import arrays
from kerasseq.data.sequences.patterns import compile_pattern, match_name
from kerasseq.data.sequences.recordings import LeftOut, Recording, as_values
from kerasseq.data.sequences.skeletons import KINECT_JOINTS, skeleton
from kerasseq.data.sequences.tables import find_columns, notes_on_columns, split_table
from kerasseq.io.files import is_file_inside, read_text
from kerasseq.io.limits import check_size, check_table
from kerasseq.io.tables import TABLES, read_separated, read_table

__all__ = ["FileReaders", "Layout", "is_headless", "read_file", "read_folder", "unpacked"]

_ARCHIVE_PART = re.compile(r"_(train|test)$", re.IGNORECASE)
_NUMPY = (".npz", ".npy")
_TEXT = (".txt", ".dat")
_LONGEST_LINE = 2**20
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_SKELETON = "skeleton"
_SHOWN = 5  # endings of files in a note
_VIDEO_LEVELS = 3  # of CLASS/VIDEO/FRAME


@dataclass(frozen=True)
class FileReaders:
    """Readers of files that are no tables or arrays, such as sounds and images.

    Args:
        by_ending: for each ending a function from a path to a recording.
        frames: function from the paths of the frames of a video to their values, uint8 `(timesteps,
            height, width, channels)`, or to features, float32 `(timesteps, features)`; None if
            there are no frames.
        encode: function from the frames of a video in an array, uint8 `(timesteps, height, width,
            channels)`, to features, float32 `(timesteps, features)`; None to keep their pixels.
        images: endings of images.
        video: whether images in a folder are the frames of one video; None to decide by the
            depth of most images, CLASS/VIDEO/FRAME.
        begin: function that is called with the paths of all files before the first is read; None
            if nothing depends on all of them.
        used: names of the settings that had an effect on the reading.
    """

    by_ending: Mapping[str, Callable[[Path], Recording]] = field(default_factory=dict)
    frames: Callable[[Sequence[Path]], np.ndarray] | None = None
    encode: Callable[[np.ndarray], np.ndarray] | None = None
    images: tuple[str, ...] = ()
    video: bool | None = None
    begin: Callable[[Sequence[Path]], None] | None = None
    used: set[str] = field(default_factory=set, compare=False)

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of all files that can be read."""
        return (*TABLES, *_NUMPY, *_TEXT, *self.by_ending)


@dataclass(frozen=True)
class Layout:
    """How the files of a folder are read.

    Args:
        pattern: pattern of the names, see `compile_pattern`; None for labels from sub-folders.
        joints: rows of a skeleton file that are one timestep; None for 20 in files whose name has
            "skeleton", else for rows that are timesteps.
        channels: columns of numbers, in files that are tables; None for all.
        named: names of the columns `label`, `sequence`, `step` and `groups`.
        usual: names of the columns in the training data.
    """

    pattern: str | None = None
    joints: int | None = None
    channels: Sequence[str] | None = None
    named: Mapping[str, str | None] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)


def read_folder(
    folder: Path, layout: Layout, readers: FileReaders
) -> tuple[dict[str, list[Recording]], list[str]]:
    """Read a folder with a file for each sequence, or a sub-folder of frames for each.

    Labels are the names of the sub-folders, optionally inside `train`, `validation` (`valid`,
    `val`, `dev`) and `test`; or they come from the names of the files, by a pattern; or from a
    column in each file. Without `train` these folders are no parts, but no labels either.

    Args:
        folder: the folder; files that begin with a dot are left out.
        layout: how files are read.
        readers: readers of sounds and images.

    Returns:
        The recordings of the parts "train" and, if there are such folders, "validation" and "test";
        and notes.

    Raises:
        ValueError: if there is no file to read, the pattern matches none, or all is too large.
    """
    files, others = _list_files(folder, readers)
    if not files:
        besides = f", but {_listed(others)}" if others else ""
        raise ValueError(
            f"{folder} holds no file that can be read{besides}. Known are "
            f"{', '.join(readers.endings)}. Convert the files, sound to .wav, or give a folder "
            "with a file for each sequence."
        )
    notes: list[str] = []
    if others:
        notes.append(LeftOut(f"left out, of another kind: {_listed(others)}"))
    pattern = None if layout.pattern is None else compile_pattern(layout.pattern)
    readers.used.add("pattern")
    if readers.begin is not None:
        readers.begin(files)
    sequences, remarks = _by_sequence(files, folder, readers)
    notes += remarks
    official = _official_parts(sequences)
    result: dict[str, list[Recording]] = {"train": []}
    skipped = beside = 0
    for parts, paths in sequences.items():
        if official and parts[0] not in official:
            beside += len(paths)
            continue
        part = official.get(parts[0], "train")
        inner = parts[1:] if official else parts
        name = "/".join(parts)
        fields: Mapping[str, str] | None = {}
        if pattern is not None:
            stem = PurePosixPath("/".join(inner) if "/" in str(layout.pattern) else inner[-1])
            fields = match_name(
                pattern, str(stem.with_suffix("")) if len(paths) == 1 else str(stem)
            )
            if fields is None:
                skipped += 1
                continue
        elif len(inner) > 1:
            fields = {"label": inner[-2]}
        for recording in _read_sequence(paths, layout, readers):
            recording.name = (
                name if recording.name == paths[0].name else (f"{name}: {recording.name}")
            )
            if recording.label is None or "label" in (fields or {}):
                recording.label = (fields or {}).get("label", recording.label)
            recording.group = (fields or {}).get("group", recording.group)
            result.setdefault(part, []).append(recording)
    if not result["train"]:
        first = "/".join(next(iter(sequences)))
        raise ValueError(
            f"pattern matches none of the {len(sequences):,} names in {folder}, the first of them "
            f"{first!r}. Received: pattern={layout.pattern!r}"
        )
    if len(official) > 1 and not any(head.lower().startswith("train") for head in official):
        notes.append(f"no folder train: {', '.join(official)} are read as one part")
    if skipped:
        notes.append(LeftOut(f"left out: {skipped:,} files whose names do not match the pattern"))
    if beside:
        folders = ", ".join(sorted(official))
        notes.append(LeftOut(f"left out: {beside:,} files beside the folders {folders}"))
    return result, notes


def read_file(path: Path, layout: Layout, readers: FileReaders) -> list[Recording]:
    """Read the sequences of one file; one that cannot be read becomes a recording with its fault.

    Args:
        path: the file.
        layout: how it is read.
        readers: readers of sounds and images.
    """
    try:
        return _read(path, layout, readers)
    except (ValueError, OSError) as error:
        text = " ".join(str(error).split())
        for prefix in (f"{path} ", f"{path}: "):
            text = text.removeprefix(prefix)
        return [Recording(path.name, fault=text.rstrip("."))]


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Context with a temporary folder that has the files of a zip archive.

    Raises:
        ValueError: if the archive is damaged, locked or too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if not m.is_dir()]
                check_size(sum(m.file_size for m in members), str(path), path.stat().st_size)
                for member in members:
                    archive.extract(member, folder)
        except (zipfile.BadZipFile, OSError, RuntimeError, EOFError) as error:
            raise ValueError(
                f"{path} cannot be read as an archive: it is corrupt, cut off or locked "
                f"({error}). Fetch or pack it again."
            ) from None
        inner = Path(folder)
        entries = [entry for entry in inner.iterdir() if not entry.name.startswith(("__", "."))]
        while len(entries) == 1 and entries[0].is_dir():  # an outer folder, of the archive's name
            inner = entries[0]
            entries = [entry for entry in inner.iterdir() if not entry.name.startswith(".")]
        yield inner


def _list_files(folder: Path, readers: FileReaders) -> tuple[list[Path], Counter[str]]:
    """The files of one kind, sorted, none outside of the folder; and how many others, by ending."""
    total, files = 0, []
    endings: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder).parts
        if any(part.startswith((".", "__MACOSX")) for part in inner) or not path.is_file():
            continue
        ending = path.suffix.lower()
        endings[ending] += 1
        if ending in readers.endings and is_file_inside(path, folder):
            total += path.stat().st_size
            check_size(total, str(folder))
            files.append(path)
    readable = [ending for ending in endings if ending in readers.endings]
    if not readable:
        return [], endings
    # One kind of file holds the sequences; others, such as a read-me file, lie beside them. Of
    # equally many, text describes the others.
    kind = max(readable, key=lambda ending: (endings[ending], ending not in _TEXT))
    kinds = readers.images if kind in readers.images else _same_kind(kind, readers)
    chosen = [path for path in files if path.suffix.lower() in kinds]
    return chosen, Counter({e: count for e, count in endings.items() if e not in kinds})


def _listed(endings: Counter[str]) -> str:
    """Numbers of files by their endings: "12 .mp3, 1 without an ending"; "" of none."""
    shown = [f"{count:,} {e or 'without an ending'}" for e, count in endings.most_common(_SHOWN)]
    more = sum(endings.values()) - sum(count for _, count in endings.most_common(_SHOWN))
    return ", ".join([*shown, *([f"{more:,} more"] if more else [])])


def _same_kind(ending: str, readers: FileReaders) -> tuple[str, ...]:
    sounds = tuple(e for e in readers.by_ending if e not in readers.images)
    return next((kinds for kinds in (TABLES, _NUMPY, _TEXT, sounds) if ending in kinds), (ending,))


def _by_sequence(
    files: list[Path], folder: Path, readers: FileReaders
) -> tuple[dict[tuple[str, ...], list[Path]], list[str]]:
    """The files of each sequence by its name: one, or the frames in a folder; and notes."""
    inner = {path: path.relative_to(folder).parts for path in files}
    if files[0].suffix.lower() not in readers.images:
        return {parts: [path] for path, parts in inner.items()}, []
    above = bool(_official_parts(inner.values()))
    levels = Counter(len(parts) - above for parts in inner.values()).most_common(1)[0][0]
    video = readers.video if readers.video is not None else levels >= _VIDEO_LEVELS
    if not video:
        return {parts: [path] for path, parts in inner.items()}, []
    frames: dict[tuple[str, ...], list[Path]] = {}
    stray = 0
    for path, parts in inner.items():
        if readers.video is None and len(parts) - above < _VIDEO_LEVELS:
            stray += 1
            continue
        frames.setdefault(parts[:-1] or (folder.name,), []).append(path)
    counts = sorted(map(len, frames.values()))
    sizes = f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"
    notes = [f"{len(frames):,} videos of {sizes} frames, from folders of images"]
    if stray:
        notes.append(LeftOut(f"left out: {stray:,} images beside the folders of the videos"))
    return {name: sorted(paths, key=_by_number) for name, paths in frames.items()}, notes


def _by_number(path: Path) -> list[tuple[str, int]]:
    """Sorts names by the numbers in them: 2.png before 10.png."""
    pieces = re.findall(r"(\D*)(\d*)", path.name)
    return [(text, int(digits or -1)) for text, digits in pieces]


def _official_parts(names: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """The part of each outermost folder, by its name; empty if one of them is no part."""
    heads = sorted({parts[0] for parts in names if len(parts) > 1})
    parts = {head: _PARTS[head.lower()] for head in heads if head.lower() in _PARTS}
    if len(parts) < len(heads):
        return {}
    return parts if "train" in parts.values() else dict.fromkeys(parts, "train")


def _read_sequence(paths: list[Path], layout: Layout, readers: FileReaders) -> list[Recording]:
    """Read a file, or the frames of a video."""
    image = paths[0].suffix.lower() in readers.images
    if not image or readers.frames is None or (len(paths) == 1 and not readers.video):
        return read_file(paths[0], layout, readers)
    try:
        return [Recording(paths[0].name, readers.frames(paths))]
    except (ValueError, OSError) as error:
        return [Recording(paths[0].name, fault=str(error).rstrip("."))]


def _read(path: Path, layout: Layout, readers: FileReaders) -> list[Recording]:
    ending = path.suffix.lower()
    if ending in readers.by_ending:
        recording = readers.by_ending[ending](path)
        recording.name = path.name
        return [recording]
    if ending in _NUMPY:
        return [arrays.read_recording(path, readers.encode)]
    if path.stat().st_size == 0:
        raise ValueError("it is empty")
    joints = layout.joints or (KINECT_JOINTS if _SKELETON in path.name.lower() else None)
    if joints:
        readers.used.add("joints")
        values = skeleton(_plain_numbers(path), joints)
        return [Recording(path.name, values, one_unit=True)]
    if ending in _TEXT:
        return [Recording(path.name, as_values(_plain_numbers(path)))]
    if is_headless(path):
        if path.suffix.lower() == ".tsv" and _ARCHIVE_PART.search(path.stem):
            raise ValueError(
                "it seems to be a file of the UCR archive without a header: a sequence in each "
                "row, after its label. Read it by frame = pandas.read_csv(path, sep='\\t', "
                "header=None), and pass data=(frame.iloc[:, 1:].to_numpy(), frame[0])"
            )
        return [Recording(path.name, as_values(_without_header(path)))]
    frame, _ = read_table(path)
    if not len(frame):
        return [Recording(path.name, np.zeros((0, 1), dtype=np.float32))]
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    readers.used.update(layout.named)
    columns = find_columns(
        frame, "it", channels=layout.channels, named=layout.named, usual=layout.usual
    )
    if columns.sequence is not None and layout.named.get("sequence") is None:
        # The file is the sequence: by its name, the column numbers sequences a second time.
        identifiers = (columns.sequence, *columns.identifiers)
        columns = replace(columns, sequence=None, by_group=False, identifiers=identifiers)
    recordings = split_table(frame, columns, path.name)
    if layout.usual:  # of files like those in training, which had the same columns
        columns = replace(columns, identifiers=(), step=None, label=None, groups=None)
    if notes := notes_on_columns(columns, channels=False):
        for recording in recordings:
            recording.notes.append(", ".join(notes))
    return recordings


def _plain_numbers(path: Path) -> np.ndarray:
    """Rows of numbers, separated by spaces, tabs, commas or semicolons."""
    text, _ = read_text(path)
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.split("\n")]
    rows = [row for row in rows if row and not row[0].startswith(("#", "%"))]
    check_table(len(rows), max(map(len, rows), default=0), str(path), len(text))
    widths = {len(row) for row in rows}
    if not rows:
        return np.zeros((0, 1), dtype=np.float32)
    if len(widths) > 1:
        raise ValueError(f"its rows have {min(widths):,} to {max(widths):,} numbers")
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"it does not hold numbers alone: {error}") from None


def is_headless(path: Path) -> bool:
    """Whether a file is a CSV or TSV file whose first line holds numbers, no names."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return False
    with open(path, "rb") as file:
        first = file.readline(_LONGEST_LINE).decode("latin-1")
    words = re.split(r"[,;\t]", first.strip())
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def _without_header(path: Path) -> np.ndarray:
    """The numbers of a CSV or TSV file without a line of names."""
    text, _ = read_text(path)
    first = text.split("\n", 1)[0]
    separator = next((sign for sign in "\t;," if sign in first), ",")
    names = separator.join(map(str, range(first.count(separator) + 1)))
    kind = "TSV" if separator == "\t" else "CSV"
    frame = read_separated(path, f"{names}\n{text}", kind)
    try:
        return frame.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"it does not hold numbers alone: {error}") from None
