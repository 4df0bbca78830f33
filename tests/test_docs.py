"""Docstrings, the README and the pages in docs say what the code does: they are run."""

from __future__ import annotations

import contextlib
import dataclasses
import doctest
import importlib
import inspect
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import readme
from kerasseq import registry
from kerasseq.tasks import perform
from tests.thorough import is_thorough

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SET_UP = (
    "python -m pip install . && kerasseq sentiment",
    "python -m pip install -e '.[test]' && python -m pytest",
)


_PERFORM = perform.perform
_RUNS: dict[str, Any] = {}


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes train for at most two epochs, and once for equal calls; in thorough runs as ever."""

    def performed(task: Any, settings: Any) -> Any:
        settings = dataclasses.replace(settings, epochs=min(settings.epochs, 2))
        if settings.out or settings.warm_start or not isinstance(settings.data, str | None):
            return _PERFORM(task, settings)
        call = f"{task.name} {settings}"
        if call not in _RUNS:
            _RUNS[call] = _PERFORM(task, settings)
        return dataclasses.replace(_RUNS[call])

    if not is_thorough():
        monkeypatch.setattr(perform, "perform", performed)


# Docstrings


def _modules_with_examples() -> list[str]:
    """Dotted names, found without importing anything."""
    folders = {"kerasseq": ROOT / "kerasseq", "kerasseq.recipes": ROOT / "recipes"}
    return sorted(
        ".".join([package, *path.relative_to(folder).with_suffix("").parts]).removesuffix(
            ".__init__"
        )
        for package, folder in folders.items()
        for path in folder.rglob("*.py")
        if ">>> " in path.read_text(encoding="utf-8")
    )


# Examples that train, of recipes, runs and searches, and those that build networks for images.
_LONG = re.compile(
    r"kerasseq\.((recipes|tasks|runs)\..*|tuning\.(hypermodel|tune)"
    r"|models\.(feature_extractor|image_encoder))"
)


def _run_examples(test: doctest.DocTest) -> str:
    """What went wrong, or nothing."""
    report = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    runner.run(test, out=report.write, clear_globs=False)
    return report.getvalue()


@pytest.mark.usefixtures("briefly")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] if _LONG.fullmatch(name) else [])
        for name in _modules_with_examples()
    ],
)
def test_docstring_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    tests = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert tests, f"{name} has examples that stand in no docstring"
    report = "".join(map(_run_examples, tests))
    if report:
        pytest.fail(report, pytrace=False)


def _undocumented(name: str, value: Any) -> list[str]:
    """What the docstring of a public name lacks."""
    text = inspect.getdoc(value) or ""
    if not text:
        return [f"{name}: no docstring"]
    if not callable(value) or (isinstance(value, type) and issubclass(value, BaseException)):
        return []
    missing = [] if "Example" in text else [f"{name}: no Example"]
    if inspect.signature(value).parameters and not re.search(r"^(Args|Attributes):", text, re.M):
        missing.append(f"{name}: no Args")
    return missing


@pytest.mark.parametrize(
    "package",
    ["kerasseq", "kerasseq.cells", "kerasseq.layers", "kerasseq.params", "kerasseq.recipes"],
)
def test_every_public_name_is_documented(package: str) -> None:
    module = importlib.import_module(package)
    others = {*registry.names()} - {*registry.builtin()}  # which other tests have registered
    public = [name for name in module.__all__ if not name.startswith("_") and name not in others]
    assert public
    missing = [_undocumented(name, getattr(module, name)) for name in public]
    assert [line for lines in missing for line in lines] == []


# Pages


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `<!-- slow -->` above it leaves it to the slow tests."""

    language: str
    text: str
    slow: bool


def _blocks(page: Path) -> list[Block]:
    fenced = re.compile(
        r"^(?P<slow><!-- slow -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
    )
    return [
        Block(found["language"], found["text"], found["slow"] is not None)
        for found in fenced.finditer(page.read_text(encoding="utf-8"))
    ]


def _run_python(block: Block, names: dict[str, Any]) -> None:
    if ">>> " in block.text:
        test = doctest.DocTestParser().get_doctest(block.text, names, "page", "page", 0)
        report = _run_examples(test)
        assert not report, report
        names.update(test.globs)  # get_doctest works on a copy
    else:
        exec(compile(block.text, "page", "exec", dont_inherit=True), names)


def _run_command(command: str) -> str:
    """The output of a `kerasseq ...` line, run in this process."""
    from kerasseq.cli import main

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            code = main(shlex.split(command, comments=True)[1:])
        except SystemExit as stop:
            code = stop.code
    assert not code, f"{command} ended with {code}\n{output.getvalue()}"
    return output.getvalue()


def _run_shell(block: Block) -> None:
    """Runs a block's kerasseq lines; in a console block, `$` marks a command above its output."""
    if block.language != "console":
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.startswith("kerasseq "):
                _run_command(line)
        return
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        if command.startswith("kerasseq "):
            output = _run_command(command)
            # What a training prints differs from machine to machine.
            same = block.slow or doctest.OutputChecker().check_output(expected, output, FLAGS)
            assert same, f"{command}\nexpected:\n{expected}\ngot:\n{output}"


def _run_page(page: Path, *, slow: bool) -> int:
    """Runs a page from top to bottom, in one namespace, and counts the blocks that ran."""
    names: dict[str, Any] = {"__name__": "page"}
    ran = 0
    for block in _blocks(page):
        if block.slow and not slow:
            continue
        if block.language == "python":
            _run_python(block, names)
        elif block.language in ("console", "sh", "shell", "bash"):
            _run_shell(block)
        ran += 1
    return ran


def _trains(page: Path) -> bool:
    """Whether a page trains or converts a model."""
    text = "".join(block.text for block in _blocks(page) if not block.slow)
    calls = "|".join((*registry.builtin(), "convert"))
    return bool(re.search(rf"kerasseq[. ]({calls})\b|\.fit\(", text))


@pytest.mark.usefixtures("briefly")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.thorough] if _trains(page) else [])
        for page in PAGES
    ],
)
def test_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run_page(page, slow=False) == sum(not block.slow for block in _blocks(page))


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if "<!-- slow -->" in page.read_text()], ids=lambda p: p.name
)
def test_a_page_runs_with_its_slow_blocks(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run_page(page, slow=True) == len(_blocks(page))


def _links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, and the headings in them; "" for none."""
    found = re.findall(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8"))
    return [(page.parent / path if path else page, heading) for path, heading in found]


def _headings(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    links = _links(page)
    assert [path for path, _ in links if not path.exists()] == []
    assert [(p, name) for p, name in links if name and name not in _headings(p)] == []


def test_the_readme_leads_to_every_page_and_notebook() -> None:
    linked = {path.resolve() for path, _ in _links(README)}
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    assert [path.name for path in pages if path.resolve() not in linked] == []


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 250


def test_the_readme_says_how_to_set_up() -> None:
    lines = [line for block in _blocks(README) for line in block.text.splitlines()]
    assert [command for command in SET_UP if command not in lines] == []


def test_the_tables_of_all_pages_come_from_the_measured_rows() -> None:
    assert readme.main(["--check"]) == 0
