"""A server of a run: its port, its start, and its end without a lost request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.serving.backlog import turn_away
from kerasseq.serving.limits import Limits

if TYPE_CHECKING:
    from kerasseq.runs import Run

__all__ = ["check_installed", "is_local", "listen", "serve"]

_PACKAGES = ("fastapi", "uvicorn", "swagger_ui_bundle")
_BACKLOG = 2048
_ACCEPTING = 0.1  # seconds in which connections that are being made are accepted, at the end
_LINGER = 1.0  # seconds in which a connection without a request may still send one, at the end
_KEEP_ALIVE = 75  # seconds


def check_installed() -> None:
    """Raise a ModuleNotFoundError if a package of the extra `serve` is not installed."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"a server needs the package {missing[0]}: python -m pip install 'kerasseq[serve]'"
        )


def listen(host: str, port: int) -> socket.socket:
    """Open a port; connections wait until the server accepts them.

    Args:
        host: name or address of this machine.
        port: number of the port; 0 for a free one.

    Raises:
        ValueError: if the port is in use or not allowed, or `host` is no address of this machine.

    Example:

    >>> with listen("127.0.0.1", 0) as taken:
    ...     listen("127.0.0.1", taken.getsockname()[1])
    Traceback (most recent call last):
    ValueError: port ... of 127.0.0.1 is in use. Give another one, or 0 for a free one.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port must be from 0 to 65535. Received: port={port}")
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ValueError(
            f"{host!r} is no name or address of a machine. Give one of this machine, such as "
            "127.0.0.1."
        ) from None
    family, kind, protocol, _, address = addresses[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        reasons = {
            errno.EADDRINUSE: "is in use. Give another one, or 0 for a free one.",
            errno.EACCES: "may not be opened by this user. Give one above 1023.",
            errno.EADDRNOTAVAIL: "cannot be opened: this is no address of this machine.",
        }
        reason = reasons.get(error.errno or 0, f"cannot be opened ({error.strerror}).")
        raise ValueError(f"port {port} of {host} {reason}") from None
    return opened


def is_local(opened: socket.socket) -> bool:
    """Whether only this machine reaches a port."""
    return ipaddress.ip_address(opened.getsockname()[0].partition("%")[0]).is_loopback


def serve(
    load: Callable[[], Run],
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    *,
    save: bool = False,
) -> None:
    """Serve a run until the process is told to stop by SIGTERM or SIGINT.

    Then no new connection is accepted, and the requests of those that were made are answered.

    Args:
        load: function that loads the run, called when the port is open.
        host: name or address of this machine.
        port: number of the port; 0 for a free one.
        limits: limits of requests.
        save: whether to save the run in its folder after a verb has changed it.

    Raises:
        ModuleNotFoundError: if the extra `serve` is not installed.
        ValueError: if the port cannot be opened.
    """
    check_installed()
    limits = limits or Limits()
    with listen(host, port) as opened:
        local = is_local(opened)
        address, number = opened.getsockname()[:2]
        name = f"[{address}]" if ":" in address else address
        if not local:
            _say(
                f"{name}:{number} is open to other machines, and everybody who reaches it can use "
                "the run: there is no password and no encryption"
            )
        run = load()
        from kerasseq.serving.app import LOCAL_NAMES, make_app
        from kerasseq.serving.warm import warm

        folder = run.folder or Path()
        warm(run)
        app = make_app(
            run,
            limits,
            save=(lambda: run.save(folder, overwrite=True)) if save else None,
            hosts={*LOCAL_NAMES, host.lower(), name} if local else None,
        )
        _say(f"the run of {run.recipe} is served on http://{name}:{number} (Ctrl-C stops it)")
        with _stopping_quietly():
            _make_server(app).run([opened])


def _say(message: str) -> None:
    print(f"kerasseq: {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _stopping_quietly() -> Iterator[None]:
    """Context in which a signal that has stopped the server does not end the process too."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _make_server(app: Any) -> Any:
    """A uvicorn server that answers late requests before it stops."""
    import uvicorn

    class Server(uvicorn.Server):
        """A server whose connections are closed by answers, not while a request is on its way."""

        stopping = False

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            self.stopping = True
            for opened in sockets or []:
                turn_away(opened)
            await asyncio.sleep(_ACCEPTING)
            for server in self.servers:
                server.close()
            loop = asyncio.get_running_loop()
            end = loop.time() + _LINGER
            await asyncio.sleep(0.01)  # in which connections that were just accepted are counted
            while self.server_state.connections and loop.time() < end and not self.force_exit:
                await asyncio.sleep(0.01)
            await super().shutdown(sockets)

    async def closing(scope: Any, receive: Any, send: Any) -> None:
        """The application, whose answers close their connections once the server stops."""

        async def send_closing(message: Any) -> None:
            if message["type"] == "http.response.start" and server.stopping:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, send_closing)

    server = Server(
        uvicorn.Config(
            closing,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=_KEEP_ALIVE,
            backlog=_BACKLOG,
            server_header=False,
            ws="none",
        )
    )
    return server
