"""The recurrences in C++ without Python: tests/native/check.cpp, also under sanitizers.

The program checks results against finite differences and against each other; sanitizers see every
step beyond an array and every race of two threads.
"""

from __future__ import annotations

import ast
import os
import platform
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kerasseq.kernels.native import library

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "kerasseq" / "kernels" / "native" / "src"
CHECK = ROOT / "tests" / "native" / "check.cpp"
SETS = {"portable": "portable", "avx2": "AVX2", "avx512": "AVX-512"}
X86 = platform.machine().lower() in ("x86_64", "amd64")
BOUNDS = ["-fsanitize=address"]
MEANING = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]  # takes twice as long
RACES = ["-fsanitize=thread"]


def of_setup(name: str) -> Any:
    """A constant of setup.py, which cannot be imported: what users build with."""
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"setup.py has no {name}")


FLAGS = [*of_setup("FLAGS"), "-Werror", f"-I{SOURCES}"]
OWN = of_setup("INSTRUCTIONS")


@pytest.fixture(scope="module")
def compiler() -> list[str]:
    given = shlex.split(os.environ.get("CXX", ""))
    names = [given] if given else [["c++"], ["g++"], ["clang++"]]
    for command in names:
        if shutil.which(command[0]):
            return command
    pytest.skip("there is no C++ compiler (apt install g++, or xcode-select --install)")


def sources(*sets: str) -> list[Path]:
    """What the library consists of, with kernels for these instruction sets."""
    shared = [path for path in SOURCES.glob("*.cpp") if path.stem not in SETS]
    return [*shared, *(SOURCES / f"{name}.cpp" for name in sets)]


def build(compiler: list[str], folder: Path, files: list[Path], *flags: str) -> Path:
    """A program of the check and other files, which are compiled side by side."""

    def compile_one(file: Path) -> str:
        to = folder / f"{file.stem}.o"
        run([*compiler, *FLAGS, *OWN.get(file.name, []), *flags, "-c", str(file), "-o", str(to)])
        return str(to)

    with ThreadPoolExecutor(library.cores()) as pool:
        objects = list(pool.map(compile_one, [CHECK, *files]))
    program = folder / "check"
    run([*compiler, *objects, *flags, "-pthread", "-ldl", "-o", str(program)])
    return program


def run(command: list[str], **variables: str) -> str:
    """What a command prints; fails with what it says is wrong."""
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=900, env={**os.environ, **variables}
    )
    if "unexpected memory mapping" in result.stderr:
        pytest.skip("this kernel's memory layout is not for ThreadSanitizer")
    assert result.returncode == 0, f"{shlex.join(command)}\n{result.stderr[-4000:]}"
    return result.stdout


def check(program: Path, instructions: str, *arguments: str) -> None:
    """Runs the program; skips where the processor lacks the instructions."""
    result = run([str(program), *arguments], KERASSEQ_INSTRUCTIONS=instructions).strip()
    if result != SETS[instructions]:
        pytest.skip(f"this processor has no {SETS[instructions]}")


def with_sanitizer(compiler: list[str], folder: Path, *flags: str) -> None:
    """Skips where the compiler has no such sanitizer."""
    empty = folder / "empty.cpp"
    empty.write_text("int main() { return 0; }\n")
    command = [*compiler, *flags, str(empty), "-o", str(folder / "empty")]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"{compiler[0]} has no {flags[0]}: {result.stderr.strip()[:200]}")


@pytest.mark.thorough
@pytest.mark.parametrize("file", sorted(path.name for path in SOURCES.glob("*.cpp")))
def test_no_source_has_a_warning(compiler: list[str], file: str) -> None:
    if file in OWN and not X86:
        pytest.skip("it is for x86 processors")
    own = OWN.get(file, [])
    run([*compiler, *FLAGS, *own, "-fsyntax-only", str(SOURCES / file)])


@pytest.mark.slow
def test_no_source_has_a_warning_when_it_is_optimised(compiler: list[str], tmp_path: Path) -> None:
    build(compiler, tmp_path, sources(*(SETS if X86 else ["portable"])))


@pytest.fixture(scope="module")
def installed(compiler: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The check with the extension as it was built."""
    if not library.PATH.exists():
        pytest.skip("the extension was not built")
    return build(
        compiler,
        tmp_path_factory.mktemp("installed"),
        [],
        str(library.PATH),
        f"-Wl,-rpath,{library.PATH.parent}",
    )


@pytest.mark.thorough
@pytest.mark.parametrize("instructions", SETS)
def test_the_extension_passes(installed: Path, instructions: str) -> None:
    check(installed, instructions, "fork")


@pytest.mark.thorough
def test_no_step_beyond_an_array(compiler: list[str], tmp_path: Path) -> None:
    with_sanitizer(compiler, tmp_path, *BOUNDS)
    program = build(compiler, tmp_path, sources("portable"), "-O1", *BOUNDS, "-DKS_PORTABLE_ALONE")
    check(program, "portable", "quick", "fork")


@pytest.mark.thorough  # compiles everything once more
def test_no_race_of_threads(compiler: list[str], tmp_path: Path) -> None:
    with_sanitizer(compiler, tmp_path, *RACES)
    program = build(compiler, tmp_path, sources("portable"), "-O1", *RACES, "-DKS_PORTABLE_ALONE")
    check(program, "portable", "quick", "threads")


@pytest.fixture(scope="module", params=[MEANING, RACES], ids=["bounds", "races"])
def thorough(
    request: pytest.FixtureRequest, compiler: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The check with kernels for every instruction set, under a sanitizer."""
    folder = tmp_path_factory.mktemp("thorough")
    with_sanitizer(compiler, folder, *request.param)
    files = sources(*(SETS if X86 else ["portable"]))
    return build(compiler, folder, files, "-O1", *request.param)


@pytest.mark.slow
@pytest.mark.parametrize("instructions", SETS)
def test_every_instruction_set_passes_under_sanitizers(thorough: Path, instructions: str) -> None:
    check(thorough, instructions)
