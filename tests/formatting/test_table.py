"""One table in every format."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console

from kerasseq.formatting.table import FORMATS, from_frame, printable
from kerasseq.params import Table

TABLE = Table(
    columns=("layer", "shape", "gates", "params", "share"),
    rows=(
        ("a|b_1 <x>", (8, 16), ("input", "forget"), 12_345, 0.5),
        ("c", ((8, 16), (16,), ()), (), 7, None),
    ),
    title="50% & more",
    total=("total", None, None, 12_352, None),
    notes=("first\nline", "second"),
)


def test_text() -> None:
    assert (
        TABLE.text()
        == """\
50% & more

 layer       shape              gates           params   share
 ─────────────────────────────────────────────────────────────
 a|b_1 <x>   (8, 16)            input, forget   12,345     0.5
 c           (8, 16) (16,) ()                        7
 ─────────────────────────────────────────────────────────────
 total                                          12,352

first
line
second"""
    )


def test_text_keeps_to_a_width_and_breaks_no_number() -> None:
    lines = TABLE.text(width=45).splitlines()
    assert max(map(len, lines)) <= 45
    assert any("12,345" in line for line in lines)


def test_text_shows_brackets_as_they_are() -> None:
    assert "[red]a[/red] :smile:" in Table(("[b]",), (("[red]a[/red] :smile:",),)).text()


def _in_terminal(table: Table, width: int) -> list[str]:
    page = io.StringIO()
    Console(file=page, width=width).print(table)
    return [line.rstrip() for line in page.getvalue().splitlines()]


def test_a_terminal_is_shown_lines_the_title_and_the_notes() -> None:
    table = Table(
        ("", "a long name", "n"),
        (("mean error", "0.5 to 0.6", 1_200),),
        title="[red]x[/red]",
        notes=("[b] 1 < 2",),
        right=("a long name", "n"),
    )
    assert _in_terminal(table, 80) == [
        "[red]x[/red]",
        "┏━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━┓",
        "┃            ┃ a long name ┃     n ┃",
        "┡━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━┩",
        "│ mean error │  0.5 to 0.6 │ 1,200 │",
        "└────────────┴─────────────┴───────┘",
        "[b] 1 < 2",
    ]
    # In a narrow one heads are broken between words, and cells are not.
    assert _in_terminal(table, 35)[2:6] == [
        "┃            ┃     a long ┃       ┃",
        "┃            ┃       name ┃     n ┃",
        "┡━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━┩",
        "│ mean error │ 0.5 to 0.6 │ 1,200 │",
    ]


def test_text_may_be_aligned_to_the_right() -> None:
    table = Table(("a", "b"), (("x", "1.0"),), right=("b",))
    assert "| --- | ---: |" in table.markdown()
    assert '<td style="text-align: right">1.0</td>' in table.html()


def test_markdown() -> None:
    assert (
        TABLE.markdown()
        == """\
50% & more

| layer | shape | gates | params | share |
| --- | --- | --- | ---: | ---: |
| a\\|b_1 <x> | (8, 16) | input, forget | 12,345 | 0.5 |
| c | (8, 16) (16,) () |  | 7 |  |
| total |  |  | 12,352 |  |

first
line

second"""
    )


def test_latex() -> None:
    assert (
        TABLE.latex()
        == r"""% 50% & more
\begin{tabular}{lllrr}
\hline
layer & shape & gates & params & share \\
\hline
a\textbar{}b\_1 \textless{}x\textgreater{} & (8, 16) & input, forget & 12,345 & 0.5 \\
c & (8, 16) (16,) () &  & 7 &  \\
\hline
total &  &  & 12,352 &  \\
\hline
\end{tabular}
% first
% line
% second"""
    )


def test_csv_has_plain_numbers_and_no_total() -> None:
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows == [
        ["layer", "shape", "gates", "params", "share"],
        ["a|b_1 <x>", "(8, 16)", "input, forget", "12345", "0.5"],
        ["c", "(8, 16) (16,) ()", "", "7", ""],
    ]


def test_json_has_everything() -> None:
    result = json.loads(TABLE.render("json"))
    assert result["title"] == "50% & more"
    assert result["rows"][0] == {
        "layer": "a|b_1 <x>", "shape": [8, 16], "gates": ["input", "forget"],
        "params": 12345, "share": 0.5,
    }  # fmt: skip
    assert result["total"]["params"] == 12352
    assert result["notes"] == ["first\nline", "second"]


def test_html_is_escaped() -> None:
    result = TABLE._repr_html_()
    assert result.startswith("<table><caption>50% &amp; more</caption>")
    assert '<td style="text-align: left">a|b_1 &lt;x&gt;</td>' in result
    assert '<th style="text-align: right">12,352</th>' in result
    assert "<x>" not in result


def test_a_data_frame_keeps_numbers_and_comes_back() -> None:
    frame = TABLE.to_frame()
    assert list(frame.columns) == list(TABLE.columns)
    assert frame["params"].tolist() == [12_345, 7]
    again = from_frame(frame[["layer", "params", "share"]])
    assert again.columns == ("layer", "params", "share")
    assert again.rows[0] == ("a|b_1 <x>", 12_345, 0.5)
    assert json.loads(again.render("json"))["rows"][0]["params"] == 12_345


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_without_rows_is_shown_too(format: str) -> None:
    assert "layer" in Table(("layer", "params"), (), total=("total", 0)).render(format)
    assert Table(("layer",), ()).to_frame().shape == (0, 1)


def test_an_unknown_format_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of table, json, .*csv\. Received: format='x'"):
        TABLE.render("x")


def test_text_and_repr_are_the_table() -> None:
    assert str(TABLE) == repr(TABLE) == TABLE.text()


STEERING = "a\x1b]0;b\x07\x9b2J\x7f\r\ud800"
SAFE = "a\\u001b]0;b\\u0007\\u009b2J\\u007f\\u000d\\ud800"


def test_what_steers_a_terminal_is_spelled_out() -> None:
    assert printable(STEERING) == SAFE
    assert printable("a\tb\nc é 你 🙂 \u202f") == "a\tb\nc é 你 🙂 \u202f"


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_steers_a_terminal(format: str) -> None:
    whole = [STEERING, (STEERING, "b"), ((STEERING, 2), (3,))]
    table = Table((STEERING,), tuple((cell,) for cell in whole), STEERING, ("x",), (STEERING,))
    shown = table.render(format)
    assert printable(shown) == shown
    shown.encode()
    if format == "json":
        assert json.loads(shown)["title"] == STEERING
    if format == "table":  # what is spelled out has its width
        assert shown.count(SAFE) == 5


def test_no_table_steers_a_terminal_that_it_is_printed_to() -> None:
    table = Table((STEERING,), ((STEERING,),), STEERING, notes=(STEERING,))
    assert SAFE in " ".join(_in_terminal(table, 200))
    assert not [line for line in _in_terminal(table, 200) if printable(line) != line]
