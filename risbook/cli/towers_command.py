"""``risbook towers``: parameters, sizes and weights of every tower."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from risbook.cli.shared import print_json, print_table

if TYPE_CHECKING:
    from risbook.towers.tower_info import TowerInfo


def towers(names: tuple[str, ...] = (), *, json: bool = False) -> None:
    """Print sizes, shapes and weights of the towers, without loading them.

    Args:
        names: towers (default: all of them).
        json: print JSON instead of a table.

    Weights that need a download are fetched by whoever first uses the tower, and kept. Without
    network: let RISBOOK_WEIGHTS name a folder that holds a folder of weights for each tower (or
    each pair, as clip-rn50), or use the mini towers, which come with the package.
    """
    from risbook.towers.tower_info import tower_info
    from risbook.towers.tower_presets import TOWERS, tower_preset

    for name in names:
        tower_preset(name)  # a wrong name is refused before anything is built
    infos = [tower_info(name) for name in names or TOWERS]
    if json:
        print_json([asdict(info) for info in infos])
        return
    print_table(
        ["tower", "params", "input", "or", "features", "weights"], [_row(info) for info in infos]
    )
    if names:
        print()
        print_table(["tower", "file of weights"], [[info.name, info.source] for info in infos])


def _row(info: "TowerInfo") -> list[str]:
    return [
        info.name,
        "?" if info.parameters is None else f"{info.parameters / 1e6:.1f} M",
        _input(info.default_input),
        info.allowed_input,
        " ".join(_shape(shape) for shape in info.features.values()) or "?",
        info.weights,
    ]


def _input(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} ids" if len(shape) == 1 else _shape(shape[1:])


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)
