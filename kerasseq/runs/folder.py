"""The folder of a run: its files, its record, its lock, and checks before writing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from kerasseq.io import atomic, lock, paths, schema
from kerasseq.io.limits import Damaged
from kerasseq.io.state import read_json
from kerasseq.settings import aliases

__all__ = [
    "CHECKPOINT",
    "FORMAT",
    "HISTORY",
    "METRICS",
    "MODEL",
    "PLOTS",
    "RECORD",
    "REFIT",
    "REMEDY",
    "STATE",
    "check_free",
    "holds",
    "interrupted",
    "lock_folder",
    "member_checkpoint",
    "open_folder",
    "read_record",
    "tidy",
    "versions",
]

#: Format 1 used other names of settings, see `kerasseq.settings.aliases`.
FORMAT = 2
RECORD, MODEL, STATE = "run.json", "model.keras", "state.json"
METRICS, HISTORY, PLOTS = "metrics.json", "history.json", "plots"
CHECKPOINT, REFIT = "checkpoint.npz", "refit.npz"
REMEDY = "Restore it from a copy, or train again."
_LIBRARIES = ("kerasseq", "keras", "numpy", "scikit-learn", "tokenizers")
_BACKENDS = ("tensorflow", "jax", "torch")


class Record(TypedDict):
    """The content of run.json."""

    format: int
    recipe: str
    settings: dict[str, Any]
    data: str
    notes: list[str]
    versions: NotRequired[dict[str, str]]


def versions() -> dict[str, str]:
    """Versions of the libraries that a result depends on."""
    import keras

    result = {"python": platform.python_version(), "backend": keras.backend.backend()}
    for name in (*_LIBRARIES, *_BACKENDS):
        if name not in _BACKENDS or name == result["backend"]:
            try:
                result[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # kerasseq in a checkout that was not installed
                continue
    return result


def open_folder(folder: str | os.PathLike[str], name: str = "folder") -> Path:
    """The path of a folder, after finishing the file moves of a killed process in it.

    Args:
        folder: a path from the user.
        name: name of the argument, for the error message.

    Raises:
        OSError: if files cannot be moved.
        ValueError: if `folder` is not a path.
    """
    path = paths.user_path(folder, name)
    atomic.finish(path)
    return path


@contextlib.contextmanager
def lock_folder(out: str | os.PathLike[str] | None) -> Iterator[Path | None]:
    """Lock the folder of a run against other processes; a finished run needs no lock.

    Args:
        out: the folder; None for a run that is not saved.

    Yields:
        The folder, or None.

    Raises:
        ValueError: if `out` is not a path, holds other files, or another process writes to it.
    """
    if out is None:
        yield None
        return
    folder = open_folder(out, "out")
    if holds(folder, RECORD):  # it will be loaded, or refused
        yield folder
        return
    if not holds(folder, CHECKPOINT):
        check_free(folder)
    with lock.hold(folder):
        yield folder


def tidy(folder: Path) -> None:
    """Remove checkpoints and the lock from the folder of a finished run, if possible."""
    if holds(folder, CHECKPOINT, REFIT, lock.NAME):
        # If another process has the lock, or the folder is read-only, they stay; they do no harm.
        with contextlib.suppress(OSError, ValueError), lock.hold(folder):
            for path in _checkpoints(folder):
                path.unlink(missing_ok=True)


def member_checkpoint(checkpoint: Path | None, place: int) -> Path | None:
    """The checkpoint of a member of an ensemble.

    Args:
        checkpoint: the checkpoint of the first member; None for none.
        place: place of the member, from 0 on.

    >>> member_checkpoint(Path("refit.npz"), 0).name, member_checkpoint(Path("refit.npz"), 2).name
    ('refit.npz', 'refit-3.npz')
    """
    if checkpoint is None or place == 0:
        return checkpoint
    return checkpoint.with_name(f"{checkpoint.stem}-{place + 1}{checkpoint.suffix}")


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in the folder of a run, of all members of an ensemble."""
    stems = "|".join(Path(name).stem for name in (CHECKPOINT, REFIT))
    pattern = re.compile(rf"({stems})(-\d+)?\.npz")
    return [path for path in folder.iterdir() if pattern.fullmatch(path.name)]


def holds(folder: Path, *names: str) -> bool:
    """Whether a folder has at least one of these files."""
    return any((folder / name).is_file() for name in names)


def check_free(folder: Path) -> None:
    """Raise a ValueError unless a folder is writable and empty or does not exist yet."""
    if folder.is_file():
        raise ValueError(f"{folder} is a file: give the name of a folder.")
    if folder.is_dir() and not all(map(_is_leftover, folder.iterdir())):
        raise ValueError(f"{folder} is not empty, and no run: give another folder.")
    parent = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    if not parent.is_dir():
        raise ValueError(f"{folder} cannot be made: {parent} is a file. Give another folder.")
    if not os.access(parent, os.W_OK):
        raise ValueError(f"{folder} cannot be written: {parent} is read-only for this user.")


def _is_leftover(path: Path) -> bool:
    """Whether a file may be the leftover of a killed process of kerasseq."""
    return path.name == lock.NAME or atomic.is_leftover(path)


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a run, with settings under their current names.

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if the folder holds no finished run, or the record is damaged.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give the folder of a saved run.")
    if not holds(folder, RECORD):
        if holds(folder, CHECKPOINT):
            raise ValueError(
                f"{folder} holds a run interrupted after epoch {interrupted(folder)['epochs']}: "
                "call its recipe with the same settings, data and `out` to go on."
            )
        raise ValueError(f"{folder} is not a run: it has no {RECORD}. Give the folder of a run.")
    try:
        record: dict[str, Any] = read_json(folder / RECORD)
    except Damaged as error:
        raise ValueError(f"{error}. {REMEDY}") from error
    version = record.get("format") if isinstance(record, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError(f"{folder / RECORD} is not the record of a run: restore it from a copy.")
    if version > FORMAT:
        raise ValueError(
            f"{folder} was written by a newer kerasseq (format {version}; this one reads "
            f"up to {FORMAT}): upgrade kerasseq."
        )
    try:
        schema.check(record, Record)
    except ValueError as error:
        raise ValueError(f"{folder / RECORD} is damaged: {error}. {REMEDY}") from error
    if record["format"] == 1:
        record["settings"] = aliases.current(record["recipe"], record["settings"])
    return record


def interrupted(folder: Path) -> dict[str, Any]:
    """Read the stamp of an interrupted run from its checkpoint.

    Raises:
        ValueError: if the checkpoint is damaged.
    """
    from kerasseq import training

    try:
        return training.read_stamp(folder / CHECKPOINT)
    except training.Damaged as error:
        raise ValueError(
            f"{folder} holds an interrupted run, and {error}: call its recipe with `out` to begin "
            "anew."
        ) from error
