"""Every recipe can be tuned, without a line of its own for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq import registry
from kerasseq.tasks.forecasting import Forecasting
from kerasseq.tuning import trial
from kerasseq.tuning.space import declare, narrow, sizes
from kerasseq.tuning.space_checks import check_space
from kerasseq.tuning.task import Data, Task, lookup_recipe, make_settings
from tests.thorough import first_of
from tests.tuning.conftest import said
from tests.tuning.test_oracle import Driver

RECIPES = registry.builtin()


def _data(name: str) -> tuple[Any, Any, dict[str, Any], Data]:
    recipe, settings, data = lookup_recipe(name)
    source = recipe.load(data, make_settings(recipe, settings))
    return recipe, source, settings, Data(recipe, source, settings)


@pytest.mark.parametrize("name", RECIPES)
def test_the_space_of_a_recipe_is_of_its_settings(name: str) -> None:
    recipe, settings, _ = lookup_recipe(name)
    space, fitted = check_space(recipe, settings, None, {})  # which tries the ends of all ranges
    assert len(space) > 3
    assert fitted == settings
    hp = keras_tuner.HyperParameters()
    drawn = {**settings, **declare(space, hp, settings)}
    for place, own in enumerate(hp.space):
        hp.values[own.name] = own.random_sample(place)
    assert {*drawn} == {*settings}
    recipe.settings_to_json(make_settings(recipe, drawn))


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (
            "captioning",
            "decoder min_count cell units dropout embedding_dropout image_dropout "
            "label_smoothing learning_rate batch_size",
        ),
        (
            "forecasting",
            "model attention scheduled_sampling linear lookback_seasons cell units depth "
            "normalization scaling dropout learning_rate batch_size",
        ),
        (
            "language_model",
            "cell units depth dropout layer_dropout embedding_dropout word_dropout steps "
            "learning_rate batch_size",
        ),
        (
            "sentiment",
            "cell units depth pooling embedding dropout embedding_dropout token_dropout "
            "vocabulary_size ngrams ngram_count learning_rate batch_size",
        ),
        (
            "tagging",
            "model_scheme cell units depth embedding characters character_units dropout "
            "embedding_dropout word_dropout min_count learning_rate batch_size",
        ),
    ],
)
def test_the_order_of_a_space_is_that_of_every_version(name: str, names: str) -> None:
    # KerasTuner draws in this order: a search that goes on proposes what it would have proposed.
    assert [*registry.task(name).space()] == names.split()


@pytest.mark.thorough
@pytest.mark.parametrize("name", first_of(RECIPES[::-1], 3))
def test_what_a_recipe_is_proposed_is_made_to_fit_by_its_multiply_accumulates(name: str) -> None:
    recipe, source, settings, data = _data(name)
    space, _ = narrow(recipe.space(), {}, settings)
    large = {**settings, **{name: own.high for name, own in sizes(space, settings).items()}}
    most = data.macs(large) // 3
    task = Task(recipe, source, settings, space, Path(), max_macs=most)
    fitted = task.budget(data).fit(large)
    assert fitted is not None
    assert most / 2 < data.macs(fitted) <= most
    assert fitted["units"] < large["units"]
    with pytest.raises(ValueError, match="has so few multiply-accumulates: the smallest has "):
        replace(task, max_macs=9).budget(data).check(settings)


@pytest.mark.parametrize("name", first_of(RECIPES[::-1], 2))
def test_a_search_begins_near_the_recipes_own_setting(name: str, tmp_path: Path) -> None:
    recipe, source, settings, data = _data(name)
    space, _ = narrow(recipe.space(), {}, settings)
    most = data.count(settings) // 2
    task = Task(recipe, source, settings, space, tmp_path, trials=1, max_params=most)
    began, _ = Driver(task, data).run()
    own = data.resolve_auto(settings)
    near = ("model", "normalization", "cell", "learning_rate", "pooling")
    assert [name for name in near if name in space and began["settings"][name] != own[name]] == []
    assert "auto" not in {own[name] for name in space if name != "scaling"}
    assert began["settings"]["units"] <= own["units"]


@pytest.mark.parametrize("name", first_of(RECIPES[::-1]))
def test_all_but_the_test_part_can_be_learned_from(name: str) -> None:
    _, _, settings, data = _data(name)
    _, part = data.prepared(settings, test=True)
    _, whole = data.prepared(settings, test=True, whole=True)
    assert len(whole.train) > len(part.train)
    assert len(whole.test) == len(part.test)
    _, seen = data.prepared(settings)
    assert len(seen.test) != len(part.test) or not np.array_equal(
        np.asarray(_first(seen)), np.asarray(_first(part))
    )  # what a trial is scored on is another part


def test_data_is_prepared_again_only_for_settings_that_it_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, prepared = Forecasting.prepare, []

    def spied(self: Any, parts: Any, settings: Any) -> Any:
        prepared.append(parts)
        return prepare(self, parts, settings)

    def run(task: Task, data: Data, name: str, settings: Any, **options: Any) -> Any:
        data.prepared(settings)
        return said(task, data, name, settings, **options)

    monkeypatch.setattr(Forecasting, "prepare", spied)
    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setattr("kerasseq.tuning.search.finish", lambda *given: {"best": None})
    monkeypatch.setattr("kerasseq.tuning.results.Result.plots", lambda self: {})
    space = {
        "loss": ["mse", "mae", "huber"],
        "model": ["recursive", "seq2seq"],
        "attention": "true,false if model=seq2seq",
        "scheduled_sampling": "0.0..0.5 if model=recursive",
    }
    time = pd.date_range("2024-01-01", periods=150)
    table, times = pd.DataFrame({"time": time, "y": np.arange(150.0) % 7}), []
    for lookback in (14, [14, 21]):
        prepared.clear()
        own = {**space, "lookback": lookback, "scaling": "standard"}
        out = tmp_path / str(lookback)
        fitted = kerasseq.tune("forecasting", table, space=own, trials=20, out=out, quiet=True)
        assert all(fitted.trials[name].nunique() > 1 for name in space)
        times.append(len(prepared))
    assert times[0] == 2 < times[1]  # once for the trials, and once for their sizes


def _first(prepared: Any) -> Any:
    """The targets of some rows, in whatever form the recipe has them."""
    targets = prepared.test.targets
    return getattr(targets, "values", targets)


@pytest.mark.thorough
def test_what_is_trained_in_the_end_is_within_the_budget_too(tmp_path: Path) -> None:
    # Each part of the texts has words of its own, so that each training knows other ones.
    texts = [f"{'good' if row % 2 else 'bad'} word{row} thing{row}" for row in range(120)]
    table = pd.DataFrame({"text": texts, "label": [row % 2 for row in range(120)]})
    settings = {"epochs": 1, "min_count": 1, "ngrams": 0, "embedding": 4, "depth": 1}
    searched = kerasseq.tune(
        "sentiment",
        table,
        trials=1,
        folds=2,
        max_params=1_000,
        space={"units": "2..64"},
        out=tmp_path / "search",
        quiet=True,
        **settings,
    )
    trials = searched.trials.query("trial != 'default'")
    assert trials["status"].tolist() == ["completed"], trials["reason"].tolist()
    assert trials["parameters"].max() < searched.best.metrics["parameters"] <= 1_000


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_tuned(name: str, tmp_path: Path) -> None:
    space = {"units": "4..8", "embedding": "4..8"}
    result = kerasseq.tune(
        name,
        trials=2,
        max_params=150_000,
        epochs=1,
        space=space,
        out=tmp_path / "search",
        quiet=True,
    )
    assert result.trials["status"].tolist() == ["completed"] * 3, result.trials["reason"].tolist()
    assert result.trials.query("trial != 'default'")["parameters"].max() <= 150_000
    again = kerasseq.load(result.best.folder)
    assert again.metrics == result.best.metrics
    assert registry.task(name).headline in result.best.metrics["test"]


@pytest.mark.thorough
def test_a_search_is_known_again_by_the_content_of_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [f"{'good' if number % 2 else 'bad'} film {number}" for number in range(30)]
    table = pd.DataFrame({"review": texts, "stars": [number % 2 for number in range(30)]})
    table[20:].to_csv("later.csv", index=False)

    def search(test: Any) -> Any:
        return kerasseq.tune(
            *("sentiment", table[:20]), test=test, out=tmp_path / "search", space={"units": [2, 3]},
            trials=1, tuner="random", epochs=1, embedding=2, quiet=True,
        )  # fmt: skip

    first, again = search("later.csv"), search(tmp_path / "later.csv")
    assert again.trials.equals(first.trials)
    assert again.best.metrics == first.best.metrics  # it was not trained again
