"""Record how far the shipped first model is above two baselines of chapter 1.1.

python book/_tools/first_model_gains.py

The differences are taken per expression: the IoU of the shipped model minus that of the largest
object of the image, and minus 1 / K of the category model, where K is the number of objects of the
described category. The unit of their standard errors is the image.
"""

from typing import Any

from book_config import ROOT

from risbook.data import ReferData, open_data
from risbook.evaluation.result_files import write_result
from risbook.systems import System, load_system
from risbook.teaching import Example, collect_outcomes, load_examples, mean_and_error
from risbook.teaching.outcomes import iou_with_objects

FOLDER = ROOT / "book" / "results" / "first-model-gains"
SPLITS = {
    "refscenes": ("val", "testA", "testB"),
    "refscenes+": ("val", "testA", "testB"),
    "refscenesg": ("val", "test"),
}


def main() -> None:
    """Run the command."""
    model = load_system("first-model")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in BASELINES}
    for name, splits in SPLITS.items():
        data = open_data(name)
        for split in splits:
            for baseline, gain in measure_gains(model, data, split).items():
                rows[baseline].append({"set": name, "split": split, **gain})
                print(baseline, rows[baseline][-1], flush=True)
    FOLDER.mkdir(exist_ok=True)
    command = ["python", "book/_tools/first_model_gains.py"]
    for baseline, gains in rows.items():
        about = {"suite": "first-model-gains", "row": baseline}
        path = FOLDER / f"{baseline}.json"
        write_result(path, gains, command=command, system=model, settings={}, about=about)


def measure_gains(model: System, data: ReferData, split: str) -> dict[str, dict[str, Any]]:
    """Measure the mean paired difference from each baseline, and its standard error."""
    examples = load_examples(data, split)
    outcomes = collect_outcomes(model.predict, data, examples)
    image_ids = [example.image_id for example in examples]
    gains = {}
    for name, baseline_iou in BASELINES.items():
        differences = [outcome.iou - baseline_iou(outcome.example) for outcome in outcomes]
        gain, error = mean_and_error(differences, image_ids)
        gains[name] = {"count": len(examples), "gain": gain, "standard error": error}
    return gains


def iou_of_category_model(example: Example) -> float:
    """Expected IoU of a random object of the described category, with an exact outline."""
    return 1 / len(example.same_category)


def iou_of_largest_object(example: Example) -> float:
    """IoU of the exact outline of the largest object."""
    largest = max(example.objects, key=lambda obj: obj.area)
    return float(iou_with_objects(largest.mask, [example.target])[0])


BASELINES = {"category-model": iou_of_category_model, "largest-object": iou_of_largest_object}


if __name__ == "__main__":
    main()
