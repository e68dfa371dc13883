"""Tables of the trained models that come with the package: their training and their scores.

mIoU and oIoU stand in two tables. The models differ in towers, image size, loss and number of
samples, so these tables describe models and compare nothing.
"""

from risbook.evaluation.result_files import read_result
from risbook.ledger.markdown import END
from risbook.ledger.measured import SHIPPED
from risbook.studies.result_tables import NONE, Rows, markdown_table
from risbook.systems.checkpoints import list_shipped
from risbook.systems.parameters import count_parameters
from risbook.systems.system_presets import system_config
from risbook.training.run_log import read_log
from risbook.training.training_config import TrainingConfig

#: The name of these tables together, where a page shows them.
NAME = "shipped"

METRICS = ("mIoU", "oIoU")


def training_rows() -> Rows:
    """Towers, parameters and training of every model, a row each."""
    return [_training_row(name) for name in list_shipped()]


def score_rows(metric: str) -> Rows:
    """Scores in percent, a row per model and a column per split.

    Args:
        metric: one of `METRICS`.
    """
    rows = []
    for name in list_shipped():
        scores = read_result(SHIPPED / name / "scores.json")["rows"]
        cells = {f"{row['set']} {row['split']}": f"{100 * row[metric]:.1f}" for row in scores}
        rows.append({"model": name, **cells})
    return rows


def shipped_records() -> dict[str, Rows]:
    """All three tables by name."""
    return {"training": training_rows(), **{metric: score_rows(metric) for metric in METRICS}}


def render_shipped() -> str:
    """All three tables as Markdown between two comments."""
    parts = [f"<!-- risbook results: {NAME} -->", *markdown_table(training_rows())]
    dates = [read_result(SHIPPED / name / "scores.json")["date"] for name in list_shipped()]
    period = " to ".join(sorted({min(dates), max(dates)}))
    for metric in METRICS:
        title = f"**{metric} in percent.** *Run by us, {period}.*"
        parts += [title, *markdown_table(score_rows(metric))]
    return "\n\n".join([*parts, END])


def _training_row(name: str) -> dict[str, str]:
    config = system_config(name)
    training = TrainingConfig.load(SHIPPED / name / "training.json")
    report = count_parameters(name)
    steps = [row for row in read_log(SHIPPED / name / "log.jsonl") if row["kind"] == "step"]
    minutes = steps[-1]["seconds"] / 60
    return {
        "model": name,
        "image tower": getattr(config, "image_tower", NONE),
        "text tower": getattr(config, "text_tower", NONE),
        "image size": f"{config.image_size}",
        "tuned": f"{report.tuned:,}",
        "in the towers": f"{report.backbone_tuned:,}",
        "steps": f"{training.steps:,} × {training.batch_size}",
        "rate": f"{training.learning_rate:g}",
        "loss": training.loss or "cross-entropy",  # the systems' own
        "minutes": f"{minutes:.0f}",
    }
