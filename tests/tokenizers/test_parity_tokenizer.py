"""CLIP's ids equal those that the released codes recorded.

The list of merges is OpenAI's; the package open_clip_torch carries it.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from parity import Recording

from risbook.tokenizers.clip_tokenizer import CLIPTokenizer

#: File, name of the sentences, beginning of the ids' names.
KITS = [
    ("etris/tokenizer.npz", "sentences", "ids_"),
    ("detris/tokenizer.npz", "in/text", "out/ids"),
]

HARD = [
    "the owner’s “big” dog", "ﬁrst ﬂower, oﬃce", "ＬＯＵＤ　ＮＯＩＳＥ", "&rsquo;s man",
    "x<y&rsquo;s",
    "a\x00b\x1fc", "ça va, naïve e\u0301", "ΟΔΥΣΣΕΥΣ Σ", "İstanbul",
    "i'm you've he'll we'd",
    "99 bottles 1²½ 3.5", "日本語 テキスト ｶﾞ", "😀 smile 👍🏽", "a\u200bb", "snake_case #1 @you",
    "<b>bold &amp; &lt;i&gt;</b>", "don&#39;t", "hello\nworld\ttab\u2028line", "…—– !?!", "ß ẞ",
    "   ", "the " * 100,
]  # fmt: skip


@pytest.fixture(scope="module")
def carrier() -> Path:
    """Folder of open_clip; it is not imported, because it would load much."""
    spec = importlib.util.find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the list of merges is not here: pip install open_clip_torch")
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="module")
def merges(carrier: Path) -> Path:
    return carrier / "bpe_simple_vocab_16e6.txt.gz"


@pytest.mark.parametrize(("kit", "texts", "ids"), KITS, ids=[kit for kit, _, _ in KITS])
def test_parity_ids(merges: Path, tmp_path: Path, kit: str, texts: str, ids: str) -> None:
    file = Recording(kit)
    sentences = [str(text) for text in file[texts]]
    names = [name for name in file if name != texts]
    assert sentences and names
    for name in names:
        assert name.startswith(ids)
        length, expected = int(name.removeprefix(ids)), file.array(name)
        tokenizer = CLIPTokenizer.from_vocabulary(merges, length=length)
        assert np.array_equal(tokenizer(sentences).numpy(), expected)
        tokenizer.to_file(tmp_path / "tokenizer.json")
        again = CLIPTokenizer.from_file(tmp_path / "tokenizer.json", length=length)
        assert np.array_equal(again(sentences).numpy(), expected)


def test_parity_with_the_hub_s_tokenizer_file(merges: Path, tmp_path: Path) -> None:
    """The library transformers describes the same vocabulary in its own file, with the same ids."""
    from transformers import CLIPTokenizer as Other

    ours = CLIPTokenizer.from_vocabulary(merges, length=77)
    model = json.loads(ours.backend.to_str())["model"]
    pairs: Any = [tuple(pair) for pair in model["merges"]]
    Other(vocab=model["vocab"], merges=pairs).save_pretrained(tmp_path)
    theirs = CLIPTokenizer.from_file(tmp_path / "tokenizer.json", length=77)
    assert theirs(HARD).equal(ours(HARD))


def test_parity_with_openai_s_algorithm(carrier: Path, merges: Path) -> None:
    """open_clip carries OpenAI's code too: the same ids for every text that is hard to clean."""
    module = load_alone(carrier / "tokenizer.py")
    theirs = module.SimpleTokenizer()
    ours = CLIPTokenizer.from_vocabulary(merges, length=77)
    for text in HARD:
        assert ours([text])[0].tolist() == theirs([text], 77)[0].tolist(), text


def load_alone(path: Path) -> ModuleType:
    """Import one file of a package without the package."""
    if any(importlib.util.find_spec(name) is None for name in ("ftfy", "regex")):
        pytest.skip("OpenAI's code needs ftfy and regex: pip install open_clip_torch")
    spec = importlib.util.spec_from_file_location("_their_tokenizer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
