"""Tables of text: columns are aligned, and a row of another length is an error."""

import numpy as np
import pytest

from risbook.teaching import print_table


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["set", "mIoU"], [["val", np.float64(5.25)], ["testA", None], ["testB", "50 %"]])
    assert capsys.readouterr().out == "set    mIoU\nval    5.25\ntestA\ntestB  50 %\n"


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 values, not 2"):
        print_table(["set", "mIoU"], [["val"]])
