"""Whether layers compute the right thing on a GPU, and how fast: `python -m benchmarks.gpu`.

It needs a GPU, the checkout, Keras and JAX or PyTorch, and no TensorFlow. Each backend runs in a
process of its own. First every cell is held against float64 on the CPU (see `benchmarks.parity`),
then training steps are timed in turns with those of keras.layers, at the precision that a backend
has by default. The most telling come first; a row is written as soon as it is measured, one that
fails leaves the others alone, and what does not fit into the minutes is left out and counted.
Rows that are there already are not measured again.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import race, rows, targets
from benchmarks.parity import FORMS
from benchmarks.race import OURS, Crew, Entry, Failure, Place
from benchmarks.targets import Target

Shape = tuple[int, int, int, int]  # batch, time, inputs, units

BACKENDS = ("torch", "jax")
KERAS, KERAS_RNN = "keras.layers", "keras.layers.RNN"
PARITY = "parity"

BASIC = ("lstm", "gru", "simple_rnn")
FIRST = ("layernorm_lstm", "layernorm_gru", "peephole_lstm", "indrnn")
OTHERS = ("coupled_lstm", "mgu", "janet", "ligru")
LINEAR = ("lru", "mingru", "minlstm")

ROUNDS = 7
LONGEST = 90.0  # seconds that one answer of a worker may take
LEAST = 15.0  # seconds without which nothing more is begun
# Contenders round to TF32 in different orders: the row records their difference, and only a result
# that is not finite, or further apart than this, fails.
APART = 10.0

TARGETS = (
    Target("cudnn", KERAS, "training step, where Keras calls cuDNN", least=0.97),
    Target("loops", KERAS, "training step, where Keras loops", least=1.0),
    Target("cells", KERAS_RNN, "same cell, training step", least=3.0),
    Target("linear", KERAS, "linear cell, training step, against an LSTM", least=8.0),
)


@dataclass(frozen=True)
class Shapes:
    """The measured sizes: `FULL` for a GPU, `TINY` for a test on a CPU."""

    parity: Shape
    middle: Shape
    large: Shape
    small: Shape
    long: Shape
    longer: Shape


FULL = Shapes(
    parity=(8, 23, 12, 32),
    middle=(32, 100, 64, 128),
    large=(64, 200, 128, 512),
    small=(64, 24, 8, 64),
    long=(32, 4096, 64, 64),
    longer=(8, 4096, 64, 128),
)
TINY = Shapes(
    parity=(5, 6, 3, 4),
    middle=(2, 5, 3, 4),
    large=(3, 5, 3, 4),
    small=(2, 3, 3, 4),
    long=(2, 40, 3, 4),
    longer=(3, 40, 3, 4),
)


@dataclass(frozen=True)
class Piece:
    """One measurement, which gives one row.

    Args:
        group: `PARITY`, or the group of a target.
        backend: "jax" or "torch".
        cell: name of the cell.
        shape: batch, time, inputs and units.
        masked: whether rows are padded on the right, in a race.
        options: further arguments of a `benchmarks.parity.Case`.
    """

    group: str
    backend: str
    cell: str
    shape: Shape
    masked: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the measurement in messages."""
        more = [f"{key}={value}" for key, value in self.options.items()]
        more += ["mask=right"] * self.masked
        return " ".join([self.backend, self.group, self.cell, str(self.shape), *more])

    @property
    def entries(self) -> list[Entry]:
        """The contenders of a race, ours first."""
        task: dict[str, Any] = {"cell": self.cell, "shape": self.shape}
        if self.masked:
            task["masked"] = True
        rival = KERAS_RNN if self.group == "cells" else KERAS
        theirs, same = task, self.group != "linear"
        if not same:  # an LSTM computes something else
            theirs = {**task, "cell": "lstm"}
        return [Entry(OURS, self.backend, task), Entry(rival, self.backend, theirs, compared=same)]

    @property
    def setting(self) -> rows.Row:
        """The settings that identify its row."""
        named = {**asdict(self), "shape": list(self.shape)}
        if self.group == PARITY:
            del named["masked"]
            return named
        del named["options"]
        return {**named, "against": self.entries[1].library, "rounds": ROUNDS}


def pieces(backends: Sequence[str], shapes: Shapes) -> list[Piece]:
    """Everything there is to measure, the most telling first."""
    plan = [
        _parity(BASIC, shapes),
        _loops(shapes.middle),
        _races("linear", LINEAR, shapes.long),
        _races("cells", FIRST, shapes.middle),
        _parity((*FIRST, *LINEAR, *OTHERS), shapes),
        _compound(shapes),
        _loops(shapes.large),
        _races("cells", FIRST[:2], shapes.large),
        _loops(shapes.small),
        _races("cells", OTHERS, shapes.middle),
        _races("linear", LINEAR, shapes.longer),
        _races("cells", FIRST, shapes.small),
    ]
    return [piece for part in plan for backend in backends for piece in part(backend)]


Part = Callable[[str], Iterator[Piece]]


def _parity(cells: Sequence[str], shapes: Shapes) -> Part:
    def part(backend: str) -> Iterator[Piece]:
        for cell, form in itertools.product(cells, FORMS):
            yield Piece(PARITY, backend, cell, shapes.parity, options={"form": form})

    return part


def _compound(shapes: Shapes) -> Part:
    """Layers of several levels and directions, backwards, and with the last output alone."""
    ways: list[tuple[Sequence[str], dict[str, Any]]] = [
        (("lstm", "gru", "layernorm_lstm", "lru"), {"depth": 2, "bidirectional": True}),
        (("lstm", "gru", "simple_rnn"), {"return_sequences": False}),
        (("lstm", "gru", "mingru"), {"go_backwards": True}),
    ]

    def part(backend: str) -> Iterator[Piece]:
        for cells, options in ways:
            for cell, form in itertools.product(cells, ("none", "empty")):
                yield Piece(PARITY, backend, cell, shapes.parity, options={"form": form, **options})

    return part


def _loops(shape: Shape) -> Part:
    """The cells of keras.layers, with a mask and without."""

    def part(backend: str) -> Iterator[Piece]:
        for masked, cell in itertools.product((False, True), ("lstm", "gru")):
            yield Piece(_kind(backend, cell, masked), backend, cell, shape, masked)
        if backend == "torch":  # PyTorch has a fused one, JAX none
            yield Piece("loops", backend, "simple_rnn", shape)

    return part


def _kind(backend: str, cell: str, masked: bool) -> str:
    """Whether Keras calls cuDNN: on PyTorch for both cells, on JAX for one, with masks for none."""
    return "loops" if masked or (backend, cell) == ("jax", "gru") else "cudnn"


def _races(group: str, cells: Sequence[str], shape: Shape) -> Part:
    return lambda backend: (Piece(group, backend, cell, shape) for cell in cells)


# Measuring


@dataclass
class Session:
    """One run of the script: devices, measured rows, failures and skipped measurements.

    Args:
        crew: the processes.
        out: the file of rows; None keeps none.
        left: gives the seconds that are left.
    """

    crew: Crew
    out: Path | None
    left: Callable[[], float]
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    measured: list[rows.Row] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        earlier = [] if self.out is None else rows.read(self.out)
        self._known = {_key(row): row for row in earlier}

    def look(self, backend: str) -> dict[str, Any] | None:
        """The device of a backend; None, with a word, where there is none to be had."""
        try:
            device = self.crew[backend].ask("device")
        except Failure as failure:
            _tell(f"{backend}: {_line(failure)}")
            return None
        self.devices[backend] = device
        _tell(f"{backend}: {device['kind']}, {device['name']}")
        return device

    def take(self, piece: Piece) -> None:
        """Its row: the one that is there, or measured now; or a note that it failed."""
        row = self._known.get(_key({"setting": piece.setting, **self._place(piece)}))
        start = time.monotonic()
        if row is None:
            try:
                row = self._row(piece)
            except Exception as failure:  # any error fails this measurement only
                self.failed.append(f"{piece.name}: {_line(failure)}")
                _tell(f"FAILED {self.failed[-1]}")
                self._restart(piece.backend)
                return
            if self.out is not None:
                rows.append(self.out, row)
        self.measured.append(row)
        _tell(f"{piece.name}: {_told(row)} ({time.monotonic() - start:.1f} s)")

    def _place(self, piece: Piece) -> rows.Row:
        return {"device": self.devices[piece.backend]["name"]}

    def _row(self, piece: Piece) -> rows.Row:
        worker = self.crew[piece.backend]
        if piece.group == PARITY:
            case = {"cell": piece.cell, "shape": piece.shape, **piece.options}
            result = worker.ask("parity", case=case)
        else:
            result = race.race(piece.entries, self.crew, ROUNDS, APART)
            for name in ("waiting", "elsewhere", "gemm"):  # of the processor
                result.pop(name, None)
            ours, theirs = (worker.ask("explained", name=entry.library) for entry in piece.entries)
            result |= {"reasons": ours["reasons"], "cudnn": ours["cudnn"]}
            result |= {"rival": {"notes": theirs["notes"], "cudnn": theirs["cudnn"]}}
        versions = self.devices[piece.backend]["versions"]
        row = rows.stamped("gpu", piece.setting, result, versions=versions)
        return {**row, **self._place(piece)}

    def _restart(self, backend: str) -> None:
        """Ends a worker whose device is broken, as it is after a fault on a GPU."""
        with contextlib.suppress(Failure):
            worker = self.crew[backend]
            try:
                worker.ask("device")
            except Failure:
                worker.kill()


def run(session: Session, plan: Sequence[Piece]) -> None:
    """Takes the pieces in order, as long as there is time.

    Parity is not timed, so all backends check it at the same time.
    """

    def take(some: Sequence[Piece]) -> None:
        for piece in some:
            if session.left() < LEAST:
                session.skipped.append(piece.name)
            else:
                session.take(piece)

    for untimed, part in itertools.groupby(plan, lambda piece: piece.group == PARITY):
        some = list(part)
        if untimed:
            each = [[piece for piece in some if piece.backend == name] for name in BACKENDS]
            with ThreadPoolExecutor() as together:
                list(together.map(take, each))
        else:
            take(some)


# Tables


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The newest rows as Markdown: all of a group, or those of every group and the summary."""
    newest = list({_key(row): row for row in measured}.values())
    if part is not None:
        return _parities(newest) if part == PARITY else _ratios(newest)
    devices = dict.fromkeys(f"{row['device']}, {_versions(row)}" for row in newest)
    parts = [summary(newest), _ratios(newest), _parities(newest)]
    return "\n\n".join([*filter(None, parts), f"Measured on: {'; '.join(devices)}."])


def summary(measured: Sequence[rows.Row]) -> str:
    """Results beside their targets, as Markdown."""
    header = ["", "against", "backend", "rows", "lowest", "highest", "target", "reached"]
    lines: list[list[object]] = []
    for target, backend in itertools.product(TARGETS, BACKENDS):
        ratios = [_ratio(row) for row in _of(measured, target.group, backend)]
        if ratios:
            spread = (f"{min(ratios):.2f}x", f"{max(ratios):.2f}x")
            named = (target.title, f"`{target.rival}`", backend, len(ratios))
            lines.append([*named, *spread, targets.asked(target), targets.verdict(target, ratios)])
    for backend in BACKENDS:
        worst = [row["result"]["worst"] for row in _of(measured, PARITY, backend)]
        if worst:
            title = "difference, by a tensor's largest value"
            asked = f"at most {race.TOLERANCE:g}"
            over = sum(each > race.TOLERANCE for each in worst)
            reached = f"missed by {over} rows" if over else "met"
            spread = (f"{min(worst):.1e}", f"{max(worst):.1e}")
            lines.append([title, "float64", backend, len(worst), *spread, asked, reached])
    return rows.markdown(header, lines)


def _ratios(measured: Sequence[rows.Row]) -> str:
    header = ["cell (batch, time, inputs, units)", "backend", "mask", "kernel", "kerasseq, ms"]
    header += ["against", "ms", "ratio", "quartiles"]
    lines = []
    for group, backend in itertools.product((target.group for target in TARGETS), BACKENDS):
        for row in _of(measured, group, backend):
            setting, result = row["setting"], row["result"]
            rival = setting["against"]
            ratio, taken = result["against"][rival], result["milliseconds"]
            size = ", ".join(map(str, setting["shape"]))
            against = "LSTM" if group == "linear" else rival
            lines.append(
                [
                    f"{setting['cell']} ({size})",
                    backend,
                    "right" if setting["masked"] else "",
                    result["kernel"] + _cudnn(result),
                    f"{taken[OURS]:.4g}",
                    f"`{against}`{_cudnn(result['rival'])}",
                    f"{taken[rival]:.4g}",
                    f"{ratio['ratio']:.2f}x",
                    f"{ratio['low']:.2f} to {ratio['high']:.2f}",
                ]
            )
    return rows.markdown(header, lines) if lines else ""


def _parities(measured: Sequence[rows.Row]) -> str:
    """One line per layer and backend: the kernels, and how far each form of mask is off."""
    header = ["layer", "backend", "kernel", *FORMS]
    by_layer: dict[tuple[str, str], list[rows.Row]] = {}
    for row in measured:
        if row["setting"]["group"] == PARITY:
            options = row["setting"]["options"]
            more = [f"{key}={value}" for key, value in options.items() if key != "form"]
            name = ", ".join([row["setting"]["cell"], *more])
            by_layer.setdefault((name, row["setting"]["backend"]), []).append(row)
    lines = []
    for (name, backend), those in by_layer.items():
        kernels = dict.fromkeys(r["result"]["kernel"] + _cudnn(r["result"]) for r in those)
        worst = {r["setting"]["options"]["form"]: r["result"]["worst"] for r in those}
        shown = [f"{worst[form]:.1e}" if form in worst else "" for form in FORMS]
        lines.append([name, backend, ", ".join(kernels), *shown])
    return rows.markdown(header, lines) if lines else ""


def _cudnn(result: rows.Row) -> str:
    return " (cuDNN)" if result["cudnn"] else ""


def _of(measured: Sequence[rows.Row], group: str, backend: str) -> list[rows.Row]:
    wanted = {"group": group, "backend": backend}
    return [row for row in measured if wanted.items() <= row["setting"].items()]


def _ratio(row: rows.Row) -> float:
    ratio: float = row["result"]["against"][row["setting"]["against"]]["ratio"]
    return ratio


def _key(row: rows.Row) -> str:
    return repr((sorted(row["setting"].items()), row["device"]))


def _versions(row: rows.Row) -> str:
    shown = ("keras", row["versions"]["backend"], "cuda", "cudnn")
    return ", ".join(f"{name} {row['versions'][name]}" for name in shown if name in row["versions"])


def _told(row: rows.Row) -> str:
    """The result of a row, in a few words."""
    result = row["result"]
    kernel = result["kernel"] + _cudnn(result)
    if row["setting"]["group"] == PARITY:
        return f"{kernel} {result['worst']:.1e}" + " TOO FAR" * (not result["passed"])
    rival = row["setting"]["against"]
    taken = result["milliseconds"]
    told = f"{kernel} {taken[OURS]:g} ms, {rival} {taken[rival]:g} ms, {_ratio(row):.2f}x"
    return f"{told}, apart {result['apart']:.1e}" if result["apart"] else told


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:150]} ... {text[-150:]}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# From the shell


def environment(backend: str, cpu: bool) -> dict[str, str]:
    """The environment variables of a worker."""
    if cpu:
        return {**race.PROCESSOR, "JAX_PLATFORMS": "cpu"}
    # Both backends are on one GPU. JAX gives PyTorch's process the statement, and no more.
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | (
        {"JAX_PLATFORMS": "cpu"} if backend == "torch" else {}
    )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=7.0, help="to stop after; default: 7")
    parser.add_argument("--out", type=Path, help="file of rows; default: results/gpu.jsonl")
    parser.add_argument("--log", type=Path, help="file for what workers write, such as tracebacks")
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    groups = [PARITY, *(target.group for target in TARGETS)]
    parser.add_argument("--only", nargs="+", choices=groups, default=groups, metavar="GROUP")
    parser.add_argument("--cell", nargs="+", metavar="CELL", help="only these cells")
    parser.add_argument(
        "--cpu", action="store_true", help="try the script out: small sizes, no GPU, rows in --out"
    )
    options = parser.parse_args(argv)
    if not options.minutes > 0:
        parser.error(f"--minutes must be above 0. Received: {options.minutes:g}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    end = time.monotonic() + 60 * options.minutes

    def left() -> float:
        return end - time.monotonic()

    out = options.out or (None if options.cpu else rows.RESULTS / "gpu.jsonl")
    backends = [name for name in options.backend if importlib.util.find_spec(name)]
    with contextlib.ExitStack() as stack:
        log = None if options.log is None else stack.enter_context(options.log.open("a"))
        place = Place(
            environment=lambda backend: environment(backend, options.cpu),
            patience=lambda: max(1.0, min(LONGEST, left())),
            log=log,
        )
        session = Session(stack.enter_context(race.crew(place)), out, left)
        wanted = "cpu" if options.cpu else "gpu"
        with ThreadPoolExecutor() as together:  # each imports for a while
            devices = list(together.map(session.look, backends))
        backends = [name for name, device in zip(backends, devices) if _is(wanted, device)]
        if not backends:
            _tell(f"No {wanted.upper()} that JAX or PyTorch sees: nothing was measured.")
            return 2
        plan = [
            piece
            for piece in pieces(backends, TINY if options.cpu else FULL)
            if piece.group in options.only and piece.cell in (options.cell or [piece.cell])
        ]
        run(session, plan)
    if session.measured:
        print(table(session.measured))
    for failure in session.failed:
        print(f"failed: {failure}")
    if session.skipped:
        print(f"no time was left for {len(session.skipped)} of {len(plan)}")
    wrong = [row for row in session.measured if not row["result"].get("passed", True)]
    return 1 if session.failed or wrong else 0


def _is(kind: str, device: dict[str, Any] | None) -> bool:
    return device is not None and device["kind"] == kind


if __name__ == "__main__":
    sys.exit(main())
