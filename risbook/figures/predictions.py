"""A model's masks on the samples of a dataset, beside the annotated ones."""

from typing import TYPE_CHECKING, Any

from risbook.figures.panels import show_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_predictions(model: Any, data: Any, *, limit: int = 8, columns: int = 4) -> "Figure":
    """Draw the first samples with the model's mask filled and the annotated one outlined.

    Args:
        model: a model, a network or a function, as for `risbook.evaluate`.
        data: a dataset of `risbook.data.load`, for instance ``data[worst]`` with the indices of
            the worst IoUs; or other data that `risbook.evaluate` takes.
        limit: at most so many samples.
        columns: panels per row.

    Raises:
        DataError: the dataset is empty; or as `risbook.evaluate`.
    """
    # Drawing an image with its masks needs neither torch nor models, so both are loaded on demand.
    from risbook.evaluation.evaluate import as_eval_dataset, as_predictor, predict_one_mask

    dataset = as_eval_dataset(data)
    predictor = as_predictor(model, image_size=dataset.image_size)
    panels: list[dict[str, Any]] = []
    for index in range(min(limit, len(dataset))):
        image, sentence = dataset.image(index), dataset.sentences[index]
        panels.append(
            {
                "image": image,
                "truth": dataset.mask(index),
                "prediction": predict_one_mask(predictor, image, sentence),
                "title": sentence,
            }
        )
    return show_panels(panels, columns=columns, legend=True)
