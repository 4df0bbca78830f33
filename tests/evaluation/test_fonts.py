"""Figures find fonts for names of any script, and say which characters no font has."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasseq.evaluation import fonts, plots

ARC = "\N{ARC}"  # in DejaVu Sans Mono, which comes with matplotlib, and not in DejaVu Sans
WALK, RUN = "步行", "跑步"


@pytest.fixture
def without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No installed font but those of the figure itself, and nothing said yet."""
    monkeypatch.setattr(fonts, "_plain_fonts", list)
    monkeypatch.setattr(fonts, "_reported", set())
    fonts.families.cache_clear()
    fonts._further.cache_clear()


def test_ascii_and_what_the_font_has_need_no_other_font() -> None:
    assert fonts.families("plain") == ((), "")
    assert fonts.families("Zürich, ходьба, مشي\n") == ((), "")


@pytest.mark.filterwarnings("error")
def test_another_font_is_used_for_a_character(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (name, *_), missing = fonts.families(ARC)
    assert missing == ""
    figure = plots.confusion_matrix([[1, 0], [0, 1]], [f"an {ARC}", "other"])
    plots.save({"confusion": figure}, tmp_path)
    first, second = figure.axes[0].get_yticklabels()
    assert first.get_fontfamily() == [*second.get_fontfamily(), name]
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("without_fonts")
def test_characters_without_a_font_are_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for names in ([WALK, "b"], [RUN, "b"]):
        plots.save({"confusion": plots.confusion_matrix([[1, 0], [0, 1]], names)}, tmp_path)
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "步 行 (cjk): no installed font has them. Install one" in message
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("without_fonts")
def test_the_box_around_a_figure_warns_as_little(tmp_path: Path) -> None:
    figure = plots.confusion_matrix([[1, 0], [0, 1]], [WALK, RUN])
    figure.savefig(tmp_path / "tight.png", bbox_inches="tight")  # as a notebook does


def test_wide_names_are_turned() -> None:
    axis = plots.confusion_matrix([[1, 0], [0, 1]], [WALK + RUN + WALK, "b"]).axes[0]
    assert axis.get_xticklabels()[0].get_rotation() == 45
