"""The command parses, calls and prints; errors are one line and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import pytest

import kerasseq
from kerasseq import cli, names, params, registry
from kerasseq.cli import main

ROOT = Path(__file__).parents[2]
Said = tuple[int, str, str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command line in this process: its code, standard output and standard error."""

    def run(*arguments: str) -> Said:
        code = main(arguments)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def _shell(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kerasseq", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, **options,
    )  # fmt: skip


# Parameters


def test_count_prints_the_table_and_the_formula(say: Callable[..., Said]) -> None:
    assert say("count", "gru", "--inputs", "3", "--units", "5") == (
        *(0, f"{params.count('gru', 3, 5)}\n", ""),
    )


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("--no-reset-after", {"reset_after": False}),
        ("--reset-after", {"reset_after": True}),
        ("--no-bias", {"use_bias": False}),
        ("--depth 2 --bidirectional", {"depth": 2, "bidirectional": True}),
        ("--bidirectional --merge sum", {"bidirectional": True, "merge": "sum"}),
        ("--bidirectional --merge none", {"bidirectional": True, "merge": None}),
        ("--projection 2 --trainable-initial-state",
         {"projection": 2, "trainable_initial_state": True}),
        ("--depth 2 --highway", {"depth": 2, "highway": True}),
        ("--depth 2 --residual", {"depth": 2, "residual": True}),
        ("--timesteps 7 --batch 3", {"timesteps": 7, "batch": 3}),
        ("--dtype float16", {"dtype": "float16"}),
    ],
)  # fmt: skip
def test_count_takes_every_option(
    say: Callable[..., Said], flags: str, options: dict[str, Any]
) -> None:
    command = ["count", "gru", "--inputs", "3", "--units", "5", "--format", "json", *flags.split()]
    code, out, _ = say(*command)
    expected = params.count("gru", 3, 5, **options)
    assert (code, json.loads(out)) == (0, json.loads(expected.render("json")))


def test_a_linear_unit_has_a_state(say: Callable[..., Said]) -> None:
    code, out, _ = say("count", "lru", "--inputs=3", "--units=5", "--state=7", "--format=json")
    assert (code, json.loads(out)["total"]) == (0, params.count("lru", 3, 5, state=7).total)


@pytest.mark.parametrize("format", ["table", "json", "markdown", "latex", "csv"])
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("count gru --inputs 3 --units 5", lambda: params.count("gru", 3, 5)),
        ("units gru --inputs 64 --budget 100000", lambda: params.units_for("gru", 100_000, 64)),
        (
            "compare gru lstm --inputs 4 --budget 1k",
            lambda: params.compare(["gru", "lstm"], inputs=4, budget=1000),
        ),
        (
            "compare gru lstm --inputs 4 --units 3 --no-reset-after",
            lambda: params.compare(["gru", "lstm"], inputs=4, units=3, reset_after=False),
        ),
        ("cells", params.cells),
    ],
)
def test_every_table_comes_in_every_format(
    say: Callable[..., Said], command: str, expected: Callable[[], Any], format: str
) -> None:
    assert say(*command.split(), "--format", format) == (
        *(0, f"{expected().render(format)}\n", ""),
    )


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("5000", 5000), ("100k", 100_000), ("100K", 100_000), ("2M", 2_000_000),
        ("1.5m", 1_500_000), ("12_000", 12_000), ("12,000", 12_000),
    ],
)  # fmt: skip
def test_budgets_are_written_as_people_do(
    say: Callable[..., Said], written: str, amount: int
) -> None:
    code, out, _ = say("units", "gru", "--inputs=8", f"--budget={written}", "--format=json")
    assert (code, json.loads(out)["units"]) == (0, params.units_for("gru", amount, 8).units)


def test_report_reads_a_file(say: Callable[..., Said], tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.save(tmp_path / "model.keras")
    code, out, _ = say("report", str(tmp_path / "model.keras"), "--format", "csv")
    assert code == 0
    assert out.splitlines() == [
        "layer,class,weights,trainable,frozen,params",
        'dense,Dense,"(3, 2) (2,)",8,0,8',
    ]


def test_a_model_that_is_missing_is_reported_without_a_backend(tmp_path: Path) -> None:
    commands = [
        "explain no.keras",
        "convert no.keras new.keras",
        "export no",
        "explain .",
        "export .",
    ]
    code = (
        "import sys; from kerasseq.cli import main\n"
        f"print([main(command.split()) for command in {commands}], 'keras' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert result.stdout == "[2, 2, 2, 2, 2] False\n"
    lines = result.stderr.splitlines()
    assert len(lines) == len(commands)
    assert all(line.startswith("kerasseq: error: ") for line in lines)


def test_explain_reads_a_file_and_a_folder(say: Callable[..., Said], tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((5, 3)), kerasseq.rnn("mgu", 2, name="mgu")])
    model.save(tmp_path / "model.keras")
    expected = f"{kerasseq.explain(model).render('csv')}\n"
    for place in (tmp_path, tmp_path / "model.keras"):
        assert say("explain", str(place), "--format", "csv") == (0, expected, "")


def test_doctor_shows_what_is_there(say: Callable[..., Said]) -> None:
    code, out, err = say("doctor", "--format", "json")
    assert (code, err) == (0, "")
    parts = [row["part"] for row in json.loads(out)["rows"]]
    assert {"Python", "backend", "device", "extension", "C++ compiler"} <= {*parts}


def test_tables_keep_to_the_width_of_a_terminal(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "110")
    _, out, _ = say("cells")
    assert max(map(len, out.splitlines())) <= 110
    assert "3u(d + u + 2)" in out


# Help and errors


def test_help_lists_commands_and_recipes_without_importing_any(say: Callable[..., Said]) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        code, out, _ = say(*arguments)
        assert code == 0
        for name in (*names.COMMANDS, *names.VERBS, *registry.names()):
            assert (f"\n  {name} " in out) == (name != "load")


def test_help_of_a_command_names_its_options_in_full(say: Callable[..., Said]) -> None:
    code, out, _ = say("count", "--help")
    assert code == 0
    assert "--trainable-initial-state" in out
    assert "--reset-after / --no-reset-after" in out


def test_the_version_is_that_of_the_package(say: Callable[..., Said]) -> None:
    assert say("--version") == (0, f"kerasseq {kerasseq.__version__}\n", "")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("count gru --inputz 3 --units 5", "No such option: --inputz"),
        ("count gru --units 5", "Missing option '--inputs'"),
        ("count --inputs 3 --units 5", "Missing argument 'CELL'"),
        ("count gru --inputs three --units 5", "Invalid value for '--inputs'"),
        ("units gru --inputs 3 --budget lots", "'lots' is no number such as 100000, 100k or 2M"),
        ("nothing", "No such command 'nothing'"),
        ("--nothing", "No such option: --nothing"),
    ],
)
def test_wrong_arguments_get_one_line_and_where_to_look(
    say: Callable[..., Said], command: str, message: str
) -> None:
    code, out, err = say(*command.split())
    assert (code, out) == (2, "")
    assert err.startswith("kerasseq: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert err.endswith("--help'.\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("count gro --inputs 3 --units 5", "There is no cell named 'gro'. Did you mean 'gru'?"),
        ("count gru --inputs 0 --units 5", "`inputs` must be a positive integer"),
        ("count lstm --inputs 3 --units 5 --reset-after", "no option 'reset_after' for 'lstm'"),
        ("count gru --inputs 3 --units 5 --format xml", "`format` must be one of table, json"),
        ("units gru --inputs 3 --budget 5", "`budget` is too small for 1 unit of gru"),
        ("compare gru lstm --inputs 3", "give one of the two"),
        ("report nowhere.keras", "There is no file 'nowhere.keras'."),
        ("explain nowhere.keras", "There is no file 'nowhere.keras'."),
        ("explain setup.cfg", "'setup.cfg' is no .keras file"),
        ("explain kerasseq", "The folder 'kerasseq' holds no model.keras."),
        ("count lstm --inputs 3 --units 5 --depth 1000000000000", "`depth` must be at most 1,000"),
        ("report ~nosuchuser/a.keras", "Invalid value for 'FILE': path begins with a user"),
        (f"report {'a' * 300}", "path is no path of this machine (file name too long)"),
        (f"show {'a' * 300}", "path is no path of this machine (file name too long)"),
        ("show ~nosuchuser", "Invalid value for 'DIR': path begins with a user"),
        (f"predict nowhere {'a' * 300}", "there is no folder nowhere"),
        ("report setup.cfg", "'setup.cfg' cannot be read as a Keras file"),
    ],
)
def test_bad_input_gets_one_line(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    monkeypatch.chdir(ROOT)
    code, out, err = say(*command.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"kerasseq: error: {message}") or message in err
    assert err.count("\n") == 1


def _raising(error: BaseException) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise error

    return function


def test_several_lines_of_an_error_become_one(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(params, "cells", _raising(ValueError("first\n  second")))
    where = f"({cli.TRACEBACK}=1 shows where)"  # as no `raise` of ours raised it
    assert say("cells") == (2, "", f"kerasseq: error: first second {where}\n")


def test_an_error_of_the_system_names_the_file(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        params, "cells", _raising(PermissionError(13, "Permission denied", "a.csv"))
    )
    assert say("cells") == (2, "", "kerasseq: error: Permission denied: a.csv\n")


def test_names_do_not_steer_the_terminal(say: Callable[..., Said], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "\x1b[2J.weights.h5", "w") as file:
        file["layers/dense\x9b2J/vars/0"] = [1.0]
    code, out, err = say("report", str(tmp_path / "\x1b[2J.weights.h5"))
    assert (code, err) == (0, "")
    assert "\\u001b[2J.weights.h5" in out
    assert "\\u009b2J" in out
    assert "\x1b" not in out
    code, out, err = say("report", str(tmp_path / "\x1b[2J"))
    assert (code, out) == (2, "")
    assert err.endswith("\\u001b[2J'.\n")


@pytest.mark.parametrize("error", [RuntimeError("ours"), TypeError("ours"), KeyError("ours")])
def test_a_fault_of_ours_keeps_its_traceback(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(params, "cells", _raising(error))
    with pytest.raises(type(error), match="ours"):
        say("cells")


def test_a_type_error_that_is_raised_on_purpose_gets_one_line(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(params, "cells", lambda: params.report(3))
    code, _, err = say("cells")
    assert code == 2
    assert err.startswith("kerasseq: error: `report` takes a built Keras model or layer")


def test_the_traceback_of_an_error_is_shown_on_demand(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cli.TRACEBACK, "1")
    with pytest.raises(ValueError, match="no cell named 'gro'"):
        say("count", "gro", "--inputs", "3", "--units", "5")


def test_an_interruption_is_one_line(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(params, "cells", _raising(KeyboardInterrupt()))
    assert say("cells") == (130, "", "kerasseq: interrupted\n")


def test_a_closed_pipe_is_silent() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "kerasseq", "cells"],
        cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, timeout=300,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_shell_sees_code_and_line() -> None:
    done = _shell("count", "gro", "--inputs", "3", "--units", "5")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kerasseq: error: There is no cell named 'gro'.")
    assert done.stderr.count("\n") == 1


# Recipes


def recipe(
    data: str | os.PathLike[str] = "demo",
    *,
    units: int = 64,
    rate: float = 0.5,
    wide: bool = True,
    text: str | None = None,
    length: int | None = None,
    clip: float | None = 1.0,
    window: int | str = "auto",
    mode: Literal["fast", "slow", 3] = "fast",
    layers: Sequence[int] = (8, 4),
    path: os.PathLike[str] | None = None,
    callbacks: Sequence[Any] = (),
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Any:
    """Do something to [data].

    More words.

    Args:
        data: what to learn
            from.
        units: width of the cell.
        rate: a share in [0, 1).

    Returns:
        A Run.
    """
    CALLS.append(dict(locals()))
    return Run()


class Run:
    """Stands for a run."""

    recipe = "sentiment"

    def summary(self) -> None:
        print("the summary")

    def predict(self, data: Any, strict: bool = False) -> Any:
        import numpy as np
        import pandas as pd

        CALLS.append({"data": data, "strict": strict})
        if isinstance(data, Path):
            data = [str(data)]
        return pd.DataFrame({"text": data, "p": np.float32([0.25] * len(data))})

    def evaluate(self, data: str, **reading: Any) -> dict[str, Any]:
        CALLS.append({"data": data, **reading})
        return {
            "rows": 1200,
            "test": {"accuracy": 0.5},
            "interval": {"accuracy": [0.25, 0.75]},
            "remarks": ["no rows of class 'c'"],
        }


CALLS: list[dict[str, Any]] = []


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """A registry with the recipe above, and what it was called with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "names", lambda: ["recipe"])
    monkeypatch.setattr(registry, "get", lambda name: {"recipe": recipe}[name])
    monkeypatch.setattr(registry, "summary", lambda name: "Do something.")
    CALLS.clear()
    return CALLS


DEFAULTS = {
    "data": "demo", "units": 64, "rate": 0.5, "wide": True, "text": None, "length": None,
    "clip": 1.0, "window": "auto", "mode": "fast", "layers": [8, 4], "path": None, "callbacks": (),
    "quiet": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "given"),
    [
        ("", {}),
        ("reviews.csv", {"data": "reviews.csv"}),
        ("--units 3 --rate 0.25", {"units": 3, "rate": 0.25}),
        ("--rate 1", {"rate": 1.0}),
        ("--no-wide --quiet", {"wide": False, "quiet": True}),
        ("--text body --length 7", {"text": "body", "length": 7}),
        ("--clip 0.5", {"clip": 0.5}),
        ("--clip none", {"clip": None}),
        ("--window 3", {"window": 3}),
        ("--window auto", {"window": "auto"}),
        ("--mode slow", {"mode": "slow"}),
        ("--mode 3", {"mode": 3}),
        ("--layers 1 --layers 2", {"layers": [1, 2]}),
        ("--path there", {"path": "there"}),
    ],
)
def test_a_recipe_takes_its_arguments_as_options(
    say: Callable[..., Said], fake: list[dict[str, Any]], flags: str, given: dict[str, Any]
) -> None:
    assert say("recipe", *flags.split(), "--out", "there")[:2] == (0, "the summary\n")
    assert fake == [{**DEFAULTS, "out": "there", **given}]


def test_a_recipe_writes_to_a_folder_of_its_own(
    say: Callable[..., Said], fake: list[dict[str, Any]]
) -> None:
    say("recipe")
    folder = Path(fake[0]["out"])
    assert folder.parent == Path("runs")
    assert folder.name.startswith("recipe-20")


def test_the_help_of_a_recipe_is_its_docstring(
    say: Callable[..., Said], fake: list[dict[str, Any]]
) -> None:
    code, out, _ = say("recipe", "--help")
    words = " ".join(out.split())
    assert code == 0
    assert "Do something to [data]. More words." in words
    assert "what to learn from." in words
    assert "a share in [0, 1)." in words
    assert "--no-wide" in words
    assert "--callbacks" not in words
    assert "Returns" not in words


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--unitz 3", "No such option: --unitz"),
        ("--units x", "Invalid value for '--units'"),
        ("--mode medium", "`mode` must be one of Literal['fast', 'slow', 3]. Received: 'medium'"),
        ("--clip much", "`clip` must be one of float, None. Received: 'much'"),
        ("one two", "unexpected extra argument"),
    ],
)
def test_wrong_arguments_of_a_recipe_get_one_line(
    say: Callable[..., Said], fake: list[dict[str, Any]], flags: str, message: str
) -> None:
    code, out, err = say("recipe", *flags.split())
    assert (code, out, fake) == (2, "", [])
    assert message in err
    assert err.count("\n") == 1


def test_a_recipe_is_imported_only_when_it_is_called(
    say: Callable[..., Said], fake: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "get", _raising(AssertionError("imported")))
    assert "Do something." in say("--help")[1]
    assert say("cells")[0] == 0
    with pytest.raises(AssertionError, match="imported"):
        say("recipe", "--help")


def test_an_interrupted_recipe_says_how_to_go_on(
    say: Callable[..., Said], fake: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(data: str = "demo", *, out: str | None = None) -> None:
        if out == "begun":
            Path(out).mkdir()
            Path(out, "checkpoint.npz").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "get", lambda name: interrupted)
    assert say("recipe", "--out", "begun") == (
        *(130, "", "kerasseq: interrupted; the same command with --out begun resumes it\n"),
    )
    assert say("recipe", "--out", "other") == (130, "", "kerasseq: interrupted\n")
    assert say("recipe") == (130, "", "kerasseq: interrupted\n")
    assert not Path("runs").exists()


def test_default_folders_of_one_second_have_different_names(
    say: Callable[..., Said], fake: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda format: "20260101-120000")

    def run(data: str = "demo", *, out: str | None = None) -> Any:
        fake.append({"out": out})
        Path(str(out), "run.json").touch()
        if len(fake) < 3:  # the next one begins while this one goes on
            assert say("recipe")[0] == 0
        return Run()

    monkeypatch.setattr(registry, "get", lambda name: run)
    assert say("recipe")[0] == 0
    first = "runs/recipe-20260101-120000"
    assert [call["out"] for call in fake] == [first, f"{first}-2", f"{first}-3"]


@pytest.mark.parametrize("command", ["show", "report", "explain", "tuned", "predict", "forecast"])
def test_an_empty_text_is_no_folder(say: Callable[..., Said], command: str) -> None:
    code, out, err = say(command, "")
    assert (code, out) == (2, "")
    assert "must be a path, and not an empty text" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "report", "explain", "tuned", "predict"])
def test_folders_may_be_given_from_the_home_folder(
    say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    code, _, err = say(command, "~/nowhere", *(["a text"] if command == "predict" else []))
    assert code == 2
    assert str(tmp_path / "nowhere") in err


# Runs


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """The folder holds the run above."""
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder", "run.json").write_text('{"recipe": "sentiment"}')
    monkeypatch.setattr("kerasseq.runs.load", lambda folder: Run())
    CALLS.clear()
    return CALLS


@pytest.mark.parametrize("command", ["show", "load"])
def test_show_prints_the_summary_of_a_run(
    say: Callable[..., Said], run: list[dict[str, Any]], command: str
) -> None:
    assert say(command, "folder") == (0, "the summary\n", "")


def test_predict_takes_texts_a_file_or_standard_input(
    say: Callable[..., Said],
    run: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import io

    expected = (0, "text,p\na b,0.25\né\u2028,0.25\n", "")
    (tmp_path / "texts").write_text("\ufeffa b\n\n  \né\u2028\n", encoding="utf-8")
    csv = ("--format", "csv")
    assert say("predict", "folder", "a b", "é\u2028", *csv) == expected
    assert say("predict", "folder", "--file", str(tmp_path / "texts"), *csv) == expected
    for flags in ((), ("--file", "-")):
        for raw in ("a b\r\né\u2028\n".encode(), "a b\né\u2028".encode("utf-16")):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
            assert say("predict", "folder", *flags, *csv) == expected


def test_texts_may_be_in_windows_1252(
    say: Callable[..., Said],
    run: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import io

    (tmp_path / "texts").write_bytes(b"don\x92t\r\n")
    expected = (0, "text,p\ndon’t,0.25\n", "")
    csv = ("--format", "csv")
    assert say("predict", "folder", "--file", str(tmp_path / "texts"), *csv) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"don\x92t")))
    assert say("predict", "folder", *csv) == expected


def test_predict_takes_a_table_by_its_file(
    say: Callable[..., Said], run: list[dict[str, Any]]
) -> None:
    assert say("predict", "folder", "--file", "new.csv", "--strict")[0] == 0
    assert say("predict", "folder", "new.csv")[0] == 0  # which says if there is none
    assert say("predict", "folder", "see new.csv")[0] == 0  # one text
    assert run == [
        {"data": Path("new.csv"), "strict": True},
        {"data": Path("new.csv"), "strict": False},
        {"data": ["see new.csv"], "strict": False},
    ]


def test_predictions_come_as_a_table_or_json(
    say: Callable[..., Said], run: list[dict[str, Any]]
) -> None:
    assert json.loads(say("predict", "folder", "a", "--format", "json")[1]) == {
        "rows": [{"text": "a", "p": 0.25}]
    }
    assert say("predict", "folder", "a")[1].split() == ["text", "p", "─" * 11, "a", "0.25"]


def test_texts_that_are_none_are_refused(
    say: Callable[..., Said],
    run: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "blank").write_text("\n \n")
    (tmp_path / "binary").write_bytes(b"\x89PNG\0")
    monkeypatch.chdir(tmp_path)
    for flags, message in (
        (("--file", "blank"), "There is nothing in blank: give one row a line."),
        (("--file", "binary"), "binary is a binary file, not text."),
        (("--file", "nowhere"), "No such file or directory: nowhere"),
        (("text", "--file", "blank"), "Give rows or --file, not both."),
    ):
        code, out, err = say("predict", "folder", *flags)
        assert (code, out) == (2, "")
        assert err.startswith(f"kerasseq: error: {message}")
        assert err.count("\n") == 1
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    assert say("predict", "folder") == (
        *(2, "", "kerasseq: error: Give rows, --file, or rows on standard input.\n"),
    )


def test_evaluate_prints_scores_with_their_intervals(
    say: Callable[..., Said], run: list[dict[str, Any]]
) -> None:
    assert say("evaluate", "folder", "new.csv", "--format", "csv") == (
        *(0, "metric,value,low,high\naccuracy,0.5,0.25,0.75\n", ""),
    )
    assert run == [{"data": "new.csv"}]
    shown = say("evaluate", "folder", "new.csv")[1]
    assert shown.startswith("1,200 rows\n")
    assert shown.endswith("no rows of class 'c'\n")
    code, _, err = say("evaluate", "folder", "new.csv", "--images", "images")
    assert (code, "No such option: --images" in err) == (2, True)


def test_evaluate_has_the_options_by_which_the_recipe_reads(
    say: Callable[..., Said], run: list[dict[str, Any]]
) -> None:
    assert say("evaluate", "folder", "new.csv", "--text", "body")[0] == 0
    assert run == [{"data": "new.csv", "text": "body"}]
    assert "name of the column of labels" in " ".join(say("evaluate", "folder", "-h")[1].split())


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_the_help_of_a_verb_without_a_folder_fits_every_recipe(
    say: Callable[..., Said], verb: str
) -> None:
    code, out, _ = say(verb, "--help")
    assert code == 0
    assert "[DATA]..." in out
    assert f"`kerasseq {verb} DIR --help`" in out
    assert not any(word in out.lower() for word in ("image", "sentence", "series", "caption"))
    code, _, err = say(verb)
    assert (code, "Missing argument 'DIR'" in err) == (2, True)
    assert "--horizon" in say("forecast", "--help")[1]  # of one recipe only


def test_a_verb_of_other_runs_is_refused_with_those_that_there_are(
    say: Callable[..., Said], run: list[dict[str, Any]]
) -> None:
    code, out, err = say("forecast", "folder")
    assert (code, out) == (2, "")
    assert "a run of sentiment has no forecast. It has: predict, evaluate." in err


def test_an_old_option_gets_its_new_name(say: Callable[..., Said]) -> None:
    code, _, err = say("sentiment", "--clip", "1")
    assert (code, "No such option: --clip: it was renamed to --clipnorm." in err) == (2, True)


def test_a_recipe_from_outside_has_its_commands(say: Callable[..., Said], tmp_path: Path) -> None:
    from tests.toy import toy

    folder = str(tmp_path / "run")
    toy(out=folder)
    assert "Train the toy" in say("--help")[1]
    assert "--units" in say("toy", "--help")[1]
    for verb in ("predict", "subtract"):
        code, out, _ = say(verb, folder, "3,1", "2,2", "--format", "csv")
        assert (code, len(out.splitlines())) == (0, 3)
    assert "Differences of pairs" in say("subtract", folder, "--help")[1]
    assert say("show", folder)[1].startswith("toy: 30 test rows")


def test_a_folder_that_is_no_run_is_refused(say: Callable[..., Said], tmp_path: Path) -> None:
    for command in (["show"], ["predict", "text"], ["evaluate", "new.csv"]):
        code, out, err = say(command[0], str(tmp_path), *command[1:])
        assert (code, out) == (2, "")
        assert "is not a run" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("name", registry.names())
def test_every_recipe_has_its_options(say: Callable[..., Said], name: str) -> None:
    code, out, _ = say(name, "--help")
    assert code == 0
    assert "--out" in out
    assert "--seed" in out


def test_from_training_to_predicting_to_reporting(say: Callable[..., Said], tmp_path: Path) -> None:
    folder, reviews = str(tmp_path / "run"), str(tmp_path / "reviews.csv")
    sides = (("fine", "positive"), ("dull", "negative"))
    rows = [f"a {word} film {place},{label}\n" for place in range(30) for word, label in sides]
    Path(reviews).write_text("text,label\n" + "".join(rows))
    small = ["--epochs", "1", "--units", "2", "--final", "train", "--quiet"]
    code, out, err = say("sentiment", reviews, *small, "--out", folder)
    assert (code, err) == (0, "")
    assert "accuracy" in out
    assert (tmp_path / "run" / "run.json").is_file()
    assert say("show", folder)[1] == out
    code, out, _ = say("predict", folder, "not bad", "a bore", "--format", "json")
    answers = json.loads(out)["rows"]
    assert [row["text"] for row in answers] == ["not bad", "a bore"]
    assert all(abs(row["negative"] + row["positive"] - 1) < 1e-4 for row in answers)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (
        json.loads(say("report", folder, "--format", "json")[1])["total"] == metrics["parameters"]
    )
    code, out, _ = say("evaluate", folder, reviews, "--format", "csv")
    assert (code, out.splitlines()[0]) == (0, "metric,value,low,high")
