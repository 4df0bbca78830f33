"""Models of statsforecast, in a separate environment: `python statistical_models.py WINDOWS.npz
MODEL FORECASTS.npz`.

statsforecast needs other versions of libraries than kerasseq: it is no dependency. `rivals.txt` has
the requirements. WINDOWS.npz has the numbers `horizon` and `season`, the values of all series one
after another (`values`), for each series its length and the rows to fit on (`lengths`, `fitted`),
and for each window its series and first row (`series`, `origins`).

A model is fitted once for each series. For each window its states, but not its coefficients, follow
the rows before. Seconds are processor time.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata

import numpy as np

PROBABILITY = 80  # of the interval, in percent


def main(windows: str, model: str, forecasts: str) -> None:
    from statsforecast import models

    with np.load(windows, allow_pickle=False) as file:
        content = dict(file)
    horizon, season = int(content["horizon"]), int(content["season"])
    starts = np.cumsum(content["lengths"]) - content["lengths"]
    mean = np.empty((len(content["series"]), horizon))
    low, high = np.empty_like(mean), np.empty_like(mean)
    began = time.process_time()
    for place, start in enumerate(starts):
        values = content["values"][start : start + content["lengths"][place]]
        fitted = getattr(models, model)(season_length=season)
        fitted.fit(values[: content["fitted"][place]])
        for window in np.flatnonzero(content["series"] == place):
            origin = content["origins"][window]
            if origin == content["fitted"][place]:
                ahead = fitted.predict(h=horizon, level=[PROBABILITY])
            else:
                ahead = fitted.forward(y=values[:origin], h=horizon, level=[PROBABILITY])
            mean[window] = ahead["mean"]
            low[window], high[window] = ahead[f"lo-{PROBABILITY}"], ahead[f"hi-{PROBABILITY}"]
    np.savez(forecasts, mean=mean, low=low, high=high)
    spent = round(time.process_time() - began, 1)
    print(json.dumps({"seconds": spent, "statsforecast": metadata.version("statsforecast")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
