"""A CRF beside the network below it, in one training step: `python -m benchmarks.crf`.

Forward and backward pass of `kerasseq.layers.CRF` over emissions (loss and gradients of emissions
and weights), of a bidirectional LSTM of `keras.layers`, and of ours, compiled, in one process and
in turns. The sentences have from half of the tokens to all of them. The backend is that of
`KERAS_BACKEND`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import rows, targets

SETTING: rows.Row = {"batch": 32, "tokens": 50, "tags": 20, "inputs": 100, "units": 100}
WANTED = 0.15  # of the step of the LSTM of keras.layers
CRF, OURS, THEIRS = "CRF", "kerasseq", "keras.layers"
Step = Callable[[], Any]


def measure(setting: rows.Row, rounds: int) -> rows.Row:
    """Milliseconds of a step of each, medians over rounds, and at best."""
    import keras

    keras.utils.set_random_seed(0)
    steps = {name: _step(*_model(name, setting)) for name in (CRF, OURS, THEIRS)}
    for step in steps.values():
        for _ in range(3):
            step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds):
        for name in list(steps)[:: 1 if turn % 2 == 0 else -1]:
            start = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - start)
    shares = [crf / lstm for crf, lstm in zip(seconds[CRF], seconds[THEIRS], strict=True)]
    low, high = targets.quartiles(shares)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return {
        "milliseconds": {name: targets.rounded(1000 * each) for name, each in medians.items()},
        "fastest": {name: targets.rounded(1000 * min(each)) for name, each in seconds.items()},
        "share": targets.rounded(medians[CRF] / medians[THEIRS]),
        "quartiles": [targets.rounded(low), targets.rounded(high)],
    }


def _model(name: str, setting: rows.Row) -> tuple[Any, list[np.ndarray]]:
    """A model of one layer, and its inputs."""
    import keras

    import kerasseq

    random = np.random.default_rng(0)
    shape = (setting["batch"], setting["tokens"])
    if name == CRF:
        tags = setting["tags"]
        inputs = [
            keras.Input((None, tags)),
            keras.Input((None,), dtype="int32"),
            keras.Input((None,), dtype="bool"),
        ]
        loss = kerasseq.layers.CRF(tags)(inputs[0], inputs[1], mask=inputs[2])
        lengths = random.integers(shape[1] // 2, shape[1] + 1, shape[0])
        data = [
            random.standard_normal((*shape, tags), dtype=np.float32),
            random.integers(0, tags, shape).astype("int32"),
            np.arange(shape[1]) < lengths[:, None],
        ]
        return keras.Model(inputs, loss), data
    options = {"return_sequences": True}
    if name == OURS:
        layer = kerasseq.lstm(setting["units"], bidirectional=True, **options)
    else:
        layer = keras.layers.Bidirectional(keras.layers.LSTM(setting["units"], **options))
    below = keras.Input((None, setting["inputs"]))
    return keras.Model([below], layer(below)), [
        random.standard_normal((*shape, setting["inputs"]), dtype=np.float32)
    ]


def _step(model: Any, data: list[np.ndarray]) -> Step:
    """Forward and backward pass, down to the first input."""
    import keras

    return _STEPS[keras.backend.backend()](model, data)


def _total(outputs: Any) -> Any:
    from keras import ops

    (outputs,) = outputs if isinstance(outputs, list) else [outputs]
    return ops.sum(ops.square(outputs))


def _tensorflow(model: Any, data: list[np.ndarray]) -> Step:
    tf = importlib.import_module("tensorflow")
    weights = [weight.value for weight in model.trainable_variables]

    @tf.function
    def step(*inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs[0])
            total = _total(model(list(inputs)))
        return tape.gradient(total, [inputs[0], *weights])

    inputs = [tf.constant(each) for each in data]
    return lambda: np.asarray(step(*inputs)[0])  # waits for the result


def _jax(model: Any, data: list[np.ndarray]) -> Step:
    jax = importlib.import_module("jax")
    weights = [weight.value for weight in model.trainable_variables]
    others = [weight.value for weight in model.non_trainable_variables]

    def total(first: Any, weights: Any, rest: Any) -> Any:
        return _total(model.stateless_call(weights, others, [first, *rest])[0])

    gradient = jax.jit(jax.grad(total, argnums=(0, 1)))
    first, *rest = map(jax.numpy.asarray, data)
    return lambda: jax.block_until_ready(gradient(first, weights, rest))


def _torch(model: Any, data: list[np.ndarray]) -> Step:
    torch = importlib.import_module("torch")
    weights = [weight.value for weight in model.trainable_variables]
    first, *rest = map(torch.from_numpy, data)
    first.requires_grad_()
    return lambda: torch.autograd.grad(_total(model([first, *rest])), [first, *weights])


_STEPS: dict[str, Callable[[Any, list[np.ndarray]], Step]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}


def table(measured: Sequence[rows.Row]) -> str:
    """One line per backend, as Markdown."""
    header = ["backend", "CRF", "LSTM of keras.layers", "LSTM of kerasseq", "CRF, of keras.layers"]
    lines = []
    for row in measured:
        speed = row["result"]["milliseconds"]
        lines.append(
            [
                row["setting"]["backend"],
                *(f"{speed[name]:.3g} ms" for name in (CRF, THEIRS, OURS)),
                f"{row['result']['share']:.0%}",
            ]
        )
    return rows.markdown(header, lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=101, help="steps of each contender")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras

    cores = len(os.sched_getaffinity(0))
    backend = keras.backend.backend()
    setting = {**SETTING, "backend": backend, "rounds": arguments.rounds, "cores": cores}
    row = rows.measured("crf", setting, lambda: measure(SETTING, arguments.rounds))
    print(table([row]))
    share = row["result"]["share"]
    print(f"at most {WANTED:.0%} of the LSTM of keras.layers: ", end="")
    print("met" if share <= WANTED else f"missed, {share:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
