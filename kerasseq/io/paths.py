"""Paths that users pass, checked and expanded."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["check_data_path", "model_file", "output_file", "user_path"]

_SHOWN = 60  # characters of a path in an error


def user_path(value: str | os.PathLike[str], name: str) -> Path:
    """Check a path that a user passed, and expand `~` to the home folder.

    Args:
        value: The path.
        name: Name of the argument, for the error.

    Raises:
        ValueError: If it is empty or no path, has a null character, or begins with `~` and an
            unknown user.
        FileNotFoundError: If no file can have this name, or its folder may not be read.

    Example:

    >>> user_path("runs/reviews", "out").as_posix()
    'runs/reviews'
    >>> user_path("", "out")
    Traceback (most recent call last):
    ValueError: out must be a path, and not an empty text. Received: out=''
    """
    if not isinstance(value, str | os.PathLike):
        raise ValueError(f"{name} must be a path. Received: {name}={value!r}")
    text = os.fspath(value)
    if not text:
        raise ValueError(f"{name} must be a path, and not an empty text. Received: {name}={text!r}")
    if "\0" in text:  # pathlib and os.path raise "embedded null byte" at some later call
        raise ValueError(
            f"{name} must be a path, which has no null character. "
            f"Received: {name}={text[:_SHOWN]!r}"
        )
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    try:
        path = Path(text).expanduser()
        path.is_file()  # raises if no file can have this name, or its folder may not be read
    except RuntimeError as error:
        raise ValueError(
            f"{name} begins with a user that this machine does not have. Give the path in full. "
            f"Received: {name}={shown!r}"
        ) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise FileNotFoundError(
            f"{name} is no path of this machine ({reason}). Check it. Received: {name}={shown!r}"
        ) from None
    return path


def check_data_path(path: Path) -> None:
    """Raise an error unless there is data at a path: a file, or a folder that is no run.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If it is the folder of a run.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}. Check the path.")
    if (path / "run.json").exists():
        raise ValueError(
            f"{path} is the folder of a run, not of data. "
            "Use kerasseq.load or `kerasseq predict` with it."
        )


def model_file(path: Path) -> Path:
    """The file of a model: the path itself, or `model.keras` in the folder that it leads to.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        message = f"The folder '{path}' holds no model.keras." if path.is_dir() else ""
        raise FileNotFoundError(message or f"There is no file '{file}'.")
    return file


def output_file(value: str | os.PathLike[str], name: str) -> Path:
    """Check the path of a file to write, as `user_path` does.

    Args:
        value: The path.
        name: Name of the argument, for the error.

    Raises:
        ValueError: If it is no path, is a folder, or lies in a folder that does not exist.
        FileNotFoundError: If no file can have this name.
    """
    path = user_path(value, name)
    if path.is_dir():
        raise ValueError(f"{name} must be a file, and this is a folder. Received: {name}={path}")
    if not path.parent.is_dir():
        raise ValueError(
            f"{name} must be a file in a folder that exists: make {path.parent} first. "
            f"Received: {name}={path}"
        )
    return path
