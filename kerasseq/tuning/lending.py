"""Data that the processes of one machine have in common: prepared by one, lent to the others.

Large arrays are in files of NumPy's own format, which those processes map, so that all of them
have them in memory once;
what is around them goes through the links between the processes.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import queue
import shutil
import threading
import weakref
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["LENT", "Borrower", "Lender", "Store", "opened"]

LENT = ".lent"  # the folder of a search that has the files, while its processes run
LARGE = 2**16  # bytes of an array that is worth a file


@dataclasses.dataclass(frozen=True)
class _File:
    """Stands for an array."""

    path: Path


class Store:
    """Arrays in files, each written once, and removed when nobody here has the array any more.

    Args:
        folder: of the files, which is made anew.

    Raises:
        OSError: if it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        self._folder, self._numbers = folder, count()
        self._files: dict[int, _File] = {}

    def packed(self, value: Any) -> Any:
        """A copy of a value in which files stand for its large arrays.

        Raises:
            OSError: if the disk does not take them.
        """
        return _replaced(value, self._file, {})

    def remove(self) -> None:
        """Remove the files; who has mapped them keeps what is in them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype.hasobject or value.nbytes < LARGE:
            return value
        if id(value) not in self._files:
            path = self._folder / f"{next(self._numbers)}.npy"
            try:
                np.save(path, value, allow_pickle=False)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            self._files[id(value)] = _File(path)
            weakref.finalize(value, self._forget, id(value)).atexit = False
        return self._files[id(value)]

    def _forget(self, name: int) -> None:
        self._files.pop(name).path.unlink(missing_ok=True)


def opened(value: Any) -> Any:
    """What `Store.packed` was given, its large arrays mapped copy-on-write.

    Raises:
        FileNotFoundError: if one was removed in between.
    """
    return _replaced(value, _mapped, {})


def _mapped(value: Any) -> Any:
    return np.asarray(np.load(value.path, mmap_mode="c")) if isinstance(value, _File) else value


def _replaced(value: Any, leaf: Callable[[Any], Any], known: dict[int, Any]) -> Any:
    """A copy of a value with its leaves replaced; what it has twice, the copy has twice."""
    if isinstance(value, str | int | float | None):
        return value
    if id(value) not in known:
        known[id(value)] = value, _copied(value, leaf, known)
    return known[id(value)][1]


def _copied(value: Any, leaf: Callable[[Any], Any], known: dict[int, Any]) -> Any:
    if type(value) in (list, tuple):
        return type(value)(_replaced(own, leaf, known) for own in value)
    if type(value) is dict:
        return {name: _replaced(own, leaf, known) for name, own in value.items()}
    if not isinstance(value, _File) and _ours(value):
        made = copy.copy(value)
        vars(made).update({n: _replaced(own, leaf, known) for n, own in vars(value).items()})
        return made
    return leaf(value)


def _ours(value: Any) -> bool:
    """Whether a value is an object that we may look into."""
    own = type(value)
    within = dataclasses.is_dataclass(own) or own.__module__.partition(".")[0] == "kerasseq"
    return within and hasattr(value, "__dict__") and not isinstance(value, type)


class Lender:
    """Gives data to other processes.

    Args:
        prepare: gives what was asked, to several threads.
        folder: for files, which is made anew.

    Raises:
        OSError: if it cannot be made.
    """

    def __init__(self, prepare: Callable[..., Any], folder: Path) -> None:
        self._prepare, self._store = prepare, Store(folder)
        self._lock = threading.Lock()

    def packed(self, value: Any) -> Any:
        """A value to send; as it is, where the disk does not take its arrays."""
        try:
            with self._lock:
                return self._store.packed(value)
        except OSError:
            return value

    def serve(self, link: Connection) -> None:
        """Answer what is asked through a link, until it ends."""
        threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def close(self) -> None:
        """Remove the files."""
        self._store.remove()

    def _serve(self, link: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                answer = self._answer(link.recv())
                try:
                    link.send(answer)
                except OSError:
                    raise
                except Exception:  # it is of a kind that no link takes
                    link.send(None)

    def _answer(self, asked: Any) -> Any:
        """What was asked; None where something is wrong with it, which who asks will find, too."""
        try:
            found = self._prepare(*asked)
            with self._lock:
                return self._store.packed(found)
        except Exception:
            return None


class Borrower:
    """The other end of the link: asks for data, and ends this process with the one that lends.

    Args:
        link: to it.
    """

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, *asked: Any) -> Any:
        """What the other process has prepared; None if this one is to do it."""
        self._link.send(asked)
        answer = self._answers.get()
        try:
            return opened(answer)
        except OSError:  # it was needed no more where it was
            return None

    def _listen(self) -> None:
        while True:
            try:
                self._answers.put(self._link.recv())
            except (EOFError, OSError):
                os._exit(1)
            except Exception:  # it is of a kind that cannot be made here
                self._answers.put(None)
