"""Execute and normalise notebooks: the only way in which committed outputs come about.

python book/_tools/notebooks.py                     every notebook of the book
python book/_tools/notebooks.py book/task/a.ipynb   this one
python book/_tools/notebooks.py --no-execute a.ipynb   normal form only, outputs kept
python book/_tools/notebooks.py --measure a.ipynb   time and memory only, outputs kept
python book/_tools/notebooks.py --check             nothing is written; 1 if any differs
"""

import argparse
import copy
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from book_config import BOOK, ROOT, branch, notebooks, repository_url
from chapter_cells import text_of
from contract import RETOLD
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from normal_form import Notebook, normalise
from retold import count_words, reading_minutes
from stubs import StubError

_MEASURED = re.compile(r'(<span class="measured">).*?(</span>)', re.DOTALL)
_PEAK = (
    "import resource as _r, sys as _s; print(_r.getrusage(_r.RUSAGE_SELF).ru_maxrss, _s.platform)"
)
WORDS_A_MINUTE = 180  # chapters that are not retold yet


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        description="Execute and normalise the book's notebooks, in place."
    )
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; default: all of the book")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing, report what differs")
    mode.add_argument("--no-execute", action="store_true", help="normalise, keep the outputs")
    mode.add_argument(
        "--measure", action="store_true", help="execute for time and memory, keep the outputs"
    )
    options = parser.parse_args(arguments)
    bad = 0
    for path in options.paths or notebooks():
        path = path.resolve()
        try:
            if not path.is_file():
                parser.error(f"{path}: there is no such notebook")
            if options.check:
                bad += not check(path)
            else:
                process(path, run=not options.no_execute, keep_outputs=options.measure)
        except (CellExecutionError, StubError) as mistake:
            print(f"{path.name}: {mistake}", file=sys.stderr)
            bad += 1
    return 1 if bad else 0


def check(path: Path) -> bool:
    """Say whether a notebook is in normal form, without executing or writing it."""
    good = path.read_text(encoding="utf-8") == written(normal(nbformat.read(path, 4), path))
    if not good:
        print(f"{path.name}: not in normal form; run `make notebooks NB={_relative(path)}`")
    return good


def process(path: Path, *, run: bool, keep_outputs: bool = False) -> None:
    """Execute a notebook if asked, bring it to normal form, and write it back.

    Args:
        path: the notebook.
        run: whether it is executed; its header then gets the measured time and memory.
        keep_outputs: whether the outputs stay those of an earlier execution.
    """
    book = normal(nbformat.read(path, 4), path)
    seconds, peak = 0.0, 0.0
    if run:
        print(f"{_relative(path)}: executing", flush=True)
        seconds, peak = execute(copy.deepcopy(book) if keep_outputs else book, path)
        page = _relative(path).removesuffix(".ipynb")
        write_measured(book, seconds, peak, retold=page in RETOLD)
    path.write_text(written(normal(book, path)), encoding="utf-8")
    size = path.stat().st_size / 1000
    print(f"{_relative(path)}: {seconds:.0f} s, {peak:.1f} GB at the peak, {size:.0f} kB")


def normal(book: Notebook, path: Path) -> Notebook:
    """Bring one notebook of this repository to normal form."""
    return normalise(book, url=repository_url(), branch=branch(), path=_relative(path))


def written(book: Notebook) -> str:
    """Serialise a notebook exactly as it is committed."""
    return str(nbformat.writes(book, version=4)).rstrip("\n") + "\n"


def execute(book: Notebook, path: Path) -> tuple[float, float]:
    """Run every cell in a fresh kernel of this Python; returns seconds and peak gigabytes."""
    environment = {
        "RISBOOK_STATIC": "1",  # interactive figures leave their static half only
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),  # see the Makefile
        "TQDM_DISABLE": "1",
    }
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        book,
        timeout=1200,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
    )
    # The kernel of the running Python, whatever kernels are registered on the machine.
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    with client.setup_kernel(env=os.environ | environment):
        started = time.perf_counter()
        for place, cell in enumerate(book.cells):
            client.execute_cell(cell, place)
        seconds = time.perf_counter() - started
        probe = nbformat.v4.new_code_cell(_PEAK)
        book.cells.append(probe)
        client.execute_cell(probe, len(book.cells) - 1)
        book.cells.pop()
    # On a busy machine the line may arrive in several pieces.
    amount, system = "".join(output.text for output in probe.outputs).split()
    return seconds, int(amount) * (1 if system == "darwin" else 1024) / 1e9


def write_measured(book: Notebook, seconds: float, peak: float, *, retold: bool) -> None:
    """Write time and memory into the header, rounded so that reruns mostly agree."""
    words = count_words(text_of(book))
    minutes = reading_minutes(book) if retold else max(1, round(words / WORDS_A_MINUTE))
    duration = f"{max(5, 5 * round(seconds / 5))} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    text = (
        f"{minutes} min to read, {duration} to run "
        f"on {_cores()} CPU cores, {peak:.1f} GB of memory at the peak"
    )
    header = book.cells[0]
    header.source = _MEASURED.sub(lambda m: m[1] + text + m[2], header.source)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _relative(path: Path) -> str:
    inside = path.is_relative_to(ROOT)
    return path.relative_to(ROOT).as_posix() if inside else f"{BOOK.name}/{path.name}"


if __name__ == "__main__":
    sys.exit(main())
