"""A server that is stopped under load answers each request, or refuses the connection."""

from __future__ import annotations

import collections
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kerasseq.serving.server import _make_server, listen

pytest.importorskip("uvicorn")
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def _busy(scope: Any, receive: Any, send: Any) -> None:
    """An application that keeps the event loop, so that connections wait in the backlog."""
    if scope["type"] == "http":
        time.sleep(0.005)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"yes"})


def _outcomes(address: tuple[str, int]) -> list[str]:
    """What becomes of requests, each on its connection, until one is refused."""
    outcomes = []
    while True:
        try:
            client = socket.create_connection(address, timeout=20)
        except ConnectionRefusedError:
            return [*outcomes, "refused"]
        with client:
            try:
                client.sendall(_REQUEST)
                outcomes.append("answered" if client.recv(1000)[9:12] == b"200" else "lost")
            except OSError:
                outcomes.append("lost")


def test_connections_that_wait_in_the_backlog_are_answered_before_the_port_closes() -> None:
    server = _make_server(_busy)
    clients: list[socket.socket] = []

    async def stop(counter: int) -> bool:
        """Connect and send without a turn of the event loop, which would accept, and stop."""
        for _ in range(20):
            clients.append(socket.create_connection(address, timeout=20))
            clients[-1].sendall(_REQUEST)
        return True

    with listen("127.0.0.1", 0) as opened:
        address = opened.getsockname()
        server.on_tick = stop
        server.run([opened])
    answers = [client.recv(1000) for client in clients]
    assert {answer[9:12] for answer in answers} == {b"200"}
    assert all(b"connection: close" in answer.lower() for answer in answers)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=20)
    for client in clients:
        client.close()


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, a port cannot be closed in steps")
def test_no_request_is_lost_while_clients_connect_again_and_again() -> None:
    server, clients = _make_server(_busy), 24
    with listen("127.0.0.1", 0) as opened, ThreadPoolExecutor(clients) as pool:
        address = opened.getsockname()
        thread = threading.Thread(target=server.run, args=([opened],))
        thread.start()
        results = [pool.submit(_outcomes, address) for _ in range(clients)]
        time.sleep(0.5)
        server.should_exit = True
        counts = collections.Counter(each for result in results for each in result.result(60))
        thread.join(60)
    assert not thread.is_alive()
    assert (counts["lost"], counts["refused"]) == (0, clients)
    assert counts["answered"] > clients
