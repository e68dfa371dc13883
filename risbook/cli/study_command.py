"""``risbook study``: run a comparison, or go on with it."""

from pathlib import Path

from risbook.cli.shared import print_table
from risbook.config import Count, PositiveCount, Precision


def study(
    name: str = "",
    *,
    only: tuple[str, ...] = (),
    out: Path = Path("runs"),
    results: Path | None = None,
    weights: str = "auto",
    steps: PositiveCount | None = None,
    limit: Count | None = None,
    precision: Precision | None = None,
) -> None:
    """Train and evaluate every run of a study that has no result yet.

    Args:
        name: the study (default: list the studies).
        only: names of the runs to make (default: all of them).
        out: folder of unfinished runs.
        results: folder of results (default: book/results).
        weights: of the towers.
        steps: another number of optimiser steps.
        limit: another number of expressions per split, 0 for all.
        precision: arithmetic (default: the study's; auto, 16 bit where the machine is fast at it).

    for example:
      risbook study                                the studies that there are
      risbook study etris-pet                      run it; the same command goes on after a stop
      risbook study etris-pet --only frozen lora   two of its rows
      risbook study etris-pet --steps 20 --limit 50 --results /tmp/trial    a short trial
    """
    from risbook.ledger.measured import results_folder
    from risbook.studies import STUDIES, run_study

    if not name:
        print_table(
            [
                {"study": name, "runs": len(study.select_runs()), "compares": study.summary}
                for name, study in STUDIES.items()
            ]
        )
        return
    files = run_study(
        STUDIES.lookup(name),
        out / name,
        results or results_folder(),
        only=only,
        weights=weights,
        steps=steps,
        limit=limit,
        precision=precision,
    )
    print(f"{len(files)} results: {files[0].parent}")
