"""Language models from a text to a saved run, and one clear sentence for whatever cannot be."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.data.text import long_text
from kerasseq.data.text.corpus_split import TextPart
from kerasseq.recipes.language_model import LanguageModelSettings, language_model
from kerasseq.tasks import perform
from kerasseq.tasks.language_model import LanguageModelRun
from tests.damages import set_value
from tests.thorough import first_of

TASK = language_model.task
SMALL: dict[str, Any] = {"units": 16, "batch_size": 8, "steps": 20, "quiet": True}
LEARNING: dict[str, Any] = {
    **{**SMALL, "epochs": 6, "learning_rate": 0.03},
    **{"dropout": 0.0, "embedding_dropout": 0.0, "weight_decay": None},
}

NAMES, DEEDS = ["Ada", "Bob", "Cleo", "Dan"], ["saw Rome", "left Oslo", "likes Bonn"]


def _lines(count: int, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    return [f"{draw.choice(NAMES)} {draw.choice(DEEDS)}." for _ in range(count)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "text.txt"
    path.write_text("\n".join(_lines(400)) + "\n")
    return path


@pytest.fixture(scope="module")
def run(data: Path) -> LanguageModelRun:
    return language_model(data, **LEARNING)


@pytest.fixture(scope="module")
def folder(run: LanguageModelRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("runs") / "run")


# The whole life


def test_it_learns_and_tells_how_good_it_is(run: LanguageModelRun, data: Path) -> None:
    test = run.metrics["test"]
    assert test.keys() == {"perplexity", "nats", "bits", "bits_per_character"}
    # Each line has log2(4 * 3) bits and some 14 characters.
    assert 0.2 < test["bits_per_character"] < 0.6
    assert test["nats"] == pytest.approx(math.log(test["perplexity"]))
    assert [*run.metrics["baselines"]] == ["unigram", "Kneser-Ney 5-gram"]
    assert "perplexity: this model" in run.metrics["verdict"]
    rows, characters = run.metrics["rows"], len(data.read_text())
    assert sum(rows.values()) == characters
    assert rows["test"] == characters - int(0.9 * characters)
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert run.metrics["macs"] == TASK.macs(run.state["data_info"], run.resolved)
    assert (
        min(run.history["val_loss"]) == (run.history["val_loss"][run.metrics["epochs"]["kept"] - 1])
    )


def test_the_validation_loss_is_that_of_the_part_read_as_one_text(
    run: LanguageModelRun, data: Path
) -> None:
    assert min(run.history["val_loss"]) == pytest.approx(
        _validation_nats(run, data, LEARNING), rel=0.1
    )


def _validation_nats(run: LanguageModelRun, data: Path, options: dict[str, Any]) -> float:
    """Mean nats of a token of the validation part, read as one text."""
    settings = LanguageModelSettings(data=data, **options)
    _, prepared = perform.prepare(TASK, TASK.load(data, settings), settings)
    nats = TASK.writer(run.model, run.state).tokens.nats([prepared.validation.tokens])[0]
    return float(nats.mean())


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_bit_for_bit(run: LanguageModelRun, data: Path) -> None:
    again = language_model(data, **LEARNING)
    for a, b in zip(again.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.metrics["test"] == run.metrics["test"]
    assert again.history == run.history


def test_a_loaded_run_answers_the_same(run: LanguageModelRun, folder: Path) -> None:
    again = LanguageModelRun.load(folder)
    texts = ["Ada saw Rome.", "Bob"]
    pd.testing.assert_frame_equal(again.score(texts), run.score(texts), rtol=1e-5)
    assert again.generate("Ada ", length=40, seed=3) == run.generate("Ada ", length=40, seed=3)
    assert (
        again.complete("Ada saw R")["text"].tolist() == run.complete("Ada saw R")["text"].tolist()
    )


# Verbs


def test_scores_are_sums_over_the_tokens(run: LanguageModelRun) -> None:
    texts = ["Bob left Oslo.", "", "oslO lefT Bob", pd.NA, 3, "Ada saw Rome.\n" * 30]
    table = run.score(texts)
    assert table["note"].tolist() == ["", "no text", "", "no text", "not a text", ""]
    assert table["tokens"].tolist() == [14, 0, 13, 0, 0, 420]
    assert table["log_probability"][0] > table["log_probability"][2]
    known = table[table["note"] == ""]
    np.testing.assert_allclose(known["log_probability"], known["per_token"] * known["tokens"])
    np.testing.assert_allclose(known["perplexity"], np.exp(-known["per_token"]))
    # A character is a token.
    np.testing.assert_allclose(known["bits_per_character"], -known["per_token"] / np.log(2))
    assert run.predict(texts[:1]).equals(run.score(texts[:1]))


def test_a_text_has_the_same_score_alone_and_among_others(run: LanguageModelRun) -> None:
    texts = ["Bob left Oslo.", "Ada", "Ada saw Rome.\n" * 30]
    among = run.score(texts)["log_probability"]
    alone = [run.score([text])["log_probability"].item() for text in texts]
    np.testing.assert_allclose(among, alone, rtol=1e-4)


def test_a_text_is_scored_as_the_probability_of_its_continuation(run: LanguageModelRun) -> None:
    best = run.complete("Ada saw R", n=3, length=3)
    scores = run.score(["Ada saw R", *("Ada saw R" + best["text"])])["log_probability"]
    np.testing.assert_allclose(
        scores[1:].to_numpy() - scores[0], best["log_probability"], rtol=1e-3, atol=1e-3
    )
    assert best["text"][0] == "ome"
    assert best["probability"].is_monotonic_decreasing


def test_a_completion_ends_with_the_word(run: LanguageModelRun) -> None:
    assert run.complete("Ada saw R", n=2)["text"][0] == "ome."
    assert len(run.complete("Bob left ", n=4)) == 4


def test_generation_goes_on_from_the_prompt(run: LanguageModelRun) -> None:
    text = run.generate("Ada saw R", length=30, temperature=0)
    assert text.startswith("ome.\n")
    assert len(text) == 30
    assert run.generate("Ada saw R", length=30, temperature=0, stop=".") == "ome"
    samples = {run.generate("Ada ", length=30, seed=seed) for seed in range(3)}
    assert len(samples) == 3
    assert run.generate("Ada ", length=30, seed=1) in samples
    assert run.generate("Ada ", length=9, seed=1) == run.generate("Ada ", length=30, seed=1)[:9]


@pytest.mark.parametrize(
    "options", first_of([{"stop": "Oslo"}, {}, {"repetition_penalty": 1.1}], 2)
)
def test_pieces_of_a_text_are_the_text(run: LanguageModelRun, options: dict[str, Any]) -> None:
    options = {"length": 300, "seed": 2, **options}
    pieces = [*run.stream("Ada ", **options)]
    assert "".join(pieces) == run.generate("Ada ", **options)
    if "stop" not in options:
        assert len(pieces) > 4
        assert sum(map(len, pieces)) == 300


@pytest.mark.thorough
def test_generation_draws_as_often_as_the_model_says(run: LanguageModelRun) -> None:
    writer = TASK.writer(run.model, run.state)
    prompts = ["Dan saw Rome.\n"] * 400
    firsts = [text[0] for text in writer.sample(prompts, 1, temperature=1.0)]
    best = run.complete("Dan saw Rome.\n", n=4, length=1)
    for text, probability in zip(best["text"], best["probability"]):
        within = 4 * math.sqrt(probability * (1 - probability) / 400) + 0.005
        assert firsts.count(text) / 400 == pytest.approx(probability, abs=within)


@pytest.mark.parametrize(
    ("verb", "arguments", "match"),
    [
        ("generate", {"prompt": ""}, "trained on a text without beginnings"),
        ("generate", {"prompt": "жшц"}, "prompt must have a character that the model knows"),
        ("generate", {"prompt": 3}, "prompt must be a text. Received: prompt=3"),
        ("generate", {"prompt": "A", "length": 0}, "length.*0"),
        ("generate", {"prompt": "A", "temperature": -1}, "temperature.*-1"),
        ("generate", {"prompt": "A", "top_p": 0}, "top_p.*0"),
        ("generate", {"prompt": "A", "repetition_penalty": 0.5}, "repetition_penalty.*0.5"),
        ("stream", {"prompt": "A", "top_k": -1}, "top_k.*-1"),
        ("generate", {"prompt": "A", "stop": ""}, "stop must be a text that is not empty"),
        ("generate", {"prompt": "A", "seed": -1}, "seed must be a whole number"),
        ("complete", {"prompt": "A", "n": 0}, "n.*0"),
        ("score", {"data": []}, "there is no text in the list"),
        ("evaluate", {"data": "none.txt", "dynamic": 0}, "dynamic must be a rate above 0"),
        ("evaluate", {"data": "none.txt"}, "there is no file or folder none.txt"),
    ],
)
def test_an_argument_that_cannot_be(
    run: LanguageModelRun, verb: str, arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        getattr(run, verb)(**arguments)


def test_new_data_is_scored(run: LanguageModelRun, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("\n".join(_lines(60, seed=9)))
    result = run.evaluate(tmp_path / "new.txt")
    assert result["rows"] == len("\n".join(_lines(60, seed=9)))
    assert result["test"]["perplexity"] == pytest.approx(run.metrics["test"]["perplexity"], rel=0.2)
    unknown = run.evaluate(["Ada saw Rome.", "Żora."])
    assert unknown["remarks"] == [
        "11.11% of the scored tokens are unknown: which words they are is not predicted"
    ]


def test_dynamic_evaluation_learns_what_it_has_scored_and_is_apart(run: LanguageModelRun) -> None:
    text = "Ada likes Rome. Bob likes Rome. " * 20  # no line of the training part is like this
    weights = run.model.get_weights()
    plain, slow, fast = (run.evaluate([text], dynamic=rate) for rate in (None, 1e-7, 0.3))
    assert "dynamic" not in plain
    assert plain["test"] == slow["test"] == fast["test"]
    assert slow["dynamic"]["nats"] == pytest.approx(plain["test"]["nats"], rel=1e-4)
    assert fast["dynamic"]["nats"] < plain["test"]["nats"] - 0.1
    first = [run.evaluate([text[:20]], dynamic=rate)["dynamic"]["nats"] for rate in (1e-7, 0.3)]
    assert first[0] == pytest.approx(first[1])  # one chunk is scored before it is learned from
    for before, after in zip(weights, run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


# Words, documents and parts


def _prepared(data: Any, **changes: Any) -> Any:
    settings = LanguageModelSettings(**{**SMALL, **changes})
    source = TASK.load(data, settings)
    return settings, *perform.prepare(TASK, source, settings)


def test_words_go_on_over_lines(data: Path) -> None:
    settings, _, prepared = _prepared(data, tokens="word", min_count=1)
    model = perform.build_model(TASK, prepared, settings)
    writer = TASK.writer(model, prepared.state)
    (text,) = writer.sample(["Ada saw"], 60, temperature=1.0)
    assert "\n" in text
    assert {*text.split()} <= {*writer.reader.tokenizer.vocabulary}
    assert [len(text.split()) <= 1 for text, _ in writer.complete("Ada saw", 3, None)] == [True] * 3
    writer.begin("")  # lines have a beginning


def test_documents_end(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": [f"{line} {n}" for n, line in enumerate(_lines(60))]})
    settings, parts, prepared = _prepared(table)
    assert parts.train.documents
    model = perform.build_model(TASK, prepared, settings)
    bias = np.full(len(TASK.reader(prepared.state).tokenizer), -50.0)
    bias[3] = 50.0  # the end token
    model.get_layer("decoder").bias.assign(bias)
    assert TASK.writer(model, prepared.state).sample(["Ada"], 20) == [""]
    examples = TASK.read(table, prepared.state, settings, {})
    assert (examples.targets.tokens == 3).sum() == 60


def test_separate_parts_are_used_whole(data: Path, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("Ada saw Oslo.")
    _, parts, prepared = _prepared(data, test=str(tmp_path / "test.txt"))
    assert parts.test == TextPart(["Ada saw Oslo."])
    assert len(prepared.test) == 13
    with pytest.raises(FileNotFoundError, match="validation=: there is no file"):
        _prepared(data, validation="none.txt")


def test_the_last_weights_may_learn_from_every_row(data: Path) -> None:
    settings = LanguageModelSettings(**SMALL)
    parts = TASK.split(TASK.load(data, settings), settings, learn="all")
    assert "".join(parts.train.texts) == data.read_text()


def test_a_short_text_has_fewer_streams() -> None:
    settings, _, prepared = _prepared(["Ada saw Rome.\n" * 9], steps=30)
    model = perform.build_model(TASK, prepared, settings)
    _, streams, validation = TASK.training(model, prepared, settings)
    assert (len(prepared.train), streams.streams, validation.streams) == (101, 3, 1)


# Bad input


def _fails(tmp_path: Path, data: Any, match: str, kind: Any = ValueError, **given: Any) -> None:
    """It raises one sentence, and leaves no folder."""
    with pytest.raises(kind, match=match) as info:
        language_model(data, out=tmp_path / "run", **{**SMALL, **given})
    assert "\n" not in str(info.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "given", "match"),
    [
        (["Ada saw Rome."], {}, "is shorter than one chunk: it has 9 characters.*steps=20"),
        (["abcdefghijklmnopqrstuvwxyz"], {}, "no character occurs min_count=2 times"),
        (
            ["Ada saw Rome. " * 9],
            {"tokens": "subword", "min_count": 1},
            "the vocabulary has .* subwords, more than the training text",
        ),
        (["Ada saw Rome."], {"tokens": "subword", "vocabulary_size": 100}, "at least 300"),
        (["Ada saw Rome."], {"tokens": "letter"}, "tokens must be one of 'character', 'word'"),
        (["Ada saw Rome."], {"cell": "lstmm"}, "'lstmm'.*lstm"),
        (["Ada saw Rome."], {"test": 1.5}, "test must be a share above 0 and below 1"),
        ([" "], {}, "there is no text in the list"),
    ],
)
def test_data_or_settings_that_cannot_be(
    tmp_path: Path, data: Any, given: dict[str, Any], match: str
) -> None:
    _fails(tmp_path, data, match, **given)


def test_both_directions_are_refused_with_the_reason(tmp_path: Path, data: Path) -> None:
    reason = "cannot be bidirectional: it would see the tokens that it has to predict"
    _fails(tmp_path, data, reason, TypeError, bidirectional=True)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 4)
    _fails(tmp_path, tmp_path / "a.txt", "is a binary file, not text")


# Elsewhere


@pytest.mark.thorough
def test_the_shell_scores_generates_and_completes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.txt").write_text("Ada saw Rome.\nBob left Oslo.\n")
    assert main(["score", str(folder), str(tmp_path / "new.txt"), "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    assert main(["score", str(folder), "Ada saw Rome.", "--format", "csv"]) == 0
    assert "Ada saw Rome.,13," in capsys.readouterr().out
    words = ["--length", "30", "--temperature", "0"]
    assert main(["generate", str(folder), "Ada saw R", *words]) == 0
    assert capsys.readouterr().out.startswith("ome.\n")
    assert main(["complete", str(folder), "Ada saw R", "--n", "1", "--format", "csv"]) == 0
    assert "ome." in capsys.readouterr().out
    assert main(["generate", str(folder), "жшц"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "keys", "value", "match"),
    [
        ("run.json", ["settings", "tokens"], "word", "tokens is 'word', and the state has"),
        ("metrics.json", ["test", "nats"], -1.0, "must be at least 0"),
        ("metrics.json", ["unknown"], 1.5, "must be at least 0 and at most 1"),
        ("state.json", ["data_info", "words"], 3, "must be at least 4"),
        ("state.json", ["data_info", "words"], 9, "parameters, and a model of these settings"),
    ],
)
def test_a_damaged_run_is_not_loaded(
    folder: Path, tmp_path: Path, name: str, keys: list[Any], value: Any, match: str
) -> None:
    shutil.copytree(folder, tmp_path / "run")
    set_value(tmp_path / "run" / name, keys, value)
    with pytest.raises(ValueError, match=match):
        kerasseq.load(tmp_path / "run")


# Lines


@pytest.fixture(scope="module")
def of_names() -> LanguageModelRun:
    draw = np.random.default_rng(1)
    names = {"".join(draw.choice([*"abe"], size=draw.integers(2, 5))) + "z" for _ in range(900)}
    return language_model([*sorted(names)], lines=True, **{**LEARNING, "epochs": 8, "steps": 30})


def test_lines_are_generated_whole(of_names: LanguageModelRun) -> None:
    names = [of_names.generate("", length=40, seed=seed) for seed in range(20)]
    assert len({*names}) > 3
    assert sum(name.endswith("z") and "z" not in name[:-1] for name in names) >= 18
    assert of_names.generate("b", length=40).endswith("z")


def test_lines_are_scored_without_each_other(of_names: LanguageModelRun) -> None:
    names = ["abez", "bz", "eebaz"]
    table = of_names.score(names)
    assert table["tokens"].tolist() == [5, 3, 6]  # with the end
    result = of_names.evaluate(["abez\nbz", "\neebaz\n"])
    assert result["test"]["nats"] * 14 == pytest.approx(-table["log_probability"].sum(), rel=1e-5)


def test_a_model_in_reverse_is_a_model_of_reversed_texts() -> None:
    draw = np.random.default_rng(1)
    names = sorted({"".join(draw.choice([*"abe"], size=draw.integers(2, 5))) for _ in range(900)})
    settings = {**SMALL, "lines": True, "epochs": 1}
    reverse = language_model(names, reverse=True, **settings)
    forward = language_model([name[::-1] for name in names], **settings)
    assert reverse.metrics["test"] == forward.metrics["test"]
    for one, other in zip(reverse.model.get_weights(), forward.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    scores = [run.score(texts) for run, texts in ((reverse, ["abe"]), (forward, ["eba"]))]
    assert scores[0]["log_probability"].equals(scores[1]["log_probability"])
    for write in (reverse.generate, reverse.complete):
        with pytest.raises(ValueError, match="cannot go on with one"):
            write("ab")


def test_lines_of_words_end_the_text() -> None:
    settings, parts, prepared = _prepared(["\n".join(_lines(60))], tokens="word", lines=True)
    assert len(parts.train.texts) + len(parts.validation.texts) + len(parts.test.texts) <= 60
    model = perform.build_model(TASK, prepared, settings)
    writer = TASK.writer(model, prepared.state)
    bias = np.full(len(writer.reader.tokenizer), -50.0)
    bias[3] = 50.0  # the end token
    model.get_layer("decoder").bias.assign(bias)
    assert writer.sample(["Ada saw"], 20) == [""]
    trained, streams, validation = TASK.training(model, prepared, settings)
    assert {*trained.input} == {"tokens", "following"}  # and no state is carried
    assert len(streams) == len(parts.train.texts)
    # As many tokens in a batch as streams have.
    assert streams.rows == 8 * 20 * len(streams) // len(prepared.train)
    assert validation.seed is None


def test_few_lines_are_refused(tmp_path: Path) -> None:
    _fails(tmp_path, ["Ada\nBob\n"], "lines=True needs at least 20 lines.*Received: 2", lines=True)


# Texts larger than memory, and many words


@pytest.mark.parametrize("tokens", first_of(["character", "word"], 1))
def test_a_text_on_disk_gives_the_same_run(
    tokens: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {**SMALL, "tokens": tokens, "min_count": 1, "epochs": 1}
    in_memory = language_model(data, **options)
    monkeypatch.setattr(long_text, "LARGE", 2**10)
    monkeypatch.setattr(long_text, "_PIECE", 300)
    on_disk = language_model(data, **options)
    assert "kept on disk" in on_disk.notes[0]
    assert on_disk.metrics["test"] == in_memory.metrics["test"]
    assert on_disk.metrics["baselines"] == in_memory.metrics["baselines"]
    for a, b in zip(on_disk.model.get_weights(), in_memory.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_sampled_softmax_learns_and_is_scored_over_all_words(data: Path) -> None:
    options = {**LEARNING, "tokens": "word", "min_count": 1, "softmax": "sampled", "samples": 8}
    run = language_model(data, **options, vary_steps=True)
    assert (
        run.metrics["test"]["perplexity"] < 0.8 * run.metrics["baselines"]["unigram"]["perplexity"]
    )
    assert min(run.history["val_loss"]) == pytest.approx(
        _validation_nats(run, data, options), rel=0.2
    )


@pytest.mark.thorough
def test_a_sampled_training_goes_on_where_it_was_interrupted(data: Path, tmp_path: Path) -> None:
    options = {**LEARNING, "tokens": "word", "min_count": 1, "softmax": "sampled", "samples": 8}
    options |= {"vary_steps": True, "epochs": 3}
    whole = language_model(data, **options)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        language_model(data, **options, out=tmp_path / "run", callbacks=[Interrupt()])
    resumed = language_model(data, **options, out=tmp_path / "run")
    for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
