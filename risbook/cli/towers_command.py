"""``risbook towers``: parameters, sizes and weights of every tower."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from risbook.cli.shared import print_json, print_table

if TYPE_CHECKING:
    from risbook.towers.info import TowerInfo


def towers(names: tuple[str, ...] = (), *, json: bool = False) -> None:
    """Print sizes, shapes and weights of the towers, without loading them.

    Args:
        names: towers (default: all of them).
        json: print JSON instead of a table.

    Weights that need a download are fetched by whoever first uses the tower, and kept. Without
    network: let RISBOOK_WEIGHTS name a folder that holds a folder of weights for each tower (or
    each pair, as clip-rn50), or use the mini towers, which come with the package.
    """
    from risbook.towers.info import tower_info
    from risbook.towers.presets import TOWERS, get_tower_preset

    for name in names:
        get_tower_preset(name)  # a wrong name is refused before anything is built
    infos = [tower_info(name) for name in names or TOWERS]
    if json:
        print_json([asdict(info) for info in infos])
        return
    print_table([_row(info) for info in infos])
    if names:
        print()
        print_table([{"tower": info.name, "file of weights": info.source} for info in infos])


def _row(info: "TowerInfo") -> dict[str, str]:
    length, *sides = info.default_input
    return {
        "tower": info.name,
        "params": "?" if info.parameters is None else f"{info.parameters / 1e6:.1f} M",
        "input": _shape(sides) if sides else f"{length} ids",
        "or": info.allowed_input,
        "features": " ".join(map(_shape, info.features.values())) or "?",
        "weights": info.weights,
    }


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))
