"""``risbook data``: list the sets, make RefScenes, count a set, look at one of its expressions."""

from pathlib import Path
from typing import Any, Literal

from risbook.cli.shared import check_png, print_json, print_table
from risbook.config import Seed
from risbook.errors import RisbookError


def data(*, json: bool = False) -> None:
    """List the sets that have a name.

    Args:
        json: print JSON instead of a table.

    `risbook data counts NAME` counts objects, sentences and images per split of a set,
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
