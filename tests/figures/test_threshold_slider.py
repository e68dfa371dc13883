"""The slider for the threshold."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from risbook.errors import DataError
from risbook.figures import threshold_slider

IMAGE = np.full((4, 6, 3), 200, np.uint8)
TRUTH = np.zeros((4, 6), bool)
TRUTH[1:3, 1:4] = True  # 6 pixels
PROBABILITY = np.where(TRUTH, 0.6, 0.4)


def test_labels_hold_the_iou_of_each_threshold_on_all_pixels():
    open_figures = plt.get_fignums()
    slider = threshold_slider(
        IMAGE, TRUTH, PROBABILITY, thresholds=(0.3, 0.5, 0.7), crop=np.s_[:3, :4]
    )
    assert slider.labels == [
        "threshold 0.30: IoU 0.25",  # all 24 pixels are predicted
        "threshold 0.50: IoU 1.00",
        "threshold 0.70: IoU 0.00",
    ]
    assert len(slider.frames) == 3
    assert slider.start == 0  # the threshold nearest to 0.35
    assert plt.get_fignums() == open_figures


@pytest.mark.parametrize(
    ("truth", "probability", "thresholds"),
    [(None, PROBABILITY, (0.5,)), (TRUTH, PROBABILITY[1:], (0.5,)), (TRUTH, PROBABILITY, ())],
)
def test_what_does_not_fit_is_refused(truth, probability, thresholds):
    with pytest.raises(DataError, match=r"threshold_slider: needs a truth and probabilities"):
        threshold_slider(IMAGE, truth, probability, thresholds=thresholds)
