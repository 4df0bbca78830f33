"""Read texts whose class is the name of their folder or file, or the ending of their file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from kerasseq.io.files import decode, read_text, text_files

__all__ = ["Rows", "read_class_folders", "read_polar_files"]

Rows = list[tuple[str, str]]
"""Pairs of a text and its label."""

_TRAIN, _TEST = "train", "test"
_PARTS = {"train": _TRAIN, "training": _TRAIN, "test": _TEST, "testing": _TEST}
_PARTS |= dict.fromkeys(("val", "valid", "validation", "dev"), _TRAIN)
_UNLABELLED = "unsup"


def read_class_folders(path: Path) -> tuple[Rows, Rows | None, list[str]]:
    """Read texts from a folder, or an archive, with a sub-folder of .txt files or a file per class.

    The class folders may lie in folders `train` and `test`, and these in one outer folder. If there
    are .txt files and no folders, each file is a class, with a text a line.

    Args:
        path: a folder, or a .tar.gz, .tgz, .tar or .zip archive, which is read in memory.

    Returns:
        The training texts; the test texts, or None if there is no test folder; and notes.

    Raises:
        ValueError: if there are no .txt files in class folders, and no two of them outside.
    """
    files = list(text_files(path))
    if _is_file_per_class(path, files):
        return _read_class_files(path, files)
    while _has_outer_folder(files):
        files = [(parts[1:], raw) for parts, raw in files if len(parts) > 2]
    heads = Counter(parts[0].lower() for parts, _ in files if len(parts) > 1)
    official = any(_PARTS.get(head) == _TRAIN for head in heads)
    if not official and _TEST in map(_PARTS.get, heads):
        raise ValueError(
            f"{path} has a folder of test texts but none of training texts. "
            "Expected: train/CLASS/NAME.txt and test/CLASS/NAME.txt."
        )
    rows: dict[str, Rows] = {_TRAIN: [], _TEST: []}
    encodings: Counter[str] = Counter()
    unlabelled = 0
    for parts, raw in files:
        if len(parts) < 2 + official:
            continue  # lists and read-me files beside the classes
        part, label = (_PARTS.get(parts[0].lower()), parts[1]) if official else (_TRAIN, parts[0])
        if part is None:
            continue
        if label == _UNLABELLED:
            unlabelled += 1
            continue
        text, encoding = decode(raw, f"{path}: {'/'.join(parts)}")
        encodings[encoding] += 1
        rows[part].append((text, label))
    if not rows[_TRAIN]:
        raise ValueError(
            f"{path} holds no .txt files in folders named after classes. Expected: "
            "CLASS/NAME.txt, or train/CLASS/NAME.txt and test/CLASS/NAME.txt, or a file CLASS.txt "
            "for each class, with a text a line."
        )
    notes = []
    other_folders = [head for head in heads if head not in _PARTS]
    if official and other_folders:
        notes.append(f"left out: the folders {', '.join(other_folders)}, beside train and test")
    if unlabelled:
        notes.append(f"left out: {unlabelled:,} texts in {_UNLABELLED!r}, which have no label")
    train_folders = [head for head in heads if _PARTS.get(head) == _TRAIN]
    if len(train_folders) > 1:
        notes.append(f"the folders {' and '.join(train_folders)} are taken together")
    notes += [
        f"{count:,} of the files are not UTF-8: read as {encoding}"
        for encoding, count in encodings.items()
        if encoding != "UTF-8"
    ]
    return rows[_TRAIN], rows[_TEST] or None, notes


def read_polar_files(paths: Sequence[Path]) -> tuple[Rows, list[str]]:
    """Read texts from a pair of files `NAME.pos` and `NAME.neg` with one text per line.

    Args:
        paths: the two files.

    Returns:
        The texts, and notes on the number of texts and the encoding of each file.

    Raises:
        ValueError: if the files are no such pair, or one of them is empty.
        FileNotFoundError: if a file does not exist.
    """
    sides = {path.suffix.lower(): path for path in paths}
    if len(paths) != 2 or set(sides) != {".pos", ".neg"}:
        raise ValueError(
            "files with one text a line must be a pair, NAME.pos and NAME.neg. "
            f"Received: {', '.join(map(str, paths)) or 'none'}"
        )
    rows: Rows = []
    notes = []
    for label in ("neg", "pos"):
        path = sides[f".{label}"]
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}. Give both NAME.pos and NAME.neg.")
        content, encoding = read_text(path)
        # Not splitlines(): it would also split at characters within a line, such as U+2028.
        texts = [(line, label) for line in content.split("\n") if line.strip()]
        if not texts:
            raise ValueError(f"{path} is empty. Give a file with one text a line.")
        rows += texts
        notes.append(f"{path.name}: {len(texts):,} texts, read as {encoding}")
    return rows, notes


def _is_file_per_class(path: Path, files: list[tuple[tuple[str, ...], bytes]]) -> bool:
    """Whether there are several files and no folders, but for one around all of an archive."""
    folders = {parts[:-1] for parts, _ in files}
    around = {()} if path.is_dir() else {folder for folder in folders if len(folder) < 2}
    return len(files) > 1 and len(folders) == 1 and folders <= around


def _read_class_files(
    path: Path, files: list[tuple[tuple[str, ...], bytes]]
) -> tuple[Rows, None, list[str]]:
    """Read texts from a file for each class, with a text a line."""
    rows: Rows = []
    notes = [f"{len(files):,} files, each a class with a text a line"]
    for parts, raw in files:
        content, encoding = decode(raw, f"{path}: {'/'.join(parts)}")
        # Not splitlines(): it would also split at characters within a line, such as U+2028.
        lines = [line.strip() for line in content.split("\n") if line.strip()]
        rows += [(line, PurePosixPath(parts[-1]).stem) for line in lines]
        if encoding != "UTF-8":
            notes.append(f"{parts[-1]}: read as {encoding}")
    return rows, None, notes


def _has_outer_folder(files: list[tuple[tuple[str, ...], bytes]]) -> bool:
    """Whether all folders lie in a single one that is neither a class nor a part."""
    heads = {parts[0] for parts, _ in files if len(parts) > 1}
    deep = any(len(parts) > 2 for parts, _ in files)
    return len(heads) == 1 and deep and heads.pop().lower() not in _PARTS
