"""The `kerasseq` command: parses, calls and prints; no logic of its own.

Nothing heavy is imported before a command needs it: counting, reports and `--help` load no
backend, and a recipe is imported when its command is called or its help asked for.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from kerasseq import names, registry
from kerasseq.cli import commands, tuning, verbs
from kerasseq.formatting.table import printable
from kerasseq.settings.aliases import renamed

__all__ = ["TRACEBACK", "main"]

# Set to anything, it shows where an error comes from.
TRACEBACK = "KERASSEQ_TRACEBACK"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0; 2 for wrong arguments or bad input, told in one line on standard error; 130 after an
        interruption. What is none of these is a fault of ours, and keeps its traceback.

    Example:
        >>> main(["count", "gru", "--inputs", "3", "--units", "5", "--format", "csv"])
        weight,shape,params
        kernel,"(3, 15)",45
        recurrent_kernel,"(5, 15)",75
        bias,"(2, 15)",30
        0
    """
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        command = typer.main.get_command(_app(arguments))
        code = command.main(arguments, prog_name="kerasseq", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _closed_pipe()
    except SystemExit as stop:  # how a closed pipe is told that was met while a command ran
        return _closed_pipe() if stop.code == 1 else int(stop.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except commands.Interrupted as interruption:
        return _fail(str(interruption), 130)
    except Exception as error:
        usage = _usage(error)
        if not usage and (os.environ.get(TRACEBACK) or not _expected(error)):
            raise
        return _fail(f"error: {usage or _one_line(error)}", 2)
    if code == 130:
        return _fail("interrupted", 130)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    print(f"kerasseq: {printable(message)}", file=sys.stderr)
    return code


def _closed_pipe() -> int:
    """Nobody reads on: what is still in the buffer must not raise at exit."""
    with contextlib.suppress(OSError, ValueError):  # standard output may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141  # what a shell gives for a process that a closed pipe ended


def _usage(error: Exception) -> str:
    """What was wrong about the arguments, if it was that."""
    # The class of such errors is private to typer; what it offers is not.
    if not hasattr(error, "format_message"):
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "kerasseq"
    told = " ".join(error.format_message().split()).rstrip(".")
    option = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    if context and option in (new := renamed(context.info_name)):
        told = f"No such option: --{option}: it was renamed to --{new[option].replace('_', '-')}"
    return f"{told}. Try '{path} --help'."


def _expected(error: Exception) -> bool:
    """Whether it tells of bad input: a TypeError only where we raise it on purpose."""
    return isinstance(error, ValueError | OSError) or (
        isinstance(error, TypeError) and _on_purpose(error)
    )


def _on_purpose(error: Exception) -> bool:
    """Whether a `raise` of ours raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not trace.tb_frame.f_globals.get("__name__", "").startswith("kerasseq"):
        return False
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return line.lstrip().startswith("raise ")


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    told = " ".join(str(error).split()) or type(error).__name__
    return told if _on_purpose(error) else f"{told} ({TRACEBACK}=1 shows where)"


def _app(arguments: Sequence[str]) -> typer.Typer:
    """All commands; that of a recipe with its options only if it is the one that is called."""
    app = typer.Typer(
        help="Recurrent sequence models in Keras: recipes, layers, exact parameter counts.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help names every option in full, and comes up sooner
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    called = next((word for word in arguments if not word.startswith("-")), None)
    after = [word for word in arguments if not word.startswith("-")][1:]
    for name in registry.names():
        if name == called:
            app.command(name)(commands.recipe(name))
        else:
            app.command(name, help=registry.summary(name))(_stub)
    for name, command in commands.COMMANDS.items():
        app.command(name)(command)
    for name, text in names.VERBS.items():
        if name != called:
            app.command(name, help=text)(_stub)
    plain = called in (*commands.COMMANDS, *names.COMMANDS, *registry.names())
    if called is not None and not plain and verbs.known(called):
        app.command(called)(verbs.command(called, after))
    app.command("tuned")(tuning.tuned)
    app.add_typer(tuning.app(after[0] if called == "tune" and after else None), name="tune")
    app.command("load", hidden=True)(commands.show)
    return app


def _version(asked: bool) -> None:
    if asked:
        from kerasseq import __version__

        print(f"kerasseq {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


def _stub() -> None:
    """Stands for a recipe or a verb that is not called."""
