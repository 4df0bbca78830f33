"""Prepared data shared between the processes of one machine.

One process prepares the data and sends it to the others. Large arrays are written as .npy files,
which all processes map, so that they are in memory once; the rest is pickled and sent through the
connections between the processes.
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

__all__ = ["LENT", "Borrower", "Lender", "Store", "unpack"]

LENT = ".lent"  # folder with the files, inside the folder of the search, while it runs
LARGE = 2**16  # bytes from which an array is written to a file
_PROTOCOL = 5


class Store:
    """Writes large arrays to files: each array once, until it is garbage-collected.

    Args:
        folder: folder of the files; an existing one is replaced.

    Raises:
        OSError: if the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        self._folder, self._numbers = folder, count()
        self._files: dict[int, Path] = {}

    def pack(self, value: Any) -> bytes:
        """Pickle a value, with its large arrays in files; `unpack` reads the message.

        Raises:
            OSError: if a file cannot be written, or its array was temporary and the file is gone.
            Exception: of any kind, if the value cannot be pickled.
        """
        message, files = self._pickle(value)
        if not all(file.exists() for file in files):
            raise FileNotFoundError("an array was made for the message alone, and has gone with it")
        return message

    def remove(self) -> None:
        """Remove the files; processes that have mapped them can still read them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pickle(self, value: Any) -> tuple[bytes, list[Path]]:
        """The pickled value, and the files that it refers to."""
        files: list[Path] = []

        def reduce_array(array: np.ndarray) -> Any:
            if array.dtype.hasobject or array.nbytes < LARGE:
                return np.asarray(array).__reduce_ex__(_PROTOCOL)
            files.append(self._file(array))
            return _map_file, (files[-1],)

        message = io.BytesIO()
        pickler = pickle.Pickler(message, _PROTOCOL)
        reducers = dict.fromkeys((np.ndarray, np.memmap), reduce_array)
        pickler.dispatch_table = {**copyreg.dispatch_table, **reducers}
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
            weakref.finalize(array, self._remove_file, id(array)).atexit = False
        return self._files[id(array)]

    def _remove_file(self, name: int) -> None:
        self._files.pop(name).unlink(missing_ok=True)


def unpack(message: bytes) -> Any:
    """Unpickle a message of `Store.pack`, with its large arrays mapped copy-on-write.

    Raises:
        FileNotFoundError: if a file was removed in the meantime.
    """
    return pickle.loads(message)


def _map_file(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))


class Lender:
    """Prepares data on request and sends it to other processes.

    Args:
        prepare: prepares the data for the arguments of a request; called from several threads.
        folder: folder for the files; an existing one is replaced.

    Raises:
        OSError: if the folder cannot be made.
    """

    def __init__(self, prepare: Callable[..., Any], folder: Path) -> None:
        self._prepare, self._store = prepare, Store(folder)
        self._lock = threading.Lock()

    def pack(self, value: Any) -> bytes:
        """Pickle a value to send; its arrays are in the message if files cannot be written."""
        try:
            with self._lock:
                return self._store.pack(value)
        except OSError:
            return pickle.dumps(value, _PROTOCOL)

    def serve(self, link: Connection) -> None:
        """Answer the requests of a connection in a thread, until it is closed."""
        threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def close(self) -> None:
        """Remove the files."""
        self._store.remove()

    def _serve(self, link: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                link.send_bytes(self._answer(link.recv()))

    def _answer(self, request: Any) -> bytes:
        """The pickled data; None after an error, which the other process then meets itself."""
        try:
            data = self._prepare(*request)
            with self._lock:
                return self._store.pack(data)
        except Exception:
            return pickle.dumps(None)


class Borrower:
    """Requests data from a `Lender`, and ends this process when the lender's process ends.

    Args:
        link: connection to the lender.
    """

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, *request: Any) -> Any:
        """Request prepared data; None if this process has to prepare it itself."""
        self._link.send(request)
        answer = self._answers.get()
        try:
            return unpack(answer)
        except Exception:  # it cannot be unpickled here, or a file was removed in the meantime
            return None

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._answers.put(self._link.recv_bytes())
        os._exit(1)
