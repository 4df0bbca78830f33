"""Sentiment from texts to a saved run, and one clear sentence for whatever cannot be."""

from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq import registry, training
from kerasseq.data.text.labelled import LabelledTexts
from kerasseq.evaluation import metrics
from kerasseq.recipes import sentiment
from kerasseq.recipes.sentiment import SentimentSettings
from kerasseq.runs import ClassificationRun
from kerasseq.settings import restrict_to
from kerasseq.tasks import perform
from kerasseq.tasks.base import Parts, Prepared
from kerasseq.tasks.language_model import LanguageModelRun
from tests.thorough import examples, first_of

TASK = kerasseq.sentiment.task
SETTINGS = SentimentSettings()
SMALL: dict[str, Any] = {"units": 4, "embedding": 8, "epochs": 2, "quiet": True}
LEARNING: dict[str, Any] = {**SMALL, "epochs": 6, "learning_rate": 0.02}
QUICK: dict[str, Any] = {**SMALL, "epochs": 1, "final": "train"}


def _reviews(rows: int = 150, classes: int = 2, seed: int = 0) -> pd.DataFrame:
    """Short texts, the class of which is in one of their words."""
    random = np.random.default_rng(seed)
    sides = [["dull", "poor", "sad"], ["fine", "great", "glad"], ["plain", "fair", "usual"]]
    labels = random.integers(0, classes, rows)
    texts = [
        f"the {random.choice(['film', 'plot', 'cast'])} was {random.choice(sides[label])} "
        f"on {random.choice(['monday', 'tuesday', 'sunday'])} number {i}"
        for i, label in enumerate(labels)
    ]
    names = np.array(["bad", "good", "so-so"])[labels]
    return pd.DataFrame({"text": texts, "label": names})


def _prepared(data: Any = None, **changes: Any) -> tuple[Any, Prepared]:
    settings = SentimentSettings(**{**SMALL, **changes})
    source = TASK.load(_reviews() if data is None else data, settings)
    return perform.prepare(TASK, source, settings)


@pytest.fixture(scope="module")
def run() -> ClassificationRun:
    return sentiment(_reviews(), **LEARNING, final="train")


@pytest.fixture(scope="module")
def folder(run: ClassificationRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def renamed() -> ClassificationRun:
    """A run of columns and classes with other names, some of which the columns mostly have."""
    frame = _reviews(60).rename(columns={"text": "said", "label": "meant"})
    frame["meant"] = frame["meant"].map({"bad": "text", "good": "label"})
    return sentiment(frame, text="said", label="meant", **QUICK)


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# The whole life


def test_it_learns_and_tells_how_good_it_is(run: ClassificationRun) -> None:
    scores = {"accuracy", "macro_f1", "log_loss", "calibration_error"}
    assert run.metrics["test"].keys() == run.metrics["interval"].keys() == scores
    assert run.metrics["test"]["accuracy"] > 0.9
    majority, bigrams = run.metrics["baselines"].items()
    assert majority[0] == "majority"
    assert bigrams[0] == "TF-IDF bigrams + logistic regression"
    assert majority[1]["accuracy"] < 0.7 < bigrams[1]["accuracy"]
    assert "TF-IDF bigrams" in run.metrics["verdict"]
    assert np.sum(run.metrics["confusion"]) == run.metrics["rows"]["test"] == 30
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)


@pytest.mark.thorough
def test_its_macs_are_those_of_a_text_of_the_mean_length(
    run: ClassificationRun, tmp_path: Path
) -> None:
    data_info = run.state["data_info"]
    assert data_info["timesteps"] == 8  # words
    assert run.metrics["macs"] == TASK.macs(data_info, run.resolved)
    # Runs that were saved before that was known do without it.
    before = {name: own for name, own in data_info.items() if name != "timesteps"}
    old = dataclasses.replace(run, state={**run.state, "data_info": before})
    loaded = kerasseq.load(old.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(loaded.predict(["a great plot"]), run.predict(["a great plot"]))


def test_it_says_what_it_found(run: ClassificationRun) -> None:
    notes = " ".join(run.notes)
    assert "108 texts to train on, 12 to stop by, 30 to score on" in notes
    for word in ("texts from column 'text'", "words", "n-grams", "length"):
        assert word in notes


def test_predictions_are_a_table(run: ClassificationRun) -> None:
    found = run.predict(["the film was great on monday", "the plot was poor on sunday"])
    assert found.columns.tolist() == ["text", "label", "bad", "good", "note"]
    assert found["label"].tolist() == ["good", "bad"]
    assert found["note"].tolist() == ["", ""]
    np.testing.assert_allclose(found[["bad", "good"]].sum(axis=1), 1)
    assert found["text"].tolist()[0] == "the film was great on monday"


def test_a_text_is_predicted_the_same_alone_and_among_others(run: ClassificationRun) -> None:
    texts = ["the film was great", "poor", "the cast was glad on sunday " * 9]
    among = run.predict(texts)[["bad", "good"]]
    alone = pd.concat([run.predict([text])[["bad", "good"]] for text in texts])
    np.testing.assert_allclose(among, alone, atol=1e-6)


@pytest.mark.thorough
def test_a_fresh_process_predicts_the_same(run: ClassificationRun, folder: Path) -> None:
    texts = ["the film was great", "the plot was sad and the cast was poor", "was"]
    code = f"import kerasseq; print(kerasseq.load({str(folder)!r}).predict({texts}).to_json())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = pd.DataFrame(json.loads(result.stdout.splitlines()[-1]))
    expected = run.predict(texts)
    assert found["label"].tolist() == expected["label"].tolist()
    # To the last bit but one: TensorFlow orders the graph of a loaded model in its own way.
    np.testing.assert_allclose(found[["bad", "good"]], expected[["bad", "good"]], atol=1e-7)


def test_a_run_folder_has_its_plots(folder: Path) -> None:
    plots = sorted(path.name for path in (folder / "plots").iterdir())
    assert plots == ["confusion.png", "curves.png", "reliability.png"]
    with zipfile.ZipFile(folder / "model.keras") as archive:
        assert "optimizer" not in archive.read("config.json").decode()


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_bit_for_bit(run: ClassificationRun) -> None:
    again = sentiment(_reviews(), **LEARNING, final="train")
    assert _same(again.model, run.model)
    assert again.metrics["test"] == run.metrics["test"]
    assert again.history == run.history


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_of_other_networks() -> None:
    changes = {"ngrams": 0, "cell": "gru", "tokens": "subword", "epochs": 2}
    one, two = (sentiment(_reviews(60), **{**QUICK, **changes}) for _ in range(2))
    assert _same(one.model, two.model)
    assert one.metrics["test"] == two.metrics["test"]
    assert one.history == two.history


def _check_interruption(folder: Path, **settings: Any) -> None:
    """A run that was interrupted in its second epoch ends as one that was not."""

    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        sentiment(_reviews(60), out=folder, callbacks=[callback], **settings)
    resumed = sentiment(_reviews(60), out=folder, **settings)
    whole = sentiment(_reviews(60), **settings)
    assert resumed.history == whole.history
    assert _same(resumed.model, whole.model)


@pytest.mark.thorough
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    _check_interruption(tmp_path / "run", **{**QUICK, "epochs": 3})


@pytest.mark.thorough
def test_a_warm_start_knows_words_by_name(run: ClassificationRun) -> None:
    earlier = run
    later = pd.concat([_reviews(60, seed=1), pd.DataFrame({"text": ["zest"] * 9, "label": "bad"})])
    seen = {}

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            seen["embedding"] = self.model.get_layer("embedding").get_weights()[0].copy()

    run = sentiment(later, warm_start=earlier, callbacks=[Start()], **QUICK)
    old = TASK.row_names(earlier.state)["embedding/embeddings"]
    new = TASK.row_names(run.state)["embedding/embeddings"]
    weights = earlier.model.get_layer("embedding").get_weights()[0]
    shared = [word for word in new if word in old]
    assert len(shared) > 10
    for word in shared:
        np.testing.assert_array_equal(seen["embedding"][new.index(word)], weights[old.index(word)])


@pytest.fixture(scope="module")
def language_model() -> LanguageModelRun:
    """A language model of the texts, and of a word that the classifier does not have."""
    texts = [f"{text} amen amen" for text in _reviews(60)["text"]]
    sizes = {"units": 4, "embedding": 8, "epochs": 1, "quiet": True}
    return kerasseq.language_model(pd.DataFrame({"text": texts}), tokens="word", **sizes)


class _Start(keras.callbacks.Callback):
    """Keeps the weights that training starts from."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.embedding = self.model.get_layer("embedding").get_weights()[0]
        self.recurrent = self.model.get_layer("recurrent").get_weights()


def test_a_language_model_is_a_start_word_by_word(
    language_model: LanguageModelRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = pd.concat([_reviews(60), pd.DataFrame({"text": ["zest"] * 9, "label": "bad"})])
    start = _Start()
    folder = language_model.save(tmp_path / "words")
    given = {**QUICK, "bidirectional": False, "ngrams": 0, "callbacks": [start], "quiet": False}
    run = sentiment(later, warm_start=folder, **given)
    words = TASK.row_names(run.state)["embedding/embeddings"]
    (known,) = language_model.task.row_names(language_model.state).values()
    assert "zest" in words
    assert "zest" not in known
    decoder = language_model.model.get_layer("decoder")
    (table,) = decoder.embedding.get_weights()
    for row, word in enumerate(words):
        expected = table[known.index(word if word in known else "[unknown]")]
        np.testing.assert_array_equal(start.embedding[row], expected)
    for one, other in zip(start.recurrent, decoder.recurrent.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    shared = sum(word in known for word in words)
    assert f"knows {shared} of the {len(words)} words" in capsys.readouterr().err


def test_two_language_models_are_a_start_in_both_directions(
    language_model: LanguageModelRun, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = pd.DataFrame({"text": _reviews(60)["text"]})
    sizes = {"units": 4, "embedding": 8, "epochs": 1, "quiet": True}
    reverse = kerasseq.language_model(
        texts, tokens="word", reverse=True, warm_start=language_model, **sizes
    )
    start = _Start()
    given = {**QUICK, "units": 4, "embedding": 8, "ngrams": 0, "callbacks": [start]}
    models = [language_model, reverse]
    sentiment(_reviews(60), warm_start=models, **{**given, "quiet": False})
    expected = [w for run in models for w in _decoder(run).recurrent.get_weights()]
    for one, other in zip(start.recurrent, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    remarks = capsys.readouterr().err
    assert "layers that read forward of a language model" in remarks
    assert "layers that read backward of a language model" in remarks
    with pytest.raises(ValueError, match="bidirectional must be True for this warm_start"):
        sentiment(_reviews(60), warm_start=reverse, **{**given, "bidirectional": False})


def _decoder(run: LanguageModelRun) -> Any:
    return run.model.get_layer("decoder")


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"units": 5}, ["units must be 4 for this warm_start", "units=5"]),
        ({"cell": "gru", "embedding": 9}, ["cell must be 'lstm'", "embedding must be 8"]),
        pytest.param({"depth": 2}, ["depth must be 1"], marks=pytest.mark.thorough),
        pytest.param({"tokens": "subword"}, ["tokens must be 'word'"], marks=pytest.mark.thorough),
    ],
)
def test_a_language_model_that_does_not_fit_names_the_settings(
    language_model: LanguageModelRun, changes: dict[str, Any], messages: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"must be") as error:
        sentiment(_reviews(60), warm_start=language_model, **{**QUICK, **changes})
    assert [message for message in messages if message not in str(error.value)] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": keras.optimizers.Adam()}, "leave layer_decay and unfreeze out"),
        ({"ema_momentum": 0.9}, "leave ema_momentum or layer_decay and unfreeze out"),
        ({"epochs": 4}, "begin to learn after 4 epochs: epochs must be more"),
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"optimizer": "ftrl"}, "ftrl"),
        ({"optimizer": "asgd"}, "optimizer='asgd' averages"),
    ],
)
def test_layers_with_rates_of_their_own_need_an_optimizer_by_name(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        sentiment(_reviews(60), **{**QUICK, "layer_decay": 0.5, "unfreeze": 2, **changes})


def test_lower_layers_learn_later_and_at_lower_rates() -> None:
    settings = {**SMALL, "epochs": 4, "depth": 2, "unfreeze": 1, "layer_decay": 0.5}
    _, data = _prepared(**settings)
    model = perform.build_model(TASK, data, SentimentSettings(**settings))
    rates = TASK.layer_rates(model, SentimentSettings(**settings))
    assert rates is not None
    names = [{"/".join(path.split("/")[:2]) for path in group} for group in rates.groups]
    upper, lower, embedding = names
    assert all(name.startswith("recurrent/") for name in upper | lower)
    assert upper.isdisjoint(lower)
    assert embedding == {"embedding/embeddings"}
    levels = model.get_layer("recurrent").levels
    assert rates.groups[0] == [weight.path for weight in levels[1].weights]


@pytest.mark.parametrize(("gains", "columns"), [("class", (3,)), ("shared", ())])
def test_an_ngram_has_a_gain_for_each_class_or_one(gains: str, columns: tuple[int, ...]) -> None:
    settings = SentimentSettings(**{**SMALL, "ngram_gains": gains})
    _, data = _prepared(_reviews(classes=3), ngram_gains=gains)
    model = perform.build_model(TASK, data, settings)
    gain = np.asarray(model.get_layer("wide").gain)
    assert gain.shape == (data.data_info["ngrams"], *columns)
    assert np.ptp(gain) == 0  # all begin with the one that fits best
    assert model.count_params() == TASK.count(data.data_info, settings)


def test_longer_ngrams_are_for_characters() -> None:
    with pytest.raises(ValueError, match="ngrams must be at most 3 with tokens='word'"):
        sentiment(_reviews(), ngrams=4)


# Characters


def test_names_are_classified_by_their_characters(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = tmp_path / "names"
    names.mkdir()
    for language, ending in (("Polish", "ski"), ("Irish", "gan")):
        stems = ["".join(random.choice([*"aeioklmnrt"], 5)) for _ in range(60)]
        (names / f"{language}.txt").write_text("\n".join(stem + ending for stem in stems))
    settings = {**LEARNING, "tokens": "character", "ngrams": 2, "final": "train"}
    run = sentiment(names, out=tmp_path / "run", **settings)
    assert run.metrics["test"]["accuracy"] > 0.9
    assert [*run.metrics["baselines"]][1] == "TF-IDF of 1 to 4 characters + logistic regression"
    loaded = kerasseq.load(tmp_path / "run")
    predicted = loaded.predict(["Nowakowski", "Horgan", "!"])
    assert predicted["label"].tolist()[:2] == ["Polish", "Irish"]
    assert predicted["note"].tolist()[2].startswith("no known character")


# Pretraining on the training texts

PRETRAINED: dict[str, Any] = {**QUICK, "pretrain": True, "pretrain_epochs": 2}


def test_pretraining_comes_before_training_and_is_in_the_summary(tmp_path: Path) -> None:
    start = _Start()
    run = sentiment(_reviews(60), callbacks=[start], out=tmp_path / "run", **PRETRAINED)
    settings = SentimentSettings(**PRETRAINED)
    untrained = perform.build_model(TASK, _prepared(_reviews(60))[1], settings)
    for name, weights in (("embedding", [start.embedding]), ("recurrent", start.recurrent)):
        before = untrained.get_layer(name).get_weights()
        assert not any(np.array_equal(a, b) for a, b in zip(before, weights, strict=True))
    (remark,) = run.remarks()
    assert "pretrained for 2 epochs to predict the next and the previous word" in remark
    again = kerasseq.load(tmp_path / "run")
    assert again.settings["pretrain"] is True
    assert again.remarks() == [remark]
    texts = ["the film was dull on monday"]
    pd.testing.assert_frame_equal(again.predict(texts), run.predict(texts))


@pytest.mark.thorough
def test_an_interrupted_run_is_not_pretrained_again(tmp_path: Path) -> None:
    _check_interruption(tmp_path / "run", **{**PRETRAINED, "epochs": 3})


# The rows that the weights learn from


def _learned(learn: Any, epochs: int, **options: Any) -> tuple[Parts, Prepared, perform.Model]:
    """The parts, and a model trained for so many epochs on all that the training part has."""
    settings = SentimentSettings(**LEARNING)
    source = TASK.load(_reviews(), settings)
    parts, data = perform.prepare(TASK, source, settings, learn=learn, **options)
    stop_rule = perform.stop_after(epochs)
    model = perform.train(TASK, data, settings, refit=True, stop_rule=stop_rule, quiet=True)
    return parts, data, model


@pytest.mark.thorough
def test_weights_learn_from_the_validation_part_too_unless_told_otherwise(
    run: ClassificationRun,
) -> None:
    found = sentiment(_reviews(), **LEARNING)
    assert found.settings["final"] == "validation"
    assert found.metrics["rows"]["train"] == 120
    parts, data, learned = _learned("validation", run.metrics["epochs"]["kept"])
    assert (len(parts.train[0]), len(parts.validation[0]), len(parts.test[0])) == (120, 12, 30)
    assert {*parts.train[0]} > {*parts.validation[0]}
    assert {*parts.train[0]}.isdisjoint(parts.test[0])
    assert _same(found.model, learned.model)
    assert not _same(found.model, run.model)
    predicted = TASK.predictions(learned.model, data.test, data.state, SETTINGS)
    assert found.metrics["test"] == TASK.score(predicted, data.test.targets, SETTINGS).values
    assert found.metrics["baselines"] == run.metrics["baselines"]  # they learned from it before
    assert found.metrics["epochs"] == run.metrics["epochs"]
    assert found.history == run.history
    assert found.notes[-1].startswith("weights refitted on the training and validation part for ")


@pytest.mark.thorough
def test_weights_may_learn_from_all_rows_and_scores_stay_honest(
    run: ClassificationRun, tmp_path: Path
) -> None:
    found = sentiment(_reviews(), **LEARNING, final="all")
    _, data, learned = _learned("all", run.metrics["epochs"]["kept"], test=False)
    assert len(data.train) == 150
    assert _same(found.model, learned.model)
    assert found.model.count_params() > run.model.count_params()  # it knows more words
    of_the_model = {"parameters", "macs", "seconds", "remarks"}
    assert {**found.metrics, **dict.fromkeys(of_the_model)} == {
        **run.metrics, **dict.fromkeys(of_the_model)
    }  # fmt: skip
    assert found.metrics["parameters"] == TASK.count(found.state["data_info"], found.resolved)
    assert found.metrics["macs"] == TASK.macs(found.state["data_info"], found.resolved)
    assert found.notes[-1].startswith("weights refitted on all rows for ")
    assert "which has not seen the test part" in found.notes[-1]
    loaded = kerasseq.load(found.save(tmp_path / "run"))
    assert loaded.settings["final"] == "all"
    texts = ["the film was great", "the plot was sad"]
    assert loaded.predict(texts)["label"].tolist() == found.predict(texts)["label"].tolist()


# New data


def test_new_data_is_scored(run: ClassificationRun, tmp_path: Path) -> None:
    new = _reviews(40, seed=9)
    new.to_csv(tmp_path / "new.csv", index=False)
    found = run.evaluate(new)
    assert found == run.evaluate(tmp_path / "new.csv")
    assert found["rows"] == 40
    assert found["test"]["accuracy"] == np.mean(run.predict(new["text"])["label"] == new["label"])


def test_the_columns_of_new_data_may_have_other_names(run: ClassificationRun) -> None:
    new = _reviews(20, seed=9)
    other = new.rename(columns={"text": "said", "label": "meant"})
    assert run.evaluate(other, text="said", label="meant") == run.evaluate(new)


def test_new_data_may_be_of_one_class(run: ClassificationRun) -> None:
    new = _reviews(60, seed=9).query("label == 'good'")
    assert run.evaluate(new)["rows"] == len(new)


@pytest.mark.thorough
def test_the_columns_of_the_training_data_are_those_of_new_tables_only(
    renamed: ClassificationRun, tmp_path: Path
) -> None:
    for side in ("text", "label"):
        (tmp_path / side).mkdir()
        for i in range(3):
            (tmp_path / side / f"{i}.txt").write_text("the film was fine")
    assert renamed.evaluate(tmp_path)["rows"] == 6
    frame = pd.DataFrame({"said": ["a film", "a plot"], "meant": ["text", "label"]})
    assert renamed.evaluate(frame)["rows"] == 2


def test_a_class_that_was_not_trained_on_is_refused(run: ClassificationRun) -> None:
    with pytest.raises(ValueError, match=r"classes 'so-so' were not in the training data"):
        run.evaluate(_reviews(40, classes=3))


# Labels


@pytest.mark.parametrize(
    ("values", "names"),
    first_of(
        [
            ([10, 9, 2], ["2", "9", "10"]),
            ([True, False], ["False", "True"]),
            (np.array([3, 1], dtype=np.uint8), ["1", "3"]),
            ([0.5, 4.0], ["0.5", "4.0"]),
            (["1", "0"], ["0", "1"]),
        ]
    ),
    ids=str,
)
def test_labels_come_back_as_they_came(
    run: ClassificationRun, tmp_path: Path, values: Any, names: list[str]
) -> None:
    classes = sorted(np.asarray(values).tolist())
    rows = 30 * len(classes)
    texts = [f"{'abc'[row % len(classes)]} film number {row}" for row in range(rows)]
    label = pd.Series(values).iloc[np.arange(rows) % len(classes)].to_numpy()
    frame = pd.DataFrame({"review": texts, "stars": label, "note": "x"})
    settings = SentimentSettings(**{**SMALL, "ngrams": 0})
    _, prepared = perform.prepare(TASK, TASK.load(frame, settings), settings)
    model = TASK.build(prepared.data_info, settings)
    metrics = {
        **run.metrics,
        "parameters": model.count_params(),
        "confusion": np.eye(len(classes), dtype=int).tolist(),
        "reliability": {"rows": [len(classes)], "confidence": [1.0], "accuracy": [1.0]},
        "rows": {**run.metrics["rows"], "test": len(classes)},
        "test": {**run.metrics["test"], "accuracy": 1.0},
        "interval": {**run.metrics["interval"], "accuracy": [1.0, 1.0]},
    }
    made = ClassificationRun(
        recipe="sentiment",
        settings=TASK.settings_to_json(settings),
        model=model,
        state=prepared.state,
        metrics=metrics,
        history=run.history,
    )
    for own in (made, kerasseq.load(made.save(tmp_path / "run"))):
        assert own.state["classes"] == classes
        assert {type(label) for label in own.state["classes"]} == {type(classes[0])}
        found = own.predict(frame.drop(columns="stars"))
        assert found.columns.tolist() == ["text", "label", *names, "note"]
        assert found["text"].tolist() == texts
        assert {*found["label"].tolist()} <= {*classes}
        assert type(found["label"].tolist()[0]) is type(classes[0])
        # A CSV file has the labels as text.
        as_text = frame.astype({"stars": str})
        assert own.evaluate(frame) == own.evaluate(as_text)


def test_a_text_of_two_classes_is_told() -> None:
    frame = _reviews(60)
    again = pd.DataFrame({"text": ["a b", "a b", "c"], "label": ["bad", "good", "bad"]})
    notes = TASK.load(pd.concat([frame, again]), SETTINGS).notes
    assert notes[-1] == (
        "more than one label: 1 of the 62 different texts, in 2 rows, "
        "such as 'a b' as 'bad' and 'good'"
    )
    assert not any("more than one label" in note for note in TASK.load(frame, SETTINGS).notes)


def test_a_class_without_a_test_row_is_named() -> None:
    frame = pd.concat([_reviews(200), pd.DataFrame({"text": ["x", "y"], "label": "rare"})])
    parts, prepared = _prepared(frame)
    assert "rare" not in parts.test[1]
    assert "rare" in parts.train[1]
    predicted = np.eye(3)[np.asarray(prepared.test.targets)]
    score = TASK.score(predicted, prepared.test.targets, SETTINGS)
    assert score.values["macro_f1"] == 1
    assert TASK.remarks(score, prepared.state) == [
        "classes without a row to score on: 'rare'; macro F1 does not measure them"
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_class_of_two_texts_is_enough_for_every_seed(seed: int) -> None:
    frame = pd.concat([_reviews(30), pd.DataFrame({"text": ["x", "y"], "label": "rare"})])
    parts, _ = _prepared(frame, seed=seed, min_count=1)
    assert "rare" in parts.train[1]


# Settings


@pytest.mark.thorough
@pytest.mark.parametrize(
    "changes",
    [
        {"ngrams": 0, "pooling": "attention+mean"},
        {"tokens": "subword", "vocabulary_size": 400, "schedule": "cosine"},
        {"cell": "mingru", "depth": 2, "bidirectional": False, "ngrams": 3},
        {"zoneout": 0.1, "recurrent_dropout": 0.1, "class_weights": True, "clipnorm": None},
        {"lowercase": False, "length": 3, "truncate": "start"},
    ],
    ids=str,
)
def test_settings_that_it_takes(changes: dict[str, Any]) -> None:
    classes = 3 if "class_weights" in changes or "vocabulary_size" in changes else 2
    run = sentiment(_reviews(60, classes), **{**QUICK, **changes})
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    found = run.predict(["the film was great"])
    assert found.shape == (1, 3 + classes)
    assert found.iloc[0, 2:-1].sum() == pytest.approx(1)


@pytest.mark.thorough
def test_three_classes_are_learned() -> None:
    run = sentiment(_reviews(200, 3), **{**QUICK, "epochs": 8, "learning_rate": 0.02})
    assert run.state["classes"] == ["bad", "good", "so-so"]
    assert run.metrics["test"]["accuracy"] > 0.9
    assert np.shape(run.metrics["confusion"]) == (3, 3)


_DRAWN = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["lstm", "gru", "ligru", "minlstm", "indrnn"]),
        "units": st.integers(1, 9),
        "depth": st.integers(1, 3),
        "bidirectional": st.booleans(),
        "pooling": st.sampled_from(["last", "max", "attention", "mean+max"]),
        "embedding": st.integers(1, 9),
        "ngrams": st.integers(0, 3),
        "zoneout": st.sampled_from([0.0, 0.1]),
    }
)


@given(_DRAWN, st.integers(2, 5), st.integers(2, 50), st.integers(2, 50))
@examples(20)
def test_the_closed_form_is_what_is_built(
    drawn: dict[str, Any], classes: int, vocabulary: int, ngrams: int
) -> None:
    chosen = SentimentSettings(**drawn)
    data_info = {
        "classes": classes,
        "vocabulary": vocabulary,
        "ngrams": ngrams if drawn["ngrams"] else 0,
        "length": 7,
    }
    assert TASK.count(data_info, chosen) == TASK.build(data_info, chosen).count_params()


# Honesty


def test_nothing_of_validation_or_test_is_in_the_vocabulary() -> None:
    data = _reviews()
    parts, prepared = _prepared(data.assign(text=[f"{t} word{i}" for i, t in enumerate(data.text)]))
    known = {*TASK._reader(prepared.state).tokenizer.vocabulary}
    own, others = (
        {word for text in part[0] for word in text.split() if word.startswith("word")}
        for part in (parts.train, (parts.validation[0] + parts.test[0],))
    )
    assert own <= known
    assert known.isdisjoint(others)


def test_an_official_test_set_stays_whole() -> None:
    train, test = _reviews(80), _reviews(30, seed=1)
    source = LabelledTexts(
        train["text"].tolist(),
        train["label"].tolist(),
        test["text"].tolist(),
        test["label"].tolist(),
    )
    parts, prepared = _prepared(source)
    assert parts.test == (source.test_texts, source.test_labels)
    assert len(prepared.train) + len(prepared.validation) == 80
    assert len(prepared.test) == 30


def test_equal_texts_are_on_one_side() -> None:
    data = pd.concat([_reviews(60)] * 3)
    parts, _ = _prepared(data)
    train, validation, test = (set(part[0]) for part in (parts.train, parts.validation, parts.test))
    assert not train & validation
    assert not (train | validation) & test


def test_a_withheld_test_part_is_trained_on_in_no_fold() -> None:
    source = TASK.load(_reviews(), SETTINGS)
    whole = TASK.split(source, SETTINGS)
    seen = []
    for number in range(3):
        parts = TASK.split(source, SETTINGS, test=False, fold=(number, 3))
        assert parts.test is None
        assert set(parts.train[0]).isdisjoint(whole.test[0])
        assert set(parts.validation[0]).isdisjoint(whole.test[0])
        assert set(parts.train[0]).isdisjoint(parts.validation[0])
        seen += parts.validation[0]
    assert sorted(seen) == sorted(whole.train[0] + whole.validation[0])


def test_prepare_is_a_function_of_its_own_settings() -> None:
    parts, first = _prepared()
    second = TASK.prepare(parts, restrict_to(SETTINGS, "split", "prepare"))
    assert second.state == first.state
    for name, values in first.train.inputs.items():
        np.testing.assert_array_equal(values, second.train.inputs[name])


def test_a_training_text_meets_ratios_that_were_found_without_it() -> None:
    # Labels by chance: what n-grams say of a text must not give its label away.
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list("abcdefghij"), 9)) + f" w{i}" for i in range(400)]
    data = pd.DataFrame({"text": texts, "label": random.choice(["bad", "good"], 400)})
    _, prepared = _prepared(data)
    ratios, inputs = prepared.initial["ratios/ratios"], prepared.train.inputs
    truth = prepared.train.targets[:, 0] > 0
    own = ratios[inputs["ngrams"]].sum(axis=(1, 2)) > 0
    held_out = (ratios[inputs["ngrams"]] + inputs["ngram_corrections"]).sum(axis=(1, 2)) > 0
    assert np.mean(own == truth) > 0.85
    assert 0.3 < np.mean(held_out == truth) < 0.7


def test_only_training_texts_are_corrected() -> None:
    _, prepared = _prepared()
    for part in (prepared.validation, prepared.test):
        assert not part.inputs["ngram_corrections"].any()
        assert not part.inputs["ending_corrections"].any()
    assert prepared.train.inputs["ending_corrections"].any()


def test_class_weights_have_a_power() -> None:
    data = pd.concat([_reviews(80), pd.DataFrame({"text": ["bad bad bad"] * 240, "label": "bad"})])
    settings = {"class_weights": True, "class_weight_power": 0.5}
    _, prepared = _prepared(data, **settings)
    train = prepared.train
    rare, common = (train.weights[train.targets[:, 0] == number] for number in (1, 0))
    assert rare[0] / common[0] == pytest.approx((len(common) / len(rare)) ** 0.5, rel=1e-6)
    assert train.weights.mean() == pytest.approx(1.0, rel=1e-6)


def test_class_weights_make_classes_count_alike() -> None:
    data = _reviews(300).query("label == 'good' or index % 5 == 0")
    _, plain = _prepared(data)
    _, prepared = _prepared(data, class_weights=True)
    assert plain.train.weights is None
    weights, truth = prepared.train.weights, prepared.train.targets[:, 0]
    assert weights[truth == 0].sum() == pytest.approx(weights[truth == 1].sum(), rel=1e-5)
    assert weights.mean() == pytest.approx(1, rel=1e-5)


def test_the_baseline_learns_from_validation_too() -> None:
    data = _reviews(100)
    parts, prepared = _prepared(data)
    found = TASK.baselines(parts, prepared, SETTINGS)
    labels = np.array(parts.train[1] + parts.validation[1])
    shares = [np.mean(labels == name) for name in ("bad", "good")]
    np.testing.assert_allclose(found["majority"][0], shares)
    for probabilities in found.values():
        assert probabilities.shape == (len(parts.test[0]), 2)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_probabilities_are_those_of_the_loss() -> None:
    _, prepared = _prepared()
    settings = SentimentSettings(**SMALL)
    model = TASK.build(prepared.data_info, settings)
    found = TASK.predictions(model, prepared.test, prepared.state, settings)
    truth = prepared.test.targets[:, 0].astype(int)
    loss = TASK.objective(prepared.data_info, settings).loss
    logits = training.outputs(model, prepared.test)
    expected = float(np.asarray(loss(prepared.test.targets, logits)))
    assert metrics.classification(truth, found, resamples=0).values["log_loss"] == pytest.approx(
        expected, rel=1e-5
    )


# Bad input


def _fails(tmp_path: Path, data: Any, match: str, kind: Any = ValueError, **given: Any) -> None:
    """It raises one sentence, and leaves no folder."""
    with pytest.raises(kind, match=match) as info:
        sentiment(data, out=tmp_path / "run", **{**SMALL, **given})
    assert "\n" not in str(info.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("cell", "lstmm", r"'lstmm'.*lstm"),
        ("units", 0, "units must be a whole number above zero"),
        ("depth", 1.5, "depth must be"),
        ("pooling", "median", r"pooling must be one of last, mean, max, attention"),
        ("pooling", "max+max", "pooling must be one of"),
        ("embedding", -3, "embedding must be"),
        ("dropout", 1.0, "dropout must be at least 0 and below 1"),
        ("test", 0, "test must be a share above 0 and below 1"),
        ("validation", 1, "validation must be a share above 0 and below 1"),
        ("ngrams", 6, "ngrams must be one of 0, 1, 2, 3"),
        ("tokens", "letter", "tokens must be one of 'word', 'subword'"),
        ("truncate", "left", "truncate must be one of"),
        ("length", 0, "length must be"),
        ("epochs", 0, "epochs must be"),
        ("learning_rate", -1, "learning_rate must be"),
        ("seed", "one", "seed must be"),
    ],
)
def test_a_setting_that_cannot_be(tmp_path: Path, name: str, value: Any, match: str) -> None:
    _fails(tmp_path, _reviews(60), match, **{name: value})


def test_all_that_is_wrong_with_the_settings_is_told_at_once(tmp_path: Path) -> None:
    match = (
        "3 settings are wrong: units must be a whole number above zero.*; dropout must be at least "
        "0 and below 1.*; tokens must be one of 'word', 'subword'"
    )
    _fails(tmp_path, "no such file", match, units=0, dropout=2.0, tokens="letter")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("clip", r"sentiment\(\): 'clip' was renamed to 'clipnorm'"),
        ("unit", r"sentiment\(\): there is no setting 'unit'. Did you mean 'units'"),
        ("beam_width", r"sentiment\(\): there is no setting 'beam_width'"),
    ],
)
def test_a_setting_that_there_is_not(tmp_path: Path, name: str, match: str) -> None:
    _fails(tmp_path, "no such file", match, TypeError, **{name: 1})


def test_data_that_cannot_be_learned_from(tmp_path: Path) -> None:
    frame = _reviews(60)
    _fails(tmp_path, tmp_path / "none.csv", r"no file or folder .*none\.csv", FileNotFoundError)
    _fails(tmp_path, frame.drop(columns="label"), "label")
    _fails(tmp_path, frame, "'opinion'", label="opinion")
    _fails(tmp_path, frame.assign(label="good"), "one class only, 'good'")
    _fails(tmp_path, frame.assign(text=""), "every text is empty")
    _fails(tmp_path, frame[:0], "no rows")
    gaps = frame.assign(label=[None, *frame["label"][1:]])
    _fails(tmp_path, gaps, r"column 'label' has no value in 1 row")
    _fails(tmp_path, frame.assign(text="fine"), "all 60 texts are the same, 'fine'")
    single = pd.concat([frame, pd.DataFrame({"text": ["fair"], "label": "so-so"})])
    _fails(tmp_path, single, "class 'so-so' has too few different texts")
    _fails(tmp_path, 3, "data must be")


@pytest.mark.thorough
def test_a_text_of_many_thousand_words_is_cut() -> None:
    long = "the film was great " * 50_000
    data = pd.concat([_reviews(60), pd.DataFrame({"text": [long], "label": "good"})])
    run = sentiment(data, **QUICK)
    assert run.state["data_info"]["length"] < 20
    assert run.predict([long])["label"].item() in ("bad", "good")


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        ([], "there is no text to predict"),
        ("one text", "give a list of texts, even for one"),
        (["fine", 3], "every text must be a string. Received: text 1 is 3"),
        (3, "give a list of texts"),
    ],
)
def test_texts_that_cannot_be_predicted(run: ClassificationRun, texts: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        run.predict(texts)


def test_texts_without_a_known_word_get_the_shares_of_the_training_part() -> None:
    parts, prepared = _prepared()
    shares = [np.mean(np.array(parts.train[1]) == name) for name in ("bad", "good")]
    model = TASK.build(prepared.data_info, SentimentSettings(**SMALL))
    examples = TASK._reader(prepared.state).read(["the film", "qwertz uiop", ""])
    found = TASK.predictions(model, examples, prepared.state, SETTINGS)
    np.testing.assert_allclose(found[1:], [shares, shares])
    assert not np.allclose(found[0], shares)


def test_texts_may_be_a_column(run: ClassificationRun) -> None:
    texts = _reviews(5)["text"]
    assert run.predict(texts).equals(run.predict(texts.tolist()))


@pytest.mark.thorough
def test_a_class_may_be_called_text_or_label(renamed: ClassificationRun) -> None:
    assert renamed.predict(["the film was great"]).columns.tolist() == [
        "text",
        "label",
        "label_",
        "text_",
        "note",
    ]


# What it is


def test_it_is_found_by_name() -> None:
    assert kerasseq.sentiment is registry.get("sentiment") is sentiment
    assert "sentiment" in registry.names()
    assert registry.summary("sentiment") == inspect.getdoc(sentiment).splitlines()[0]


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    for ask in (registry.get, registry.task, registry.summary):
        with pytest.raises(ValueError, match=r"no recipe 'juggling'.*sentiment"):
            ask("juggling")
