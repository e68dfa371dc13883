"""Every recorded file of the released ETRIS has its test, and a result left out fails the test."""

from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import Recording


def test_parity_of_every_recorded_file_is_tested(shared: Path) -> None:
    names = {path.name for path in (shared / "parity" / "etris").glob("*.npz")}
    tests = Path(__file__).parent.rglob("test_parity_*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests)
    assert names and not {name for name in names if name not in text}


def test_a_result_that_is_left_out_or_wrong_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "parity" / "etris"
    folder.mkdir(parents=True)
    results = {"in.x": 1.0, "out.eval": 2.0, "grad.weight": 1e-3}
    np.savez(folder / "one.npz", **{k: np.float32([v]) for k, v in results.items()})
    file = Recording(tmp_path, "one.npz")
    file.compare("out.eval", torch.tensor([2.0002]))
    file.assert_all_compared("grad.")
    with pytest.raises(AssertionError, match=r"compared with nothing: \['grad.weight'\]"):
        file.assert_all_compared()
    with pytest.raises(AssertionError, match=r"nothing of that name was recorded: \['train.'\]"):
        file.assert_all_compared("grad.", "train.")
    with pytest.raises(AssertionError, match=r"out\.eval: .*not close"):
        file.compare("out.eval", torch.tensor([2.01]))
    with pytest.raises(AssertionError, match=r"grad\.weight: there is none"):
        file.compare("grad.weight", None)
    # within 1e-4, and yet a hundredth off
    with pytest.raises(AssertionError, match=r"grad\.weight"):
        file.compare("grad.weight", torch.tensor([1.01e-3]))
