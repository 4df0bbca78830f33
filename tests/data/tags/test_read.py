"""Tagged sentences from files and folders, with their scheme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kerasseq.data.tags.read import add_part, read_sentences, read_tagged

TRAIN = "Ada B-PER\nran O\n\nIn O\nRome B-LOC\n\n"


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def test_a_column_file(tmp_path: Path) -> None:
    source = read_tagged(_write(tmp_path, train__txt=TRAIN) / "train.txt", {})
    assert source.scheme == "IOB2"
    assert source.sentences.tokens == [["Ada", "ran"], ["In", "Rome"]]
    assert source.sentences.tags == [["B-PER", "O"], ["O", "B-LOC"]]
    assert source.reading == {"token": 0, "tag": 1}
    assert source.test is source.validation is None
    assert source.notes == [
        "tokens from column 0, tags from column 1",
        "tags are read in the scheme IOB2",
    ]


def test_columns_are_chosen_by_number_or_name(tmp_path: Path) -> None:
    path = _write(tmp_path, x__conll="a NN B-NP I-PER\nb VB I-NP O\n") / "x.conll"
    source = read_tagged(path, {"tag": "pos", "features": ("chunk", 0)})
    assert (source.scheme, source.sentences.tags) == ("none", [["NN", "VB"]])
    assert source.sentences.columns == {"chunk": [["B-NP", "I-NP"]], "0": [["a", "b"]]}


def test_a_folder_of_parts(tmp_path: Path) -> None:
    _write(tmp_path, eng__train=TRAIN, eng__testa="Bob I-PER\n", eng__testb="Oslo B-LOC\n")
    source = read_tagged(tmp_path, {})
    assert source.validation is not None
    assert source.test is not None
    assert source.validation.tags == [["B-PER"]]  # mended by the scheme of the training part
    assert source.test.tokens == [["Oslo"]]
    assert source.notes[0] == ("parts: train eng.train, validation eng.testa, test eng.testb")
    assert source.notes[-1].startswith("validation part: 1 tag broke the scheme IOB2")
    with pytest.raises(ValueError, match="data has a test part: leave test= out"):
        add_part(source, "test", tmp_path / "eng.testb", {})


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"a__train": TRAIN, "b__train": TRAIN}, "several files for the train part: a.train, b"),
        ({"a__dev": TRAIN}, "no file for the train part"),
    ],
)
def test_folders_of_other_files(tmp_path: Path, files: dict[str, str], match: str) -> None:
    with pytest.raises(ValueError, match=rf"{match}.*Pass the files as data, validation= and"):
        read_tagged(_write(tmp_path, **files), {})


def test_a_separate_part_is_read_as_the_training_part_is(tmp_path: Path) -> None:
    _write(tmp_path, a__txt="a B-X n\nb O v\n", b__txt="c I-X n\n")
    source = read_tagged(tmp_path / "a.txt", {"tag": 1})
    whole = add_part(source, "test", tmp_path / "b.txt", {"tag": None})
    assert whole.test is not None
    assert whole.test.tags == [["B-X"]]
    assert whole.notes[-1].startswith("test=: 1 tag broke the scheme IOB2")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "sentence_id,token,tag\n1,Ada,B-PER\n1,ran,O\n2,In,O\n2,Rome,B-LOC\n"),
        ("x.tsv", "Ada\tB-PER\nran\tO\n\nIn\tO\nRome\tB-LOC\n"),
        ("x.tsv", "sentence_id\ttoken\ttag\n1\tAda\tB-PER\n1\tran\tO\n2\tIn\tO\n2\tRome\tB-LOC\n"),
        (
            "x.jsonl",
            '{"text": "Ada ran", "spans": [[0, 3, "PER"]]}\n'
            '{"text": "In Rome", "spans": [[3, 7, "LOC"]]}\n',
        ),
        (
            "x.json",
            '[{"tokens": ["Ada", "ran"], "tags": ["B-PER", "O"]}, '
            '{"tokens": ["In", "Rome"], "tags": ["O", "B-LOC"]}]',
        ),
    ],
)
def test_files_of_tables(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    source = read_tagged(tmp_path / name, {})
    assert source.sentences.tokens == [["Ada", "ran"], ["In", "Rome"]]
    assert source.sentences.tags == [["B-PER", "O"], ["O", "B-LOC"]]


def test_conllu_has_parts_of_speech(tmp_path: Path) -> None:
    line = "{}\t{}\t_\t{}\t{}\tNumber=Sing\t0\t_\t_\t_\n"
    text = line.format(1, "dogs", "NOUN", "NNS") + line.format(2, "run", "VERB", "VBP")
    (tmp_path / "x.conllu").write_text(text)
    source = read_tagged(tmp_path / "x.conllu", {"features": ("FEATS",)})
    assert (source.scheme, source.sentences.tags) == ("none", [["NOUN", "VERB"]])
    assert source.sentences.columns == {"FEATS": [["Number=Sing"] * 2]}
    assert source.reading == {"token": "FORM", "tag": "UPOS"}


def test_a_sentence_of_ten_thousand_words(tmp_path: Path) -> None:
    path = _write(tmp_path, x__txt="a B-X\nb O\n" * 5000) / "x.txt"
    assert read_tagged(path, {}).sentences.words == 10_000


@pytest.mark.parametrize(
    ("text", "reading", "match"),
    [
        ("Ada\nran\n", {}, "has one column only"),
        ("a O\nb O\n", {}, "there is one tag only, 'O'"),
        ("a Q-X O\nb O O\n", {"scheme": "BIOES", "tag": 1}, "are not of the scheme BIOES"),
        ("a B-X\nb O\n", {"sentence": "id"}, "blank lines separate the sentences"),
        ("a\tx\t\nb\tx\tO\n", {}, "changes its number of columns"),
        (
            "a\t\tx\nb\tO\tx\n",
            {"tag": 1},
            "has an empty tag in 1 sentences, the first of them sentence 1",
        ),
    ],
)
def test_column_files_that_cannot_be_read(
    tmp_path: Path, text: str, reading: dict[str, Any], match: str
) -> None:
    path = _write(tmp_path, x__txt=text) / "x.txt"
    with pytest.raises(ValueError, match=match) as info:
        read_tagged(path, reading)
    assert "\n" not in str(info.value)


def test_data_of_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        read_tagged(tmp_path / "none.txt", {})
    with pytest.raises(ValueError, match=r"data must be a DataFrame.*Received: list"):
        read_tagged([["Ada"]], {})
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        read_sentences(tmp_path / "empty.txt", {})
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="is the folder of a run"):
        read_tagged(tmp_path, {})
    with pytest.raises(ValueError, match="the DataFrame has no tokens"):
        read_sentences(pd.DataFrame({"tokens": [[]], "tags": [[]]}), {})


def test_the_demo_has_names_that_other_parts_lack() -> None:
    source = read_tagged("demo", {})
    parts = [source.sentences, source.validation, source.test]
    names = []
    for part in parts:
        assert part is not None
        pairs = [p for words, tags in zip(part.tokens, part.known_tags()) for p in zip(words, tags)]
        names.append({word for word, tag in pairs if tag != "O"} - {"Ltd.", "&", "Sons", "Port"})
    assert not names[0] & names[1]
    assert not (names[0] | names[1]) & names[2]


@pytest.mark.thorough
def test_real_corpora(shared_data: Path) -> None:
    entities = read_tagged(shared_data / "ner" / "conll2003.train.txt", {})
    assert entities.scheme == "IOB1"
    assert (len(entities.sentences), entities.sentences.words) == (14_041, 203_621)
    assert entities.notes[2:] == [
        "2 tags broke the scheme IOB1 and were mended, as conlleval reads them: B-MISC as I-MISC "
        "in sentence 10,228"
    ]
    phrases = read_tagged(shared_data / "ner" / "conll2000.test.txt", {"features": ("pos",)})
    assert phrases.scheme == "IOB2"
    assert (len(phrases.sentences), phrases.sentences.words) == (2_012, 47_377)


def test_separate_parts_may_have_another_form(tmp_path: Path) -> None:
    table = pd.DataFrame({"tokens": [["Bob", "ran"]], "ner_tags": [["B-PER", "O"]]})
    source = read_tagged(_write(tmp_path, train__txt=TRAIN) / "train.txt", {})
    whole = add_part(source, "test", table, {"tag": None})
    assert whole.test is not None
    assert whole.test.tokens == [["Bob", "ran"]]
    frame = pd.DataFrame({"said": [["Bob", "ran"]] * 2, "meant": [["B-PER", "O"]] * 2})
    source = read_tagged(frame, {"token": "said", "tag": "meant"})
    whole = add_part(source, "test", tmp_path / "train.txt", {})
    assert whole.test is not None
    assert whole.test.tags == [["B-PER", "O"], ["O", "B-LOC"]]


def test_a_column_of_a_file_has_one_role(tmp_path: Path) -> None:
    path = _write(tmp_path, x__conll="a NN B-NP I-PER\nb VB I-NP O\n") / "x.conll"
    for reading, match in [
        ({"features": ("ner",)}, "features= and tag= both have 3"),
        ({"features": ("pos", 1)}, "features= has 1 twice"),
        ({"token": 3}, "token= and tag= are both 3"),
    ]:
        with pytest.raises(ValueError, match=match):
            read_tagged(path, reading)


def test_the_notation_of_the_data_is_kept(tmp_path: Path) -> None:
    path = _write(tmp_path, x__conll="a B-X\nb L-X\nc O\n") / "x.conll"
    for scheme in ("auto", "BIOES", "BILOU"):
        source = read_tagged(path, {"scheme": scheme})
        assert (source.scheme, source.sentences.tags) == ("BILOU", [["B-X", "L-X", "O"]])
    path = _write(tmp_path, y__conll="a X\nb O\nc O\n") / "y.conll"
    for scheme in ("auto", "IO"):
        source = read_tagged(path, {"scheme": scheme})
        assert (source.scheme, source.sentences.tags) == ("bare", [["X", "O", "O"]])
