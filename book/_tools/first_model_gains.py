"""Record how far the shipped first model is above the category model of chapter 1.1.

python book/_tools/first_model_gains.py

The difference is taken per expression: the IoU of the shipped model minus 1 / K, where K is the
number of objects of the described category in the image. Its standard error has the image as the
unit.
"""

from typing import Any

from book_config import ROOT

from risbook.data import ReferData, open_data
from risbook.evaluation import predict_batch
from risbook.evaluation.result_files import write_result
from risbook.systems import System, load_system
from risbook.teaching import mean_and_error

RESULT = ROOT / "book" / "results" / "first-model-gains" / "category-model.json"
SPLITS = {
    "refscenes": ("val", "testA", "testB"),
    "refscenes+": ("val", "testA", "testB"),
    "refscenesg": ("val", "test"),
}


def main() -> None:
    """Run the command."""
    model = load_system("first-model")
    rows = []
    for name, splits in SPLITS.items():
        data = open_data(name)
        for split in splits:
            rows.append({"set": name, "split": split, **measure_gain(model, data, split)})
            print(rows[-1], flush=True)
    RESULT.parent.mkdir(exist_ok=True)
    command = ["python", "book/_tools/first_model_gains.py"]
    about = {"suite": "first-model-gains", "row": "category-model"}
    write_result(RESULT, rows, command=command, system=model, settings={}, about=about)


def measure_gain(model: System, data: ReferData, split: str) -> dict[str, Any]:
    """Measure the mean paired difference of a split, and its standard error."""
    expressions = list(data.expressions.split(split))
    gains = []
    for start in range(0, len(expressions), 64):
        for prediction in predict_batch(model, data, expressions[start : start + 64]):
            expression = prediction.expression
            annotations = data.instances.annotations_of(expression.image_id)
            categories = [annotation.category for annotation in annotations]
            gains.append(prediction.iou - 1 / categories.count(expression.category))
    gain, error = mean_and_error(gains, [expression.image_id for expression in expressions])
    return {
        "count": len(expressions),
        "gain": float(gain),
        "standard error": float(error),
    }


if __name__ == "__main__":
    main()
