"""Where our commands start Python, threads that wait sleep instead of spinning."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from book_config import notebooks

ROOT = Path(__file__).resolve().parent.parent
SHOW = "import os; print(os.environ['OMP_WAIT_POLICY'])"


def without_policy() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}


def root_settings(config: pytest.Config) -> Any:
    """The conftest.py of the root, as pytest runs it."""
    return config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))


def test_tests_and_kernels_sleep() -> None:
    # Set by the conftest.py of the root; kernels of notebooks inherit it.
    assert os.environ.get("OMP_WAIT_POLICY")


def test_workers_share_the_cores(pytestconfig: pytest.Config) -> None:
    settings = root_settings(pytestconfig)
    threads = int(os.environ["OMP_NUM_THREADS"])
    assert settings.WORKERS == 1 or threads == 1 or threads * settings.WORKERS <= os.cpu_count()


def test_headers_of_notebooks_tell_how_long_they_run(pytestconfig: pytest.Config) -> None:
    settings = root_settings(pytestconfig)
    seconds = [settings.seconds_to_run(path) for path in notebooks()]
    assert min(seconds) >= 5  # every header says so
    assert settings.seconds_to_run(Path(__file__)) == 0


def test_the_command_line_sleeps_from_before_torch_is_imported() -> None:
    start = "import sys, risbook.cli; assert 'torch' not in sys.modules"
    code = f"{start}\nrisbook.cli.main(['evaluate', 'nowhere'])\n"
    code += f"assert 'torch' in sys.modules\n{SHOW}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=without_policy(),
        check=True,
    )
    assert done.stdout.endswith("PASSIVE\n")


def test_make_and_the_gate_say_so() -> None:
    assert "export OMP_WAIT_POLICY ?= PASSIVE" in (ROOT / "Makefile").read_text()
    assert "export OMP_WAIT_POLICY=" in (ROOT / ".ci" / "run").read_text()
