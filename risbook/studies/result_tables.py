"""Tables of our recorded trainings, as plain rows and as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from risbook.ledger.markdown import END
from risbook.studies.comparisons import (
    REFERENCES,
    Comparison,
    compare_runs,
    rates_at_an_edge,
)
from risbook.studies.definitions import STUDIES
from risbook.studies.recorded_runs import RecordedRun, read_runs
from risbook.studies.seed_intervals import Interval

#: The name of all these tables together, where a page shows them.
NAME = "ours"

NONE = "–"

#: What suites compare that are no studies, but runs of a chapter's own program.
SUMMARIES: Mapping[str, str] = {
    "first-model-ablations": "the first model without one of its parts (chapter 1.3)",
    "first-model-cross-entropy": "the first model, cross-entropy alone (chapter 1.3)",
    "first-model-live": "the first model as chapter 1.3 trains it while you read",
    "first-model-rates": "the first model, steps and learning rates (chapter 1.3)",
}

#: Rows of texts by column.
Rows = list[dict[str, str]]


def suite_tables(runs: Sequence[RecordedRun]) -> tuple[Rows, Rows]:
    """The runs of a suite, and how they differ from its reference; the second may be empty."""
    return _without_empty(map(_run_row, runs)), [_comparison_row(c) for c in compare_runs(runs)]


def describe_suite(suite: str) -> str:
    """What a suite compares, in a line."""
    return STUDIES[suite].summary if suite in STUDIES else SUMMARIES.get(suite, "")


def describe_missing(runs: Mapping[str, Sequence[RecordedRun]]) -> str:
    """One line about the runs of studies that have no result yet; empty if all have one."""
    parts = []
    for name, study in STUDIES.items():
        recorded = {(run.key, seed) for run in runs.get(name, ()) for seed in run.seeds}
        wanted = [(run.key, seed) for run, seed in study.select_runs()]
        if missing := [pair for pair in wanted if pair not in recorded]:
            parts.append(f"{name}, {len(missing)} of {len(wanted)} runs")
    return f"Not recorded yet: {'; '.join(parts)}." if parts else ""


def render_suites(folder: Path) -> str:
    """All tables as Markdown between two comments, as tables of the ledger are rendered.

    Raises:
        DataError: as in `read_runs`.
    """
    runs = read_runs(folder)
    parts = [f"<!-- risbook results: {NAME} -->"]
    for suite, members in runs.items():
        rows, differences = suite_tables(members)
        parts += [f"### `{suite}`", _introduction(suite, members), *markdown_table(rows)]
        if differences:
            parts += [about_differences(members), *markdown_table(differences)]
    return "\n\n".join([*parts, *filter(None, [describe_missing(runs)]), END])


def _introduction(suite: str, runs: Sequence[RecordedRun]) -> str:
    summary = describe_suite(suite)
    dates = sorted({date for run in runs for date in run.dates})
    period = " to ".join(sorted({dates[0], dates[-1]}))
    sentence = f"{summary[:1].upper()}{summary[1:]}. " if summary else ""
    return f"{sentence}*Run by us, {period}.*"


def about_differences(runs: Sequence[RecordedRun]) -> str:
    """What is compared with what in a suite that has a reference, in a line."""
    reference = REFERENCES[runs[0].suite]
    best = ", each method at the rate that is best with seed 0" if runs[0].has_rate else ""
    paired = all(score.ious is not None for run in runs for score in run.scores.values())
    basis = "paired by expression" if paired else "seeds count as independent"
    edge = rates_at_an_edge(runs)
    note = f" At the edge of the rates that were tried: {', '.join(edge)}." if edge else ""
    return f"Differences from `{reference}`, in points of mIoU{best}; {basis}.{note}"


def markdown_table(rows: Rows) -> tuple[str, str, str]:
    """A table inside the box that the script of the page Results looks for."""
    heads = list(rows[0])
    rule = ["---:" if head not in _WORDS else ":---" for head in heads]
    lines = [heads, rule, *(list(row.values()) for row in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return '<div class="ris-results">', table, "</div>"


#: Columns of words; all others hold numbers.
_WORDS = ("run", "split", "device", "verdict", "model", "image tower", "text tower", "loss")


def _run_row(run: RecordedRun) -> dict[str, str]:
    steps = NONE if run.steps is None else f"{run.steps:,}"
    row = {
        "run": run.key,
        "images": "all" if run.num_images == 0 else _count(run.num_images),
        "steps": steps if run.batch_size is None else f"{steps} × {run.batch_size}",
        "rate": NONE if run.learning_rate is None else f"{run.learning_rate:g}",
        "seeds": str(len(run.seeds)),
        "tuned": _count(run.tuned),
        "in the towers": _count(run.backbone_tuned),
    }
    for split, score in run.scores.items():
        row[f"mIoU, {split.replace(':', ' ')}"] = _with_interval(score.mean, score.interval())
    row["seconds"] = NONE if run.seconds is None else f"{run.seconds:,.0f}"
    row["device"] = "; ".join(run.devices)
    return row


def _comparison_row(comparison: Comparison) -> dict[str, str]:
    run, joint = comparison.run, comparison.joint
    return {
        "run": f"{run.key} - {comparison.reference.key}",
        "split": comparison.split.replace(":", " "),
        "points": f"{comparison.difference:+.1f}",
        "95 % interval": _ends(comparison.interval),
        "joint interval": f"{_ends(joint)} ({comparison.group_size})" if joint else NONE,
        "verdict": comparison.verdict,
    }


def _without_empty(rows: Iterator[dict[str, str]]) -> Rows:
    """Rows with the same columns, without those that are empty in every row."""
    full = list(rows)
    heads = dict.fromkeys(head for row in full for head in row)
    last = ("seconds", "device")
    order = [*(head for head in heads if head not in last), *last]
    kept = [head for head in order if any(row.get(head, NONE) != NONE for row in full)]
    return [{head: row.get(head, NONE) for head in kept} for row in full]


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _with_interval(mean: float, interval: Interval | None) -> str:
    return f"{mean:.1f}" + (f" ({interval.low:.1f} to {interval.high:.1f})" if interval else "")


def _ends(interval: Interval | None) -> str:
    return f"{interval.low:+.1f} to {interval.high:+.1f}" if interval else NONE
