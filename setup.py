"""Builds the native kernels, if there is a compiler; everything else stands in setup.cfg."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("kerasseq/kernels/native/src")

# One set of kernels per instruction set; which one runs is decided when the library is loaded.
INSTRUCTIONS = {
    "avx2.cpp": ["-mavx2", "-mfma"],
    "avx512.cpp": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
}
FLAGS = ["-std=c++17", "-O3", "-g0", "-pthread", "-fvisibility=hidden", "-Wall", "-Wextra"]


def sources() -> list[str]:
    files = sorted(SOURCES.glob("*.cpp"))
    if platform.machine().lower() not in ("x86_64", "amd64"):
        files = [file for file in files if file.name not in INSTRUCTIONS]
    return [file.as_posix() for file in files]


class Build(build_ext):
    """A plain shared library, each source with the flags of its instruction set."""

    def get_ext_filename(self, fullname: str) -> str:
        # No suffix of a Python module, which the library is not; the number is that in library.py.
        return str(Path(*fullname.split("."))) + ".so.2"

    def build_extension(self, ext: Extension) -> None:
        compile_all = self.compiler.compile

        def compile_each(sources: list[str], **options: object) -> list[str]:
            flags = options.pop("extra_postargs") or []

            def compile_one(source: str) -> list[str]:
                own = INSTRUCTIONS.get(Path(source).name, [])
                return compile_all([source], extra_postargs=[*flags, *own], **options)

            with ThreadPoolExecutor() as pool:
                return [name for names in pool.map(compile_one, sources) for name in names]

        self.compiler.compile = compile_each
        super().build_extension(ext)


setup(
    cmdclass={"build_ext": Build},
    ext_modules=[
        Extension(
            "kerasseq.kernels.native.recurrence",
            sources=sources(),
            depends=[file.as_posix() for file in sorted(SOURCES.glob("*.h"))],
            language="c++",
            extra_compile_args=FLAGS,
            extra_link_args=["-pthread", "-ldl"],
            optional=True,
        )
    ],
)
