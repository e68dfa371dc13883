"""A model's masks on the samples of a dataset, beside the annotated ones."""

from typing import TYPE_CHECKING, Any

from risbook.figures.panels import show_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from risbook.data import ReferringDataset
    from risbook.systems import System


def show_predictions(
    model: "System", data: "ReferringDataset", *, limit: int = 8, columns: int = 4
) -> "Figure":
    """Draw the first samples with the model's mask filled and the annotated one outlined.

    Args:
        model: a model of `risbook.load`.
        data: a dataset of `risbook.data.load`, for instance ``data[worst]`` with the indices of
            the worst IoUs.
        limit: at most so many samples.
        columns: panels per row.

    Raises:
        DataError: the dataset is empty.
    """
    panels: list[dict[str, Any]] = []
    for index in range(min(limit, len(data))):
        image, sentence = data.image(index), data.sentences[index]
        panels.append(
            {
                "image": image,
                "truth": data.mask(index),
                "prediction": model.predict(image, sentence),
                "title": sentence,
            }
        )
    return show_panels(panels, columns=columns, legend=True)
