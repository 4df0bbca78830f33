"""Whether forecasts of sales add up: `python -m benchmarks.sums [--only NAME ...]`.

The sum of all forecasts of the test part, as a share of the sum of the actual values, for medians
and means of quantiles and for means of counts. The simulated table has 20 items of 0.1 to 3 units a
day, with a week and many days without a sale.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import rows

DATA = {"simulated": "simulated slow items, 14 days", "retail": "generated retail table, 14 days"}
FORECASTS = {
    "median of quantiles": {"output": "quantiles", "point": "median"},
    "mean of quantiles": {"output": "quantiles", "point": "mean"},
    "mean of counts": {"output": "negative_binomial", "point": "mean"},
}
SHARED: dict[str, Any] = {"horizon": 14, "epochs": 8, "final": "train"}


def runs(only: Sequence[str]) -> Iterator[rows.Row]:
    """The rows, measured where they are not there yet."""
    for data in only:
        for forecast in FORECASTS.values():
            setting = {"data": data, **SHARED, **forecast}
            yield rows.measured("sums", setting, functools.partial(_run, data, forecast))


def table(measured: Sequence[rows.Row]) -> str:
    """Sums and errors by table and kind of forecast, as Markdown."""
    header = ["data", "forecast", "sum, of the actual", "MAE", "RMSE"]
    lines = []
    for data, title in DATA.items():
        for name, forecast in FORECASTS.items():
            setting = {"data": data, **SHARED, **forecast}
            for row in measured:
                if row["setting"] == setting:
                    lines.append([title, name, *_cells(row["result"])])
                    title = ""
    return rows.markdown(header, lines, left=2)


def _cells(result: dict[str, Any]) -> list[str]:
    test = result["test"]
    return [f"{result['sum_ratio']:.1%}", *(f"{test[name]:.3f}" for name in ("mae", "rmse"))]


def _run(data: str, forecast: dict[str, Any]) -> rows.Row:
    import kerasseq

    source, columns = _sales(data)
    run = kerasseq.forecasting(source, **columns, **SHARED, **forecast)
    return {**rows.scores(run), "sum_ratio": run.metrics["sum_ratio"]}


def _sales(data: str) -> tuple[Any, dict[str, Any]]:
    """A table of sales, and the names of its columns."""
    if data == "retail":
        columns: dict[str, Any] = {"time": "date", "target": "sales", "series": ("store", "item")}
        columns |= {"fill": "zero", "short": "drop"}  # closed days; new stores
        return rows.data_folder() / "series" / "retail.csv", columns
    import numpy as np
    import pandas as pd

    random, days = np.random.default_rng(0), np.arange(365)
    frames = []
    for item in range(20):
        mean = random.uniform(0.1, 3) * np.exp(0.4 * np.sin(days * 2 * np.pi / 7))
        sold = random.negative_binomial(0.5, 0.5 / (0.5 + mean))  # variance: mean + 2 * mean^2
        stamps = pd.date_range("2022-01-03", periods=len(days))
        frames.append(pd.DataFrame({"day": stamps, "item": f"item {item}", "sold": sold}))
    return pd.concat(frames), {"target": "sold", "series": "item"}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=tuple(DATA), default=tuple(DATA))
    for row in runs(parser.parse_args(argv).only):
        print(f"{row['setting']}: {row['result']['sum_ratio']:.3f}", file=sys.stderr, flush=True)
    print(table(rows.load("sums")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
