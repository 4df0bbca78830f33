"""Read labelled sequences from files, folders, tables and arrays."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.data.sequences import arrays, folders
from kerasseq.data.sequences.archive import (
    ARCHIVE_ENDINGS,
    data_sets,
    read_archive_file,
    test_file,
)
from kerasseq.data.sequences.folders import FileReaders, Layout
from kerasseq.data.sequences.recordings import Recording, Sequences, assemble, channel_numbers
from kerasseq.data.sequences.tables import find_columns, is_long, notes_on_columns, split_table
from kerasseq.data.sequences.windows import cut_windows
from kerasseq.io import paths
from kerasseq.io.tables import TABLES, list_columns, read_table

__all__ = ["Reading", "read_sequences"]

_FILE_COLUMNS = ("file", "path", "filename", "file_name")


@dataclass(frozen=True)
class Reading:
    """How sequences are read.

    Args:
        label: name of the column of labels, or a label for each sequence of an array.
        channels: names of the columns of numbers.
        sequence: name of the column that tells the sequences apart.
        step: name of the column with the order of the timesteps.
        groups: name of the column of groups, or a group for each sequence of an array.
        pattern: pattern of file names, see `kerasseq.data.sequences.patterns`.
        joints: rows of a skeleton file that are one timestep.
        rate: timesteps per second to resample to.
        window: timesteps of a window of a long recording.
        stride: timesteps from one window to the next.
        numeric: whether labels are numbers to predict; None if numbers with a fraction are.
        learn: whether the sequences are for training, where an unusable sequence is an error.
        labelled: whether labels are read; sequences to classify need none.
        shape: shape of a timestep in the training data.
        dtype: type of the numbers in the training data.
        usual: names of the columns in the training data.
        readers: readers of sounds and images.
    """

    label: Any = None
    channels: Sequence[str] | None = None
    sequence: str | None = None
    step: str | None = None
    groups: Any = None
    pattern: str | None = None
    joints: int | None = None
    rate: float | None = None
    window: int | None = None
    stride: int | None = None
    numeric: bool | None = None
    learn: bool = True
    labelled: bool = True
    shape: tuple[int, ...] | None = None
    dtype: np.dtype | None = None
    usual: Mapping[str, Any] = field(default_factory=dict)
    readers: FileReaders = field(default_factory=FileReaders)

    @property
    def named(self) -> dict[str, str | None]:
        """Names of columns by role, without labels and groups that are arrays."""
        roles = ("label", "sequence", "step", "groups")
        values = {role: getattr(self, role) for role in roles}
        return {role: v if isinstance(v, str) else None for role, v in values.items()}

    @property
    def names_groups(self) -> bool:
        """Whether the user says where groups are; otherwise they are detected."""
        return self.groups is not None or "{group}" in (self.pattern or "")

    @property
    def layout(self) -> Layout:
        """How the files of a folder are read."""
        return Layout(self.pattern, self.joints, self.channels, self.named, self.usual)

    @property
    def checks(self) -> dict[str, Any]:
        """Arguments of `assemble`."""
        channels = self.channels or self.usual.get("channels")
        names = ("learn", "shape", "dtype")
        return {"channels": channels, **{name: getattr(self, name) for name in names}}


def read_sequences(data: Any, reading: Reading) -> Sequences:
    """Read labelled sequences, or sequences to classify.

    Args:
        data: an array (sequences, timesteps, channels), a list of arrays of unequal length, or a
            pair of these and their labels; a long table with a row for each timestep, as a
            DataFrame or file; a file of the UEA/UCR archive; an .npz or .npy file; a folder, or a
            zip archive of one, with a file for each sequence; a table of file names; a list of
            files; or "demo".
        reading: how they are read.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if the data cannot be read; all faults are named together.
    """
    sequences = _read(data, reading)
    if not reading.labelled:
        for part in filter(None, (sequences, sequences.validation, sequences.test)):
            part.labels = None
    varying = any(isinstance(label, np.ndarray) for label in sequences.labels or ())
    if varying and not reading.learn and reading.window is None:
        sequences.labels = None  # no label of the whole sequence
    if reading.learn and reading.shape is None and not reading.names_groups:
        _leave_out_only_group(sequences)
    return cut_windows(sequences, reading.window, reading.stride, reading.numeric)


def _leave_out_only_group(sequences: Sequences) -> None:
    """Leave out groups that do not tell sequences apart, with a note: no split can divide them."""
    if sequences.groups is None or len({*sequences.groups}) > 1:
        return
    sequences.notes.append(
        f"all sequences belong to one group, {sequences.groups[0]!r}, so they are split without "
        "groups; scores tell less of other groups"
    )
    sequences.groups, sequences.grouped = None, False


def _read(data: Any, reading: Reading) -> Sequences:
    pandas = sys.modules.get("pandas")
    if _is_pair(data, reading):
        if not isinstance(reading.label, str | None):
            raise ValueError("data is a pair of sequences and their labels: leave label= out.")
        values, labels = data
        return _from_arrays(values, labels, reading)
    if _is_table_and_labels(data):
        raise ValueError(
            "data is a pair of a table and labels, and a pair must be arrays and labels: add the "
            "labels to the table, and name their column by label=."
        )
    if arrays.is_arrays(data):
        if reading.learn and isinstance(reading.label, str):
            raise ValueError(
                "label must be a label for each sequence, since arrays have no columns. "
                f"Received: label={reading.label!r}"
            )
        labels = None if isinstance(reading.label, str) else reading.label
        return _from_arrays(data, labels, reading)
    _check_names(reading)
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _from_table(data, "the DataFrame", Path(), reading)
    if isinstance(data, str) and data == "demo":
        return _demo(reading)
    if isinstance(data, str | os.PathLike):
        return _from_path(paths.user_path(data, "data"), reading)
    if isinstance(data, list | tuple):
        return _from_paths(data, reading)
    raise ValueError(
        "data must be an array, a list of arrays, a DataFrame, or the path of a file or folder. "
        f"Received: {type(data).__name__}"
    )


def _is_pair(data: Any, reading: Reading) -> bool:
    """Whether data is a pair of sequences and their labels, and no tuple of two sequences."""
    if not (isinstance(data, tuple) and len(data) == 2 and arrays.is_arrays(data[0])):
        return False
    if reading.labelled or reading.shape is None:
        # With label=, a second array with the dimensions of a sequence is one.
        return isinstance(reading.label, str | None) or getattr(data[1], "ndim", 1) < 2
    try:
        shape = np.shape(data[0])
    except ValueError:  # sequences of unequal length
        return True
    return shape[1:] != reading.shape and not (len(shape) == 1 and reading.shape == (1,))


def _is_table_and_labels(data: Any) -> bool:
    """Whether data is a pair of a table and something else, which is no list of two tables."""
    tables = [hasattr(entry, "iloc") for entry in data] if isinstance(data, tuple) else []
    return len(tables) == 2 and tables[0] and getattr(data[1], "ndim", 1) < 2


def _check_names(reading: Reading) -> None:
    """Raise a ValueError for labels or groups of an array beside data that is none."""
    values = {"label": reading.label, "groups": reading.groups}
    if names := [name for name, value in values.items() if not isinstance(value, str | None)]:
        raise ValueError(
            f"{' and '.join(f'{name}=' for name in names)} must name a column, since data is no "
            "array. Add the values to the data as a column, for a list of files to a table with "
            "the columns file and label."
        )


def _from_arrays(values: Any, labels: Any, reading: Reading) -> Sequences:
    groups = None if isinstance(reading.groups, str) else reading.groups
    return arrays.from_arrays(
        values,
        labels,
        groups,
        where="the array" if hasattr(values, "shape") else "the list",
        rate=None,
        target_rate=reading.rate,
        encode=reading.readers.encode,
        **reading.checks,
    )


def _from_path(path: Path, reading: Reading) -> Sequences:
    """Read one file, folder or archive, with an official test part where there is one."""
    paths.check_data_path(path)
    if path.is_dir():
        return _from_folder(path, str(path), reading)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty. Give a file with a sequence.")
    ending = path.suffix.lower()
    if ending == ".zip":
        with folders.unpacked(path) as folder:
            return _from_folder(folder, str(path), reading)
    if ending in ARCHIVE_ENDINGS:
        return _from_archive_file(path, reading)
    if ending in (".npz", ".npy") and (content := arrays.read_arrays(path)) is not None:
        return arrays.from_arrays(
            content["values"],
            content.get("labels"),
            content.get("groups"),
            where=str(path),
            lengths=content.get("lengths"),
            rate=content.get("rate"),
            target_rate=reading.rate,
            encode=reading.readers.encode,
            **reading.checks,
        )
    if ending in TABLES and not folders.is_headless(path):
        frame, notes = read_table(path)
        sequences = _from_table(frame, str(path), path.parent, reading)
        sequences.notes[:0] = notes
        return sequences
    known = (*ARCHIVE_ENDINGS, ".zip", *reading.readers.endings)
    if ending not in known:
        raise ValueError(
            f"{path} has an ending that is not known. Known are {', '.join(known)}, and folders."
        )
    recordings = folders.read_file(path, reading.layout, reading.readers)
    return assemble(recordings, str(path), rate=reading.rate, **reading.checks)


def _from_archive_file(path: Path, reading: Reading) -> Sequences:
    recordings = read_archive_file(path)
    sequences = assemble(recordings, str(path), rate=reading.rate, **reading.checks)
    test = test_file(path) if reading.learn else None
    if test is not None:
        part = assemble(
            read_archive_file(test), str(test), rate=reading.rate,
            **{**reading.checks, **_like(sequences)},
        )  # fmt: skip
        sequences.test = part
        sequences.notes.append(f"an official test part of {len(part):,} sequences, {test.name}")
    return sequences


def _like(sequences: Sequences) -> dict[str, Any]:
    """Arguments of `assemble` for parts that must be like the training data."""
    return {"shape": sequences.values.shape, "dtype": sequences.values.values.dtype}


def _from_folder(folder: Path, where: str, reading: Reading) -> Sequences:
    """Read a folder, of which `where` is the name in messages."""
    if sets := data_sets(folder):
        sequences = _from_archive_file(sets[0], reading)
        if len(sets) > 1:
            note = f"{sets[0].name} alone is read, the first of {len(sets):,} data sets in {where}"
            sequences.notes.append(note)
        return sequences
    recordings, notes = folders.read_folder(folder, reading.layout, reading.readers)
    checks = reading.checks
    sequences = assemble(recordings["train"], where, rate=reading.rate, notes=notes, **checks)
    if sequences.channels != channel_numbers(len(sequences.channels)):
        sequences.notes.append(f"channels {list_columns(sequences.channels)}")
    checks |= _like(sequences)
    rate = reading.rate or sequences.rate
    for name in ("validation", "test"):
        if name in recordings:
            part = assemble(recordings[name], f"{where}/{name}", rate=rate, **checks)
            setattr(sequences, name, part)
            sequences.notes.append(f"an official {name} part of {len(part):,} sequences")
    return sequences


def _from_table(frame: Any, where: str, folder: Path, reading: Reading) -> Sequences:
    """Read a long table, or a table of file names with their labels."""
    if len(frame) == 0:
        raise ValueError(f"{where} has no rows. Give a row for each timestep.")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    names = {name.strip().lower(): name for name in frame.columns}
    reading.readers.used.update(reading.named)
    files = next((names[name] for name in _FILE_COLUMNS if name in names), None)
    if files is not None and _tells_sequences(frame, files, reading):
        reading = replace(reading, sequence=files)
    elif files is not None and reading.sequence is None and reading.channels is None:
        return _from_listed(frame, files, where, folder, reading)
    columns = find_columns(
        frame, where, channels=reading.channels, named=reading.named, usual=reading.usual
    )
    if reading.learn and columns.sequence is None and reading.window is None:
        raise ValueError(
            f"{where} has no column that tells the sequences apart: pass sequence=, or window= for "
            f"one long recording. Its columns are {', '.join(map(repr, frame.columns[:20]))}."
        )
    if columns.sequence is None and (usual := reading.usual.get("sequence")):
        raise ValueError(
            f"{where} has no column {usual!r}, which tells the sequences apart in the training "
            "data. Add it, with the same value in all rows if the table is one sequence. Its "
            f"columns are {list_columns(list(frame.columns))}."
        )
    name = columns.sequence
    detected = name is not None and name not in (reading.sequence, reading.usual.get("sequence"))
    if reading.learn and detected and len(frame) > 1 and frame[name].is_unique:
        raise ValueError(
            f"{where}: the column {name!r} is different in each of the {len(frame):,} rows, so "
            "that it does not tell the sequences apart. Pass sequence=, the column that does; or "
            f"leave the column {name!r} out and pass window= for one long recording."
        )
    recordings = split_table(frame, columns, Path(where).name or where)
    sequences = assemble(
        recordings, where, rate=reading.rate, notes=[", ".join(notes_on_columns(columns))],
        **reading.checks,
    )  # fmt: skip
    sequences.reading = {"channels": list(columns.channels), **columns.roles}
    return sequences


def _tells_sequences(frame: Any, files: str, reading: Reading) -> bool:
    """Whether the table is long, and its column of file names tells the sequences apart."""
    if reading.sequence is not None or reading.channels is not None:
        return False
    return reading.usual.get("sequence") == files or is_long(frame, files)


def _from_listed(frame: Any, files: str, where: str, folder: Path, reading: Reading) -> Sequences:
    """Read the files that a table names, with labels and groups from its columns."""
    named: dict[str, str | None] = {**reading.named, "sequence": None, "step": None}
    usual = {role: None for role in reading.usual if role != "channels"}
    columns = find_columns(frame, where, channels=[files], named=named, usual=usual)
    layout = replace(reading.layout, named={**reading.layout.named, "label": None, "groups": None})
    recordings: list[Recording] = []
    missing = [str(name) for name in frame[files] if not _is_file(folder / str(name))]
    if missing and reading.learn:
        raise FileNotFoundError(
            f"{where} names {len(missing):,} files that do not exist, the first of them "
            f"{folder / missing[0]}. Check the column {files!r}."
        )
    if reading.readers.begin is not None:
        reading.readers.begin([folder / str(name) for name in frame[files]])
    for _, row in frame.iterrows():
        path = folder / str(row[files])
        if not _is_file(path):
            recordings.append(Recording(str(row[files]), fault="there is no such file"))
            continue
        for recording in folders.read_file(path, layout, reading.readers):
            recording.name = str(row[files])
            for role, column in (("label", columns.label), ("group", columns.groups)):
                if column is not None:
                    setattr(recording, role, row[column])
            recordings.append(recording)
    return assemble(recordings, where, rate=reading.rate, **reading.checks)


def _is_file(path: Path) -> bool:
    """Whether there is a file; a name that no file can have is none."""
    return os.path.isfile(path)  # Path.is_file raises an error for a name that is too long


def _from_paths(data: Sequence[Any], reading: Reading) -> Sequences:
    """Read a list of files, folders and archives, and arrays among them, one after another."""
    names = [
        Path(e).name if isinstance(e, str | os.PathLike) else str(r) for r, e in enumerate(data)
    ]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    parts = [
        part
        for name, entry in zip(names, data)
        for part in _recordings(str(entry) if name in repeated else name, entry, reading)
    ]
    return assemble(parts, "the list", rate=reading.rate, **reading.checks)


def _recordings(name: str, entry: Any, reading: Reading) -> list[Recording]:
    """The recordings of one entry of a list; an entry that cannot be read has its fault."""
    if not isinstance(entry, str | os.PathLike):
        return [arrays.from_array(entry, name, reading.readers.encode)]
    try:
        part = _read(entry, replace(reading, learn=False)).whole()
    except (ValueError, OSError) as error:
        return [Recording(name, fault=" ".join(str(error).split()).rstrip("."))]
    unknown: list[Any] = [None] * len(part)
    labels, groups = part.labels or unknown, part.groups or unknown
    single = len(part) == 1
    named = part.channels != channel_numbers(len(part.channels))
    return [
        Recording(
            name=name
            if single or part.names[row] == Path(name).name
            else f"{name}: {part.names[row]}",
            values=part.values[row],
            label=labels[row],
            group=groups[row],
            channels=part.channels if named else None,
            rate=part.rate,
            one_unit=part.one_unit,
            own_offset=part.own_offset,
            fault=part.faults[row],
            notes=[remark for remark in (part.remarks[row],) if remark],
        )
        for row in range(len(part))
    ]


def _demo(reading: Reading) -> Sequences:
    from kerasseq.data.demo.motions import demo_motions

    values, labels, subjects = demo_motions()
    notes = [f"{len(values):,} motions of {len({*subjects}):,} simple bodies"]
    return arrays.from_arrays(
        values, labels, subjects, where="'demo'", notes=notes, **reading.checks
    )
