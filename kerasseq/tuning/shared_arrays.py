"""Data that the processes of one machine have in common: prepared by one, lent to the others.

Large arrays are in files of NumPy's own format, which those processes map, so that all of them
have them in memory once; the rest is pickled, and goes through the links between the processes.
"""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle  # noqa: TID251 - messages between processes of one user, never a file
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
_PROTOCOL = 5


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
        self._files: dict[int, Path] = {}

    def packed(self, value: Any) -> bytes:
        """A message of which `opened` makes a copy of a value, its large arrays in files.

        Raises:
            OSError: if the disk does not take them, or an array is gone when the message is done.
            Exception: of any kind, if the value cannot be pickled.
        """
        message, files = self._pickled(value)
        if not all(file.exists() for file in files):
            raise FileNotFoundError("an array was made for the message alone, and has gone with it")
        return message

    def remove(self) -> None:
        """Remove the files; who has mapped them keeps what is in them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pickled(self, value: Any) -> tuple[bytes, list[Path]]:
        """A message, and the files that it needs."""
        files: list[Path] = []

        def reduced(array: np.ndarray) -> Any:
            if array.dtype.hasobject or array.nbytes < LARGE:
                return np.asarray(array).__reduce_ex__(_PROTOCOL)
            files.append(self._file(array))
            return _mapped, (files[-1],)

        message = io.BytesIO()
        pickler = pickle.Pickler(message, _PROTOCOL)
        own = dict.fromkeys((np.ndarray, np.memmap), reduced)
        pickler.dispatch_table = {**copyreg.dispatch_table, **own}
        pickler.dump(value)
        return message.getvalue(), files

    def _file(self, array: np.ndarray) -> Path:
        if id(array) not in self._files:
            path = self._folder / f"{next(self._numbers)}.npy"
            try:
                np.save(path, array, allow_pickle=False)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            self._files[id(array)] = path
            weakref.finalize(array, self._forget, id(array)).atexit = False
        return self._files[id(array)]

    def _forget(self, name: int) -> None:
        self._files.pop(name).unlink(missing_ok=True)


def opened(message: bytes) -> Any:
    """A copy of what `Store.packed` was given, its large arrays mapped copy-on-write.

    Raises:
        FileNotFoundError: if one was removed in between.
    """
    return pickle.loads(message)


def _mapped(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))


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

    def packed(self, value: Any) -> bytes:
        """A value to send; with its arrays, where the disk does not take them."""
        try:
            with self._lock:
                return self._store.packed(value)
        except OSError:
            return pickle.dumps(value, _PROTOCOL)

    def serve(self, link: Connection) -> None:
        """Answer what is asked through a link, until it ends."""
        threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def close(self) -> None:
        """Remove the files."""
        self._store.remove()

    def _serve(self, link: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                link.send_bytes(self._answer(link.recv()))

    def _answer(self, asked: Any) -> bytes:
        """What was asked; None where something is wrong with it, which who asks will find, too."""
        try:
            found = self._prepare(*asked)
            with self._lock:
                return self._store.packed(found)
        except Exception:
            return pickle.dumps(None)


class Borrower:
    """The other end of the link: asks for data, and ends this process with the one that lends.

    Args:
        link: to it.
    """

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, *asked: Any) -> Any:
        """What the other process has prepared; None if this one is to do it."""
        self._link.send(asked)
        answer = self._answers.get()
        try:
            return opened(answer)
        except Exception:  # it cannot be made here, or was needed no more where it was
            return None

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._answers.put(self._link.recv_bytes())
        os._exit(1)
