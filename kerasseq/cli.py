"""The `kerasseq` command: parses, calls and prints; no logic of its own.

Nothing heavy is imported before a command needs it: counting, reports and `--help` load no
backend, and a recipe is imported when its command is called or its help asked for.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasseq import params, registry
from kerasseq.params import table
from kerasseq.params.table import FORMATS, Tabular

if TYPE_CHECKING:
    from kerasseq.run import Run

# Set to anything, it shows where an error comes from.
TRACEBACK = "KERASSEQ_TRACEBACK"


class _Interrupted(Exception):
    """An interruption that says how to go on."""


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
    except _Interrupted as interruption:
        return _fail(str(interruption), 130)
    except Exception as error:
        usage = _usage(error)
        if os.environ.get(TRACEBACK) or not (usage or _expected(error)):
            raise
        return _fail(f"error: {usage or _one_line(error)}", 2)
    if code == 130:
        return _fail("interrupted", 130)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    print(f"kerasseq: {message}", file=sys.stderr)
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
    return f"{' '.join(error.format_message().split()).rstrip('.')}. Try '{path} --help'."


def _expected(error: Exception) -> bool:
    """Whether it tells of bad input: a TypeError only where we raise it on purpose."""
    if isinstance(error, TypeError):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None:
            return False
        line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        ours = trace.tb_frame.f_globals.get("__name__", "").startswith("kerasseq")
        return ours and line.lstrip().startswith("raise")
    return isinstance(error, ValueError | OSError)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


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
    for name in registry.names():
        if name == called:
            app.command(name)(_recipe(name))
        else:
            app.command(name, help=registry.summary(name))(_stub)
    for layer_command in (count, units, compare):
        app.command(layer_command.__name__)(_with_layer_options(layer_command))
    for command in (report, cells, show, predict, evaluate):
        app.command(command.__name__)(command)
    app.command("load", hidden=True)(show)
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
    """Stands for a recipe that is not called."""


# Parameters

_Cell = Annotated[str, typer.Argument(metavar="CELL", help="A cell; `kerasseq cells` lists them.")]
_Inputs = Annotated[int, typer.Option(help="Features of one timestep.")]
_Format = Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="How to print.")]


def _amount(text: str) -> int:
    """100000, 100_000, 100k or 2M as a number."""
    found = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?)([kKmM]?)", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no number such as 100000, 100k or 2M.")
    number = float(found[1].replace(",", "").replace("_", ""))
    return round(number * {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower()])


_Budget = Annotated[
    str, typer.Option(metavar="NUMBER", help="Parameters it may have: 100000, 100k, 2M.")
]

# What count, units and compare all take: name, type, declaration and help.
_LAYER: tuple[tuple[str, Any, tuple[str, ...], str], ...] = (
    ("depth", int | None, ("--depth",), "Levels."),
    ("bidirectional", bool, ("--bidirectional",), "Run every level both ways."),
    ("merge", str | None, ("--merge",), "How directions are merged: concat, sum, mul, ave, none."),
    ("projection", int | None, ("--projection",), "Width of an output projection."),
    ("residual", bool, ("--residual",), "Add inputs to outputs where they are equally wide."),
    ("highway", bool, ("--highway",), "Mix them by a learned gate instead."),
    (
        *("trainable_initial_state", bool, ("--trainable-initial-state",)),
        "Learn the first state.",
    ),
    ("use_bias", bool | None, ("--bias/--no-bias",), "Whether the cell has biases."),
    (
        *("reset_after", bool | None, ("--reset-after/--no-reset-after",)),
        "Whether a GRU resets after its recurrent product.",
    ),
    ("state", int | None, ("--state",), "Width of a linear unit's state."),
    ("timesteps", int | None, ("--timesteps",), "Length to count memory and sequences for."),
    ("batch", int | None, ("--batch",), "Rows to count memory for."),
    ("dtype", str | None, ("--dtype",), "Dtype to count memory in."),
)


def _with_layer_options(function: Callable[..., None]) -> Callable[..., None]:
    """The function with the options of a recurrent layer in place of its `**options`."""

    def command(**given: Any) -> None:
        options = {name: given.pop(name) for name, *_ in _LAYER}
        options = {name: value for name, value in options.items() if value is not None}
        if options.get("merge") == "none":
            options["merge"] = None
        function(**given, **options)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[:-1]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if kind is bool else None,
            annotation=Annotated[kind, typer.Option(*declaration, help=text)],
        )
        for name, kind, declaration, text in _LAYER
    ]
    return _signed(command, [*own, *options], inspect.getdoc(function))


def _signed(
    command: Callable[..., None], parameters: Sequence[inspect.Parameter], text: str | None
) -> Callable[..., None]:
    """The function with the signature that typer is to see."""
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = text
    return command


def _print(shown: Tabular, format: str) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(shown.render(format, width=width))


def count(
    cell: _Cell,
    inputs: _Inputs,
    units: Annotated[int, typer.Option(help="Width of every level.")],
    format: _Format = "table",
    **options: Any,
) -> None:
    """Count the parameters of a recurrent layer, with the formula."""
    _print(params.count(cell, inputs, units, **options), format)


def units(
    cell: _Cell, budget: _Budget, inputs: _Inputs, format: _Format = "table", **options: Any
) -> None:
    """Find the largest width that a budget of parameters pays for."""
    _print(params.units_for(cell, _amount(budget), inputs, **options), format)


def compare(
    cells: Annotated[list[str], typer.Argument(metavar="CELL...", help="The cells.")],
    inputs: _Inputs,
    budget: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Parameters that each may have.")
    ] = None,
    units: Annotated[int | None, typer.Option(help="Width of each, instead.")] = None,
    format: _Format = "table",
    **options: Any,
) -> None:
    """Show cells side by side, at an equal budget or width."""
    amount = None if budget is None else _amount(budget)
    _print(params.compare(cells, inputs=inputs, budget=amount, units=units, **options), format)


def report(
    file: Annotated[Path, typer.Argument(help="A .keras or .weights.h5 file, or a run's folder.")],
    format: _Format = "table",
) -> None:
    """Report the parameters in a saved model, layer by layer."""
    _print(params.report(file), format)


def cells(format: _Format = "table") -> None:
    """List all cells: form, gates, parameters, wrappers and paper."""
    _print(params.cells(), format)


# Runs

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]


def _load(folder: Path) -> Run:
    from kerasseq.run import load

    return load(folder)


def show(folder: _Folder) -> None:
    """Print the result of a run beside its baselines."""
    _load(folder).summary()


def predict(
    folder: _Folder,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to predict from.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A UTF-8 file with one text a line; - for standard input.")
    ] = None,
    format: _Format = "table",
) -> None:
    """Predict from arguments, a file, or standard input."""
    if texts and file:
        raise ValueError(f"Give texts or --file, not both. Received: {len(texts)} and {file}")
    read = texts or _lines(file)
    _print(table.from_frame(_load(folder).predict(read)), format)


def _lines(file: Path | None) -> list[str]:
    """The lines of a file or of standard input, blank ones left out."""
    name = "standard input" if file is None or str(file) == "-" else str(file)
    if name == "standard input" and sys.stdin.isatty():
        raise ValueError("Give texts, --file, or texts on standard input.")
    try:
        text = sys.stdin.read() if name == "standard input" else Path(name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not in UTF-8 ({error.reason}): convert it.") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"There is no text in {name}: give one a line.")
    return lines


def evaluate(
    folder: _Folder,
    data: Annotated[str, typer.Argument(help="New data with its answers, as the recipe takes.")],
    format: _Format = "table",
) -> None:
    """Score a run on new data."""
    found = _load(folder).evaluate(data)
    rows = [(name, value, *found["interval"][name]) for name, value in found["test"].items()]
    columns = ("metric", "value", "low", "high")
    _print(table.Table(columns, tuple(rows), title=f"{found['rows']:,} rows"), format)


# Recipes


def _recipe(name: str) -> Callable[..., None]:
    """The command of a recipe: its arguments as options, its docstring as help."""
    recipe = registry.get(name)
    texts = _argument_texts(inspect.getdoc(recipe) or "")
    found: list[inspect.Parameter] = []
    readers: dict[str, Callable[[Any], Any]] = {}
    for place, parameter in enumerate(inspect.signature(recipe).parameters.values()):
        text = texts.get(parameter.name)
        if place == 0:
            data = Annotated[str, typer.Argument(help=text)]
            found.append(parameter.replace(annotation=data))
            readers[parameter.name] = _same
            continue
        kind, default, readers[parameter.name] = _option(parameter)
        if kind is not None:
            found.append(
                parameter.replace(
                    annotation=Annotated[kind, typer.Option(help=text)], default=default
                )
            )

    def command(**given: Any) -> None:
        values = {key: readers[key](value) for key, value in given.items()}
        if "out" in values and values["out"] is None:
            values["out"] = f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        try:
            run = recipe(**values)
        except KeyboardInterrupt:
            folder = values.get("out")
            begun = folder is not None and Path(folder).is_dir()
            on = f"; the same command with --out {folder} goes on" if begun else ""
            raise _Interrupted(f"interrupted{on}") from None
        run.summary()

    text = (inspect.getdoc(recipe) or "").partition("\n\nArgs:")[0]
    return _signed(command, found, text)


# What typer is told of a type: as it is, where it may be missing, and as a list.
_TYPES: dict[str, tuple[Any, Any, Any]] = {
    "bool": (bool, bool | None, list[bool] | None),
    "int": (int, int | None, list[int] | None),
    "float": (float, float | None, list[float] | None),
    "str": (str, str | None, list[str] | None),
}
_PATHS = ("Path", "pathlib.Path", "os.PathLike[str]")


def _same(value: Any) -> Any:
    return value


def _option(parameter: inspect.Parameter) -> tuple[Any, Any, Callable[[Any], Any]]:
    """The type and default of the option for a parameter, and what makes its value of that.

    The type is None for what only Python can give, such as callbacks.
    """
    members = _members(parameter.annotation)
    scalars = [name for name in _TYPES if name in members]
    optional, default = "None" in members, parameter.default
    literal = any(member.startswith("Literal[") for member in members)
    many = [found[1] for m in members if (found := re.fullmatch(_SEQUENCE, m))]
    if len(scalars) == 1 and not literal and (default is None or not optional):
        return _TYPES[scalars[0]][optional], default, _same
    if scalars or literal:
        text = default if default in (None, inspect.Parameter.empty) else str(default)
        return str | None, text, partial(_read, parameter.name, members)
    if many:
        return _TYPES[many[0]][2], default and list(default), _same
    return None, None, _same


_SEQUENCE = r"(?:list|tuple|Sequence|Iterable)\[(bool|int|float|str)(?:, \.\.\.)?\]"


def _members(annotation: Any) -> list[str]:
    """The members of a union, as they are written; a path is a str."""

    def walk(node: ast.expr) -> Iterator[ast.expr]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield from walk(node.left)
            yield from walk(node.right)
        else:
            yield node

    written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    tree = ast.parse(written.replace("typing.", ""), mode="eval")
    members = [ast.unparse(node) for node in walk(tree.body)]
    return ["str" if member in _PATHS else member for member in members]


def _read(name: str, members: Sequence[str], text: str | None) -> Any:
    """The value that a text stands for, where a parameter takes values of several types."""
    if text is None or ("None" in members and text.lower() == "none"):
        return None
    for member in members:
        if member.startswith("Literal["):
            values = ast.literal_eval(f"[{member.removeprefix('Literal[')}")
            if text in map(str, values):
                return next(value for value in values if str(value) == text)
    if "bool" in members and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind.__name__ in members:
            try:
                return kind(text)
            except ValueError:
                continue
    if "str" in members:
        return text
    raise ValueError(f"`{name}` must be one of {', '.join(members)}. Received: {text!r}")


def _argument_texts(docstring: str) -> dict[str, str]:
    """What the `Args:` of a docstring say of each argument."""
    section = re.search(r"^Args:\n(.*?)(?:\n\n\S|\Z)", docstring, re.S | re.M)
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", section[1] if section else "", re.M)
    return {name: " ".join(text.split()) for name, text in found}
