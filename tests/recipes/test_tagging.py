"""Tagging from sentences to a saved run, and one clear sentence for whatever cannot be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.data.tags.sentences import Sentences
from kerasseq.recipes.tagging import TaggingSettings, tagging
from kerasseq.settings import restrict_to
from kerasseq.tasks import perform
from kerasseq.tasks.tagging import TaggingRun
from tests.damages import set_value

TASK = tagging.task
SMALL: dict[str, Any] = {
    "units": 8, "embedding": 12, "character_units": 6, "character_embedding": 6, "min_count": 1,
    "quiet": True,
}  # fmt: skip
LEARNING: dict[str, Any] = {
    **SMALL, "epochs": 6, "learning_rate": 0.03, "batch_size": 8, "dropout": 0.2,
    "embedding_dropout": 0.0, "word_dropout": 0.0, "final": "train",
}  # fmt: skip
QUICK: dict[str, Any] = {**SMALL, "epochs": 1}

PEOPLE, PLACES = ["Ada", "Bob", "Cleo", "Dan"], ["Rome", "Oslo", "Bonn", "Kyiv"]


def _lines(sentences: int = 150, seed: int = 0) -> list[list[tuple[str, str, str]]]:
    """Short sentences with people and places, as token, part of speech and tag."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(sentences):
        person, place = random.choice(PEOPLE), random.choice(PLACES)
        rows.append(
            [
                (str(person), "N", "I-PER"),
                *([("Smith", "N", "I-PER")] if random.random() < 0.3 else []),
                (str(random.choice(["left", "saw", "likes"])), "V", "O"),
                (str(place), "N", "I-LOC"),
                *([("Lima", "N", "B-LOC")] if random.random() < 0.2 else []),
                (f"{number}", "D", "O"),
                (".", "S", "O"),
            ]
        )
    return rows


def _write(path: Path, sentences: list[list[tuple[str, str, str]]]) -> Path:
    blocks = ["".join(f"{' '.join(fields)}\n" for fields in rows) for rows in sentences]
    path.write_text("\n".join(blocks))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("data") / "people.conll", _lines())


@pytest.fixture(scope="module")
def run(data: Path) -> TaggingRun:
    return tagging(data, **LEARNING)


@pytest.fixture(scope="module")
def folder(run: TaggingRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("runs") / "run")


# The whole life


def test_it_learns_and_tells_how_good_it_is(run: TaggingRun) -> None:
    test = run.metrics["test"]
    assert test.keys() == {
        *("f1", "precision", "recall", "accuracy", "known_accuracy", "sentence_accuracy"),
    }
    assert test["f1"] > 0.9
    assert [*run.metrics["baselines"]] == ["most frequent tag", "CRF of hand-made features"]
    assert "strongest baseline" in run.metrics["verdict"]
    assert run.metrics["rows"] == {"train": 108, "validation": 12, "test": 30}
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert run.metrics["macs"] == TASK.macs(run.state["data_info"], run.resolved)
    assert max(run.history["val_f1"]) == run.history["val_f1"][run.metrics["epochs"]["kept"] - 1]
    assert {*run.types()["type"]} == {"LOC", "PER"}
    assert run.mistakes().columns.tolist()[-1] == "probability"
    notes = " ".join(run.notes)
    for words in ("tags are read in the scheme IOB1", "108 sentences to train on", "known: "):
        assert words in notes


def test_words_are_tagged_in_the_scheme_of_the_data(run: TaggingRun) -> None:
    table = run.tag(["Bob likes Oslo 7.", "Ada Smith saw Rome 8."])
    assert table.columns.tolist() == [
        *("sentence", "token", "start", "end", "tag", "probability", "note")
    ]
    second = table[table["sentence"] == 1]
    assert second["token"].tolist() == ["Ada", "Smith", "saw", "Rome", "8", "."]
    assert second["tag"].tolist() == ["I-PER", "I-PER", "O", "I-LOC", "O", "O"]
    assert second["start"].tolist() == [0, 4, 10, 14, 19, 20]
    assert table["probability"].between(0, 1 + 1e-6).all()
    assert run.predict(["Bob likes Oslo 7."]).equals(run.tag(["Bob likes Oslo 7."]))


def test_spans_have_the_characters_of_the_text(run: TaggingRun) -> None:
    text = "Ada  Smith saw Rome 8."
    spans = run.tag([text], spans=True)
    assert spans["type"].tolist() == ["PER", "LOC"]
    assert spans["text"].tolist() == ["Ada  Smith", "Rome"]
    assert [text[a:b] for a, b in zip(spans["start"], spans["end"])] == spans["text"].tolist()


def test_a_sentence_that_cannot_be_read_says_so_and_the_others_are_tagged(run: TaggingRun) -> None:
    table = run.tag(["Bob likes Oslo 7.", "", None, ["Ada", 3], ["Ada", "left"]])
    notes = table.groupby("sentence")["note"].first().tolist()
    wrong = "neither a text nor a list of words"
    assert notes == ["", "no word", wrong, wrong, ""]
    assert table[table["sentence"] == 4]["token"].tolist() == ["Ada", "left"]
    assert run.tag([""], spans=True)["note"].tolist() == ["no word"]


def test_a_sentence_is_tagged_the_same_alone_and_among_others(run: TaggingRun) -> None:
    texts = ["Bob likes Oslo 7.", "Ada Smith saw Rome 8 and Rome and Oslo and Bonn."]
    among = run.tag(texts)["probability"].to_numpy()
    alone = np.concatenate([run.tag([text])["probability"] for text in texts])
    np.testing.assert_allclose(among, alone, atol=1e-5)


def test_a_sentence_of_ten_thousand_words(run: TaggingRun) -> None:
    table = run.tag([["Ada", "left"] * 5000])
    assert len(table) == 10_000
    assert table["tag"].iloc[-2:].tolist() == table["tag"].iloc[-4:-2].tolist()


@pytest.mark.thorough
def test_a_fresh_process_tags_the_same(run: TaggingRun, folder: Path) -> None:
    texts = ["Bob likes Oslo 7.", "Zora left Lund."]
    code = f"import kerasseq; print(kerasseq.load({str(folder)!r}).tag({texts}).to_json())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    again = pd.DataFrame(json.loads(result.stdout.splitlines()[-1]))
    expected = run.tag(texts)
    assert again["tag"].tolist() == expected["tag"].tolist()
    np.testing.assert_allclose(again["probability"], expected["probability"], atol=1e-5)


def test_a_run_folder_has_its_plots(folder: Path) -> None:
    plots = sorted(path.name for path in (folder / "plots").iterdir())
    assert plots == ["confusion.png", "curves.png", "transitions.png"]


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_bit_for_bit(run: TaggingRun, data: Path) -> None:
    again = tagging(data, **LEARNING)
    for a, b in zip(again.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.metrics["test"] == run.metrics["test"]
    assert again.history == run.history


@pytest.mark.thorough
def test_other_networks_and_columns(data: Path, tmp_path: Path) -> None:
    run = tagging(
        data, **QUICK, cell="gru", characters="cnn", crf=False, casing=True, affixes=True,
        features=(1,), model_scheme="IOB2", final="validation",
    )  # fmt: skip
    assert [*run.state["data_info"]["columns"]] == ["column_0", "casing", "prefix", "suffix"]
    assert "transitions" not in run.figures()
    again = kerasseq.load(run.save(tmp_path / "run"))
    new = _write(tmp_path / "new.conll", _lines(5, seed=1))
    assert again.tag(new)["tag"].tolist() == run.tag(new)["tag"].tolist()
    with pytest.raises(ValueError, match="this tagger reads further columns, 1"):
        run.tag(["Ada left ."])
    with pytest.raises(ValueError, match="reads 1 further columns, and the data has 0 of them"):
        run.evaluate(new, features=())


@pytest.mark.thorough
def test_tags_without_chunks(data: Path) -> None:
    run = tagging(data, tag="pos", **{**LEARNING, "epochs": 2}, characters="none")
    assert run.metrics["test"].keys() == {
        "accuracy", "known_accuracy", "sentence_accuracy",
    }  # fmt: skip
    assert "val_accuracy" in run.history
    assert {*run.tag(["Ada left ."])["tag"]} <= {"N", "V", "D", "S"}


# New data


def test_new_data_is_scored(run: TaggingRun, tmp_path: Path) -> None:
    path = _write(tmp_path / "new.conll", _lines(40, seed=9))
    result = run.evaluate(path)
    assert result["rows"] == 40
    assert result["test"]["f1"] > 0.9
    table = pd.DataFrame(
        {
            "tokens": [[t for t, _, _ in rows] for rows in _lines(40, seed=9)],
            "tags": [[t for _, _, t in rows] for rows in _lines(40, seed=9)],
        }
    )
    assert run.evaluate(table, token="tokens", tag="tags") == result
    with pytest.raises(ValueError, match=r"has 3 columns: name one by its number.*tag=7"):
        run.evaluate(path, tag=7)
    with pytest.raises(ValueError, match="are not of the scheme IOB1"):
        run.evaluate(path, tag=1)


def test_tags_that_the_training_part_lacks(run: TaggingRun, tmp_path: Path) -> None:
    other = [[("Ada", "N", "I-PER"), ("Acme", "N", "I-ORG")], [("Bob", "N", "I-PER")]]
    result = run.evaluate(_write(tmp_path / "new.conll", other))
    assert result["remarks"] == [
        "tags that the training part lacks, and the model cannot predict: ORG"
    ]
    assert result["test"]["recall"] < 1


# Parts of the data


def _prepared(data: Any, **changes: Any) -> Any:
    settings = TaggingSettings(**{**SMALL, **changes})
    return perform.prepare(TASK, TASK.load(data, settings), settings)


def test_separate_parts_are_used_whole(data: Path, tmp_path: Path) -> None:
    dev, test = (_write(tmp_path / n, _lines(9, seed=s)) for n, s in (("dev", 1), ("test", 2)))
    parts, prepared = _prepared(data, validation=str(dev), test=str(test))
    assert (len(parts.train[0]), len(parts.validation[0]), len(parts.test[0])) == (150, 9, 9)
    assert len(prepared.train) == 150


def test_validation_sentences_with_unknown_tags_are_left_out(data: Path, tmp_path: Path) -> None:
    other = [*_lines(8, seed=1), [("Acme", "N", "I-ORG"), ("left", "V", "O")]]
    path = str(_write(tmp_path / "dev", other))
    _, prepared = _prepared(data, validation=path, test=path)
    assert len(prepared.validation) == 8
    assert prepared.notes[1:] == [
        "1 sentences of the validation part have tags that the training part lacks (I-ORG): "
        "left out",
        "1 sentences of the test part have tags that the training part lacks (I-ORG): scored all "
        "the same, these tags as mistakes",
    ]
    only = str(_write(tmp_path / "only", other[-1:]))
    with pytest.raises(ValueError, match="every sentence of the validation part has a tag that"):
        _prepared(data, validation=only)


def test_equal_sentences_are_on_one_side() -> None:
    lines = [rows for rows in _lines(60) for _ in range(3)]
    table = pd.DataFrame(
        {
            "tokens": [[t for t, _, _ in r] for r in lines],
            "tags": [[t for *_, t in r] for r in lines],
        }
    )
    parts, _ = _prepared(table)
    train, validation, test = (
        {*part[0].keys()} for part in (parts.train, parts.validation, parts.test)
    )
    assert not train & validation
    assert not (train | validation) & test


def test_a_withheld_test_part_is_trained_on_in_no_fold(data: Path) -> None:
    settings = TaggingSettings(**SMALL)
    source = TASK.load(data, settings)
    whole = TASK.split(source, settings)
    scored = []
    for number in range(3):
        parts = TASK.split(source, settings, test=False, fold=(number, 3))
        assert parts.test is None
        for part in (parts.train, parts.validation):
            assert {*part[0].keys()}.isdisjoint(whole.test[0].keys())
        scored += parts.validation[0].keys()
    assert sorted(scored) == sorted(whole.train[0].keys() + whole.validation[0].keys())


def test_prepare_is_a_function_of_its_own_settings(data: Path) -> None:
    parts, first = _prepared(data)
    second = TASK.prepare(parts, restrict_to(TaggingSettings(**SMALL), "split", "prepare"))
    for name, values in first.train.inputs.items():
        np.testing.assert_array_equal(values, second.train.inputs[name])


def test_pretrained_vectors_are_the_first_weights(data: Path, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("rome 1 2 3\nparis 4 5 6\n")
    settings = TaggingSettings(**SMALL, vectors=tmp_path / "vectors.txt")
    _, prepared = perform.prepare(TASK, TASK.load(data, settings), settings)
    model = perform.build_model(TASK, prepared, settings)
    words = TASK.row_names(prepared.state)["embedding/embeddings"]
    weights = model.get_layer("embedding").get_weights()[0]
    assert weights[words.index("rome")].tolist() == [1, 2, 3]
    assert weights[words.index("paris")].tolist() == [4, 5, 6]
    assert weights.shape == (len(words), 3)


def test_the_baseline_reads_the_validation_part_too(data: Path) -> None:
    parts, prepared = _prepared(data)
    guesses = TASK.baselines(parts, prepared, TaggingSettings(**SMALL))
    for tagged in guesses.values():
        assert [*map(len, tagged.tags)] == [*map(len, parts.test[0].tokens)]
    both: Sentences = parts.train[0] + parts.validation[0]
    assert len(both) == 120


# Bad input


def _fails(tmp_path: Path, data: Any, match: str, kind: Any = ValueError, **given: Any) -> None:
    """It raises one sentence, and leaves no folder."""
    with pytest.raises(kind, match=match) as info:
        tagging(data, out=tmp_path / "run", **{**SMALL, **given})
    assert "\n" not in str(info.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("scheme", "BILUO", "scheme must be one of 'auto', 'IOB1', 'IOB2', 'BIOES', 'BILOU', 'IO'"),
        ("cell", "lstmm", r"'lstmm'.*lstm"),
        ("characters", "gru", "characters must be one of 'lstm', 'cnn', 'none'"),
        ("length", 1, "length must be a whole number from 2 to 10000"),
        ("test", 1.5, "test must be a share above 0 and below 1, the path of sentences"),
        ("validation", "no such file", "validation=: there is no file"),
        ("vectors", "no such file", "there is no file .*Check vectors="),
        ("features", ("lemma",), r"features='lemma'"),
    ],
)
def test_a_setting_that_cannot_be(
    data: Path, tmp_path: Path, name: str, value: Any, match: str
) -> None:
    kind = FileNotFoundError if value == "no such file" else ValueError
    _fails(tmp_path, data, match, kind, **{name: value})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a X B-X\nb O\n", "changes its number of columns: most lines have 3, line 2 has 2"),
        ("a\tB-X\nb O\nNew York O\n", "line 3 has 3. Tabs are in 1 of 3 lines: separate all"),
        ("a B-X\nb O\n", "there is 1 different example, and at least 2 are needed"),
    ],
)
def test_files_that_cannot_be_learned_from(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "x.txt").write_text(text)
    _fails(tmp_path, tmp_path / "x.txt", match)


def test_a_tag_that_breaks_the_scheme_is_mended_and_told(data: Path) -> None:
    settings = TaggingSettings(**SMALL, scheme="IOB2")
    source = TASK.load(data, settings)
    assert source.sentences.tags[0][0] == "B-PER"
    assert "tags broke the scheme IOB2 and were mended, as conlleval reads them" in source.notes[-1]


# Elsewhere


def test_html_has_coloured_spans_and_escapes_the_text(run: TaggingRun) -> None:
    shown = run.highlight(["Ada <b>saw</b> Rome 8.", ""])
    page = shown._repr_html_()
    assert "&lt;" in page
    assert "<b>" not in page
    assert "(no word)" in page
    assert "[Rome LOC]" in repr(run.highlight(["Ada saw Rome 8."]))


@pytest.mark.thorough
def test_the_shell_tags_texts_and_files(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tag", str(folder), "Bob likes Oslo 7.", "--spans", "--format", "csv"]) == 0
    out, _ = capsys.readouterr()
    assert "0,Bob,0,3,PER," in out
    path = _write(tmp_path / "new.conll", _lines(3, seed=5))
    out_path = tmp_path / "tagged.conll"
    assert main(["tag", str(folder), str(path), "--out", str(out_path)]) == 0
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[-1]) == ("", f"written to {out_path}")
    expected = [f"{token} {tag}" for rows in _lines(3, seed=5) for token, _, tag in rows]
    lines = out_path.read_text().split("\n")
    assert [line for line in lines if line] == expected
    for words in (["--file", str(tmp_path / "none.conll")], ["nwes.conll"]):
        assert main(["tag", str(folder), *words]) == 2
        _, err = capsys.readouterr()
        assert err.count("\n") == 1
        assert "there is no file" in err
    text = _write(tmp_path / "new.testa", _lines(3, seed=5))
    for words in ([str(text)], ["--file", str(text)]):
        assert main(["tag", str(folder), *words, "--out", str(tmp_path / "from.txt")]) == 0
        assert (tmp_path / "from.txt").read_text() == out_path.read_text()
    capsys.readouterr()
    assert main(["tag", str(folder), "Ada saw notes.txt", "--format", "csv"]) == 0
    assert "0,Ada,0,3" in capsys.readouterr().out


def test_the_help_has_the_values(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tagging", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for values in ("lstm|cnn|none", "IOB2|BIOES", "auto|IOB1|IOB2|BIOES|BILOU|IO|bare|none"):
        assert values in shown
    assert main(["tag", str(folder), "--help"]) == 0
    assert "a list of sentences, each a text" in " ".join(capsys.readouterr().out.split())


def test_a_run_reads_other_forms_than_its_data(run: TaggingRun, tmp_path: Path) -> None:
    expected = run.tag(["Ada left .", "Bob saw Rome"])["tag"].tolist()
    long = pd.DataFrame(
        {"sentence": [0, 0, 0, 1, 1, 1], "token": ["Ada", "left", ".", "Bob", "saw", "Rome"]}
    )
    lists = pd.DataFrame({"tokens": [["Ada", "left", "."], ["Bob", "saw", "Rome"]]})
    assert run.tag(long)["tag"].tolist() == run.tag(lists)["tag"].tolist() == expected
    tags = [["I-PER", "O", "O"], ["I-PER", "O", "I-LOC"]]
    assert run.evaluate(lists.assign(ner_tags=tags))["rows"] == 2


@pytest.mark.thorough
def test_a_run_of_a_table_reads_tables_without_tags_and_columns(tmp_path: Path) -> None:
    rows = [(number, *word) for number, line in enumerate(_lines(60)) for word in line]
    table = pd.DataFrame(rows, columns=["sentence", "token", "pos", "tag"])
    run = tagging(table, **QUICK, features=("pos",))
    assert len(run.tag(table.drop(columns="tag"))) == len(table)
    assert len(run.tag(_write(tmp_path / "x.conll", [r[:2] for r in _lines(4)]))) > 4
    assert run.evaluate(table)["rows"] == 60


def test_a_written_file_is_read_again(run: TaggingRun, tmp_path: Path) -> None:
    sentences = [["Ada", "left"], [], ["#", "saw", "New York"], ["\u00a0", "."], ["-DOCSTART-"]]
    path = tmp_path / "out.conll"
    run.tag(sentences, out=path)
    read = run.tag(path)
    assert [rows["token"].tolist() for _, rows in read.groupby("sentence")] == [
        *(["Ada", "left"], ["#", "saw", "New York"], ["\u00a0", "."])
    ]
    for words in (["a\nb"], ["a\tb"], ["-DOCSTART-", "a"], [" a"]):
        with pytest.raises(ValueError, match=r"a file of columns cannot hold.*in sentence 1"):
            run.tag([["Ada"], words], out=path)
    with pytest.raises(ValueError, match="out must be a file, and this is a folder"):
        run.tag(["Ada left ."], out=tmp_path)
    with pytest.raises(ValueError, match="out must be a file in a folder that exists"):
        run.tag(["Ada left ."], out=tmp_path / "none" / "x.conll")


@pytest.mark.parametrize(
    ("name", "keys", "value", "match"),
    [
        ("run.json", ["format"], -1, "is not the record of a run"),
        ("run.json", ["settings", "casing"], True, "casing is True, affixes is False, and the"),
        ("metrics.json", ["test", "f1"], 1.5, "must be at least 0 and at most"),
        ("metrics.json", ["interval", "f1"], [-1.0, 0.5], "must be at least 0 and at most"),
        ("state.json", ["data_info", "tags", 1], "X-PER", "data_info.tags must be different"),
    ],
)
def test_a_damaged_run_is_not_loaded(
    folder: Path, tmp_path: Path, name: str, keys: list[Any], value: Any, match: str
) -> None:
    shutil.copytree(folder, tmp_path / "run")
    set_value(tmp_path / "run" / name, keys, value)
    with pytest.raises(ValueError, match=match):
        kerasseq.load(tmp_path / "run")


# Several columns of tags, and a label of each sentence


def _commands(sentences: int = 120) -> pd.DataFrame:
    """Commands with slots, parts of speech and an intent, a sentence a row."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(sentences):
        person, place = str(random.choice(PEOPLE)), str(random.choice(PLACES))
        if random.random() < 0.5:
            words, slots = ["call", person, "Smith"], ["O", "B-PER", "I-PER"]
            parts = ["V", "N", "N"]
        else:
            words, slots = ["fly", "to", place, "now"], ["O", "O", "B-LOC", "O"]
            parts = ["V", "P", "N", "R"]
        rows.append((words, slots, parts, words[0].upper()))
    return pd.DataFrame(rows, columns=["tokens", "slots", "tag", "intent"])


@pytest.fixture(scope="module")
def commands() -> TaggingRun:
    several: dict[str, Any] = {"tag": ["slots", "tag"], "sentence_label": "intent"}
    return tagging(_commands(), **LEARNING, **several)


@pytest.mark.thorough
def test_several_columns_and_a_label_are_predicted_by_one_network(commands: TaggingRun) -> None:
    test, baselines = commands.metrics["test"], commands.metrics["baselines"]
    assert {"f1", "accuracy of tag", "accuracy of intent"} <= test.keys()
    assert "f1 of tag" not in test  # parts of speech are no chunks
    assert min(test[name] for name in ("f1", "accuracy of tag", "accuracy of intent")) > 0.9
    assert all(scores.keys() == test.keys() for scores in baselines.values())
    assert baselines["most frequent tag"]["accuracy of intent"] < 0.8
    assert baselines["CRF of hand-made features"]["accuracy of intent"] == 1
    assert commands.metrics["interval"]["accuracy of intent"][1] == 1
    assert commands.metrics["parameters"] == TASK.count(
        commands.state["data_info"], commands.resolved
    )
    notes = " ".join(commands.notes)
    assert "tag: tags are read as independent of each other" in notes


@pytest.mark.thorough
def test_several_columns_come_back_beside_each_other(commands: TaggingRun, tmp_path: Path) -> None:
    words = commands.tag([["call", "Ada", "Smith"], []], out=tmp_path / "out.conll")
    answers = ["tag_", "tag probability", "intent", "intent probability"]
    assert words.columns.tolist() == [
        *("sentence", "token", "start", "end", "tag", "probability", *answers, "note"),
    ]
    assert words["tag"].tolist() == ["O", "B-PER", "I-PER", ""]
    assert words["tag_"].tolist() == ["V", "N", "N", ""]
    assert words["intent"].tolist() == ["CALL"] * 3 + [""]
    assert words["intent probability"].between(0.5, 1).tolist() == [True] * 3 + [False]
    assert (tmp_path / "out.conll").read_text() == "call V O\nAda N B-PER\nSmith N I-PER\n\n"
    spans = commands.tag([["call", "Ada", "Smith"]], spans=True)
    assert spans[["type", "intent"]].to_numpy().tolist() == [["PER", "CALL"]]


@pytest.mark.thorough
def test_several_columns_are_saved_and_scored_anew(commands: TaggingRun, tmp_path: Path) -> None:
    again = kerasseq.load(commands.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(
        again.tag([["fly", "to", "Oslo"]]), commands.tag([["fly", "to", "Oslo"]])
    )
    table = _commands(20)
    assert again.evaluate(table)["test"]["accuracy of intent"] == 1
    with pytest.raises(ValueError, match="every sentence needs a label to score on"):
        again.evaluate(table.drop(columns="intent"))
    with pytest.raises(ValueError, match=r"must have each named column once.*tag='tag'"):
        again.evaluate(table.drop(columns="tag"))


def test_the_shell_names_several_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "commands.jsonl"
    _commands(3).to_json(path, orient="records", lines=True)
    assert main(["tagging", str(path), "--tag", "slots", "--tag", "nope"]) == 2
    assert "Received: tag='nope'" in capsys.readouterr().err
    assert main(["tagging", str(path), "--tag", "none at all"]) == 2
    assert "Received: tag='none at all'" in capsys.readouterr().err


def test_several_columns_of_other_data_are_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.conll", _lines(20))
    source = TASK.load(path, TaggingSettings(**SMALL, tag=[2, "pos"]))
    assert source.sentences.further == {"pos": [[pos for _, pos, _ in rows] for rows in _lines(20)]}
    table = _commands(3).explode(["tokens", "slots", "tag"]).reset_index(names="sentence")
    reading = {"tag": ["slots", "tag"], "sentence_label": "intent"}
    source = TASK.load(table, TaggingSettings(**SMALL, **reading))
    assert source.sentences.labels == _commands(3)["intent"].tolist()
    assert source.sentences.further == {"tag": _commands(3)["tag"].tolist()}
    table.loc[0, "intent"] = "other"
    texts = pd.DataFrame({"text": ["to Rome", ""], "spans": [[[3, 7, "LOC"]], []], "intent": "F"})
    for data, settings, match in [
        (table, reading, "the same label in all rows of a sentence"),
        (path, {"tag": [2, 2]}, "tag= must name different columns"),
        (path, {"tag": [3]}, "3 columns"),
        (path, {"sentence_label": "intent"}, "sentence_label= names a column of a table"),
        ("demo", {"tag": ["a", "b"]}, "the demo has one column of tags"),
        (texts, {"sentence_label": "intent"}, "one tag only|every sentence has the label 'F'"),
        (texts, {"tag": ["spans", "intent"]}, "whose words have no further columns"),
    ]:
        with pytest.raises(ValueError, match=match):
            TASK.load(data, TaggingSettings(**SMALL, **settings))
