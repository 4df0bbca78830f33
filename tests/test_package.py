"""What installing and importing kerasseq gives."""

from __future__ import annotations

import configparser
import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import kerasseq
from kerasseq import names
from kerasseq.cli import generate
from tests.thorough import first_of

ROOT = Path(__file__).parents[1]
HEAVY = ("keras", "tensorflow", "jax", "torch", "pandas", "sklearn", "matplotlib", "numpy")
BACKENDS = ("keras", "tensorflow", "jax", "torch")
RECIPES = sorted(p.stem for p in (ROOT / "recipes").glob("*.py") if not p.stem.startswith("_"))


def _loaded(code: str) -> set[str]:
    """The top-level modules that a fresh process has loaded after `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


def test_import_loads_nothing_heavy() -> None:
    assert _loaded("import kerasseq; dir(kerasseq); kerasseq.__version__").isdisjoint(HEAVY)


@pytest.mark.parametrize("submodule", ["recipes", "params", "registry", "cli"])
def test_these_submodules_load_no_backend(submodule: str) -> None:
    assert _loaded(f"import kerasseq.{submodule}").isdisjoint(BACKENDS)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["cells"], ["count", "gru", "--inputs", "3", "--units", "5"]],
    ids=lambda arguments: arguments[0],
)
def test_these_commands_load_no_backend(arguments: list[str]) -> None:
    code = f"""
import kerasseq.cli
try:
    code = kerasseq.cli.main({arguments!r})
except SystemExit as exit:
    code = exit.code
assert not code, code
"""
    assert _loaded(code).isdisjoint(BACKENDS)


def test_python_dash_m_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "kerasseq", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "sentiment" in result.stdout
    assert "count" in result.stdout


@pytest.mark.parametrize("path", generate.FILES, ids=lambda path: path.name)
def test_generated_lines_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate.written(path), (
        "run python -m kerasseq.cli.generate"
    )


def test_names_show_what_is_public_and_nothing_else() -> None:
    recipes = kerasseq.registry.names()
    assert dir(kerasseq) == sorted(["__version__", *names.PUBLIC, *names.MODULES, *recipes])


@pytest.mark.thorough
def test_type_checkers_know_recipes_and_their_settings(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(
        """
import kerasseq

kerasseq.forecasting(horizn=3)
kerasseq.sentiment(units="many")
kerasseq.nothing
kerasseq.sentiment("reviews.csv", units=32, quiet=True).forecast()
reveal_type(kerasseq.forecasting(horizon=3))
kerasseq.forecasting("sales.csv", horizon=3, optimizer="sgd").forecast(3)
"""
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "user.py"]
    paths = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=paths)
    told = [line.partition(": ")[2] for line in done.stdout.splitlines() if "user.py" in line]
    assert len(told) >= 5, done.stdout + done.stderr
    text = "\n".join(told)
    assert 'Unexpected keyword argument "horizn"' in text
    assert 'Argument "units"' in text
    assert 'Module has no attribute "nothing"' in text
    assert '"ClassificationRun" has no attribute "forecast"' in text
    assert 'Revealed type is "kerasseq.tasks.forecasting.run.ForecastRun"' in text


@pytest.mark.parametrize("name", kerasseq.__all__)
def test_every_public_name_resolves(name: str) -> None:
    value = getattr(kerasseq, name)
    assert value is not None
    assert getattr(kerasseq, name) is value
    assert name in dir(kerasseq)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_function_of_the_package_and_of_recipes(name: str) -> None:
    recipe = getattr(kerasseq, name)
    assert callable(recipe)
    assert recipe.__name__ == name
    assert getattr(kerasseq.recipes, name) is recipe
    assert name in dir(kerasseq)
    assert name in dir(kerasseq.recipes)


@pytest.mark.parametrize("name", first_of(RECIPES))
def test_a_recipe_stays_a_function_after_its_module_was_imported_first(name: str) -> None:
    code = f"""
import importlib
module = importlib.import_module("kerasseq.recipes.{name}")
import kerasseq
from kerasseq.recipes import {name}
assert {name} is module.{name} is kerasseq.{name} is kerasseq.recipes.{name}
import kerasseq.params.report, kerasseq.params.count
assert callable(kerasseq.count) and callable(kerasseq.report)
"""
    assert "kerasseq" in _loaded(code)


def test_submodules_are_loaded_on_first_use() -> None:
    assert kerasseq.evaluation.metrics is importlib.import_module("kerasseq.evaluation.metrics")


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(AttributeError, match=r"'sentimant'.*Did you mean 'sentiment'\?"):
        kerasseq.sentimant  # noqa: B018


def test_an_unknown_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(AttributeError, match=r"'qqqq'. It has: .*\bcount\b.*\bsentiment\b"):
        kerasseq.qqqq  # noqa: B018


def test_an_unknown_recipe_is_answered_with_the_recipes() -> None:
    with pytest.raises(AttributeError, match=r"'qqqq'.*sentiment"):
        kerasseq.recipes.qqqq  # noqa: B018


def test_a_private_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(kerasseq, "_qqqq")
    assert not hasattr(kerasseq, "__qqqq__")


def test_the_version_is_the_one_in_setup_cfg() -> None:
    try:
        metadata.version("kerasseq")
    except metadata.PackageNotFoundError:
        pytest.skip("kerasseq is not installed here, only on the path")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert kerasseq.__version__ == setup["metadata"]["version"]


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in a wheel and in a source distribution of this checkout."""
    pytest.importorskip("setuptools")
    pytest.importorskip("wheel")
    folder = tmp_path_factory.mktemp("pack")
    clone, out = folder / "clone", folder / "out"
    clone.mkdir()
    out.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, clone)
    for name in ("kerasseq", "recipes", "benchmarks"):
        ignore = shutil.ignore_patterns("__pycache__", "results")
        shutil.copytree(ROOT / name, clone / name, symlinks=True, ignore=ignore)
    code = f"from setuptools import build_meta; build_meta.build_{request.param}({str(out)!r})"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=clone, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    (archive,) = out.iterdir()
    if request.param == "wheel":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as sdist:
        members = sdist.getmembers()
        assert not any(member.issym() for member in members)
        return {member.name.partition("/")[2] for member in members}


def test_a_package_holds_every_module_and_data_file(packed: set[str]) -> None:
    kinds = {".py", ".typed", ".json", ".jsonl", ".csv", ".tsv", ".txt"}
    files = {
        f"kerasseq/{path.relative_to(ROOT / 'kerasseq').as_posix()}"
        for path in (ROOT / "kerasseq").rglob("*")
        if path.suffix in kinds
    }
    files |= {f"kerasseq/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.py")}
    assert files - packed == set()


def test_a_package_puts_nothing_else_beside_kerasseq(packed: set[str]) -> None:
    others = {name for name in packed if name.startswith(("recipes", "benchmarks", "notebooks"))}
    assert others == set()
