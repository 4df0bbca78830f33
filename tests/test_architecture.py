"""The rules of docs/architecture.md that a machine can check."""

from __future__ import annotations

import ast
import configparser
import functools
import graphlib
import importlib
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRIVATE = ("keras.src", "keras_tuner.src", "tensorflow.python", "tensorflow.compiler")
PICKLES = ("pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal")


def _ours() -> list[Path]:
    """Every module of the package, under its real path, and the benchmarks."""
    return sorted(
        path
        for folder in ("kerasseq", "recipes", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")  # which does not follow the link
    )


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True, scope="module")
def _forgotten() -> Iterator[None]:
    """Trees are a million objects, through which each later collection of garbage would go."""
    yield
    _tree.cache_clear()


@functools.cache
def _imports(path: Path) -> list[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, `from a import b` being `a.b`."""
    imports: list[tuple[int, str]] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            imports += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            imports += ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
    return imports


def _is(name: str, *modules: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _found(*modules: str, files: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in files
        for line, name in _imports(path)
        if _is(name, *modules)
    ]


def test_import_contracts_hold() -> None:
    command = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    result = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _module(path: Path) -> str:
    """The dotted name under which a file of the package is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = parts if parts[0] == "kerasseq" else ("kerasseq", *parts)
    return ".".join(own).removesuffix(".__init__")


def _ran(tree: ast.Module) -> Iterator[ast.AST]:
    """All that may run in a file, which what is imported for type checkers alone does not."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _runtime_imports(path: Path) -> Iterator[str]:
    """What a file imports when it runs, in functions too, also by `import_module` of a literal."""
    for node in _ran(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (own.value for own in node.args if isinstance(own, ast.Constant))


def _within(name: str, modules: Container[str]) -> str:
    """The module that a dotted name is, or is something of; "" for none."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_no_imports_go_in_a_circle() -> None:
    files = {_module(path): path for path in _ours() if "benchmarks" not in path.parts}
    graph = {
        module: {_within(name, files) for name in _runtime_imports(path)} - {module, ""}
        for module, path in files.items()
    }
    assert "kerasseq.tuning.shared_arrays" in graph["kerasseq.tuning.member"]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    ("folder", "shared"), [("tasks", ()), ("data", ("classes", "demo", "tokenizers"))]
)
def test_tasks_and_kinds_of_data_know_nothing_of_each_other(
    folder: str, shared: tuple[str, ...]
) -> None:
    root = ROOT / "kerasseq" / folder
    packages = sorted(path.parent.name for path in root.glob("*/__init__.py"))
    assert len(packages) > len(shared) + 2
    for package in packages:
        others = {f"kerasseq.{folder}.{name}" for name in {*packages} - {package, *shared}}
        files = sorted((root / package).rglob("*.py"))
        assert _found(*others, files=files) == []


def _distribution(requirement: str) -> str:
    """The name in a requirement, as package indexes compare names."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def test_every_dependency_that_is_imported_is_declared() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    lines = [
        setup["options"]["install_requires"],
        *(extras[name] for name in ("jax", "torch", "onnx", "litert", "holidays", "serve")),
    ]
    declared = {_distribution(line) for text in lines for line in text.split()}
    files = [path for path in _ours() if "benchmarks" not in path.parts]
    imported = {name.partition(".")[0] for path in files for _, name in _imports(path)}
    imported -= {"kerasseq", *sys.stdlib_module_names}
    given = metadata.packages_distributions()  # by what is imported
    assert "numpy" in imported
    undeclared = {
        name
        for name in imported  # a backend need not be installed
        if not {_distribution(own) for own in given.get(name, [name])} & declared
    }
    assert undeclared == set()


def test_no_private_module_of_a_dependency_is_imported() -> None:
    assert _found(*PRIVATE, files=[*_ours(), *(ROOT / "tests").rglob("*.py")]) == []


def test_no_file_is_pickled() -> None:
    # What several processes of one machine tell each other goes through multiprocessing's links,
    # which pickle. One module does so itself; it writes arrays to files, in NumPy's own format.
    lending = ROOT / "kerasseq" / "tuning" / "shared_arrays.py"
    assert _found(*PICKLES, files=[path for path in _ours() if path != lending]) == []
    for path in _ours():
        calls = [n for n in ast.walk(_tree(path)) if isinstance(n, ast.Call)]
        assert not {"pickle.load", "pickle.dump"} & {ast.unparse(call.func) for call in calls}
        allowed = [k for call in calls for k in call.keywords if k.arg == "allow_pickle"]
        assert {ast.unparse(keyword.value) for keyword in allowed} <= {"False"}, path


def test_files_are_replaced_by_the_atomic_writer_alone() -> None:
    calls = []
    for path in _ours():
        if path == ROOT / "kerasseq" / "io" / "atomic.py":
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                # Path.replace takes one argument, unlike str.replace and dataclasses.replace.
                renames = name.endswith(".replace") and len(node.args) == 1 and not node.keywords
                if renames or name in ("os.replace", "os.rename", "os.renames", "shutil.move"):
                    calls.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert calls == []


def test_tensorflow_is_imported_by_kernels_alone_or_says_why() -> None:
    silent = []
    for path in _ours():
        if (ROOT / "kerasseq" / "kernels") in path.parents:
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        for line, name in _imports(path):
            if _is(name, "tensorflow"):
                near = lines[max(line - 2, 0) : line]  # the import and the line above it
                if not any("#" in text for text in near):
                    silent.append(f"{path.relative_to(ROOT)}:{line} {name}")
    assert silent == []


def test_recipes_are_imported_by_their_installed_name() -> None:
    files = [*_ours(), *(ROOT / "tests").rglob("*.py")]
    assert _found("recipes", files=files) == []


def test_the_link_is_relative_and_leads_to_the_recipes() -> None:
    link = ROOT / "kerasseq" / "recipes"
    assert link.is_symlink()
    assert link.readlink() == Path("../recipes")


@pytest.mark.parametrize(
    "name", sorted(p.stem for p in (ROOT / "recipes").glob("*.py") if not p.stem.startswith("_"))
)
def test_a_recipe_file_holds_the_recipe_of_its_name(name: str) -> None:
    import kerasseq

    module = importlib.import_module(f"kerasseq.recipes.{name}")
    recipe = vars(module)[name]
    assert recipe.__module__ == module.__name__
    # Importing the module must not put it in the function's place.
    assert getattr(kerasseq.recipes, name) is recipe
    assert getattr(kerasseq, name) is recipe
