"""`kerasseq tune` and `kerasseq tuned`: what is typed is what the function is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kerasseq.cli import main
from kerasseq.settings import Choice, Int
from kerasseq.tuning import tune as calls
from kerasseq.tuning.results import Result
from tests.tuning.test_results import _result


def _main(line: str) -> int:
    return main(line.split())


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What `tune` or `join` was called with; nothing is searched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kerasseq.cli.commands.import_backend", lambda: None)
    seen: dict[str, Any] = {}

    def tune(*arguments: Any, **options: Any) -> Result:
        seen.update(options, arguments=arguments)
        return _result(tmp_path, [0.5, 0.7])

    def join(*arguments: Any, **options: Any) -> None:
        seen.update(options, arguments=arguments)

    monkeypatch.setattr(calls, "tune", tune)
    monkeypatch.setattr(calls, "join", join)
    return seen


def test_options_of_the_search_and_of_the_recipe(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    line = (
        "tune forecasting sales.csv --target units --horizon 28 --trials 30 --max-params 50k "
        "--max-macs 2M "
        "--workers 4 --set units=16..256:log --set cell=lstm,gru --fix depth=2 --prune --out search"
    )
    assert _main(line) == 0
    assert given["arguments"] == ("forecasting",)
    assert given["data"] == "sales.csv"
    assert given["target"] == ["units"]
    assert (given["horizon"], given["trials"], given["workers"]) == (28, 30, 4)
    assert (given["max_params"], given["match_params"]) == (50_000, None)
    assert given["max_macs"] == 2_000_000
    assert given["space"] == {
        "units": Int(16, 256, log=True),
        "cell": Choice(("lstm", "gru")),
        "depth": 2,
    }
    assert given["prune"] is True
    assert given["out"] == "search"
    # What is not given of the recipe varies, or has its default.
    assert not {"units", "dropout", "epochs", "calibrate"} & {*given}
    assert "by accuracy on the validation part" in capsys.readouterr().out


def test_what_is_given_of_the_recipe_is_fixed(given: dict[str, Any]) -> None:
    assert _main("tune sentiment demo --units 8 --no-bidirectional --epochs 3") == 0
    assert (given["units"], given["bidirectional"], given["epochs"]) == (8, False, 3)
    assert given["out"].startswith("searches/sentiment-")


def test_roles_of_a_search_over_machines(given: dict[str, Any]) -> None:
    assert _main("tune sentiment demo --role chief --chief a:7000") == 0
    assert given["arguments"] == ("sentiment",)
    assert given["chief"] == "a:7000"
    assert _main("tune sentiment demo --role worker --chief a:7000 --out b") == 0
    assert given["arguments"] == ("a:7000", "sentiment")
    assert given["out"] == "b"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tune sentiment demo --set units", "give NAME=VALUE, such as units=16..256:log."),
        ("tune sentiment demo --set units=a..b", "the ends of a range must be numbers"),
        ("tune sentiment demo --max-params many", "'many' is no number such as 100000"),
        ("tune sentiment demo --role chief", "together with --chief HOST:PORT"),
        ("tune sentiment demo --role boss --chief a:1", "give --role chief or --role worker"),
        ("tune poetry demo", "poetry"),
        ("tuned nowhere", "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_one_line(
    given: dict[str, Any], line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(line) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert "arguments" not in given


def test_a_search_is_shown_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = _result(tmp_path, [0.5, 0.7], trials=3).events
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    assert main(["tuned", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("toy: 1 of 3 trials, by accuracy on the validation part\n")
    assert shown.count("resumes it") == 1
    assert main(["tuned", str(tmp_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"][0]["units"] == 3
    assert main(["tuned", str(tmp_path), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("trial,units,cell,back,parameters,")


def test_every_recipe_can_be_tuned(capsys: pytest.CaptureFixture[str]) -> None:
    from kerasseq import registry

    assert main(["tune", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in registry.names():
        assert f"Tune {name}." in shown


def test_an_interruption_says_how_to_go_on(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any, out: str, **options: Any) -> Any:
        Path(out).mkdir()
        Path(out, "journal.jsonl").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(calls, "tune", interrupted)
    assert _main("tune sentiment demo --out search") == 130
    assert "the same command with --out search resumes it" in capsys.readouterr().err
