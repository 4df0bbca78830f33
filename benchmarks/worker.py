"""A process of a benchmark that holds one backend: messages in, answers out, as JSON.

It works only while it answers, and else waits in a blocking read. `benchmarks.race` starts it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any

BLOCK = 0.075  # seconds of steps that are timed in one go

Reply = dict[str, Any]


class Session:
    """What can be asked of a worker: each method is a message, its arguments the rest of it."""

    def __init__(self) -> None:
        self._contenders: dict[str, Any] = {}

    def hello(self, library: str) -> Reply:
        """The version of the library that does the work."""
        return {"version": metadata.version(library)}

    def add(self, name: str, task: dict[str, Any], folder: str | None) -> Reply:
        """Builds a contender, with the weights in `folder`, and leaves there what it computes.

        The first to be added leaves its weights for the others. Without a folder a contender has
        weights of its own, and is compared with none.
        """
        import numpy as np

        from benchmarks.contenders import Task, contender

        made = contender(Task(**task))
        found: list[str] = []
        if folder is not None:
            weights = Path(folder) / "weights.npz"
            if weights.exists():
                with np.load(weights, allow_pickle=False) as file:
                    made.load([file[key] for key in file.files])
            else:
                np.savez(weights, *made.weights())
            arrays = made.arrays()
            np.savez(Path(folder) / f"{name}.npz", *arrays.values())
            found = list(arrays)
        self._contenders[name] = made
        return {"arrays": found}

    def warm(self, name: str) -> Reply:
        """How many steps fill a block, and what runs them."""
        made = self._contenders[name]
        made.step()
        _settle()
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < BLOCK:
            made.step()
            _settle()
            steps += 1
        return {"steps": steps, "kernel": made.kernel()}

    def block(self, name: str, steps: int) -> Reply:
        """The seconds per step of a block."""
        step = self._contenders[name].step
        start = time.perf_counter()
        for _ in range(steps):
            step()
        _settle()
        return {"seconds": (time.perf_counter() - start) / steps}

    def gemm(self) -> Reply:
        """The GFLOP/s at best of a product of float32 matrices, which NumPy leaves to its BLAS."""
        import numpy as np

        size = 1024
        left, right = np.ones((2, size, size), np.float32)
        out, seconds = np.empty_like(left), []
        for _ in range(6):
            start = time.perf_counter()
            np.matmul(left, right, out=out)
            seconds.append(time.perf_counter() - start)
        return {"gflops": 2e-9 * size**3 / min(seconds)}

    def explained(self, name: str) -> Reply:
        """What runs a contender, why nothing faster does, and whether cuDNN was seen to.

        `notes` tell what Keras does, for its layers.
        """
        from kerasseq import explain

        made = self._contenders[name]
        (told,) = explain(made.layer).layers
        choice = getattr(made.layer, "kernel", None)  # that of the last call, masked or not
        return {
            "kernel": told.kernel if choice is None else choice.name,
            "reasons": told.reasons if choice is None else choice.reasons,
            "notes": list(told.notes),
            "cudnn": made.calls_cudnn(),
        }

    def device(self) -> Reply:
        """What the backend computes on, once it has computed something there."""
        from benchmarks.devices import described

        return described()

    def parity(self, case: dict[str, Any]) -> Reply:
        """How far a layer is from float64; see `benchmarks.parity`."""
        from benchmarks import parity

        return parity.measured(parity.Case(**case))

    def clear(self) -> Reply:
        """Drops all contenders."""
        import gc

        import keras

        self._contenders.clear()
        keras.backend.clear_session()
        gc.collect()
        return {}

    def peak(self, task: dict[str, Any]) -> Reply:
        """The memory of training steps; for a process that has run nothing else."""
        from benchmarks.contenders import Task, peak

        taken, kernel = peak(Task(**task))
        return {"bytes": taken, "kernel": kernel}


def _settle() -> None:
    """Waits until the GPU has done what PyTorch gave it; the other backends wait by themselves."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> int:
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session()
    for line in sys.stdin:
        message = json.loads(line)
        try:
            reply = getattr(session, message.pop("do"))(**message)
        except Exception as error:
            traceback.print_exc(limit=-8)  # the innermost calls
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
