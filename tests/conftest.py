"""What every test runs under. Imports no backend: each test says which one it needs."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.rows import data_folder
from tests.thorough import THOROUGH, sample

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
# Output is compared as text: nothing may depend on the terminal that the tests run in.
os.environ.update(COLUMNS="100", NO_COLOR="1")

if "PYTEST_XDIST_WORKER" in os.environ:  # one worker a core: more threads only get in the way
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

if "KERASSEQ_TEST_HOME" not in os.environ:  # workers inherit it from the process that starts them
    home = tempfile.mkdtemp(prefix="kerasseq-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    # Neither the user's Keras settings nor their downloaded data sets decide what passes.
    os.environ.update(KERASSEQ_TEST_HOME=home, KERAS_HOME=home)

for profile, examples in (("quick", 30), (THOROUGH, 100)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,  # how long an example takes says nothing about it
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_finish() -> None:
    """What was imported stays: no later collection of garbage goes through it."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-in", type=int, default=1, help="run one in so many cases of each test")


@pytest.hookimpl(trylast=True)  # of the cases that are left by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = sample([item.nodeid for item in items], config.getoption("--one-in"))
    if left := [item for item, kept in zip(items, chosen, strict=True) if not kept]:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item, kept in zip(items, chosen, strict=True) if kept]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public benchmark data, which is no part of the project."""
    try:
        return data_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
