"""``risbook pretrain`` reads the sets of the recipe's own world."""

from pathlib import Path
from typing import Any

import pytest

from risbook.cli import main
from risbook.data import ReferData


@pytest.mark.parametrize(
    ("recipe", "world"), [("clip-mini", ("pretraining", 1)), ("dinov2-mini-alone", ("standard", 0))]
)
def test_it_reads_the_sets_of_the_recipes_world(
    recipe: str,
    world: tuple[str, int],
    tiny_world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []

    def tiny_folder(size: str = "standard", seed: int = 0) -> Path:
        calls.append((size, seed))
        return tiny_world

    def run(name: str, sources: list[ReferData], out: Path, **options: Any) -> list[Path]:
        probed: list[ReferData] = options["probed"]
        for part in (sources, probed):
            assert [data.folder.name for data in part] == ["refscenes", "refscenes+", "refscenesg"]
        assert options["init"] == tmp_path
        calls.append(name)
        return []

    monkeypatch.setattr("risbook.refscenes.world_folder", tiny_folder)
    monkeypatch.setattr("risbook.pretraining.run_recipe", run)
    assert main(["pretrain", recipe, "--out", str(tmp_path / "run"), "--init", str(tmp_path)]) == 0
    assert calls[0] == world and calls[-1] == recipe
