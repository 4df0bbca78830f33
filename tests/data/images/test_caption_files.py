"""Captions from the files in which data sets have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kerasseq.data.images.caption_files import find_captions_file, read_captions, read_names

_SAID = {"1.jpg": ["a dog", "a dog runs"], "2.jpg": ["a cat"]}


def _tokens(folder: Path) -> Path:
    path = folder / "Flickr8k.token.txt"
    path.write_text("1.jpg#0\tA dog .\n1.jpg#1\tA dog runs .\n2.jpg#0\tA cat .\n")
    return path


def _json(folder: Path, content: Any) -> Path:
    path = folder / "dataset.json"
    path.write_text(json.dumps(content))
    return path


def test_flickrs_token_file_and_its_lists(tmp_path: Path) -> None:
    path = _tokens(tmp_path)
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("1.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("2.jpg\n\n")
    found = read_captions(path)
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


@pytest.mark.parametrize("name", ["captions.csv", "captions.txt"])
def test_a_table_of_captions(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('image,caption\n1.jpg,A dog .\n1.jpg,"A dog, runs"\n2.jpg,A cat\n')
    found = read_captions(path)
    assert found.of == _SAID
    assert found.parts == {}


def test_a_dataframe_may_tell_the_parts() -> None:
    frame = pd.DataFrame(
        {"filename": ["1.jpg", "1.jpg", "2.jpg"], "Text": ["a dog", "a dog runs", "a cat"]}
    ).assign(split=["train", "train", "dev"])
    found = read_captions(frame)
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


def test_cocos_annotations(tmp_path: Path) -> None:
    images = [{"id": 9, "file_name": "1.jpg"}, {"id": 4, "file_name": "2.jpg"}]
    told = [(9, "A dog."), (4, "a cat"), (9, "A dog runs.")]
    annotations = [{"image_id": image, "caption": caption} for image, caption in told]
    found = read_captions(_json(tmp_path, {"images": images, "annotations": annotations}))
    assert found.of == _SAID


def test_karpathys_split(tmp_path: Path) -> None:
    def image(name: str, split: str, *sentences: str) -> dict[str, Any]:
        return {"filename": name, "split": split, "sentences": [{"raw": s} for s in sentences]}

    images = [image("1.jpg", "restval", "A dog.", "A dog runs."), image("2.jpg", "val", "A cat")]
    found = read_captions(_json(tmp_path, {"images": images}))
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


@pytest.mark.parametrize("column", ["caption", "captions"])
def test_several_captions_may_be_in_one_cell(tmp_path: Path, column: str) -> None:
    rows = [
        {"image": "1.jpg", column: ["A dog.", "A dog runs."]},
        {"image": "2.jpg", column: "A cat"},
    ]
    assert read_captions(pd.DataFrame(rows, index=[7, 7])).of == _SAID
    assert read_captions(_json(tmp_path, rows)).of == _SAID


@pytest.mark.parametrize(
    "cell",
    [
        '["A dog runs.", "It\'s \\"brown\\", a caf\\u00e9."]',  # JSON
        """['A dog runs.', 'It\\'s "brown", a café.']""",  # as pandas writes a list
        """['A dog runs.'\n 'It\\'s "brown", a café.']""",  # and an array
    ],
)
def test_a_cell_of_a_file_may_hold_a_list(tmp_path: Path, cell: str) -> None:
    table = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "caption": [cell, "[sic] a [red] cat"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    expected = {"1.jpg": ["a dog runs", "its brown a café"], "2.jpg": ["sic a red cat"]}
    assert read_captions(tmp_path / "a.csv").of == read_captions(table).of == expected


@pytest.mark.parametrize("cell", ["[]", '[""]', "[null]"])
def test_a_cell_may_hold_an_empty_list(cell: str) -> None:
    frame = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "caption": [cell, "a dog"]})
    found = read_captions(frame)
    assert found.of == {"1.jpg": [], "2.jpg": ["a dog"]}
    assert found.notes == ["1 captions are empty, and left out"]


def test_flickr30ks_token_file(tmp_path: Path) -> None:
    path = tmp_path / "results_20130124.token"
    path.write_text("1.jpg#0\tA dog .\n1.jpg#1\tA dog runs .\n2.jpg#0\tA cat .\n")
    (tmp_path / "readme.txt").touch()
    assert find_captions_file(tmp_path) == path
    assert read_captions(path).of == _SAID
    assert read_names(path) == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize("name", ["results.csv", "captions.txt"])
def test_flickr30ks_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(
        "image_name| comment_number| comment\n"
        '1.jpg| 0| "A" dog .\n'
        "1.jpg| 1| A dog , runs .\n"
        "2.jpg| 0| A cat .\n"
        "2.jpg| 4   A cat sleeps .\n"  # a row of the real file is like that
    )
    found = read_captions(path)
    assert found.of == {**_SAID, "2.jpg": ["a cat", "a cat sleeps"]}
    assert found.notes == ["no separator before the caption, which is read all the same: line 5"]
    assert read_names(path) == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    "line", ["2.jpg 4| A cat .", "2.jpg 4 A cat .", "2.jpg| A cat .", "2.jpg| 4"]
)
def test_a_line_of_flickr30ks_table_without_a_separator_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.csv"
    path.write_text(f"image_name| comment_number| comment\n1.jpg| 0| A dog .\n\n{line}\n")
    with pytest.raises(ValueError, match=r"line 4 must have the form 'IMAGE\| NUMBER\| CAPTION'"):
        read_captions(path)


def test_all_cells_that_are_lists_which_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    cells = ["a dog", '["a dog", "it runs"', "a cat", "[['a']]", "{'a', 'b'}", '{"a": "b"}']
    table = pd.DataFrame({"image": [f"{row}.jpg" for row in range(6)], "caption": cells})
    table.to_csv(tmp_path / "a.csv", index=False)
    for data in (table, tmp_path / "a.csv"):
        with pytest.raises(ValueError, match=r"'caption' .* in rows 2, 4, 5 and 1 more") as told:
            read_captions(data)
        assert 'Received in row 2: \'["a dog", "it runs"\'' in str(told.value)
        assert read_names(data) == table["image"].tolist()  # no captions are needed for that


def test_a_row_is_counted_before_its_captions_are(tmp_path: Path) -> None:
    frame = pd.DataFrame({"image": ["1.jpg", ""], "caption": [["a", "b", "c"], "d"]})
    with pytest.raises(ValueError, match="row 2 of the DataFrame has no name"):
        read_captions(frame)


def test_flickr30ks_table_of_lists(tmp_path: Path) -> None:
    path = tmp_path / "annotations.csv"
    path.write_text(
        'raw,split,filename\n"[""A dog."", ""A dog runs.""]",train,1.jpg\n"[""A cat""]",val,2.jpg\n'
    )
    found = read_captions(path)
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


def test_a_image_has_one_name_however_it_is_written(tmp_path: Path) -> None:
    names = ["1.jpg", "./1.jpg", "x/../1.jpg", "x\\\\2.jpg"]
    frame = pd.DataFrame({"image": names, "caption": [*"abcd"]})
    assert read_captions(frame).of == {"1.jpg": ["a", "b", "c"], "x/2.jpg": ["d"]}
    assert read_names(frame) == ["1.jpg", "x/2.jpg"]
    path = _tokens(tmp_path)
    (tmp_path / "Flickr_8k.trainImages.txt").write_text(".\\1.jpg\n2.jpg\n")
    assert read_captions(path).parts == {"1.jpg": "train", "2.jpg": "train"}


def test_a_caption_goes_to_the_end_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.token.txt"
    path.write_text("1.jpg#0\tA dog\x85 runs\r\n2.jpg#0\tA cat\r\n", "utf-8", newline="")
    assert read_captions(path).of == {"1.jpg": ["a dog runs"], "2.jpg": ["a cat"]}


def test_a_table_of_names_needs_no_captions(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,size\n2.jpg,3\n1.jpg,4\n2.jpg,5\n")
    assert read_names(tmp_path / "a.csv") == ["2.jpg", "1.jpg"]
    assert read_names(_tokens(tmp_path)) == ["1.jpg", "2.jpg"]
    with pytest.raises(ValueError, match=r"needs a column 'image'\. Its columns are 'x'"):
        read_names(pd.DataFrame({"x": [1]}))


@pytest.mark.parametrize("missing", [None, float("nan"), " "])
def test_a_row_without_a_image_is_named(missing: Any) -> None:
    frame = pd.DataFrame({"image": ["1.jpg", missing], "caption": ["a dog", "a cat"]})
    with pytest.raises(
        ValueError, match="row 2 of the DataFrame has no name in the column 'image'"
    ):
        read_captions(frame)


def test_a_caption_that_is_null_is_empty(tmp_path: Path) -> None:
    annotations = [{"image_id": 1, "caption": own} for own in (None, "a dog")]
    content = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": annotations}
    found = read_captions(_json(tmp_path, content))
    assert found.of == {"1.jpg": ["a dog"]}
    assert found.notes == ["1 captions are empty, and left out"]


def test_empty_captions_are_left_out() -> None:
    frame = pd.DataFrame({"image": ["1", "1", "2"], "caption": ["a dog", None, " . "]})
    found = read_captions(frame)
    assert found.of == {"1": ["a dog"], "2": []}
    assert found.notes == ["2 captions are empty, and left out"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.txt", "no tabs here\n", "has none of the known formats"),
        ("a.txt", "1.jpg#0\ta dog\nno tab\n", "line 2 of .* is not 'IMAGE#NUMBER"),
        ("a.csv", "file_id,words\n1,a\n", "needs a column 'image' and a column 'caption'"),
        ("a.csv", "image,caption\n1.jpg,\n", "holds no caption"),
        ("a.csv", "image,caption,split\n1,a,left\n", "puts 1 into a part 'left'"),
        ("a.csv", "image,caption,split\n1,a,val\n1,b,test\n", "puts 1 into validation and into"),
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", "[" * 200_000, "cannot be read as JSON: it is nested too deeply"),
        ("a.json", "[1]", "entry 1 is no object"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": 2}],'
            ' "annotations": [{"image_id": 1, "caption": 3}]}',
            "must hold texts as names, captions and parts. Received: '2'",
        ),
        (
            "a.json",
            '{"images": [{"filename": "a", "sentences": [{"raw": "b"}], "split": ["c"]}]}',
            "must hold texts as names, captions and parts. Received: ",
        ),
        ("a.json", '{"photos": []}', "has none of the known formats"),
        ("a.json", '{"images": [{"id": 1}], "annotations": [{}]}', "has none of the known formats"),
        ("a.txt", "\0\1\2", "is a binary file"),
        ("a.csv", " \n", r"a\.csv is empty\. Give a file with images and captions"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 2}]}',
            "annotation with image_id=2, and no such image",
        ),
    ],
)
def test_files_that_hold_no_captions(tmp_path: Path, name: str, content: str, match: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=match) as told:
        read_captions(tmp_path / name)
    assert "\n" not in str(told.value)


def test_what_is_no_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"no file of captions nowhere\.csv"):
        read_captions("nowhere.csv")
    with pytest.raises(ValueError, match="captions must be a file or a DataFrame"):
        read_captions(3)


def test_the_file_of_captions_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is none"):
        find_captions_file(tmp_path)
    (tmp_path / "a.csv").touch()
    (tmp_path / "notes.txt").touch()
    assert find_captions_file(tmp_path).name == "a.csv"
    (tmp_path / "b.json").touch()
    with pytest.raises(ValueError, match=r"there is several: a\.csv, b\.json"):
        find_captions_file(tmp_path)
    assert find_captions_file(_tokens(tmp_path).parent).name == "Flickr8k.token.txt"
    (tmp_path / "Flickr8k.lemma.token.txt").touch()  # words without their endings
    assert find_captions_file(tmp_path).name == "Flickr8k.token.txt"


def test_halves_of_characters_are_question_marks() -> None:
    frame = pd.DataFrame({"image": ["1\ud83d"], "caption": ["a \ud83d dog"]}, dtype=object)
    assert read_captions(frame).of == {"1?": ["a dog"]}
