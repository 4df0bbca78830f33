"""A recipe of numbers, the smallest with every part: outside the package, as a user writes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import kerasseq
from kerasseq.runs import Run
from kerasseq.settings import Float, Int, doc, setting
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task
from kerasseq.tasks.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd


def numbers(rows: int = 90, seed: int = 0) -> dict[str, np.ndarray]:
    """Pairs of numbers, and their difference."""
    pairs = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return {"x": pairs, "y": pairs[:, :1] - pairs[:, 1:]}


@dataclass(frozen=True, kw_only=True)
class ToySettings(TrainingSettings):
    """Train the toy, on `numbers()` unless other data is given.

    Returns:
        A ToyRun.
    """

    data: Any = field(default=None, kw_only=False, metadata=doc("pairs of numbers"))
    units: int = setting(3, "width of the layer", least=1, range=Int(1, 16, log=True))
    scale: bool = setting(True, "whether numbers are scaled", stage="prepare")
    epochs: int = 2
    patience: int = 2
    learning_rate: float = setting(0.05, range=Float(1e-3, 1e-1, log=True))
    batch_size: int = setting(16, range=None)
    quiet: bool = True


@dataclass(frozen=True)
class ToyConfig:
    """Sizes of the toy's model."""

    width: int
    units: int

    def count(self) -> int:
        return (self.width + 1) * self.units + self.units + 1

    def build(self) -> Any:
        import keras

        x = keras.Input((self.width,), name="x")
        hidden = keras.layers.Dense(self.units, "tanh", name="hidden")(x)
        hidden = keras.layers.Dropout(0.1, name="dropout")(hidden)
        return keras.Model({"x": x}, keras.layers.Dense(1, name="out")(hidden))


class ToyRun(Run):
    """A trained toy."""

    verbs: ClassVar[tuple[str, ...]] = ("subtract", "evaluate")

    def subtract(self, data: list[str]) -> pd.DataFrame:
        """Differences of pairs of numbers."""
        import pandas as pd

        pairs = np.asarray(
            [row.split(",") if isinstance(row, str) else row for row in data], dtype=np.float32
        )
        examples = self.task.examples({"x": pairs}, self.state)
        found = self.task.predictions(self.model, examples, self.state, self.resolved)
        return pd.DataFrame(found, columns=["y"])

    def predict(self, data: list[str]) -> pd.DataFrame:
        """The same as `subtract`."""
        return self.subtract(data)


class Toy(Task["ToySettings", ToyRun]):
    """Pairs of numbers to their difference."""

    run = ToyRun
    headline: ClassVar[str] = "error"
    higher_is_better: ClassVar[bool] = False

    def load(self, data: Any, settings: ToySettings) -> Any:
        if data is None:
            return numbers()
        if not isinstance(data, dict):
            raise ValueError(f"data must be a dict. Received: {data!r}")
        return data

    def split(
        self,
        source: Any,
        settings: ToySettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        rows = np.random.default_rng(settings.seed).permutation(len(source["x"]))
        held_out, known = rows[: len(rows) // 3], rows[len(rows) // 3 :]
        number, folds = fold or (0, 2)
        validation = known[len(known) * number // folds : len(known) * (number + 1) // folds]
        learned = {"train": np.setdiff1d(known, validation), "validation": known, "all": rows}
        train, validation, held_out = (
            {name: values[part] for name, values in source.items()}
            for part in (learned[learn], validation, held_out)
        )
        return Parts(train, validation, held_out if test else None, [f"{len(rows)} rows"])

    def prepare(self, parts: Parts, settings: ToySettings) -> Prepared:
        scale = float(np.abs(parts.train["x"]).max()) if settings.scale else 1.0
        state = {"data_info": {"width": 2}, "scale": scale, "names": ["a", "b"]}
        made = {
            name: None if part is None else self.examples(part, state)
            for name, part in (
                ("train", parts.train),
                ("validation", parts.validation),
                ("test", parts.test),
            )
        }
        initial = {"out/bias": np.array([0.25], dtype=np.float32)}
        return Prepared(**made, state=state, initial=initial, notes=[f"scale {scale:.2f}"])

    def config(self, data_info: Mapping[str, Any], settings: ToySettings) -> ToyConfig:
        return ToyConfig(data_info["width"], settings.units)

    def macs(self, data_info: Mapping[str, Any], settings: ToySettings) -> int:
        return (data_info["width"] + 1) * settings.units

    def objective(self, data_info: Mapping[str, Any], settings: ToySettings) -> Objective:
        import keras

        return Objective(keras.losses.MeanSquaredError())

    def predictions(
        self, model: Any, examples: Any, state: Mapping[str, Any], settings: ToySettings
    ) -> np.ndarray:
        from kerasseq import training

        return training.outputs(model, examples)

    def score(self, predictions: np.ndarray, targets: Any, settings: ToySettings) -> Any:
        from kerasseq.evaluation.metrics import Score, bootstrap

        errors = np.abs(predictions - targets)[:, 0].astype(np.float64)
        samples = bootstrap(
            lambda drawn: {"error": float(drawn @ errors / len(errors))}, len(errors), 100
        )
        return Score({"error": float(errors.mean())}, samples)

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: ToySettings
    ) -> dict[str, np.ndarray]:
        assert parts.test is not None
        mean = parts.train["y"].mean()
        exact = parts.test["x"][:, :1] - parts.test["x"][:, 1:]
        return {"mean": np.full((len(parts.test["y"]), 1), mean), "difference": exact}

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: ToySettings,
        reading: Mapping[str, Any],
    ) -> Any:
        return self.examples(data, state)

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"hidden/kernel": state["names"]}

    def examples(self, part: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        from kerasseq.training import Examples

        return Examples({"x": part["x"] / state["scale"]}, part.get("y"))


toy = kerasseq.register(kerasseq.recipe(ToySettings, Toy))
TASK = toy.task
SETTINGS = TASK.defaults
