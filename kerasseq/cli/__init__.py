"""The `kerasseq` command: it parses arguments, calls functions and prints results.

Heavy modules are imported only when a command needs them: counting, reports and `--help` load no
backend, and a recipe is imported only for its own command or help.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from kerasseq import names, registry
from kerasseq.cli import commands, serving, tuning, verbs
from kerasseq.formatting import errors
from kerasseq.formatting.table import printable
from kerasseq.settings.aliases import renamed

__all__ = ["TRACEBACK", "main"]

# Environment variable; if it is set, errors keep their traceback.
TRACEBACK = "KERASSEQ_TRACEBACK"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments after the program's name; default: the arguments of the process.

    Returns:
        The exit code: 0; 2 after invalid arguments or input, with one line on standard error; 130
        after an interruption. Other exceptions are bugs of kerasseq, and keep their traceback.

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
        command = typer.main.get_command(_make_app(arguments))
        code = command.main(arguments, prog_name="kerasseq", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _closed_pipe()
    except SystemExit as stop:  # typer raises it with code 1 if a pipe was closed
        return _closed_pipe() if stop.code == 1 else int(stop.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except commands.Interrupted as interruption:
        return _fail(str(interruption), 130)
    except Exception as error:
        usage = _usage_message(error)
        if not usage and (os.environ.get(TRACEBACK) or not errors.is_input_error(error)):
            raise
        return _fail(f"error: {usage or _one_line(error)}", 2)
    if code == 130:
        return _fail("interrupted", 130)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    print(f"kerasseq: {printable(message)}", file=sys.stderr)
    return code


def _closed_pipe() -> int:
    """Redirect the rest of the output to nowhere, so that flushing at exit does not raise."""
    with contextlib.suppress(OSError, ValueError):  # standard output may not be a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141  # exit code of a process that SIGPIPE ends


def _usage_message(error: Exception) -> str:
    """Message of a usage error of typer; "" for other errors."""
    # The class of these errors is private in typer, but its method is public.
    if not hasattr(error, "format_message"):
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "kerasseq"
    message = " ".join(error.format_message().split()).rstrip(".")
    option = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    if context and option in (new := renamed(context.info_name)):
        message = f"No such option: --{option}: it was renamed to --{new[option].replace('_', '-')}"
    return f"{message}. Try '{path} --help'."


def _one_line(error: Exception) -> str:
    message = errors.one_line(error)
    known = errors.is_raised_by_us(error) or (isinstance(error, OSError) and error.strerror)
    return message if known else f"{message} ({TRACEBACK}=1 shows where)"


def _make_app(arguments: Sequence[str]) -> typer.Typer:
    """All commands; only the recipe or verb that is called gets its options."""
    app = typer.Typer(
        help="Recurrent sequence models in Keras: recipes, layers, exact parameter counts.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help does not truncate options, and is faster
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    called = next((word for word in arguments if not word.startswith("-")), None)
    operands = [word for word in arguments if not word.startswith("-")][1:]
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
    is_builtin = called in (*commands.COMMANDS, *names.COMMANDS, *registry.names())
    if called is not None and not is_builtin and verbs.is_verb(called):
        app.command(called)(verbs.command(called, operands))
    app.command("serve")(serving.serve)
    app.command("tuned")(tuning.tuned)
    app.add_typer(tuning.app(operands[0] if called == "tune" and operands else None), name="tune")
    app.command("load", hidden=True)(commands.show)
    return app


def _version(requested: bool) -> None:
    if requested:
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
    """Placeholder for a recipe or verb that is not called."""
