"""Files of the UEA/UCR archive: `.ts` and `.arff`, the latter relational too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerasseq.data.sequences.recordings import Recording
from kerasseq.io.files import read_text

__all__ = ["ARCHIVE_ENDINGS", "data_sets", "read_archive_file", "test_file"]

ARCHIVE_ENDINGS = (".ts", ".arff")
_MISSING = {"?", "nan", ""}
_TRAIN = re.compile(r"_train$", re.IGNORECASE)
_DIMENSION = re.compile(r"dimension\d+(?=_train$)", re.IGNORECASE)
# A field between commas, perhaps in quotes. The module csv limits the length of a field.
_FIELD = re.compile(r"""(?:^|,)\s*(?:(["'])(.*?)(?<!\\)\1\s*(?=,|$)|([^,]*))""")


def data_sets(folder: Path) -> list[Path]:
    """The files to train on in a folder of the archive, one for each data set.

    A data set has a training and a test part, or is all that there is in the folder. Of a data set
    in both formats, the `.ts` file is taken; and none of the files with a single channel,
    `NAMEDimension1_TRAIN`, beside the file with all of them, `NAME_TRAIN`.

    Args:
        folder: the folder.
    """
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    files = [path for path in entries if path.suffix.lower() in ARCHIVE_ENDINGS]
    if len(entries) == len(files) == 1:
        return files
    sets: dict[str, Path] = {}
    for path in files:  # .arff before .ts
        if test_file(path):
            sets[path.stem.lower()] = path
    whole = {stem: _DIMENSION.sub("", stem) for stem in sets}
    return [path for stem, path in sets.items() if whole[stem] == stem or whole[stem] not in sets]


def test_file(path: Path) -> Path | None:
    """The file `NAME_TEST` beside a file `NAME_TRAIN`; None if there is none."""
    if not _TRAIN.search(path.stem):
        return None
    name = f"{path.stem[:-5]}test".lower()
    return next(
        (
            file
            for file in sorted(path.parent.iterdir())
            if file.stem.lower() == name and file.suffix.lower() == path.suffix.lower()
        ),
        None,
    )


def read_archive_file(path: Path) -> list[Recording]:
    """Read a `.ts` or `.arff` file of the UEA/UCR archive.

    Args:
        path: the file.

    Returns:
        A recording for each case; a case that cannot be read has its fault.

    Raises:
        ValueError: if the file is no such file, or is too large.
    """
    text, _ = read_text(path)
    is_ts = path.suffix.lower() == ".ts"
    header, lines = _split_header(text, path)
    read = _ts_cases(lines, header, path) if is_ts else _arff_cases(lines, header)
    recordings = list(read)
    if not recordings:
        raise ValueError(f"{path} has no case below @data. Give a file with cases.")
    return recordings


def _split_header(text: str, path: Path) -> tuple[list[str], list[str]]:
    """The lines of the header, and the lines below `@data`, both without comments."""
    # Not splitlines(): it would also split at characters within a line.
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and line[0] not in "#%"]
    place = next((i for i, line in enumerate(lines) if line.lower() == "@data"), None)
    if place is None:
        raise ValueError(
            f"{path} has no line @data, so it is no {path.suffix} file of the UEA/UCR archive. "
            "Fetch it again, or convert it to CSV."
        )
    return lines[:place], lines[place + 1 :]


def _ts_cases(lines: list[str], header: list[str], path: Path) -> Iterator[Recording]:
    tags = {words[0].lower(): words[1:] for words in map(str.split, header)}

    def says_true(tag: str) -> bool:
        return [word.lower() for word in tags.get(tag, ())[:1]] == ["true"]

    if says_true("@timestamps"):
        raise ValueError(
            f"{path} has time stamps, which are not read from .ts files. Convert it to a long "
            "table with a row per timestep."
        )
    declared = {"@classlabel", "@targetlabel"} & {*tags}
    labelled = not declared or any(map(says_true, declared))
    for number, line in enumerate(lines):
        parts = line.split(":")
        label = parts.pop().strip() if labelled else None
        recording = Recording(str(number), label=None if label in _MISSING else label)
        try:
            recording.values = _channels([_numbers(part.split(",")) for part in parts])
        except ValueError as error:
            recording.fault = str(error)
        yield recording


def _arff_cases(lines: list[str], header: list[str]) -> Iterator[Recording]:
    attributes = [line.lower() for line in header if line.lower().startswith("@attribute")]
    relational = any("relational" in line.lower() for line in header)
    labelled = bool(attributes) and not attributes[-1].endswith(("numeric", "real"))
    for number, line in enumerate(lines):
        fields = [match[2] if match[1] else match[3] for match in _FIELD.finditer(line)]
        label = fields.pop().strip().strip("'\"") if relational or labelled else None
        recording = Recording(str(number), label=None if label in _MISSING else label)
        # A relational value has a line for each channel.
        rows = fields[0].replace("\\n", "\n").split("\n") if relational and fields else None
        try:
            channels = [row.split(",") for row in rows if row] if rows else [fields]
            values = _channels([_numbers(channel) for channel in channels])
            # Cases of unequal length are padded with missing values at the end.
            observed = np.flatnonzero(np.isfinite(values).any(axis=1))
            recording.values = values[: observed[-1] + 1] if len(observed) else values
        except ValueError as error:
            recording.fault = str(error)
        yield recording


def _numbers(words: list[str]) -> np.ndarray:
    """Numbers from words; NaN for a missing one."""
    if words == [""]:
        return np.zeros(0, dtype=np.float32)
    values = [np.nan if word.strip().lower() in _MISSING else word for word in words]
    try:
        return np.array(values, dtype=np.float64)
    except ValueError:
        bad = next(word for word in words if not _is_number(word))
        raise ValueError(f"{bad[:40]!r} is no number") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word.strip().lower() in _MISSING
    return True


def _channels(channels: list[np.ndarray]) -> np.ndarray:
    """Channels side by side, `(timesteps, channels)`."""
    lengths = {len(channel) for channel in channels}
    if len(lengths) > 1:
        raise ValueError(f"its channels have {min(lengths):,} to {max(lengths):,} timesteps")
    return np.stack(channels, axis=1)
