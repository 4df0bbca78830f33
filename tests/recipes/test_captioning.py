"""Captioning from images to a saved run, and one clear sentence for whatever cannot be."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import kerasseq
from kerasseq.data.images.captioned import Captioned
from kerasseq.data.images.features import CACHE, ImageInputs
from kerasseq.data.tokenizers.tokenizer import Tokenizer
from kerasseq.recipes import captioning
from kerasseq.recipes.captioning import CaptioningSettings
from kerasseq.tasks import perform
from kerasseq.tasks.captioning import CaptionRun
from tests.thorough import examples

TASK = kerasseq.captioning.task
SETTINGS = CaptioningSettings(min_count=1)
NO_DROPOUT = {"dropout": 0.0, "embedding_dropout": 0.0, "image_dropout": 0.0}
SMALL: dict[str, Any] = {
    "units": 16, "epochs": 2, "min_count": 1, "batch_size": 64, "quiet": True, **NO_DROPOUT,
}  # fmt: skip
LEARNING: dict[str, Any] = {**SMALL, "epochs": 25, "learning_rate": 0.02}
_COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


def _source(rows: int = 120, regions: int = 0, seed: int = 0) -> Captioned:
    """Features that give the colour and the thing away; two captions of each."""
    random = np.random.default_rng(seed)
    things, colours = ["dog", "cat", "bird", "fish"], list(_COLOURS)
    picked = random.integers(0, [len(colours), len(things)], (rows, 2))
    features = np.concatenate([np.eye(3)[picked[:, 0]], np.eye(4)[picked[:, 1]]], axis=1)
    features += random.normal(0, 0.05, features.shape)
    if regions:
        features = np.repeat(features[:, None], regions, axis=1)
    said = [(colours[colour], things[thing]) for colour, thing in picked]
    return Captioned(
        names=[f"{number}.jpg" for number in range(rows)],
        captions=[[f"a {c} {t}", f"the {t} is {c}"] for c, t in said],
        inputs=ImageInputs(features.astype(np.float32)),
        notes=["made up"],
    )


def _folder(folder: Path, rows: int = 30, size: int = 40) -> Path:
    """Images of one colour each, and a table of captions."""
    lines = []
    for number in range(rows):
        name = list(_COLOURS)[number % 3]
        Image.new("RGB", (size, size), _COLOURS[name]).save(folder / f"{number}.png")
        lines.append({"image": f"{number}.png", "caption": f"a {name} image"})
    pd.DataFrame(lines).to_csv(folder / "captions.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def run() -> CaptionRun:
    return captioning(_source(), **LEARNING)


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# The whole life


def test_it_learns_and_tells_how_good_it_is(run: CaptionRun) -> None:
    found = run.metrics
    assert found["test"]["exact"] > 0.9
    assert found["test"]["bleu_1"] > 90
    assert found["test"]["perplexity"] < 2
    assert [*found["baselines"]] == ["most frequent caption", "nearest image's caption"]
    assert found["baselines"]["most frequent caption"]["exact"] < 0.5
    assert found["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert found["rows"] == {"train": 194, "validation": 22, "test": 12}
    assert "97 images to train on, 11 to stop by, 12 to score on" in " ".join(run.notes)


@pytest.mark.thorough
def test_its_macs_are_those_of_a_caption_of_the_mean_length(
    run: CaptionRun, tmp_path: Path
) -> None:
    data_info, inputs = run.state["data_info"], _source().inputs[np.arange(2)]
    assert data_info["timesteps"] == 5  # the start, and three or four words
    assert run.metrics["macs"] == TASK.macs(data_info, run.resolved)
    # Runs that were saved before that was known do without it.
    before = {name: own for name, own in data_info.items() if name != "timesteps"}
    old = dataclasses.replace(run, state={**run.state, "data_info": before})
    found = kerasseq.load(old.save(tmp_path / "run")).predict(inputs)
    assert found["caption"].tolist() == run.predict(inputs)["caption"].tolist()


def test_features_are_captioned(run: CaptionRun) -> None:
    inputs = _source().inputs[np.arange(5)]
    found = run.predict(inputs)
    assert found.columns.tolist() == ["image", "caption", "log_probability"]
    assert found["image"].tolist() == ["0", "1", "2", "3", "4"]
    told = _source().captions
    assert all(caption in own for caption, own in zip(found["caption"], told))
    assert found["log_probability"].between(-5, 0).all()


def test_a_image_is_captioned_the_same_alone_and_among_others(run: CaptionRun) -> None:
    inputs = _source().inputs[np.arange(9)]
    among = run.predict(inputs)
    for number in range(3):
        alone = run.predict(inputs[[number]]).iloc[0]
        assert alone["caption"] == among["caption"][number]
        assert alone["log_probability"] == pytest.approx(among["log_probability"][number], abs=1e-4)


def test_features_in_a_file_keep_their_names(run: CaptionRun, tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, names=["x.jpg", "y.jpg"], features=_source().inputs[np.arange(2)])
    for data in (path, [str(path)]):
        assert run.predict(data)["image"].tolist() == ["x.jpg", "y.jpg"]


def test_new_data_is_scored(run: CaptionRun) -> None:
    new = _source(20, seed=5)
    found = run.evaluate(new)
    assert found["rows"] == 20
    assert found["test"].keys() == run.metrics["test"].keys()
    exact = [c in own for c, own in zip(run.predict(new.inputs.values)["caption"], new.captions)]
    assert found["test"]["exact"] == np.mean(exact)


@pytest.mark.thorough
def test_a_fresh_process_predicts_the_same(run: CaptionRun, tmp_path: Path) -> None:
    folder, features = run.save(tmp_path / "run"), tmp_path / "f.npz"
    np.savez(features, names=list("abcd"), features=_source().inputs[np.arange(4)])
    asked = f"kerasseq.load({str(folder)!r}).predict({str(features)!r})"
    code = f"import kerasseq; print({asked}.to_json())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = pd.DataFrame(json.loads(result.stdout.splitlines()[-1]))
    expected = run.predict(features)
    assert found["caption"].tolist() == expected["caption"].tolist()
    np.testing.assert_allclose(found["log_probability"], expected["log_probability"], atol=1e-4)


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_bit_for_bit() -> None:
    one, two = (captioning(_source(60), **SMALL) for _ in range(2))
    assert one.history == two.history
    assert one.metrics["test"] == two.metrics["test"]
    assert _same(one.model, two.model)


def test_a_warm_start_knows_words_by_name(run: CaptionRun) -> None:
    names = TASK.row_names(run.state)
    path, words = next(iter(names.items()))
    weights = {weight.path: weight for weight in run.model.weights}
    assert weights[path].shape[0] == len(words)
    assert words[:4] == ["[padding]", "[unknown]", "[start]", "[end]"]
    assert {"red", "dog"} <= set(words)


# Beam search


@pytest.mark.thorough
def test_captions_may_be_written_by_another_search(run: CaptionRun) -> None:
    inputs = np.random.default_rng(7).normal(0.5, 0.5, (60, 7)).astype(np.float32)  # not clear
    settings, before = dict(run.settings), run.predict(inputs)
    greedy = run.predict(inputs, beam_width=1)
    assert greedy["caption"].tolist() != before["caption"].tolist()
    writer = TASK.writer(run.model, run.state, dataclasses.replace(run.resolved, beam_width=1))
    by_hand = writer.write(ImageInputs(inputs).scaled(**run.state["scaling"]))
    assert by_hand.texts == greedy["caption"].tolist()
    short = run.predict(inputs, length_penalty=0.0)["caption"].str.split().str.len()
    assert short.sum() <= before["caption"].str.split().str.len().sum()
    once = run.predict(inputs, no_repeat_ngram_size=1)
    assert all(len({*text.split()}) == len(text.split()) for text in once["caption"])
    assert run.settings == settings
    assert (run.resolved.beam_width, run.resolved.length_penalty) == (3, 0.7)
    pd.testing.assert_frame_equal(run.predict(inputs), before)


@pytest.mark.parametrize(
    ("name", "value"), [("beam_width", 0), ("length_penalty", -1), ("no_repeat_ngram_size", 1.5)]
)
def test_a_search_that_cannot_be(run: CaptionRun, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .* Received: {name}="):
        run.predict(_source().inputs[np.arange(2)], **{name: value})


def test_data_depends_on_no_setting_of_the_model_or_the_search() -> None:
    assert TASK.names("split", "prepare") == ("min_count", "length", "validation", "test", "seed")


# The rows that the weights learn from


def _learned(learn: Any, epochs: int, **options: Any) -> tuple[Any, Any, perform.Model]:
    """The parts, and a model trained for so many epochs on all that the training part has."""
    parts, data = perform.prepare(TASK, _source(), SETTINGS, learn=learn, **options)
    settings, _ = TASK.resolve(data.data_info, CaptioningSettings(**LEARNING))
    stop_rule = perform.stop_after(epochs)
    model = perform.train(TASK, data, settings, refit=True, stop_rule=stop_rule, quiet=True)
    return parts, data, model


@pytest.mark.thorough
def test_weights_may_learn_from_the_validation_part_too(run: CaptionRun) -> None:
    found = captioning(_source(), **LEARNING, final="validation")
    parts, data, learned = _learned("validation", run.metrics["epochs"]["kept"])
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (108, 11, 12)
    assert {*parts.train.names} > {*parts.validation.names}
    assert {*parts.train.names}.isdisjoint(parts.test.names)
    assert _same(found.model, learned.model)
    assert not _same(found.model, run.model)
    written = TASK.predictions(learned.model, data.test, data.state, found.resolved)
    assert found.metrics["test"] == TASK.score(written, data.test.targets, found.resolved).values
    assert found.metrics["epochs"] == run.metrics["epochs"]
    assert found.notes[-1].startswith("weights refitted on the training and validation part for ")


@pytest.mark.thorough
def test_weights_may_learn_from_all_rows_and_scores_stay_honest(run: CaptionRun) -> None:
    found = captioning(_source(), **LEARNING, final="all")
    parts, _, learned = _learned("all", run.metrics["epochs"]["kept"], test=False)
    assert len(parts.train) == 120
    assert _same(found.model, learned.model)
    assert not _same(found.model, run.model)
    of_the_model = {"parameters", "macs", "seconds", "remarks"}
    assert {**found.metrics, **dict.fromkeys(of_the_model)} == {
        **run.metrics, **dict.fromkeys(of_the_model)
    }  # fmt: skip
    assert found.notes[-1].startswith("weights refitted on all rows for ")
    assert "which has not seen the test part" in found.notes[-1]
    assert found.state.keys() == run.state.keys()  # the examples that figures show among them
    caption = found.predict(_source().inputs[np.arange(1)])["caption"][0]
    assert caption in _source().captions[0]


# From pixels


@pytest.mark.thorough
def test_images_of_a_folder_from_their_pixels(tmp_path: Path) -> None:
    folder = _folder(tmp_path, 60)
    changes = {"encoder": "cnn", "size": 16, "units": 32, "batch_size": 4}
    run = captioning(folder, **{**SMALL, **changes, "epochs": 25, "learning_rate": 0.01})
    assert run.metrics["test"]["exact"] == 1
    found = run.predict([folder / "0.png", folder / "1.png"])
    assert found["caption"].tolist() == ["a red image", "a green image"]
    array = np.full((30, 50, 3), _COLOURS["blue"], np.uint8)
    assert run.predict([array])["caption"].tolist() == ["a blue image"]
    assert len(run.predict(folder)) == 60
    saved = run.save(tmp_path / "run")
    assert (saved / "plots" / "captions.png").is_file()
    again = kerasseq.load(saved).predict([array, folder / "0.png"])
    assert again["caption"].tolist() == ["a blue image", "a red image"]
    assert run.evaluate(folder)["rows"] == 60


@pytest.mark.thorough
def test_a_frozen_network_sees_the_same_wherever_the_run_is_loaded(tmp_path: Path) -> None:
    folder = _folder(tmp_path, 12)
    run = captioning(folder, **SMALL, encoder="mobilenet_v2", weights=None, size=32)
    assert len([*(tmp_path / "cache").glob("*.npy")]) == 1
    expected = run.predict([folder / "0.png", folder / "1.png"])
    found = kerasseq.load(run.save(tmp_path / "run")).predict([folder / "0.png", folder / "1.png"])
    assert found["caption"].tolist() == expected["caption"].tolist()
    np.testing.assert_allclose(found["log_probability"], expected["log_probability"], atol=1e-4)
    assert run.evaluate(folder)["rows"] == 12


@pytest.mark.thorough
def test_a_networks_last_block_can_be_trained_too(tmp_path: Path) -> None:
    given = {"encoder": "mobilenet_v2", "weights": None, "size": 32, "fine_tune": 1}
    run = captioning(_folder(tmp_path, 12), **{**SMALL, "epochs": 1, **given})
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved) > 2_000_000
    assert run.metrics["macs"] > 5_000_000  # what sees is part of it
    saved = kerasseq.load(run.save(tmp_path / "run"))
    image = [tmp_path / "0.png"]
    assert saved.predict(image)["caption"].tolist() == run.predict(image)["caption"].tolist()


@pytest.mark.thorough
def test_attention_is_drawn(tmp_path: Path) -> None:
    source = dataclasses.replace(_source(60, regions=4), files=[])
    run = captioning(source, **SMALL, decoder="attention")
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert run.metrics["macs"] == TASK.macs(run.state["data_info"], run.resolved)
    writer = TASK.writer(run.model, run.state, run.resolved)
    looked = writer.look(source.inputs[np.arange(2)], ["a red dog", "a cat"])
    assert [own.shape for own in looked] == [(3, 2, 2), (2, 2, 2)]
    np.testing.assert_allclose(looked[0].sum(axis=(1, 2)), 1, atol=1e-5)
    run = captioning(_folder(tmp_path, 12), **SMALL, encoder="cnn", size=16)
    plots = sorted(path.name for path in (run.save(tmp_path / "run") / "plots").iterdir())
    assert plots == ["attention.png", "captions.png", "curves.png"]


# Settings


@pytest.mark.thorough
@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": "merge", "cell": "lstm", "depth": 2, "embedding": 8},
        {
            "decoder": "par", "scheduled_sampling": 0.3, "label_smoothing": 0.1, "zoneout": 0.1,
            "tie_embeddings": False,
        },
        {"decoder": "pre", "beam_width": 1, "no_repeat_ngram_size": 2, "schedule": "constant"},
    ],
    ids=lambda changes: changes["decoder"],
)  # fmt: skip
def test_settings_that_it_takes(changes: dict[str, Any]) -> None:
    run = captioning(_source(40), **{**SMALL, "epochs": 1, **changes})
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert len(run.predict(_source().inputs[np.arange(3)])) == 3


@given(
    st.fixed_dictionaries(
        {
            "decoder": st.sampled_from(["auto", "merge", "init", "pre", "par", "attention"]),
            "cell": st.sampled_from(["lstm", "gru", "mingru"]),
            "units": st.integers(1, 9),
            "depth": st.integers(1, 2),
            "embedding": st.integers(1, 9),
            "tie_embeddings": st.just(False),
        }
    ),
    st.integers(5, 40),
    st.integers(1, 9),
)
@examples(15)
def test_the_closed_form_is_what_is_built(drawn: dict[str, Any], words: int, width: int) -> None:
    inputs = [4, width] if drawn["decoder"] == "attention" else [width]
    data_info = {"words": words, "inputs": inputs, "network": None}
    chosen, _ = TASK.resolve(data_info, CaptioningSettings(**drawn))
    assert TASK.count(data_info, chosen) == TASK.build(data_info, chosen).count_params()


# Honesty


def test_words_and_sentences_are_learned_from_the_training_part_alone() -> None:
    source = _source(40)
    captions = [[f"{own} n{i}" for own in said] for i, said in enumerate(source.captions)]
    source = dataclasses.replace(source, captions=captions)
    parts, prepared = perform.prepare(TASK, source, SETTINGS)
    state = prepared.state
    vocabulary = Tokenizer.from_state(state["words"]).vocabulary
    known = {word for word in vocabulary if word.startswith("n")}
    assert known == {own[0].split()[-1] for own in parts.train.captions}
    assert len(state["known"]) == 2 * len(parts.train)


def test_a_withheld_test_part_is_trained_on_in_no_fold() -> None:
    source = _source(40)
    test = {*TASK.split(source, SETTINGS).test.names}
    seen: list[str] = []
    for number in range(3):
        parts = TASK.split(source, SETTINGS, test=False, fold=(number, 3))
        assert parts.test is None
        assert test.isdisjoint(parts.train.names + parts.validation.names)
        seen += parts.validation.names
    assert len(seen) == len({*seen}) == 40 - len(test)


def test_no_mark_is_in_any_metric(run: CaptionRun) -> None:
    _, prepared = perform.prepare(TASK, _source(), SETTINGS)
    written = TASK.predictions(run.model, prepared.test, run.state, run.resolved)
    assert not any("[" in text for text in written.texts)


# Bad input


def _fails(tmp_path: Path, data: Any, match: str, kind: Any = ValueError, **given: Any) -> None:
    """It raises one sentence, and leaves no folder."""
    with pytest.raises(kind, match=match) as told:
        captioning(data, out=tmp_path / "run", **{**SMALL, "encoder": "cnn", "size": 8, **given})
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("decoder", "inject", "decoder must be one of 'auto', 'merge'"),
        ("cell", "lstmm", "'lstmm'.*lstm"),
        ("units", 0, "units must be a whole number above zero"),
        ("beam_width", 0, "beam_width must be a whole number from 1 to 1000"),
        ("no_repeat_ngram_size", -1, "no_repeat_ngram_size must be"),
        ("dropout", 1.0, "dropout must be at least 0 and below 1"),
        ("test", 0, "test must be a share above 0 and below 1"),
        ("fine_tune", -1, "fine_tune must be"),
        ("length_penalty", -1, "length_penalty must be from 0 to 10"),
        ("scheduled_sampling", 2, "scheduled_sampling must be from 0 to 1"),
        ("label_smoothing", 1.0, "label_smoothing must be at least 0 and below 1"),
        ("size", 0, "size must be"),
    ],
)
def test_a_setting_that_cannot_be(tmp_path: Path, name: str, value: Any, match: str) -> None:
    _fails(tmp_path, "demo", match, **{"encoder": "auto", name: value})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("beam", "beam_width"),
        ("normalization", "length_penalty"),
        ("no_repeat", "no_repeat_ngram_size"),
        ("scheduled", "scheduled_sampling"),
        ("smoothing", "label_smoothing"),
        ("tied", "tie_embeddings"),
        ("clip", "clipnorm"),
    ],
)
def test_a_setting_that_was_renamed_is_answered_with_its_new_name(
    tmp_path: Path, old: str, new: str
) -> None:
    match = rf"captioning\(\): {old!r} was renamed to {new!r}"
    _fails(tmp_path, "nowhere", match, TypeError, **{old: 1})


def test_all_that_is_wrong_with_the_settings_is_told_at_once(tmp_path: Path) -> None:
    match = "2 settings are wrong: decoder must be one of .*; beam_width must be"
    _fails(tmp_path, "nowhere", match, decoder="inject", beam_width=0)


def test_data_that_cannot_be_learned_from(tmp_path: Path) -> None:
    _fails(tmp_path, tmp_path / "none", "no file or folder", FileNotFoundError)
    (tmp_path / "images").mkdir()
    folder = _folder(tmp_path / "images", 6)
    (folder / "2.png").write_text("text")
    _fails(tmp_path, folder, r"2\.png is no image .* skip_bad=True")
    for path in folder.glob("*.png"):
        path.unlink()
    for skip_bad in (True, False):
        _fails(tmp_path, folder, r"none of the 6 images .* Pass images=", skip_bad=skip_bad)
    _fails(tmp_path, "demo", "the demo brings", encoder="vgg16")
    _fails(tmp_path, _source(40), "no word occurs min_count=500", min_count=500)


def test_features_that_do_not_go_with_settings(tmp_path: Path) -> None:
    table = pd.DataFrame({"image": ["a", "b"], "caption": ["a dog", "a cat"]})
    path = tmp_path / "f.npz"
    np.savez(path, names=["a", "b"], features=np.ones((2, 3)))
    given = {"features": path, "images": tmp_path}
    _fails(tmp_path, table, "needs features of several regions", **given, decoder="attention")
    _fails(tmp_path, table, "fine_tune needs images", **given, fine_tune=1)


@pytest.mark.thorough
def test_bad_images_are_skipped_if_that_is_asked_for(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "7.png").write_text("text")
    run = captioning(folder, **SMALL, encoder="cnn", size=8, skip_bad=True)
    assert any("1 images cannot be read" in note and "7.png" in note for note in run.notes)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([], "there is no image to caption"),
        (3, "give a list of images"),
        (np.ones((2, 9)), r"features must have shape \(7,\).*Received: \(9,\)"),
        (["a.jpg"], "features of an unknown network"),
    ],
)
def test_what_cannot_be_captioned(run: CaptionRun, data: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        run.predict(data)


@pytest.mark.thorough
def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    run = captioning(_folder(tmp_path), **{**SMALL, "epochs": 1}, encoder="cnn", size=8)
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(ValueError, match=r"a\.jpg is no image that can be read"):
        run.predict([tmp_path / "a.jpg"])
    with pytest.raises(FileNotFoundError, match=r"no image .*b\.jpg"):
        run.predict([tmp_path / "b.jpg"])
