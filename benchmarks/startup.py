"""How long kerasseq takes to start: `python -m benchmarks.startup`."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import rows

BARE = "bare Python"
COMMANDS = {
    BARE: ["-c", "pass"],
    "`import kerasseq`": ["-c", "import kerasseq"],
    "`kerasseq --help`": ["-m", "kerasseq", "--help"],
    "`kerasseq count gru --inputs 3 --units 5`": (
        ["-m", "kerasseq", "count", "gru", "--inputs", "3", "--units", "5"]
    ),
}


def _seconds(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=rows.ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def measure(runs: int) -> rows.Row:
    """The median seconds of each command, over runs that take turns after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, arguments in COMMANDS.items():
            times[name].append(_seconds(arguments))
    return {name: round(statistics.median(taken[1:]), 4) for name, taken in times.items()}


def table(measured: list[rows.Row]) -> str:
    """The newest row, as Markdown."""
    result = measured[-1]["result"]
    return rows.markdown(
        ["", "median", "above bare Python"],
        [
            [name, f"{taken * 1000:.0f} ms", f"{(taken - result[BARE]) * 1000:.0f} ms"]
            for name, taken in result.items()
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21, help="runs of each command")
    runs = parser.parse_args(argv).runs
    print(table([rows.measured("startup", {"runs": runs}, lambda: measure(runs))]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
