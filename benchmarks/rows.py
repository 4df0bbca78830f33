"""Benchmark results: one JSON row per benchmark, setting and seed.

A benchmark that is stopped and run again finds the rows that are there and measures the rest. To
measure a row again, delete its line in `benchmarks/results/NAME.jsonl`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kerasseq.runs import versions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

Row = dict[str, Any]


def load(benchmark: str) -> list[Row]:
    """The rows measured so far, oldest first."""
    return read(RESULTS / f"{benchmark}.jsonl")


def read(path: Path) -> list[Row]:
    """The rows of a file, oldest first; none where it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def measured(benchmark: str, setting: Row, measure: Callable[[], Row], *, seed: int = 0) -> Row:
    """The row of a setting and seed: the one that is there, else measured and written now.

    Args:
        benchmark: name of the benchmark, and of its file in `benchmarks/results`.
        setting: what is measured, as JSON values.
        measure: called without arguments where the row is missing; gives its `result`.
        seed: part of what names the row.
    """
    setting = json.loads(json.dumps(setting))  # as it will be read back
    for row in load(benchmark):
        if row["setting"] == setting and row["seed"] == seed:
            return row
    row = stamped(benchmark, setting, measure(), seed=seed, versions=versions())
    append(RESULTS / f"{benchmark}.jsonl", row)
    return row


def stamped(
    benchmark: str, setting: Row, result: Row, *, seed: int = 0, versions: dict[str, str]
) -> Row:
    """A row, with commit, versions, processor and date."""
    return {
        "benchmark": benchmark,
        "setting": setting,
        "seed": seed,
        "result": result,
        "commit": _commit(),
        "versions": versions,
        "processor": _processor(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def append(path: Path, row: Row) -> None:
    """Adds a row in one write, so that runs side by side do not tear each other's rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{json.dumps(row, ensure_ascii=False)}\n".encode())
    finally:
        os.close(file)


def markdown(header: Sequence[str], lines: Iterable[Sequence[object]], left: int = 1) -> str:
    """A Markdown table: the first columns aligned to the left, numbers to the right."""
    rules = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [header, rules, *lines])


def scores(run: Any) -> Row:
    """The metrics of a run that a row keeps."""
    names = ("test", "interval", "baselines", "parameters", "seconds", "verdict", "rows", "epochs")
    return {name: run.metrics[name] for name in names}


def defaults(name: str, **others: Any) -> str:
    """A fingerprint of the default settings of a recipe: other ones make other rows.

    Names are those of the first rows, and settings that came later count once their default is
    another than what was done before there was a choice. `others` are values in place of defaults.
    """
    from kerasseq import registry
    from kerasseq.io.digest import digest
    from kerasseq.settings.aliases import renamed

    old = {new: before for before, new in renamed(name).items()}
    values = {**registry.task(name).defaults, **others}
    del values["seed"]
    later = {**_LATER, **_LATER_OF.get(name, {})}
    values = {n: own for n, own in values.items() if n not in later or own != later[n]}
    values |= {n: own for n, own in _BEFORE_AUTO.get(name, {}).items() if values.get(n) == "auto"}
    return digest(dict(sorted((old.get(n, n), own) for n, own in values.items())))[:12]


_LATER = {
    **{"optimizer": "adam", "weight_decay": None, "final": "train", "lookback_seasons": None},
    "ema_momentum": None,
}
_LATER_OF: dict[str, dict[str, Any]] = {
    "forecasting": {
        "passes_per_epoch": None,
        "short": "error",
        "point": "auto",
        "seeds": 1,
        "holidays": None,
    },
    "sequence_classification": {
        **{"encoder": "cnn", "weights": "imagenet"},
        # The rows on which these act were measured with them.
        **{"ema_momentum": "auto", "top_db": 40.0},
    },
    "sentiment": {
        **{"layer_decay": 1.0, "unfreeze": 0, "pretrain": False, "pretrain_epochs": 10},
        # The rows before it have two classes, for which it makes no difference.
        **{"ngram_gains": "class", "class_weight_power": 1.0},
    },
    "tagging": {"sentence_label": None},
    "language_model": {
        **dict.fromkeys(("weight_drop", "activation_penalty", "temporal_penalty"), 0.0),
        **{"softmax": "full", "samples": 1024, "vary_steps": False, "reverse": False},
    },
}
# Defaults that became "auto", which resolves to them in all rows that were measured before.
_BEFORE_AUTO: dict[str, dict[str, Any]] = {"sequence_classification": {"jitter": 0.1}}


def data_folder() -> Path:
    """The folder of public benchmark data, which is no part of the project."""
    folder = Path(os.environ.get("KERASSEQ_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise FileNotFoundError(f"No benchmark data in {folder}: set KERASSEQ_DATA to its folder.")
    return folder


def _commit() -> str:
    """The commit that is checked out, with a plus sign where the code differs from it."""

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)

    try:
        head = git("rev-parse", "--short=10", "HEAD")
        changed = git("status", "--porcelain", "--", "kerasseq", "recipes")
    except FileNotFoundError:  # no git on this machine
        return "unknown"
    return head.stdout.strip() + "+" * bool(changed.stdout) if head.returncode == 0 else "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
