"""The command that serves a run."""

from __future__ import annotations

from typing import Annotated

import typer

from kerasseq.cli import commands

__all__ = ["serve"]


def serve(
    folder: commands.Folder,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for a free one.")] = 8000,
    rows: Annotated[
        str, typer.Option(metavar="NUMBER", help="Rows that a request may have: 10000, 10k.")
    ] = "10k",
    bytes: Annotated[
        str, typer.Option(metavar="NUMBER", help="Bytes that a request may have: 10M.")
    ] = "10M",
    characters: Annotated[
        str, typer.Option(metavar="NUMBER", help="Characters that a text may have: 20000, 20k.")
    ] = "20k",
    length: Annotated[
        str, typer.Option(metavar="NUMBER", help="Tokens that a text to generate may have.")
    ] = "1k",
    queue: Annotated[int, typer.Option(help="Requests that may wait; more get status 503.")] = 256,
    wait: Annotated[
        float, typer.Option(help="Milliseconds to wait for requests to predict together.")
    ] = 2.0,
    save: Annotated[
        bool, typer.Option("--save", help="Save the run in DIR when a verb has changed it.")
    ] = False,
) -> None:
    """Serve the verbs of a run: JSON over HTTP, with a page to try them."""
    from kerasseq.serving import server
    from kerasseq.serving.limits import Limits

    server.check_installed()
    limits = Limits(
        rows=commands.number(rows),
        characters=commands.number(characters),
        length=commands.number(length),
        bytes=commands.number(bytes),
        queue=queue,
        wait=wait,
    )
    commands.check_run(folder)
    server.serve(lambda: commands.load(folder), host, port, limits, save=save)
