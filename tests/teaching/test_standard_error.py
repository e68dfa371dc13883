"""Standard errors: the image is the unit, not the expression."""

import numpy as np
import pytest

from risbook.teaching import mean_and_error


def test_two_images_with_equal_expressions() -> None:
    mean, error = mean_and_error([1, 1, 0, 0], image_ids=[7, 7, 8, 8])
    assert mean == 0.5
    assert error == pytest.approx(np.sqrt(2) / 4)


def test_one_expression_per_image_gives_the_usual_error() -> None:
    values = np.random.default_rng(0).random(50)
    mean, error = mean_and_error(values, range(50))
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std() / np.sqrt(50))


@pytest.mark.parametrize(("values", "image_ids"), [([], []), ([0.5, 0.6], [1])])
def test_one_id_per_value(values: list[float], image_ids: list[int]) -> None:
    with pytest.raises(ValueError, match=f"{len(values)} values and {len(image_ids)} image ids"):
        mean_and_error(values, image_ids)
