"""The commands of the shell: each makes one call and prints its result."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasseq import params, registry
from kerasseq.cli import options as signatures
from kerasseq.formatting.table import FORMATS, Table, Tabular, from_frame, printable
from kerasseq.io import atomic, paths
from kerasseq.settings import signature

if TYPE_CHECKING:
    from kerasseq.runs import Run


class Interrupted(Exception):
    """An interruption, with a message on how to resume."""


# Parameters

_Cell = Annotated[str, typer.Argument(metavar="CELL", help="A cell; `kerasseq cells` lists them.")]
_Inputs = Annotated[int, typer.Option(help="Features of one timestep.")]
Format = Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="How to print.")]


def number(text: str) -> int:
    """Parse a number such as 100000, 100_000, 100k or 2M."""
    match = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?)([kKmM]?)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no number such as 100000, 100k or 2M.")
    value = float(match[1].replace(",", "").replace("_", ""))
    return round(value * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()])


def path(text: str) -> Path:
    """Parse an argument that is a path, for typer."""
    try:
        return paths.user_path(text, "path")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


_Budget = Annotated[
    str, typer.Option(metavar="NUMBER", help="Parameters it may have: 100000, 100k, 2M.")
]

# Options of count, units and compare: name, type, flag if it differs from the name, and help.
_LAYER: tuple[tuple[str, Any, str, str], ...] = (
    ("depth", int | None, "", "Levels."),
    ("bidirectional", bool, "", "Run every level both ways."),
    ("merge", str | None, "", "How directions are merged: concat, sum, mul, ave, none."),
    ("projection", int | None, "", "Width of an output projection."),
    ("residual", bool, "", "Add inputs to outputs where they are equally wide."),
    ("highway", bool, "", "Mix them by a learned gate instead."),
    ("trainable_initial_state", bool, "", "Learn the first state."),
    ("use_bias", bool | None, "--bias/--no-bias", "Whether the cell has biases."),
    ("reset_after", bool | None, "", "Whether a GRU resets after its recurrent product."),
    ("state", int | None, "", "Width of a linear unit's state."),
    ("timesteps", int | None, "", "Length to count memory and sequences for."),
    ("batch", int | None, "", "Rows to count memory for."),
    ("dtype", str | None, "", "Dtype to count memory in."),
)


def _with_layer_options(function: Callable[..., None]) -> Callable[..., None]:
    """Replace the `**options` of a function by the options of a recurrent layer."""

    def command(**arguments: Any) -> None:
        options = {name: arguments.pop(name) for name, *_ in _LAYER}
        options = {name: value for name, value in options.items() if value is not None}
        if options.get("merge") == "none":
            options["merge"] = None
        function(**arguments, **options)

    parameters = list(inspect.signature(function, eval_str=True).parameters.values())[:-1]
    for name, kind, flag, text in _LAYER:
        # Without an explicit flag, a bool would get a --no- form, which is useless here.
        flag = flag or ("--" + name.replace("_", "-") if kind is bool else "")
        option = typer.Option(*([flag] if flag else []), help=text)
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if kind is bool else None,
                annotation=Annotated[kind, option],
            )
        )
    return signatures.signed(command, parameters, inspect.getdoc(function))


def display(table: Tabular, format: str) -> None:
    """Print a table in one of its formats."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(table.render(format, width=width))


def count(
    cell: _Cell,
    inputs: _Inputs,
    units: Annotated[int, typer.Option(help="Width of every level.")],
    format: Format = "table",
    **options: Any,
) -> None:
    """Count the parameters of a recurrent layer, with the formula."""
    display(params.count(cell, inputs, units, **options), format)


def units(
    cell: _Cell, budget: _Budget, inputs: _Inputs, format: Format = "table", **options: Any
) -> None:
    """Find the largest width that a budget of parameters pays for."""
    display(params.units_for(cell, number(budget), inputs, **options), format)


def compare(
    cells: Annotated[list[str], typer.Argument(metavar="CELL...", help="The cells.")],
    inputs: _Inputs,
    budget: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Parameters that each may have.")
    ] = None,
    units: Annotated[int | None, typer.Option(help="Width of each, instead.")] = None,
    format: Format = "table",
    **options: Any,
) -> None:
    """Show cells side by side, at an equal budget or width."""
    amount = None if budget is None else number(budget)
    display(params.compare(cells, inputs=inputs, budget=amount, units=units, **options), format)


def report(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .keras, .h5 or .safetensors file, or a run's folder.",
            parser=path,
        ),
    ],
    format: Format = "table",
) -> None:
    """Report the parameters in a saved model, layer by layer."""
    display(params.report(file), format)


def cells(format: Format = "table") -> None:
    """List all cells: form, gates, parameters, wrappers and paper."""
    display(params.cells(), format)


# Kernels


def explain(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .keras or .h5 file, or a run's folder.", parser=path
        ),
    ],
    time: Annotated[
        bool, typer.Option("--time", help="Time the model and its conversion.")
    ] = False,
    format: Format = "table",
) -> None:
    """Show which kernel runs each recurrent layer, and why not a faster one."""
    _import_backend_for(file)
    from kerasseq.insight import explain

    display(explain.explain(file, time), format)


def convert(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD", help="A .keras file, or a whole model of Keras 2 (.h5).", parser=path
        ),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The .keras file.", parser=path)],
    back: Annotated[bool, typer.Option("--back", help="From kerasseq to keras.layers.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace NEW.")] = False,
    format: Format = "table",
) -> None:
    """Write the same model on the layers of kerasseq, which are faster."""
    _import_backend_for(old)
    from kerasseq.interop.convert import convert_file

    display(convert_file(old, new, back, overwrite), format)


def export(
    source: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A run's folder, or a .keras or .h5 file.", parser=path),
    ],
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[OUT]",
            help="A folder, or the .onnx or .tflite file; by default beside DIR.",
            parser=path,
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", help="onnx or litert.")] = "onnx",
    stream: Annotated[
        bool, typer.Option("--stream", help="The model of one further timestep, with its state.")
    ] = False,
    quantize: Annotated[
        str | None, typer.Option("--quantize", help="Weights in LiteRT: float16 or int8.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Rows of a run to score --quantize on.", parser=path),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Write a run, or a model, as ONNX or LiteRT, which predicts without kerasseq."""
    from kerasseq.interop.formats import SUFFIXES, check_format

    check_format(format, quantize)
    if source.is_dir():
        if stream:
            raise ValueError(
                "--stream is an option for a model. Received: the folder of a run. Pass the model "
                f"in it, {source / 'model.keras'}, whose steps read preprocessed timesteps."
            )
        target = out or source.with_name(f"{source.resolve().name}-{format}")
        with _warnings_in_one_line():
            written = load(source).export(
                target, format, overwrite=overwrite, quantize=quantize, data=data and str(data)
            )
    else:
        _import_backend_for(source)
        from kerasseq.interop.export import export as export_model

        if data is not None:
            raise ValueError("--data has rows for a run. Received: a model")
        target = out or source.with_suffix(SUFFIXES[format])
        with _warnings_in_one_line():
            written = export_model(
                source, target, format, stream=stream, overwrite=overwrite, quantize=quantize
            )
    print(f"written to {printable(str(written))}", file=sys.stderr)


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Context that prints warnings of kerasseq without the line of code that they are about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", UserWarning)
        yield
    for each in caught:
        print(printable(f"warning: {each.message}"), file=sys.stderr)


def doctor(format: Format = "table") -> None:
    """Show what is installed, what kernels can run here, and what is missing."""
    from kerasseq.insight.doctor import examine

    with contextlib.suppress(Exception):  # the table has a row for a backend that fails
        import_backend()
    display(examine(), format)


# Runs

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.", parser=path)]


def load(folder: Path) -> Run:
    """Load the run in a folder; other folders are refused before a backend is loaded."""
    from kerasseq import runs

    if (runs.open_folder(folder) / runs.RECORD).is_file():
        import_backend()
    return runs.load(folder)


def check_run(folder: Path) -> None:
    """Refuse a folder that holds no run, without loading a backend."""
    from kerasseq.runs.folder import open_folder, read_record

    read_record(open_folder(folder))


def import_backend() -> None:
    """Import Keras without TensorFlow's messages at startup, some of which no setting disables.

    If TF_CPP_MIN_LOG_LEVEL is set, all messages of that level are shown.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    standard_error = os.dup(2)
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 2)
    try:
        importlib.import_module("keras")
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


def _import_backend_for(path: Path) -> None:
    """Import Keras for the model at a path; without one, raise its error before that."""
    atomic.finish(path)
    paths.model_file(path)
    import_backend()


def show(folder: Folder) -> None:
    """Print the result of a run beside its baselines."""
    load(folder).summary()


def show_result(result: Any, format: str) -> None:
    """Print the result of a verb, that is, of a method of a run such as `predict`.

    Args:
        result: scores as `evaluate` returns them, a DataFrame, a text, or an object that rich can
            print.
        format: format of scores and DataFrames; other objects have no choice of format.
    """
    if isinstance(result, dict):
        rows = [
            (name, value, *result["interval"].get(name, ("", "")))
            for name, value in result["test"].items()
        ]
        columns = ("metric", "value", "low", "high")
        title = f"{result['rows']:,} rows"
        notes = tuple(result.get("remarks", ()))
        display(Table(columns, tuple(rows), title=title, notes=notes), format)
    elif hasattr(result, "select_dtypes"):
        for name in result.select_dtypes(["datetime", "datetimetz"]):
            result[name] = result[name].astype(str)
        display(from_frame(result), format)
    elif isinstance(result, str):
        print("\n".join(map(printable, result.split("\n"))))
    else:
        from rich import get_console

        get_console().print(result)


def read_rows(
    rows: list[str] | None, file: Path | None, endings: Sequence[str] = ()
) -> list[str] | Path:
    """Read a list of rows from the command line, a file or standard input.

    Args:
        rows: rows on the command line; a single one with one of the endings is the path of a
            file, unless it has a space and there is no such file.
        file: a file with one row per line, or one with one of the endings.
        endings: endings of files whose path is returned, since the verb reads them itself; ""
            stands for all files.
    """
    if rows and file:
        raise ValueError(f"Give rows or --file, not both. Received: {len(rows)} and {file}")
    if file is None and rows and len(rows) == 1 and rows[0].lower().endswith(tuple(endings)):
        name = os.path.expanduser(rows[0])
        has_ending = name.lower().endswith(tuple(filter(None, endings)))
        if os.path.isfile(name) or (has_ending and not re.search(r"\s", name)):  # else a text
            file, rows = Path(name), None
    if file and (file.suffix.lower() in endings or ("" in endings and file.is_file())):
        return file
    return rows or _read_lines(file)


def _read_lines(file: Path | None) -> list[str]:
    """The lines of a file or of standard input, without blank lines."""
    from kerasseq.io.files import decode

    name = "standard input" if file is None or str(file) == "-" else str(file)
    if name == "standard input" and sys.stdin.isatty():
        raise ValueError("Give rows, --file, or rows on standard input.")
    raw = sys.stdin.buffer.read() if name == "standard input" else Path(name).read_bytes()
    text = decode(raw, name)[0].replace("\r\n", "\n")
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise ValueError(f"There is nothing in {name}: give one row a line.")
    return lines


# Recipes


@contextlib.contextmanager
def folder_for(out: str | None, default: str) -> Iterator[str]:
    """Context with the folder to write to: `out`, or a new folder named by the time.

    A new folder is made at once, so that no other process uses the same name; it is removed if it
    stays empty.
    """
    if out is not None:
        yield out
        return
    name = f"{default}-{time.strftime('%Y%m%d-%H%M%S')}"
    is_first = not Path(name).parent.exists()
    folder = next(path for path in _numbered_folders(name) if _make_folder(path))
    try:
        yield str(folder)
    finally:
        with contextlib.suppress(OSError):  # the folder is not empty
            for path in (folder, folder.parent) if is_first else (folder,):
                path.rmdir()


def _numbered_folders(name: str) -> Iterator[Path]:
    """Candidate folders: the name, then name-2, name-3, ..., for runs in the same second."""
    yield Path(name)
    yield from (Path(f"{name}-{number}") for number in itertools.count(2))


def _make_folder(folder: Path) -> bool:
    """Make a folder; False if it exists already."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def resumable(out: str) -> Iterator[None]:
    """Context that turns Ctrl-C into `Interrupted`, which says how to resume."""
    try:
        yield
    except KeyboardInterrupt:
        folder = paths.user_path(out, "out")
        begun = folder.is_dir() and any(folder.iterdir())
        hint = f"; the same command with --out {out} resumes it" if begun else ""
        raise Interrupted(f"interrupted{hint}") from None


def recipe(name: str) -> Callable[..., None]:
    """The command of a recipe: the recipe's arguments are options, its docstring is the help."""
    function = registry.get(name)
    options, text = signature.options(function)
    parameters, readers = signatures.parameters(options)

    def command(**arguments: Any) -> None:
        values = {key: readers[key](value) for key, value in arguments.items()}
        with folder_for(values.pop("out"), f"runs/{name}") as out:
            import_backend()
            with resumable(out):
                run = function(**values, out=out)
        run.summary()

    return signatures.signed(command, parameters, text)


COMMANDS: dict[str, Callable[..., None]] = {
    "count": _with_layer_options(count),
    "units": _with_layer_options(units),
    "compare": _with_layer_options(compare),
    "report": report,
    "cells": cells,
    "explain": explain,
    "convert": convert,
    "export": export,
    "doctor": doctor,
    "show": show,
}
