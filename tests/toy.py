"""A recipe of numbers, the smallest with every stage: what recipes share is not about texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kerasseq.recipe import (
    Number,
    Objective,
    Parts,
    Prepared,
    Range,
    Stages,
    Whole,
    perform,
    positive,
)

SETTINGS = {
    "units": 3,
    "scale": True,
    "epochs": 2,
    "patience": 2,
    "batch_size": 16,
    "learning_rate": 0.05,
    "schedule": "constant",
    "clip": 1.0,
    "seed": 0,
}


def numbers(rows: int = 90, seed: int = 0) -> dict[str, np.ndarray]:
    """Pairs of numbers, and their difference."""
    pairs = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return {"x": pairs, "y": pairs[:, :1] - pairs[:, 1:]}


def toy(
    data: Any = None,
    *,
    units: int = 3,
    scale: bool = True,
    epochs: int = 2,
    patience: int = 2,
    batch_size: int = 16,
    learning_rate: float = 0.05,
    schedule: Any = "constant",
    clip: float | None = 1.0,
    seed: int = 0,
    out: Any = None,
    callbacks: Any = (),
    warm_start: Any = None,
    quiet: bool = True,
) -> Any:
    """Train the toy, on `numbers()` unless other data is given."""
    return perform(STAGES, locals())


class Toy(Stages):
    name: ClassVar[str] = "toy"
    prepares: ClassVar[tuple[str, ...]] = ("scale", "seed")
    headline: ClassVar[str] = "error"
    higher_is_better: ClassVar[bool] = False

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []  # the settings that came with each call

    def check(self, settings: Mapping[str, Any]) -> None:
        positive(settings, "units")

    def load(self, data: Any, settings: Mapping[str, Any]) -> Any:
        if data is None:
            return numbers()
        if not isinstance(data, dict):
            raise ValueError(f"data must be a dict. Received: {data!r}")
        return data

    def split(
        self,
        source: Any,
        settings: Mapping[str, Any],
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        whole: bool = False,
    ) -> Parts:
        self.seen.append(tuple(settings))
        rows = np.random.default_rng(settings["seed"]).permutation(len(source["x"]))
        held_out, known = rows[: len(rows) // 3], rows[len(rows) // 3 :]
        number, folds = fold or (0, 2)
        validation = known[len(known) * number // folds : len(known) * (number + 1) // folds]
        learned = known if whole else np.setdiff1d(known, validation)
        train, validation, held_out = (
            {name: values[part] for name, values in source.items()}
            for part in (learned, validation, held_out)
        )
        return Parts(train, validation, held_out if test else None, [f"{len(rows)} rows"])

    def prepare(self, parts: Parts, settings: Mapping[str, Any]) -> Prepared:
        self.seen.append(tuple(settings))
        scale = float(np.abs(parts.train["x"]).max()) if settings["scale"] else 1.0
        state = {"facts": {"width": 2}, "scale": scale, "names": ["a", "b"]}
        made = {
            name: None if part is None else self._examples(part, state)
            for name, part in (
                ("train", parts.train),
                ("validation", parts.validation),
                ("test", parts.test),
            )
        }
        initial = {"out/bias": np.array([0.25], dtype=np.float32)}
        return Prepared(**made, state=state, initial=initial, notes=[f"scale {scale:.2f}"])

    def count(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return (facts["width"] + 1) * settings["units"] + settings["units"] + 1

    def macs(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return (facts["width"] + 1) * settings["units"]

    def build(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        import keras

        x = keras.Input((facts["width"],), name="x")
        hidden = keras.layers.Dense(settings["units"], "tanh", name="hidden")(x)
        hidden = keras.layers.Dropout(0.1, name="dropout")(hidden)
        return keras.Model({"x": x}, keras.layers.Dense(1, name="out")(hidden))

    def objective(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Objective:
        import keras

        return Objective(keras.losses.MeanSquaredError())

    def predictions(self, model: Any, examples: Any, state: Mapping[str, Any]) -> np.ndarray:
        from kerasseq import training

        return training.outputs(model, examples)

    def score(self, predictions: np.ndarray, targets: Any, settings: Mapping[str, Any]) -> Any:
        from kerasseq.metrics import Score, bootstrap

        errors = np.abs(predictions - targets)[:, 0].astype(np.float64)
        samples = bootstrap(
            lambda drawn: {"error": float(drawn @ errors / len(errors))}, len(errors), 100
        )
        return Score({"error": float(errors.mean())}, samples)

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        mean = parts.train["y"].mean()
        exact = parts.test["x"][:, :1] - parts.test["x"][:, 1:]
        return {"mean": np.full((len(parts.test["y"]), 1), mean), "difference": exact}

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: Mapping[str, Any],
        reading: Mapping[str, Any],
    ) -> Any:
        return self._examples(data, state)

    def predict(
        self, model: Any, state: Mapping[str, Any], settings: Mapping[str, Any], data: Any
    ) -> Any:
        import pandas as pd

        return pd.DataFrame(
            self.predictions(model, self._examples({"x": data}, state), state), columns=["y"]
        )

    def space(self) -> dict[str, Range]:
        return {"units": Whole(1, 16, log=True), "learning_rate": Number(1e-3, 1e-1, log=True)}

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"hidden/kernel": state["names"]}

    def _examples(self, part: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        from kerasseq.training import Examples

        return Examples({"x": part["x"] / state["scale"]}, part.get("y"))


STAGES = Toy()
