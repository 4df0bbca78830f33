"""A served run under load, on one machine: how many texts a second, how late, how many are lost.

`python -m benchmarks.serving` serves the demo of `sentiment`. The client writes HTTP itself, over
connections that stay open, since a client library would take more of the machine than the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import rows, targets

CLIENTS = 32  # requests under way at a time
SECONDS = 10.0
RATE = 200  # requests a second, of which the delays are measured
_ROUNDS = 5


class Lost(Exception):
    """A request that was sent and not answered."""


class Client:
    """One connection to a server, opened when it is needed, for one request after the other."""

    def __init__(self, port: int, texts: list[str]) -> None:
        self._port = port
        bodies = (json.dumps({"data": [text]}).encode() for text in texts)
        self._requests = itertools.cycle([_request(body) for body in bodies])
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self) -> int:
        """Send a request and wait for the whole answer; return its status.

        Raises:
            ConnectionRefusedError: if the server accepts no connection: nothing was sent.
            Lost: if the connection ends before the answer.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        try:
            writer.write(next(self._requests))
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.I)
            assert length is not None, head
            await reader.readexactly(int(length[1]))
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Lost from error
        if re.search(rb"connection: close", head, re.I):
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _request(body: bytes) -> bytes:
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def throughput(port: int, texts: list[str], seconds: float) -> float:
    """Answers a second, with `CLIENTS` requests under way at any time."""
    answered = 0
    end = time.perf_counter() + seconds

    async def send(client: Client) -> None:
        nonlocal answered
        while time.perf_counter() < end:
            assert await client.request() == 200
            answered += 1
        client.close()

    start = time.perf_counter()
    await asyncio.gather(*(send(client) for client in _clients(port, texts, CLIENTS)))
    return answered / (time.perf_counter() - start)


async def delays(port: int, texts: list[str], rate: float, seconds: float) -> list[float]:
    """Milliseconds until each answer, from when the request was due, at random times."""
    free = _clients(port, texts, 4 * CLIENTS)
    result: list[float] = []
    draw = random.Random(0)

    async def send(due: float) -> None:
        client = free.pop() if free else Client(port, texts)
        assert await client.request() == 200
        result.append(1000 * (time.perf_counter() - due))
        free.append(client)

    tasks = []
    due = start = time.perf_counter()
    while due < start + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(send(due)))
        due += draw.expovariate(rate)
    await asyncio.gather(*tasks)
    for client in free:
        client.close()
    return result


async def stopped(port: int, texts: list[str], server: subprocess.Popen[Any]) -> dict[str, int]:
    """Stop a server under load: requests that were answered, and requests that were lost."""
    counts = {"answered": 0, "lost": 0}
    stopping = asyncio.Event()

    async def send(client: Client) -> None:
        while True:
            try:
                assert await client.request() == 200
                counts["answered"] += 1
            except Lost:
                counts["lost"] += 1
            except OSError:  # no connection: the server has stopped
                if stopping.is_set():
                    return
                raise

    async def stop() -> None:
        await asyncio.sleep(1)
        stopping.set()
        server.send_signal(signal.SIGTERM)

    await asyncio.gather(stop(), *(send(client) for client in _clients(port, texts, CLIENTS)))
    return counts


def _clients(port: int, texts: list[str], count: int) -> list[Client]:
    return [Client(port, texts[start:] + texts[:start]) for start in range(count)]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Context with a server of the run in a folder, on a free port, and the port."""
    command = [sys.executable, "-m", "kerasseq", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, cwd=rows.ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if served := re.search(r"served on http://[\d.]+:(\d+)", line):
                yield process, int(served[1])
                break
        else:
            raise RuntimeError("the server did not start")
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def measure() -> rows.Row:
    """Single texts a second, delays at `RATE` a second, and requests lost at the end."""
    from kerasseq.data.demo.reviews import demo_reviews

    texts = [text for text, _ in demo_reviews(seed=1, size=1000)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        # The weights have no part in the speed.
        training = "import kerasseq, sys; kerasseq.sentiment(epochs=1, quiet=True, out=sys.argv[1])"
        subprocess.run(
            [sys.executable, "-c", training, str(folder)],
            cwd=rows.ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, check=True,
        )  # fmt: skip
        with running(folder) as (_, port):
            asyncio.run(throughput(port, texts, 2.0))
            speeds = [asyncio.run(throughput(port, texts, SECONDS)) for _ in range(3)]
            late = asyncio.run(delays(port, texts, RATE, 3 * SECONDS))
        ends = []
        for _ in range(_ROUNDS):
            with running(folder) as (server, port):
                ends.append(asyncio.run(stopped(port, texts, server)))
    percentiles = statistics.quantiles(late, n=100)
    return {
        "per_second": targets.rounded(statistics.median(speeds)),
        "speeds": [targets.rounded(speed) for speed in speeds],
        "requests": len(late),
        "milliseconds": {
            "median": targets.rounded(percentiles[49]),
            "99%": targets.rounded(percentiles[98]),
            "longest": targets.rounded(max(late)),
        },
        "stopped": {name: sum(each[name] for each in ends) for name in ("answered", "lost")},
        "stops": len(ends),
    }


def table(measured: Sequence[rows.Row]) -> str:
    """The newest row, as Markdown."""
    result = measured[-1]["result"]
    late, stopped = result["milliseconds"], result["stopped"]
    sent = sum(stopped.values())
    header = ["", "measured", "aim"]
    lines = [
        [f"single texts a second, {CLIENTS} at a time", f"{result['per_second']:,.0f}", "500"],
        [f"median delay at {RATE} a second", f"{late['median']:.3g} ms", ""],
        [f"99% of the delays at {RATE} a second", f"{late['99%']:.3g} ms", "50 ms"],
        [f"requests lost of {sent:,} in {result['stops']} stops under load", stopped["lost"], "0"],
    ]
    return rows.markdown(header, lines)


def main() -> int:
    setting = {"recipe": "sentiment", "clients": CLIENTS, "rate": RATE}
    setting["cores"] = len(os.sched_getaffinity(0))
    print(table([rows.measured("serving", setting, measure)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
