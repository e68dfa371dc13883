"""Settings that make the bare commands `pytest` and `pytest --nbval` right for this project."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "book" / "_tools"))

# Two threads are enough for every test and notebook, and results then differ less from machine
# to machine. Threads that have nothing to do sleep: by default they spin, and on a loaded machine
# they then take the time of those that work (see the Makefile). Set before torch is imported;
# notebook kernels inherit it.
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))
# Worker processes (`pytest -n 2`) share the cores: where there are too few, each has one thread.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if WORKERS > 1 and (os.cpu_count() or 1) < 2 * WORKERS:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
)
# Kernels write their plots into the notebook, and progress bars nowhere.
KERNEL_ENVIRONMENT = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TQDM_DISABLE": "1",
    "RISBOOK_STATIC": "1",
}
# What nbval shall not compare: drawings and pages (ids differ), and other packages' warnings.
NOT_COMPARED = ("image/svg+xml", "text/html", "stderr")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --slow."""
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give `pytest --nbval` the sanitize file and the kernel of the running Python."""
    config.addinivalue_line("markers", "slow: takes minutes; run with --slow")
    # Shells start what runs in the background with Ctrl-C ignored, and children inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if getattr(config.option, "nbval", False) or getattr(config.option, "nbval_lax", False):
        config.option.nbval_sanitize_with = str(ROOT / "book" / "_tools" / "nbval_sanitize.cfg")
        config.option.nbval_current_env = True


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Collect notebooks of the book only, none of its working folders, and no conftest.py.

    A conftest.py has no doctests, and two of them would be modules of one name.
    """
    if collection_path.name == "conftest.py":
        return True
    if not collection_path.is_relative_to(ROOT):
        return None
    inside = collection_path.relative_to(ROOT).parts
    if any(part in ("_build", ".ipynb_checkpoints", "_static") for part in inside):
        return True
    if collection_path.suffix == ".ipynb" and inside[0] != "book":
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Iterator[None]:
    """Tell nbval what not to compare, and start its kernels with the book's environment."""
    collected: Any = yield
    for collector in collected:
        if hasattr(collector, "skip_compare"):
            collector.skip_compare = (*collector.skip_compare, *NOT_COMPARED)
            _in_environment(collector)
    return collected


def _in_environment(collector: Any) -> None:
    start = collector.setup

    def setup() -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in KERNEL_ENVIRONMENT.items():
                patch.setenv(name, value)
            start()  # the kernel copies the environment when it is started

    collector.setup = setup


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker whole files: a notebook's cells stay together, and fixtures of a module."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # the order of pytest_collection_modifyitems
    return LoadFileScheduling(config, log)


def seconds_to_run(path: Path) -> int:
    """What a notebook's header says of the time it takes; 0 for other files."""
    if path.suffix != ".ipynb":
        return 0
    match = re.search(r"(\d+) (s|min) to run", path.read_text(encoding="utf-8"))
    if match is None:
        return 1  # a notebook that was not executed yet
    return int(match[1]) * (60 if match[2] == "min" else 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files for workers, and skip slow tests unless asked for."""
    if WORKERS > 1:
        # Notebooks take minutes, so they come first: at the end no worker waits for another.
        seconds = {path: seconds_to_run(path) for path in {item.path for item in items}}
        items.sort(key=lambda item: -seconds[item.path])
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
