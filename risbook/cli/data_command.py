"""``risbook data``: list, draw, download, check, count and show sets."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from risbook.cli.shared import check_png, print_json, print_table
from risbook.config import Seed, Size
from risbook.errors import RisbookError


def data(*, json: bool = False) -> None:
    """List the sets that have a name.

    Args:
        json: print JSON instead of a table.

    `risbook data download NAME` brings a real set, `risbook data check NAME` finds what of it is
    missing or broken, `risbook data counts NAME` counts objects, sentences and images per split,
    `risbook data show NAME --out FILE.png` draws one of its expressions, and `risbook data make`
    draws the scenes of RefScenes before they are needed.
    """
    from risbook.data.catalog import list_datasets

    rows = [{"set": name, "what it is": text} for name, text in list_datasets().items()]
    if json:
        print_json(rows)
    else:
        print_table(rows)


def make(
    *,
    out: Path | None = None,
    size: Literal["standard", "tiny", "unseen", "unseen-tiny"] = "standard",
    seed: Seed = 0,
) -> None:
    """Draw the scenes of RefScenes into a folder.

    Args:
        out: folder (default: the cache, where other commands look).
        size: which sets, and how many scenes: refscenes, refscenes+ and refscenesg for standard
            and tiny, refscenes-unseen for unseen and unseen-tiny.
        seed: of the scenes and sentences.
    """
    from risbook.refscenes import make_world, world_folder
    from risbook.refscenes.sets import SIZES

    if out is None:
        print(world_folder(size=size, seed=seed))
    else:
        print(make_world(out, size=SIZES[size], seed=seed))


def download(
    data: Literal["refcoco", "refcoco+", "refcocog"],
    *,
    to: Path = Path("data"),
    images: Literal["needed", "eval", "all", "none"] = "needed",
    source: Literal["archive", "hub"] = "archive",
    archive: Path | None = None,
    partition: str | None = None,
    connections: Size = 16,
) -> None:
    """Download a real set: annotations, and the photographs that they need.

    Args:
        data: the set.
        to: folder that gets it; all sets share one, because they share photographs.
        images: needed for all splits, eval for all splits but train, all that the annotations
            list, or none.
        source: of the annotations: archive for the released zip, hub for rows of Hugging Face.
        archive: the released zip, where it is on this machine.
        partition: unc, google or umd (default: unc or umd).
        connections: photographs at once.

    What is there is not downloaded again, so the same command goes on after an interruption.
    """
    from risbook.data.download import PHOTOGRAPHS, download_set

    downloaded = download_set(
        data,
        to,
        images=images,
        source=source,
        archive=archive,
        partition=partition,
        connections=connections,
    )
    is_rows = downloaded.name.startswith("hf:")
    place = f"--data {downloaded.name} --images {to / PHOTOGRAPHS}"
    print(f"{data} is complete: {place if is_rows else f'--data {to / data}'}")


def check(
    data: Literal["refcoco", "refcoco+", "refcocog"],
    *,
    to: Path = Path("data"),
    images: Literal["needed", "eval", "all", "none"] = "needed",
    partition: str | None = None,
    json: bool = False,
) -> None:
    """Decode every photograph of a downloaded set, and list the missing and broken ones.

    Args:
        data: the set.
        to: folder of the download.
        images: which photographs, as for `risbook data download`.
        partition: unc, google or umd (default: unc or umd).
        json: print JSON instead of lines.
    """
    from risbook.data.download import check_set

    checked = check_set(data, to, images=images, partition=partition)
    if json:
        print_json(asdict(checked))
    else:
        print(
            f"{checked.name}: {checked.photographs:,} photographs, "
            f"{len(checked.missing):,} missing, {len(checked.broken):,} broken"
        )
        for name in checked.broken:
            print(f"broken: {name}")
    if checked.missing or checked.broken:
        raise RisbookError(
            f"{to}: not complete; delete the broken files, then `risbook data download {data} "
            f"--to {to}` brings what is missing"
        )


def cache(
    data: str,
    *,
    out: Path,
    size: Size = 416,
    split: str = "train",
    partition: str | None = None,
    images: str | None = None,
) -> None:
    """Letterbox the training images of a set once, into a folder.

    Args:
        data: set, by name or folder.
        out: folder of the cache; sets that share photographs may share it.
        size: side of the letterboxed square, pixels: the image size of the training.
        split: whose images.
        partition: unc, google or umd (default: unc or umd).
        images: folder of images (default: beside the sets).

    What is there and unchanged is not made again. `image_cache: FOLDER` in a training's
    configuration reads it; evaluation always reads the originals.
    """
    from risbook.data import open_data
    from risbook.data.letterbox_cache import write_letterbox_cache

    source = open_data(data, partition=partition, images=images)
    write_letterbox_cache([source], out, image_size=size, splits=(split,))
    print(f"image_cache: {out}")


def counts(
    data: str, *, partition: str | None = None, images: str | None = None, json: bool = False
) -> None:
    """Count objects, sentences and images per split, beside the published counts.

    Args:
        data: a set, for instance refscenes or refscenes-sample, or a folder in the REFER layout,
            with instances.json and refs(...).p.
        partition: unc, google or umd (default: unc or umd).
        images: folder of images (default: beside the sets).
        json: print JSON instead of a table.
    """
    from risbook.data import check_counts, is_full_release, open_data

    source = open_data(data, partition=partition, images=images)
    rows: list[dict[str, Any]] = [
        dict(zip(("split", "objects", "sentences", "images"), (split, *numbers), strict=True))
        for split, numbers in source.expressions.counts().items()
    ]
    table = [dict(row) for row in rows]
    released = {"dataset": source.folder.name, "partition": source.partition}
    if is_full_release(source.expressions, **released):
        # Only a whole released set has published counts to agree with.
        checks = {check.split: check for check in check_counts(source.expressions, **released)}
        for row, cells in zip(rows, table, strict=True):
            check = checks[row["split"]]
            row.update(published=check.expected, agrees=check.ok)
            numbers = " / ".join("?" if n is None else str(n) for n in check.expected)
            cells["published"] = numbers if check.ok else f"{numbers} (differs)"
    if json:
        print_json(rows)
    else:
        print_table(table)


def show(
    data: str,
    *,
    out: Path,
    split: str = "val",
    index: int = 0,
    partition: str | None = None,
    images: str | None = None,
) -> None:
    """Draw one expression of a set: image, sentence, mask.

    Args:
        data: a set, for instance refscenes or refscenes-sample, or a folder in the REFER layout.
        out: image to write, PNG.
        split: of the set.
        index: number of the expression in its split.
        partition: unc, google or umd (default: unc or umd).
        images: folder of images (default: beside the sets).
    """
    from risbook.data import open_data
    from risbook.figures import show_referring
    from risbook.files import write_atomically

    check_png(out)
    source = open_data(data, partition=partition, images=images)
    expressions = source.expressions.split(split)
    if not 0 <= index < len(expressions):
        raise RisbookError(f"--index {index}: {split} has 0 to {len(expressions) - 1}")
    expression = expressions[index]
    figure = show_referring(
        source.image(expression), truth=source.mask(expression), title=expression.sent
    )
    with write_atomically(out) as path:
        figure.savefig(path, format="png", dpi=150, bbox_inches="tight")
    print(f'{out}: "{expression.sent}" ({source.name} {split}, {expression.category})')
