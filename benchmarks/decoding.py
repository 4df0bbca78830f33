"""Words per second, against a call of `predict` for each word: `python -m benchmarks.decoding`.

The rival decodes as tutorials do: one picture after another, and for each word `model.predict` on
the picture and the whole padded sentence so far. Beside it stands the same loop over all pictures
at once. All have the same model and say the same words. They run in one process, in turns.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import rows, targets

OURS, THEIRS, AT_ONCE = "kerasseq", "keras", "keras_at_once"
MODEL = {"decoder": "merge", "cell": "gru", "units": 256, "words": 2542, "features": 1280}
SETTINGS: list[rows.Row] = [
    {**MODEL, "length": 20, "batch": 1},
    {**MODEL, "length": 20, "batch": 64},
]
WANTED = {1: 10, 64: 50}  # times as many words per second, by batch
FEW = 4  # pictures that are enough to time one after another
START, END = 2, 3


def measure(setting: rows.Row, rounds: int) -> rows.Row:
    """Words per second of each, medians over rounds."""
    import keras

    from kerasseq.generation import Sampler
    from kerasseq.models import Captioner

    keras.utils.set_random_seed(0)
    sizes = {name: value for name, value in setting.items() if name not in ("length", "batch")}
    model = Captioner(**sizes).build()
    decoder, length = model.get_layer("decoder"), setting["length"]
    never = np.zeros(setting["words"], np.float32)
    never[[0, START, END]] = -1e9  # every sentence has all its words
    decoder.bias.assign(never)
    random = np.random.default_rng(0)
    pictures = random.standard_normal((setting["batch"], setting["features"]), dtype=np.float32)
    sampler = Sampler(decoder, length=length, start=START, end=END)
    contenders: dict[str, Callable[[], np.ndarray]] = {
        OURS: lambda: sampler.run(pictures, batch_size=setting["batch"]).tokens[:, 0],
        THEIRS: lambda: np.concatenate([_loop(model, row[None], length) for row in pictures[:FEW]]),
        AT_ONCE: lambda: _loop(model, pictures, length),
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    said = {name: run() for name, run in contenders.items()}  # which compiles it, too
    for name, tokens in said.items():
        if not np.array_equal(tokens, said[OURS][: len(tokens)]):
            raise RuntimeError(f"{name} says something else than {OURS}: the speeds mean nothing.")
    for turn in range(rounds):
        for name in list(contenders)[:: 1 if turn % 2 == 0 else -1]:
            start = time.perf_counter()
            tokens = contenders[name]()
            found[name].append(tokens.size / (time.perf_counter() - start))
    return {
        "words_per_second": {
            name: targets.rounded(statistics.median(speeds)) for name, speeds in found.items()
        }
    }


def _loop(model: Any, pictures: np.ndarray, length: int) -> np.ndarray:
    """The likeliest words of pictures, by a call of `predict` for each."""
    tokens = np.zeros((len(pictures), length + 1), np.int32)
    tokens[:, 0] = START
    for word in range(length):
        logits = model.predict({"picture": pictures, "tokens": tokens[:, :-1]}, verbose=0)
        tokens[:, word + 1] = logits[:, word].argmax(axis=-1)
    return tokens[:, 1:]


def table(measured: Sequence[rows.Row]) -> str:
    """One line per setting, as Markdown."""
    header = ["images at once", "kerasseq", "`predict` per word", "", "on the whole batch", ""]
    lines = []
    for row in measured:
        speed = row["result"]["words_per_second"]
        ours, theirs, at_once = (speed[name] for name in (OURS, THEIRS, AT_ONCE))
        lines.append(
            [
                row["setting"]["batch"],
                f"{ours:,.0f} words/s",
                f"{theirs:,.0f} words/s",
                f"{ours / theirs:.0f} times",
                f"{at_once:,.0f} words/s",
                f"{ours / at_once:.0f} times",
            ]
        )
    return rows.markdown(header, lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    cores = len(os.sched_getaffinity(0))
    measured = []
    for each in SETTINGS:
        setting = {**each, "rounds": arguments.rounds, "cores": cores}
        measure_it = functools.partial(measure, each, arguments.rounds)
        measured.append(rows.measured("decoding", setting, measure_it))
    print(table(measured))
    for row in measured:
        speed, batch = row["result"]["words_per_second"], row["setting"]["batch"]
        target = targets.Target("decoding", "keras", f"batch {batch}", least=WANTED[batch])
        print(f"batch {batch}, {targets.asked(target)}: ", end="")
        print(targets.verdict(target, [speed[OURS] / speed[THEIRS]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
