"""Files of CoNLL columns."""

from __future__ import annotations

import pytest

from kerasseq.data.tags.columns import (
    are_columns,
    column_number,
    parse_columns,
    parse_conllu,
)

USUAL = [[["Ada", "NNP", "B-PER"], ["ran", "VBD", "O"]], [["Hi", "UH", "O"]]]


@pytest.mark.parametrize(
    "text",
    [
        "Ada NNP B-PER\nran VBD O\n\nHi UH O\n",
        "Ada NNP B-PER\r\nran VBD O\r\n\r\nHi UH O",  # Windows
        "\n\nAda  NNP   B-PER \nran VBD O\n\n \n\t\n\nHi UH O\n\n\n",  # several blank lines
        "Ada\tNNP\tB-PER\nran\tVBD\tO\n\nHi\tUH\tO\n",
        "-DOCSTART- -X- O\n\nAda NNP B-PER\nran VBD O\n\n-DOCSTART- -X- -X- O\nHi UH O\n",
        "# id\nAda NNP B-PER\nran VBD O\n\n# id 8 of two\nHi UH O\n",
    ],
)
def test_forms_of_a_column_file(text: str) -> None:
    columns = parse_columns(text, "the file")
    assert columns.sentences == USUAL
    assert columns.names == ("token", "pos", "chunk")
    assert columns.notes == []


def test_tabs_keep_spaces_in_a_value() -> None:
    assert parse_columns("New York\tB-LOC\n# \tO\n", "f").sentences == [
        [["New York", "B-LOC"], ["#", "O"]]
    ]


def test_a_sign_is_no_comment() -> None:
    assert parse_columns("# # B-NP\n1 CD I-NP\n", "f").sentences[0][0] == ["#", "#", "B-NP"]


def test_mixed_separators_are_read_where_the_columns_agree() -> None:
    columns = parse_columns("Ada\tB-PER\nran O\n", "the file")
    assert columns.sentences == [[["Ada", "B-PER"], ["ran", "O"]]]
    assert columns.notes == ["the file mixes tabs and spaces: both were read as separators"]


def test_all_lines_with_another_number_of_columns_are_told() -> None:
    text = "a b O\n\nc O\nd e O\nf g h O\ni j O\n"
    with pytest.raises(ValueError, match=r"most lines have 3, line 3 has 2, line 5 has 4.") as info:
        parse_columns(text, "the file")
    assert "\n" not in str(info.value)
    many = "a O\n" * 20 + "a b O\n" * 10
    with pytest.raises(ValueError, match="line 25 has 3 and 5 more lines do too"):
        parse_columns(many, "the file")


def test_mixed_separators_with_other_columns_are_told() -> None:
    with pytest.raises(ValueError, match=r"line 3 has 3\. Tabs are in 2 of 3 lines: separate all"):
        parse_columns("Ada\tO\nran\tO\nNew York O\n", "the file")


@pytest.mark.parametrize("text", ["\n \n", "-DOCSTART- O\n"])
def test_a_file_without_tokens(text: str) -> None:
    with pytest.raises(ValueError, match="the file has no tokens"):
        parse_columns(text, "the file")


def test_columns_by_name_and_number() -> None:
    columns = parse_columns("Ada NNP I-NP I-PER\n", "the file")
    numbers = [column_number(columns, name, "tag", "f") for name in (0, "1", -1, "ner", "chunk")]
    assert numbers == [0, 1, 3, 3, 2]
    with pytest.raises(ValueError, match=r"4 columns.*0 to 3, or by name: .*ner.*tag='slot'"):
        column_number(columns, "slot", "tag", "the file")


def test_conllu_leaves_out_ranges_and_empty_nodes() -> None:
    rows = [
        ("1-2", "vámonos", "_", "_"),
        ("1", "vamos", "VERB", "V"),
        ("2", "nos", "PRON", "P"),
        ("2.1", "ya", "ADV", "_"),
    ]
    lines = [f"{i}\t{form}\t_\t{upos}\t{xpos}\t_\t0\t_\t_\t_" for i, form, upos, xpos in rows]
    text = "# sent_id = 1\n# text = vámonos\n" + "\n".join(lines) + "\n\n"
    columns = parse_conllu(text, "the file")
    assert [[fields[1] for fields in rows] for rows in columns.sentences] == [["vamos", "nos"]]
    assert column_number(columns, "UPOS", "tag", "f") == 3
    with pytest.raises(ValueError, match=r"line 2 has 1.*CoNLL-U separates columns by tabs"):
        parse_conllu(lines[1] + "\nword\n", "the file")


def test_comments_as_wide_as_the_data_are_no_tokens() -> None:
    text = "# id 7\nAda NNP B-PER\n\n# id 8\nran VBD O\n"
    assert parse_columns(text, "f").sentences == [[["Ada", "NNP", "B-PER"]], [["ran", "VBD", "O"]]]
    tabs = text.replace(" ", "\t").replace("#\tid\t", "# id ").replace("Ada", "New York")
    columns = parse_columns(tabs, "f")
    assert columns.sentences[0] == [["New York", "NNP", "B-PER"]]
    assert columns.notes == []


def test_new_sentences_with_other_lines_have_a_fault() -> None:
    columns = parse_columns("a b O\n\nc O\nd e O\n\nf g O\n", "f", strict=False)
    assert columns.sentences == [[["a", "b", "O"]], [], [["f", "g", "O"]]]
    assert columns.faults == {1: "most lines have 3 columns, line 3 has 2"}
    line = "1\ta" + "\t_" * 8 + "\n"
    conllu = parse_conllu(f"{line}\nword\n\n{line}", "f", strict=False)
    assert [len(rows) for rows in conllu.sentences] == [1, 0, 1]
    assert [*conllu.faults] == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada B-PER\nran O\n\nHi O\nyou O\n", True),
        ("Ada\nran\n\nHi\nyou\n", True),
        ("Ada\tNNP\nran\tVBD\n", True),
        ("New York\tNNP\nran\tVBD\n\nYork\tNNP\nran\tVBD\n", True),
        ("Ada NNP\nran VBD\n. .\n", True),
        ("Ada PROPN B-PER\nran VERB O\n. PUNCT O\n", True),
        ("Ada ran.\nIn Rome.\n", False),
        ("Room 101\nRoom 102\nRoom 103\n", False),
        ("ADA RAN\nIN ROME\nALL DAY\n", False),
        ("Vitamin C\nVitamin D\n", False),
        ("Ada ran away.\nIn Rome.\n\nShe was there, and so was he.\nAll well.\n", False),
        ("Yes\n\nNo\n", False),
        ("", False),
    ],
)
def test_columns_are_told_from_texts(text: str, expected: bool) -> None:
    assert are_columns(text) == expected
