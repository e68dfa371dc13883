"""Fixtures that every room's tests may use."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_make_parametrize_id(val: Any, argname: str) -> str | None:
    """Give long texts short names: a report names tests, and a process's environment holds one."""
    if isinstance(val, str | bytes) and len(val) > 100:
        return f"{argname} of {len(val)}"
    return None


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Folder of real photographs with annotations, which are no part of the repository.

    The environment variable RISBOOK_SHARED names the folder that holds ``realdata``; without one
    it is ``shared`` beside the repository's root.
    """
    named = os.environ.get("RISBOOK_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "realdata").is_dir():
        pytest.skip("needs real photographs, which may not be shared: see tests/conftest.py")
    return folder / "realdata"


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn world of a few dozen scenes: the folder that holds its three sets."""
    from risbook.refscenes import TINY, make_world

    return make_world(tmp_path_factory.mktemp("worlds") / "tiny", size=TINY, progress=False)


@pytest.fixture(scope="session")
def unseen_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn world of a few dozen scenes: the folder that holds refscenes-unseen."""
    from risbook.refscenes import UNSEEN_TINY, make_world

    root = tmp_path_factory.mktemp("worlds") / "unseen-tiny"
    return make_world(root, size=UNSEEN_TINY, progress=False)


@pytest.fixture(autouse=True, scope="session")
def quiet_progress_bars() -> Iterator[None]:
    """Progress bars would hide what a failing test printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.fixture(scope="session")
def mini_towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained small towers in a folder for `weights=`, as if somebody had trained them."""
    import torch

    from risbook.tokenizers.word_tokenizer import WordTokenizer
    from risbook.towers.build import build_tower, save_tower

    folder = tmp_path_factory.mktemp("towers")
    words = ["left dog", "the red mug on the right", "a man in a hat, second from left"]
    tokenizer = WordTokenizer.from_sentences(words, length=24, ends=True)
    torch.manual_seed(0)
    build = {
        "clip-mini-image": {},
        "clip-mini-rn-image": {"connect": False},
        "clip-mini-text": {"vocab_size": tokenizer.vocab_size},
        "clip-mini-40k-text": {"vocab_size": tokenizer.vocab_size},
        "dinov2-mini": {"layer_scale": 1.0},
    }
    for name, changes in build.items():
        save_tower(
            build_tower(name, weights="random", **changes),
            folder / name,
            name=name,
            source="a test",
            tokenizer=tokenizer if "text" in name else None,
        )
    return folder
