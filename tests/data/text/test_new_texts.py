"""New texts come from a list, a column or a table, and rows without a text keep their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.text.new_texts import read_texts

TEXTS = ["a fine film", None, "", "poor"]


@pytest.mark.parametrize(
    "gap", [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT], ids=["None", *"abcd"]
)
def test_a_gap_is_an_empty_text(gap: Any) -> None:
    assert read_texts(["fine", gap, ""]) == ["fine", "", ""]


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series, iter])
def test_texts_may_be_in_any_sequence(kind: Any) -> None:
    assert read_texts(kind(["fine", "poor"])) == ["fine", "poor"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_gives_the_texts_of_its_table(tmp_path: Path, ending: str, kind: Any) -> None:
    frame = pd.DataFrame({"stars": [1, 2, 3, 4], "review": TEXTS})
    path = tmp_path / f"new.{ending}"
    write = {
        "csv": lambda: frame.to_csv(path, index=False),
        "tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        "parquet": lambda: frame.to_parquet(path),
    }
    write[ending]()
    assert read_texts(kind(path)) == ["a fine film", "", "", "poor"]


def test_the_usual_column_comes_before_names_that_say_text() -> None:
    frame = pd.DataFrame({"text": ["a b", "c d"], "said": ["e f", "g h"]})
    assert read_texts(frame) == ["a b", "c d"]
    assert read_texts(frame, default_column="said") == ["e f", "g h"]
    assert read_texts(frame, default_column="gone") == ["a b", "c d"]
    assert read_texts(frame, text="said", default_column="text") == ["e f", "g h"]


@pytest.mark.parametrize(
    ("data", "options", "match"),
    [
        ([], {}, "there is no text to predict"),
        (pd.DataFrame({"text": []}), {}, "there is no text to predict"),
        ("one text", {}, r"give a list of texts, even for one; .*Received: 'one text'"),
        (Path("folder"), {}, "give a list of texts"),
        ({"a": "b"}, {}, "give a list of texts"),
        (["fine", 3], {}, "every text must be a string. Received: text 1 is 3"),
        ([["fine"]], {}, "every text must be a string. Received: text 0 is"),
        (pd.DataFrame({"a": [1], "b": [2]}), {}, r"not clear which column .* 'a', 'b'. Give"),
        (pd.DataFrame({"a": ["x"]}), {"text": "b"}, r"no column named 'b'.*'a'. Name it so, or"),
        (pd.DataFrame({"text": [5]}), {}, "every text must be a string. Received: text 0 is 5"),
    ],
)
def test_other_data_is_refused(data: Any, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_texts(data, **options)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*new\.csv"):
        read_texts(tmp_path / "new.csv")
