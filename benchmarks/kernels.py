"""How fast recurrent layers are beside those of Keras and PyTorch: `python -m benchmarks.kernels`.

Contenders run in processes of their own, one per backend, and take turns: in each round each of
them runs a block of steps, in alternating order. A ratio is the rival's median time over ours.
Each pair has the same weights, and is checked to give the same outputs and gradients before.
"""

from __future__ import annotations

import argparse
import csv
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kerasseq
from benchmarks import race, rows, targets
from benchmarks.race import OURS, Crew, Entry, Failure

Shape = tuple[int, int, int, int]  # batch, time, inputs, units

SHAPES: tuple[Shape, ...] = (
    (32, 100, 64, 128),
    (64, 24, 8, 64),
    (128, 200, 128, 64),
    (32, 200, 128, 256),
    (16, 128, 128, 512),
    (256, 10, 32, 32),
    (8, 1000, 64, 64),
    (1, 200, 128, 128),
    (64, 400, 128, 128),
)
FEW: tuple[Shape, ...] = ((32, 100, 64, 128), (64, 24, 8, 64), (32, 200, 128, 256))
LARGE: tuple[Shape, ...] = (
    (128, 200, 128, 64),
    (32, 200, 128, 256),
    (16, 128, 128, 512),
    (64, 400, 128, 128),
)
LONG: tuple[Shape, ...] = ((8, 4096, 64, 64), (32, 4096, 64, 64))

BASIC = ("lstm", "gru", "simple_rnn")
BACKENDS = ("tensorflow", "torch", "jax")
KERAS, KERAS_RNN, TORCH = "keras.layers", "keras.layers.RNN", "torch.nn"
NOT_AT_REST = 0.05  # of a core, used by processes that should wait


@dataclass(frozen=True)
class Group:
    """A group of benchmarks: every cell at every shape (or on every set of texts)."""

    cells: tuple[str, ...]
    shapes: tuple[Shape, ...]
    rounds: int = 15
    masks: tuple[bool, ...] = (False,)
    texts: tuple[str, ...] = ()
    backend: str = "tensorflow"
    training: bool = True
    kernel: str = "auto"


GROUPS = {
    "train": Group(BASIC, SHAPES),
    "infer": Group(BASIC, SHAPES, training=False),
    "cells": Group(("layernorm_lstm", "peephole_lstm"), FEW),
    "linear": Group(("mingru",), LONG),
    "torch": Group(("lstm", "gru"), SHAPES, rounds=9, masks=(False, True), backend="torch"),
    "jax": Group(BASIC, SHAPES, rounds=9, backend="jax"),
    "jax_infer": Group(BASIC, SHAPES, rounds=9, backend="jax", training=False),
    "jax_scan": Group(BASIC, SHAPES, rounds=9, backend="jax", kernel="scan"),
    "jax_scan_infer": Group(BASIC, SHAPES, rounds=9, backend="jax", training=False, kernel="scan"),
    "epoch": Group(("lstm",), (), rounds=5, texts=("demo", "long")),
    "memory": Group(BASIC, LARGE, rounds=5),
}


@dataclass(frozen=True)
class Case:
    """One benchmark.

    Args:
        group: the group it is in.
        cell: name of the cell.
        shape: batch, time, inputs and units; None for an epoch.
        masked: whether rows are padded.
        data: the texts of an epoch.
    """

    group: str
    cell: str
    shape: Shape | None = None
    masked: bool = False
    data: str | None = None

    @property
    def name(self) -> str:
        """What it is called in tables and messages."""
        place = self.data or ", ".join(map(str, self.shape or ()))
        return f"{self.cell} ({place})" + ", masked" * self.masked

    def entries(self, kernel: str, backends: Sequence[str]) -> list[Entry]:
        """Its contenders, ours first, as far as their backends are there."""
        group = GROUPS[self.group]
        task: dict[str, Any] = {"cell": self.cell}
        if self.shape is not None:
            task |= {"shape": self.shape, "training": group.training}
        if self.masked:
            task["masked"] = True
        if self.data is not None:
            task["data"] = self.data
        if self.group == "memory":
            task["any_batch"] = True
        backend = group.backend
        found = [Entry(OURS, backend, {**task, "kernel": kernel})]
        if self.group == "cells":
            found.append(Entry(KERAS_RNN, backend, task))
        elif self.group == "linear":  # an LSTM computes something else
            found.append(Entry(KERAS, backend, {**task, "cell": "lstm"}, compared=False))
            found.append(Entry(KERAS_RNN, backend, task, timed=False))
        else:
            found.append(Entry(KERAS, backend, task))
        if self.group in ("train", "infer"):
            found.append(Entry(TORCH, "torch", task))
        return [entry for entry in found if entry.backend in backends]

    def setting(self, entries: Sequence[Entry], kernel: str, rounds: int) -> rows.Row:
        """What names its row."""
        given = {"shape": self.shape, "masked": self.masked, "data": self.data}
        return {
            "group": self.group,
            "cell": self.cell,
            **{name: value for name, value in given.items() if value},
            "against": [e.library for e in entries if e.timed and e.library != OURS],
            "kernel": kernel,
            "rounds": rounds,
            "cores": _cores(),
        }


def cases(groups: Sequence[str], shapes: Sequence[Shape] | None = None) -> Iterator[Case]:
    """The benchmarks of some groups, at their own shapes or at others."""
    for name in groups:
        group = GROUPS[name]
        for cell in group.cells:
            yield from (Case(name, cell, data=data) for data in group.texts)
            for shape in (shapes or group.shapes) if group.shapes else ():
                yield from (Case(name, cell, shape, masked) for masked in group.masks)


def measure(
    case: Case,
    crew: Crew,
    *,
    kernel: str | None = None,
    rounds: int | None = None,
    save: bool = True,
) -> rows.Row | None:
    """The row of a benchmark: the one that is there, else measured; None without its backend.

    Raises:
        Failure: if it cannot be measured, or the contenders do not compute the same.
    """
    group = GROUPS[case.group]
    kernel, rounds = kernel or group.kernel, rounds or group.rounds
    entries = case.entries(kernel, _backends())
    if len(entries) < 2:
        return None
    take: Callable[[], rows.Row] = functools.partial(race.race, entries, crew, rounds)
    if case.group == "memory":
        take = functools.partial(race.weigh, entries, rounds)
    setting = case.setting(entries, kernel, rounds)
    if not save:
        return {"setting": setting, "result": take()}
    return rows.measured("kernels", setting, take)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The newest row of each benchmark, as Markdown.

    Args:
        measured: the rows.
        part: a group, for all of its rows; "backends" for the ratios to `keras.layers` on each
            backend; all groups beside their targets where it is not given.
    """
    newest = {_key(row): row for row in measured if _is_of_the_kernel_of_its_group(row)}
    found = list(newest.values())
    if part is None:
        body = summary(found)
    else:
        body = by_backend(found) if part == "backends" else details(found, part)
    places = [f"{row['processor']} ({row['setting']['cores']} in use)" for row in found]
    return f"{body}\n\nMeasured on: {'; '.join(dict.fromkeys(places))}."


def details(measured: Sequence[rows.Row], group: str) -> str:
    """Every row of a group, as Markdown."""
    chosen = [row for row in measured if row["setting"]["group"] == group]
    rivals = list(dict.fromkeys(name for row in chosen for name in row["result"]["against"]))
    unit = "MiB" if group == "memory" else "ms"
    header = ["cell (batch, time, inputs, units)", "kernel", f"kerasseq, {unit}", "of GEMM"]
    header += [part for name in rivals for part in (f"{name}, {unit}", "ratio", "quartiles")]
    lines = []
    for row in chosen:
        found, result = _amounts(row), row["result"]
        share = gemm_share(row)
        line = [_case(row).name, result["kernel"], f"{found[OURS]:.4g}"]
        line.append("" if share is None else f"{share:.0%}")
        for name in rivals:
            if name in result["against"]:
                ratio = result["against"][name]
                line += [f"{found[name]:.4g}", f"{ratio['ratio']:.2f}x"]
                line.append(f"{ratio['low']:.2f} to {ratio['high']:.2f}")
            else:
                line += [""] * 3
        lines.append(line)
    return rows.markdown(header, lines)


def gemm_share(row: rows.Row) -> float | None:
    """Of the GFLOP/s of a product of large matrices in the same run, how many ours reaches.

    Counted are the multiply-accumulates with a weight, twice as many again in a backward pass;
    None where the row does not tell.
    """
    case, result = _case(row), row["result"]
    if "gemm" not in result or case.shape is None or case.group == "memory":
        return None
    batch, time, inputs, units = case.shape
    counted = kerasseq.count(case.cell, inputs=inputs, units=units).macs_for(time)
    flops = 2.0 * batch * counted * (3 if GROUPS[case.group].training else 1)
    share: float = flops / (1e6 * result["milliseconds"][OURS]) / result["gemm"]
    return share


def summary(measured: Sequence[rows.Row]) -> str:
    """The ratios beside their targets, as Markdown."""
    header = ["", "against", "rows", "geometric mean", "lowest", "highest", "target", "reached"]
    lines = []
    for target in targets.TARGETS:
        if ratios := _ratios(measured, target.group, target.rival):
            lines.append(
                [
                    target.title,
                    f"`{target.rival}`",
                    len(ratios),
                    *_spread(ratios),
                    targets.asked(target),
                    targets.verdict(target, ratios),
                ]
            )
    return rows.markdown(header, lines)


def by_backend(measured: Sequence[rows.Row]) -> str:
    """The ratios to `keras.layers` on each backend, as Markdown; groups without rows too."""
    header = ["backend", "", "rows", "geometric mean", "lowest", "highest"]
    lines = []
    for name, group in GROUPS.items():
        if name in _BY_BACKEND:
            ratios = _ratios(measured, name, KERAS)
            step = "training step" if group.training else "inference"
            spread = _spread(ratios) if ratios else ["not measured yet", "", ""]
            lines.append([_BACKEND_NAMES[group.backend], step, len(ratios), *spread])
    return rows.markdown(header, lines, left=2)


_BY_BACKEND = ("train", "infer", "torch", "jax", "jax_infer")
_BACKEND_NAMES = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}


def _ratios(measured: Sequence[rows.Row], group: str, rival: str) -> list[float]:
    against = [row["result"]["against"] for row in measured if row["setting"]["group"] == group]
    return [each[rival]["ratio"] for each in against if rival in each]


def _spread(ratios: Sequence[float]) -> list[str]:
    """Geometric mean, lowest and highest."""
    found = (targets.geometric_mean(ratios), min(ratios), max(ratios))
    return [f"{ratio:.2f}x" for ratio in found]


def write_csv(path: Path, measured: Sequence[rows.Row]) -> None:
    """One line per benchmark and rival."""
    lines = [line for row in measured for line in _flat(row)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]) if lines else [])
        writer.writeheader()
        writer.writerows(lines)


def _flat(row: rows.Row) -> Iterator[dict[str, Any]]:
    setting, result, amounts = row["setting"], row["result"], _amounts(row)
    shape, share = setting.get("shape") or [""] * 4, gemm_share(row)
    for rival, ratio in result["against"].items():
        yield {
            "group": setting["group"],
            "cell": setting["cell"],
            **dict(zip(("batch", "time", "inputs", "units"), shape, strict=True)),
            "masked": setting.get("masked", False),
            "data": setting.get("data", ""),
            "kernel": result["kernel"],
            "cores": setting["cores"],
            "unit": "MiB" if setting["group"] == "memory" else "ms",
            "kerasseq": amounts[OURS],
            "rival": rival,
            "theirs": amounts[rival],
            **ratio,
            "gemm_share": "" if share is None else targets.rounded(share),
            "processor": row.get("processor", ""),
            "commit": row.get("commit", ""),
        }


def _key(row: rows.Row) -> tuple[Any, ...]:
    setting = row["setting"]
    shape = tuple(setting.get("shape", ()))
    return setting["group"], setting["cell"], shape, setting.get("masked"), setting.get("data")


def _is_of_the_kernel_of_its_group(row: rows.Row) -> bool:
    setting = row["setting"]
    return bool(setting["kernel"] == GROUPS[setting["group"]].kernel)


def _case(row: rows.Row) -> Case:
    group, cell, shape, masked, data = _key(row)
    return Case(group, cell, shape or None, bool(masked), data)


def _amounts(row: rows.Row) -> dict[str, float]:
    result = row["result"]
    found: dict[str, float] = result["milliseconds" if "milliseconds" in result else "mebibytes"]
    return found


@functools.cache
def _backends() -> list[str]:
    return [name for name in BACKENDS if importlib.util.find_spec(name)]


def _cores() -> int:
    """How many cores this process, and with it the workers, may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _told(row: rows.Row) -> str:
    """What came out, in a few words."""
    result = row["result"]
    found = [f"{ratio['ratio']:.2f}x {name}" for name, ratio in result["against"].items()]
    told = f"{result['kernel']} {', '.join(found)}"
    if result.get("waiting", 0) > NOT_AT_REST:
        told += f"; waiting processes used {result['waiting']:.0%} of a core"
    if result.get("elsewhere", 0) > NOT_AT_REST:
        told += f"; other programs used {result['elsewhere']:.1f} cores"
    return told


def _shape(text: str) -> Shape:
    try:
        batch, time, inputs, units = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"give batch,time,inputs,units, such as 32,100,64,128. Received: {text!r}"
        ) from None
    return batch, time, inputs, units


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="GROUP")
    parser.add_argument("--cell", nargs="+", metavar="CELL", help="only these cells")
    parser.add_argument(
        "--shape", nargs="+", type=_shape, help="these instead: batch,time,inputs,units ..."
    )
    parser.add_argument(
        "--kernel", help="the kernel that kerasseq is to take; default: the group's own"
    )
    parser.add_argument("--rounds", type=int, help="blocks per contender; default: the group's own")
    parser.add_argument("--csv", type=Path, help="file to write as well")
    parser.add_argument(
        "--unsaved", action="store_true", help="measure, found or not, and keep no rows"
    )
    options = parser.parse_args(argv)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    measured: list[rows.Row] = []
    failed = 0
    for name in BACKENDS:
        if name not in _backends():
            _tell(f"skipped: whatever runs on {name}, which is not installed here")
    with race.crew() as crew:
        for case in cases(options.only, options.shape):
            if options.cell and case.cell not in options.cell:
                continue
            try:
                row = measure(
                    case,
                    crew,
                    kernel=options.kernel,
                    rounds=options.rounds,
                    save=not options.unsaved,
                )
            except Failure as failure:
                failed += 1
                _tell(f"{case.group} {case.name}: FAILED: {failure}")
                continue
            if row is not None:
                measured.append(row)
                _tell(f"{case.group} {case.name}: {_told(row)}")
    for group in dict.fromkeys(row["setting"]["group"] for row in measured):
        print(f"{group}\n\n{details(measured, group)}\n")
    print(summary(measured))
    if options.csv is not None:
        write_csv(options.csv, measured)
    if failed:
        _tell(f"{failed} failed; a benchmark that fails leaves no row")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
